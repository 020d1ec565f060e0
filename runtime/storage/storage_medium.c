/*
 * storage_medium.c -- devices on top of one another, from sysfs.
 *
 * A partition is on its disk, a device mapper or RAID device on its members, a
 * loop device on its file, a file on the device of its file system, a UBI
 * volume on an MTD, and an MTD partition on the whole MTD if the kernel exposes
 * that.
 */
#include "storage_medium.h"

#include "storage.h"
#include "system_flash.h"
#include "system_partition.h"
#include "system_sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MTD_BLOCK_MAJOR 31

static void add_block(struct up_medium *m, dev_t device);

/* False if it is in the list already, or if there is no room: count is then past the end. */
static bool add(struct up_medium *m, enum up_medium_kind kind, uint64_t number, uint64_t second)
{
    for (unsigned i = 0; i < m->count && i < UP_MEDIUM_DEPTH; i++)
        if (m->on[i].kind == kind && m->on[i].number == number && m->on[i].second == second)
            return false;
    if (m->count >= UP_MEDIUM_DEPTH) {
        m->count = UP_MEDIUM_DEPTH + 1;
        return false;
    }
    m->on[m->count++] = (struct up_medium_part){.kind = kind, .number = number, .second = second};
    return true;
}

/* Flash, by the names that mounts and sysfs use. */

static void add_mtd(struct up_medium *m, unsigned n);

static void add_ubi(struct up_medium *m, unsigned device, unsigned volume)
{
    char path[64], text[32];

    if (!add(m, UP_ON_UBI, device, volume))
        return;
    snprintf(path, sizeof path, "/sys/class/ubi/ubi%u/mtd_num", device);
    if (up_system_sysfs_line(path, text, sizeof text))
        add_mtd(m, (unsigned)strtoul(text, NULL, 10));
}

/* Parse "mtd3", "mtdblock3", "ubi0_1" or "ubiblock0_1" up to the end, with or without "/dev/". */
static void add_numbered(struct up_medium *m, const char *name)
{
    unsigned a, b;
    int end = 0;

    name += strncmp(name, "/dev/", 5) == 0 ? 5 : 0;
    if ((sscanf(name, "mtd%u%n", &a, &end) == 1 && end > 0 && !name[end]) ||
        (sscanf(name, "mtdblock%u%n", &a, &end) == 1 && end > 0 && !name[end]))
        add_mtd(m, a);
    else if ((sscanf(name, "ubi%u_%u%n", &a, &b, &end) == 2 && end > 0 && !name[end]) ||
             (sscanf(name, "ubiblock%u_%u%n", &a, &b, &end) == 2 && end > 0 && !name[end]))
        add_ubi(m, a, b);
}

/* The same for a sysfs path: a device below a flash device has the name of that in its path. */
static void add_on_the_way(struct up_medium *m, const char *path)
{
    char target[512], *save = NULL;
    ssize_t n = readlink(path, target, sizeof target - 1);

    if (n < 0)
        return;
    target[n] = '\0';
    for (char *part = strtok_r(target, "/", &save); part; part = strtok_r(NULL, "/", &save))
        add_numbered(m, part);
}

static void add_mtd(struct up_medium *m, unsigned n)
{
    char path[64];

    if (!add(m, UP_ON_MTD, n, 0))
        return;
    snprintf(path, sizeof path, "/sys/class/mtd/mtd%u", n);
    add_on_the_way(m, path);
}

/* The volume or partition named `label`: "ubi0:rootfs", "mtd:core". */
static void add_labelled(struct up_medium *m, const char *dir, const char *prefix, const char *label)
{
    DIR *d = opendir(dir);
    char path[512], text[160];

    for (const struct dirent *entry = d ? readdir(d) : NULL; entry; entry = readdir(d)) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%.200s/name", dir, entry->d_name);
        if (up_system_sysfs_line(path, text, sizeof text) && strcmp(text, label) == 0)
            add_numbered(m, entry->d_name);
    }
    if (d)
        closedir(d);
}

static void add_flash(struct up_medium *m, const char *source)
{
    const char *label = strchr(source, ':');
    char prefix[32];

    if (!label)
        add_numbered(m, source);
    else if (strncmp(source, "mtd:", 4) == 0)
        add_labelled(m, "/sys/class/mtd", "mtd", label + 1);
    else if (strncmp(source, "ubi", 3) == 0 &&
             snprintf(prefix, sizeof prefix, "%.*s_", (int)(label - source), source) < (int)sizeof prefix)
        add_labelled(m, "/sys/class/ubi", prefix, label + 1);
}

/* The mount of an open path; 0 if that cannot be determined. */
static int mount_number(const char *path)
{
    char name[64], line[128];
    int fd = open(path, O_PATH | O_CLOEXEC), number = 0;
    FILE *f;

    if (fd < 0)
        return 0;
    snprintf(name, sizeof name, "/proc/self/fdinfo/%d", fd);
    f = fopen(name, "re");
    while (f && number == 0 && fgets(line, sizeof line, f))
        if (sscanf(line, "mnt_id: %d", &number) != 1)
            number = 0;
    if (f)
        fclose(f);
    close(fd);
    return number;
}

/*
 * The source of the mount with this number, or of a mount of this device: the
 * second field after " - ". A subvolume of btrfs has a number of its own that
 * mountinfo does not show.
 */
static bool mount_source(int number, dev_t device, char *out, size_t room)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    unsigned major_number, minor_number;
    char *line = NULL, *tail;
    size_t size = 0;
    bool found = false;
    int id;

    while (f && !found && getline(&line, &size, f) >= 0) {
        tail = strstr(line, " - ");
        if (!tail || sscanf(line, "%d %*s %u:%u", &id, &major_number, &minor_number) != 3 ||
            (id != number && makedev(major_number, minor_number) != device))
            continue;
        tail += 3 + strcspn(tail + 3, " ");
        tail += strspn(tail, " ");
        tail[strcspn(tail, " \n")] = '\0';
        up_system_sysfs_unescape(tail);
        found = tail[0] && snprintf(out, room, "%s", tail) < (int)room;
    }
    free(line);
    if (f)
        fclose(f);
    return found;
}

/* What the file system with this device number is on. */
static void add_file_system(struct up_medium *m, dev_t device, const char *path)
{
    char source[512];
    struct stat st;

    if (major(device) == MTD_BLOCK_MAJOR)
        add_mtd(m, minor(device)); /* jffs2 has the number of the block device without using it */
    else if (major(device) != 0)
        add_block(m, device);
    else if (!mount_source(path ? mount_number(path) : 0, device, source, sizeof source))
        return;
    else if (source[0] == '/' && stat(source, &st) == 0 && S_ISBLK(st.st_mode))
        add_block(m, st.st_rdev);
    else
        add_flash(m, source);
}

static void add_file(struct up_medium *m, const struct stat *st, const char *path)
{
    if (add(m, UP_ON_FILE, st->st_dev, st->st_ino))
        add_file_system(m, st->st_dev, path);
}

/* The part of its file that the loop device at `dir` shows. */
static void add_range(struct up_medium *m, const char *dir)
{
    char path[512], text[32];
    uint64_t limit = 0;

    snprintf(path, sizeof path, "%s/loop/offset", dir);
    if (up_system_sysfs_line(path, text, sizeof text))
        m->from = strtoull(text, NULL, 10);
    snprintf(path, sizeof path, "%s/loop/sizelimit", dir);
    if (up_system_sysfs_line(path, text, sizeof text))
        limit = strtoull(text, NULL, 10);
    m->to = limit > 0 && limit < UINT64_MAX - m->from ? m->from + limit : UINT64_MAX;
}

/* The path in sysfs may be from another mount namespace or of a deleted file;
 * then ask the device itself. */
static void add_backing(struct up_medium *m, const char *dir, dev_t device)
{
    char path[512], backing[4200];
    struct loop_info64 info = {0};
    struct stat st = {0};
    int fd;

    snprintf(path, sizeof path, "%s/loop/backing_file", dir);
    if (!up_system_sysfs_line(path, backing, sizeof backing))
        return;
    if (m->count == 1)
        add_range(m, dir);
    snprintf(path, sizeof path, "/dev/loop%u", minor(device));
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && ioctl(fd, LOOP_GET_STATUS64, &info) == 0) {
        if (info.lo_rdevice)
            add_block(m, info.lo_rdevice);
        st.st_dev = info.lo_device;
        st.st_ino = info.lo_inode;
        if (!info.lo_rdevice)
            add_file(m, &st, NULL);
    }
    if (fd >= 0)
        close(fd);
    if (stat(backing, &st) == 0 && S_ISREG(st.st_mode))
        add_file(m, &st, backing);
    else if (stat(backing, &st) == 0 && S_ISBLK(st.st_mode))
        add_block(m, st.st_rdev);
}

static void add_slaves(struct up_medium *m, const char *dir)
{
    char path[512];
    dev_t device;
    DIR *d;

    snprintf(path, sizeof path, "%s/slaves", dir);
    d = opendir(path);
    for (const struct dirent *entry = d ? readdir(d) : NULL; entry; entry = readdir(d)) {
        snprintf(path, sizeof path, "%s/slaves/%.200s", dir, entry->d_name);
        if (entry->d_name[0] != '.' && up_system_sysfs_device(path, &device))
            add_block(m, device);
    }
    if (d)
        closedir(d);
}

static void add_block(struct up_medium *m, dev_t device)
{
    char dir[64], path[96];
    dev_t disk;

    if (!add(m, UP_ON_BLOCK, device, 0))
        return;
    snprintf(dir, sizeof dir, "/sys/dev/block/%u:%u", major(device), minor(device));
    snprintf(path, sizeof path, "%s/partition", dir);
    if (access(path, F_OK) == 0) {
        snprintf(path, sizeof path, "%s/..", dir);
        if (up_system_sysfs_device(path, &disk))
            add_block(m, disk);
    }
    add_slaves(m, dir);
    add_backing(m, dir, device);
    add_on_the_way(m, dir);
}

/* The name that a device has at every boot. */

static void name_flash(struct up_medium *m, const struct up_medium_part *on)
{
    char path[96], text[160];

    if (on->kind == UP_ON_MTD)
        snprintf(path, sizeof path, "/sys/class/mtd/mtd%u/name", (unsigned)on->number);
    else if (on->kind == UP_ON_UBI)
        snprintf(path, sizeof path, "/sys/class/ubi/ubi%u_%u/name", (unsigned)on->number,
                 (unsigned)on->second);
    else
        return;
    if (up_system_sysfs_line(path, text, sizeof text))
        snprintf(m->identity, sizeof m->identity, "%s=%.140s", on->kind == UP_ON_MTD ? "MTD" : "UBI", text);
}

static void name_block(struct up_medium *m, dev_t device)
{
    char path[96], text[160];

    if (up_system_partition_uuid(device, text, sizeof text)) {
        snprintf(m->identity, sizeof m->identity, "PARTUUID=%.140s", text);
        return;
    }
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/dm/name", major(device), minor(device));
    if (up_system_sysfs_line(path, text, sizeof text))
        snprintf(m->identity, sizeof m->identity, "DM=%.140s", text);
    else if (m->count > 1)
        name_flash(m, &m->on[1]); /* the block device made of it */
}

int up_storage_medium(const char *path, struct up_medium *out)
{
    char names[512];
    struct stat st;

    memset(out, 0, sizeof *out);
    if (stat(path, &st) < 0)
        return -1;
    if (S_ISBLK(st.st_mode)) {
        add_block(out, st.st_rdev);
        name_block(out, st.st_rdev);
    } else if (S_ISCHR(st.st_mode) && up_system_flash_names(&st, names, sizeof names) > 0) {
        add_numbered(out, names);
        name_flash(out, &out->on[0]);
    } else if (S_ISCHR(st.st_mode)) {
        add(out, UP_ON_OTHER, st.st_rdev, 0);
    } else {
        add_file(out, &st, path);
    }
    if (out->count <= UP_MEDIUM_DEPTH)
        return 0;
    errno = ELOOP;
    return -1;
}
