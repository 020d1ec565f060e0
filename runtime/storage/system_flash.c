/*
 * system_flash.c -- MTD and UBI volumes, through ioctls and sysfs.
 *
 * Devices are recognised by what they are, not by name: MTD has a major number
 * of its own; UBI volumes belong to the subsystem "ubi" and have a size in
 * logical erase blocks, which the UBI device below them does not have.
 */
#include "system_flash.h"

#include "storage.h"
#include "system_sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <mtd/mtd-user.h>
#include <mtd/ubi-user.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MTD_MAJOR 90 /* minor 2 n is mtd<n>, 2 n + 1 the same, read-only */

/* An attribute of a character device in sysfs: its first line. */
static bool attribute(dev_t device, const char *name, char *out, size_t room)
{
    char path[128];

    snprintf(path, sizeof path, "/sys/dev/char/%u:%u/%s", major(device), minor(device), name);
    return up_system_sysfs_line(path, out, room);
}

static bool number(dev_t device, const char *name, uint64_t *out)
{
    char text[32], *end;

    if (!attribute(device, name, text, sizeof text))
        return false;
    errno = 0;
    *out = strtoull(text, &end, 0);
    return errno == 0 && end > text;
}

static bool is_mtd(dev_t device)
{
    return major(device) == MTD_MAJOR;
}

/* UBI volumes have no fixed major number, so an attribute that other devices lack has to be enough. */
static bool is_ubi_volume(dev_t device, uint64_t *size, uint64_t *block)
{
    char path[128], target[512];
    uint64_t blocks;
    ssize_t n;

    snprintf(path, sizeof path, "/sys/dev/char/%u:%u/subsystem", major(device), minor(device));
    n = readlink(path, target, sizeof target - 1);
    if (n < 4)
        return false;
    target[n] = '\0';
    if (strcmp(target + n - 4, "/ubi") != 0 || !number(device, "reserved_ebs", &blocks) ||
        !number(device, "usable_eb_size", block) || *block == 0 || blocks > UINT64_MAX / *block)
        return false;
    *size = blocks * *block;
    return true;
}

static int mtd_info(int fd, dev_t device, struct up_flash *out)
{
    struct mtd_info_user info;

    if (ioctl(fd, MEMGETINFO, &info) < 0)
        return -1;
    switch (info.type) {
    case MTD_NANDFLASH:
    case MTD_MLCNANDFLASH:
        out->kind = UP_FLASH_NAND;
        break;
    case MTD_NORFLASH:
    case MTD_DATAFLASH:
    case MTD_RAM:
        out->kind = UP_FLASH_NOR;
        break;
    default:
        return 0;
    }
    /* The ioctl takes 32 bits. */
    if (!number(device, "size", &out->size))
        out->size = info.size;
    out->erase_size = info.erasesize;
    out->write_size = info.writesize;
    out->writable = (info.flags & MTD_WRITEABLE) && minor(device) % 2 == 0;
    return 0;
}

int up_system_flash_info(struct up_storage *s, int fd, struct up_flash *out)
{
    uint64_t block;
    struct stat st;

    (void)s;
    memset(out, 0, sizeof *out);
    if (fstat(fd, &st) < 0)
        return -1;
    if (!S_ISCHR(st.st_mode))
        return 0;
    if (is_mtd(st.st_rdev))
        return mtd_info(fd, st.st_rdev, out);
    if (is_ubi_volume(st.st_rdev, &out->size, &block)) {
        out->kind = UP_FLASH_UBI;
        out->erase_size = (uint32_t)block;
        out->write_size = 1;
        out->writable = true;
    }
    return 0;
}

int up_system_flash_bad(struct up_storage *s, int fd, uint64_t offset)
{
    __kernel_loff_t at = (__kernel_loff_t)offset;

    (void)s;
    return ioctl(fd, MEMGETBADBLOCK, &at);
}

int up_system_flash_erase(struct up_storage *s, int fd, uint64_t offset, uint32_t erase_size)
{
    struct erase_info_user64 range = {.start = offset, .length = erase_size};

    (void)s;
    return ioctl(fd, MEMERASE64, &range);
}

int up_system_flash_mark_bad(struct up_storage *s, int fd, uint64_t offset)
{
    __kernel_loff_t at = (__kernel_loff_t)offset;

    (void)s;
    return ioctl(fd, MEMSETBADBLOCK, &at);
}

int up_system_flash_update(struct up_storage *s, int fd, uint64_t size)
{
    __s64 bytes = (__s64)size;

    (void)s;
    return ioctl(fd, UBI_IOCVOLUP, &bytes);
}

/* The name in sysfs, such as "ubi0_1" of a volume, from the end of its link. */
static bool node_name(dev_t device, char *out, size_t room)
{
    char path[64], target[512], *last;
    ssize_t n;

    snprintf(path, sizeof path, "/sys/dev/char/%u:%u", major(device), minor(device));
    n = readlink(path, target, sizeof target - 1);
    if (n < 0)
        return false;
    target[n] = '\0';
    last = strrchr(target, '/');
    return last && snprintf(out, room, "%s", last + 1) < (int)room;
}

struct names {
    char *out;
    size_t room;
    int count;
};

static void add(struct names *l, const char *before, const char *name, const char *colon, const char *after)
{
    int n = snprintf(l->out, l->room, "%s%s%s%s", before, name, colon, after);

    if (n < 0 || (size_t)n + 1 >= l->room)
        return;
    l->out += n + 1;
    l->room -= (size_t)n + 1;
    l->out[0] = '\0';
    l->count++;
}

int up_system_flash_names(const struct stat *st, char *out, size_t room)
{
    struct names l = {.out = out, .room = room};
    char name[64], label[160], device[64];
    uint64_t size, block;

    out[0] = '\0';
    if (is_mtd(st->st_rdev)) {
        snprintf(name, sizeof name, "%u", minor(st->st_rdev) / 2);
        add(&l, "mtd", name, "", "");
        add(&l, "/dev/mtd", name, "", "");
        add(&l, "/dev/mtdblock", name, "", "");
        if (attribute(st->st_rdev, "name", label, sizeof label))
            add(&l, "mtd", "", ":", label);
    } else if (is_ubi_volume(st->st_rdev, &size, &block) && node_name(st->st_rdev, name, sizeof name)) {
        add(&l, "", name, "", "");
        add(&l, "/dev/", name, "", "");
        add(&l, "/dev/ubiblock", name + strcspn(name, "0123456789"), "", "");
        snprintf(device, sizeof device, "%.*s", (int)strcspn(name, "_"), name);
        if (attribute(st->st_rdev, "name", label, sizeof label))
            add(&l, "", device, ":", label);
    }
    return l.count;
}

int up_system_flash_attached(const struct stat *st)
{
    DIR *dir;
    char path[512], text[32];
    int found = 0;

    if (!is_mtd(st->st_rdev))
        return 0;
    dir = opendir("/sys/class/ubi");
    if (!dir)
        return errno == ENOENT ? 0 : -1;
    for (const struct dirent *entry = readdir(dir); !found && entry; entry = readdir(dir)) {
        FILE *f;

        snprintf(path, sizeof path, "/sys/class/ubi/%.200s/mtd_num", entry->d_name);
        f = fopen(path, "re");
        if (!f)
            continue;
        found = fgets(text, sizeof text, f) && strtoul(text, NULL, 10) == minor(st->st_rdev) / 2;
        fclose(f);
    }
    closedir(dir);
    return found;
}
