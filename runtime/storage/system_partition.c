/*
 * system_partition.c -- PARTUUID without udev.
 *
 * Newer kernels show it in the uevent of the partition. For older ones, read
 * the table at the front of the disk or the backup GPT at its end; it was valid
 * enough for the kernel to create the partition from it.
 */
#include "system_partition.h"

#include "bytes.h"
#include "system_sysfs.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MBR_SIZE 512u
#define MBR_LAST 255u        /* logical partitions are numbered from 5 on */
#define GPT_PROTECTIVE 0xeeu /* type of an MBR entry that says that the disk has a GPT */

/* Find a line NAME=value in a uevent file. */
static bool uevent(const char *dir, const char *name, char *out, size_t room)
{
    char path[160], line[256];
    size_t len = strlen(name);
    FILE *f;
    bool found = false;

    snprintf(path, sizeof path, "%s/uevent", dir);
    f = fopen(path, "re");
    if (!f)
        return false;
    while (!found && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        found = strncmp(line, name, len) == 0 && line[len] == '=' && line[len + 1] &&
                snprintf(out, room, "%s", line + len + 1) < (int)room;
    }
    fclose(f);
    return found;
}

static unsigned partition_number(const char *dir)
{
    char path[160], text[32];

    snprintf(path, sizeof path, "%s/partition", dir);
    return up_system_sysfs_line(path, text, sizeof text) ? (unsigned)strtoul(text, NULL, 10) : 0;
}

/* Open the disk of the partition shown in `dir`; -1 if it has no node. */
static int open_disk(const char *dir)
{
    char above[160], name[64], node[80];

    snprintf(above, sizeof above, "%s/..", dir);
    if (!uevent(above, "DEVNAME", name, sizeof name))
        return -1;
    snprintf(node, sizeof node, "/dev/%s", name);
    return open(node, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

static bool read_at(int fd, void *buf, size_t len, uint64_t offset)
{
    return pread(fd, buf, len, (off_t)offset) == (ssize_t)len;
}

static bool blank(const uint8_t *bytes, size_t len)
{
    while (len > 0 && bytes[len - 1] == 0)
        len--;
    return len == 0;
}

/* The first three fields of a GUID are little-endian. */
static void guid_text(const uint8_t g[16], char *out, size_t room)
{
    snprintf(out, room, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", g[3], g[2],
             g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
}

/* By the header at byte `at`. */
static bool in_gpt(int fd, uint64_t at, uint32_t sector, unsigned number, char *out, size_t room)
{
    uint8_t header[92], entry[32];
    uint32_t count, size;
    uint64_t first;

    if (!read_at(fd, header, sizeof header, at) || memcmp(header, "EFI PART", 8) != 0)
        return false;
    first = up_get64(header + 72);
    count = up_get32(header + 80);
    size = up_get32(header + 84);
    if (number > count || size < 128 || size > 4096 || first > UINT64_MAX / sector / 2 ||
        !read_at(fd, entry, sizeof entry, first * sector + (uint64_t)(number - 1) * size) ||
        blank(entry, 16) || blank(entry + 16, 16))
        return false;
    guid_text(entry + 16, out, room);
    return true;
}

static bool in_table(int fd, unsigned number, char *out, size_t room)
{
    uint8_t mbr[MBR_SIZE];
    uint64_t size = 0;
    int sector = 512;

    if (!read_at(fd, mbr, sizeof mbr, 0))
        return false;
    if (ioctl(fd, BLKSSZGET, &sector) < 0 || sector < 512)
        sector = 512;
    if (in_gpt(fd, (uint64_t)sector, (uint32_t)sector, number, out, room))
        return true;
    if (ioctl(fd, BLKGETSIZE64, &size) == 0 && size > (uint64_t)sector &&
        in_gpt(fd, size - (uint64_t)sector, (uint32_t)sector, number, out, room))
        return true;
    if (mbr[510] != 0x55 || mbr[511] != 0xaa || mbr[450] == GPT_PROTECTIVE || blank(mbr + 440, 4) ||
        number > MBR_LAST)
        return false;
    snprintf(out, room, "%08x-%02x", up_get32(mbr + 440), number);
    return true;
}

bool up_system_partition_uuid(dev_t device, char *out, size_t room)
{
    char dir[128];
    unsigned number;
    bool found;
    int fd;

    snprintf(dir, sizeof dir, "/sys/dev/block/%u:%u", major(device), minor(device));
    number = partition_number(dir);
    if (number == 0)
        return false;
    if (uevent(dir, "PARTUUID", out, room))
        return true;
    fd = open_disk(dir);
    if (fd < 0)
        return false;
    found = in_table(fd, number, out, room);
    close(fd);
    return found;
}
