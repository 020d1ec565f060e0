/*
 * system_mounts.c -- mounts from /proc/self/mountinfo, stacking from sysfs.
 *
 * A slot below something mounted (dm-verity, a loop device, a partition of it)
 * is as much in use as one that is mounted directly. Flash is mounted by name:
 * jffs2 and ubifs have no block device.
 */
#include "system_mounts.h"

#include "storage.h"
#include "system_flash.h"
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

#define MAX_STACK 16 /* devices on top of one another; more would be a loop in sysfs */

static int device_mounted(dev_t device, unsigned depth);

/* The first result counts, unless a later one is worse. */
static bool settled(int r)
{
    return r < 0 || r == UP_MOUNTED_WRITABLE;
}

static int worse(int a, int b)
{
    if (a < 0 || b < 0)
        return -1;
    return a > b ? a : b;
}

/* Split what follows " - " in a line of mountinfo, in place. */
struct mount {
    char *source;  /* the second field; NULL when there is none */
    bool writable; /* the file system itself, from the third field: a mount of it may still be read-only */
};

static struct mount mount_of(char *line)
{
    char *save = NULL, *tail = strstr(line, " - ");
    struct mount m = {NULL, true};
    const char *options;

    if (!tail || !strtok_r(tail + 3, " \n", &save))
        return m;
    m.source = strtok_r(NULL, " \n", &save);
    if (m.source)
        up_system_sysfs_unescape(m.source);
    options = strtok_r(NULL, " \n", &save);
    m.writable = !options || (strcmp(options, "ro") != 0 && strncmp(options, "ro,", 3) != 0);
    return m;
}

/*
 * Whether a line of mountinfo is a mount of the device. The third field is its
 * number. File systems on several devices (btrfs) show a number of their own
 * there, so the source, the second field after " - ", counts as well.
 */
static bool line_names(const char *line, const char *source, dev_t device)
{
    unsigned major_number, minor_number;
    struct stat st;

    if (sscanf(line, "%*s %*s %u:%u", &major_number, &minor_number) == 2 &&
        makedev(major_number, minor_number) == device)
        return true;
    return source && source[0] == '/' && stat(source, &st) == 0 && S_ISBLK(st.st_mode) &&
           st.st_rdev == device;
}

/* Whether it is a mount of one of the names; an empty one ends the list. */
static bool is_one_of(const char *source, const char *names)
{
    for (const char *name = names; source && *name; name += strlen(name) + 1)
        if (strcmp(source, name) == 0)
            return true;
    return false;
}

/* By the device, or by the names if there are any. */
static int in_mountinfo(dev_t device, const char *names)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t size = 0;
    int found = 0;

    if (!f)
        return -1;
    while (!settled(found) && getline(&line, &size, f) >= 0) {
        struct mount m = mount_of(line);

        if (names ? is_one_of(m.source, names) : line_names(line, m.source, device))
            found = worse(found, m.writable ? UP_MOUNTED_WRITABLE : UP_MOUNTED);
    }
    if (!settled(found) && ferror(f))
        found = -1;
    free(line);
    fclose(f);
    return found;
}

static bool entry_device(const char *dir, const char *name, dev_t *device)
{
    char path[512];

    return snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path &&
           up_system_sysfs_device(path, device);
}

/* Whether the device that sysfs shows as an entry of `dir` is mounted. */
static int entries_mounted(const char *dir, bool partitions_only, unsigned depth)
{
    DIR *d = opendir(dir);
    char path[512];
    dev_t device;
    int r = 0;

    if (!d)
        return errno == ENOENT ? 0 : -1;
    for (const struct dirent *entry = readdir(d); !settled(r) && entry; entry = readdir(d)) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%.200s/partition", dir, entry->d_name);
        if (partitions_only && access(path, F_OK) < 0)
            continue;
        if (entry_device(dir, entry->d_name, &device))
            r = worse(r, device_mounted(device, depth + 1));
    }
    closedir(d);
    return r;
}

/* Whether the loop device `name` reads from the file or device st. The path in
 * sysfs may be from another mount namespace or of a deleted file; then ask the
 * device itself. */
static bool loop_reads(const char *name, const struct stat *st)
{
    char path[512], backing[4200];
    struct loop_info64 info = {0};
    struct stat found;
    bool same = false;
    int fd;

    snprintf(path, sizeof path, "/sys/block/%.200s/loop/backing_file", name);
    if (!up_system_sysfs_line(path, backing, sizeof backing))
        return false;
    if (stat(backing, &found) == 0 && found.st_dev == st->st_dev && found.st_ino == st->st_ino)
        return true;
    snprintf(path, sizeof path, "/dev/%.200s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    if (ioctl(fd, LOOP_GET_STATUS64, &info) == 0) {
        if (S_ISBLK(st->st_mode))
            same = info.lo_rdevice == st->st_rdev;
        else
            same = info.lo_device == st->st_dev && info.lo_inode == st->st_ino;
    }
    close(fd);
    return same;
}

static int loops_mounted(const struct stat *st, unsigned depth)
{
    DIR *d = opendir("/sys/block");
    dev_t device;
    int r = 0;

    if (!d)
        return errno == ENOENT ? 0 : -1;
    for (const struct dirent *entry = readdir(d); !settled(r) && entry; entry = readdir(d))
        if (strncmp(entry->d_name, "loop", 4) == 0 && loop_reads(entry->d_name, st) &&
            entry_device("/sys/block", entry->d_name, &device))
            r = worse(r, device_mounted(device, depth + 1));
    closedir(d);
    return r;
}

static int device_mounted(dev_t device, unsigned depth)
{
    char dir[128], holders[160];
    struct stat st = {.st_mode = S_IFBLK, .st_rdev = device};
    int r;

    if (depth > MAX_STACK)
        return UP_MOUNTED_WRITABLE;
    snprintf(dir, sizeof dir, "/sys/dev/block/%u:%u", major(device), minor(device));
    snprintf(holders, sizeof holders, "%s/holders", dir);
    r = in_mountinfo(device, NULL);
    if (!settled(r))
        r = worse(r, entries_mounted(dir, true, depth));
    if (!settled(r))
        r = worse(r, entries_mounted(holders, false, depth));
    if (!settled(r))
        r = worse(r, loops_mounted(&st, depth));
    return r;
}

/* The flash itself, UBI on it, or its block device. */
static int flash_mounted(const struct stat *flash)
{
    char names[512];
    struct stat st;
    int r;

    if (up_system_flash_names(flash, names, sizeof names) == 0)
        return 0;
    r = up_system_flash_attached(flash);
    if (r != 0)
        return r < 0 ? r : UP_MOUNTED_WRITABLE; /* UBI moves the data on it */
    r = in_mountinfo(0, names);
    for (const char *name = names; !settled(r) && *name; name += strlen(name) + 1)
        if (stat(name, &st) == 0 && S_ISBLK(st.st_mode))
            r = worse(r, device_mounted(st.st_rdev, 0));
    return r;
}

int up_system_mounts(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return -1;
    if (S_ISBLK(st.st_mode))
        return device_mounted(st.st_rdev, 0);
    if (S_ISCHR(st.st_mode))
        return flash_mounted(&st);
    return S_ISREG(st.st_mode) ? loops_mounted(&st, 0) : 0;
}
