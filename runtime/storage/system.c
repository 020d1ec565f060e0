/*
 * system.c -- the operating system behind the storage seam.
 *
 * The table, and what belongs to the system as a whole: boot identity, clocks,
 * random numbers, restarts. Open files are in system_files.c, names in
 * system_names.c, names below directory handles in system_dirs.c, mounts of a
 * slot in system_mounts.c, media in storage_medium.c, flash in system_flash.c,
 * the boot loader's environment in system_uboot_env.c.
 */
#include "storage.h"

#include "program.h"
#include "storage_medium.h"
#include "storage_waits.h"
#include "system_dirs.h"
#include "system_files.h"
#include "system_flash.h"
#include "system_mounts.h"
#include "system_names.h"
#include "system_uboot_env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RESTART_MS 1000 /* the time that the restart command gets to fail in */

static int sys_mounted(struct up_storage *s, const char *path)
{
    (void)s;
    return up_system_mounts(path);
}

static int sys_medium(struct up_storage *s, const char *path, struct up_medium *out)
{
    (void)s;
    return up_storage_medium(path, out);
}

static int sys_boot_get(struct up_storage *s, const char *config, struct up_boot_variable *variables,
                        size_t count)
{
    (void)s;
    return up_system_uboot_env_get(config, variables, count);
}

static int sys_boot_set(struct up_storage *s, const char *config, const struct up_boot_variable *variables,
                        size_t count)
{
    (void)s;
    return up_system_uboot_env_set(config, variables, count);
}

static int sys_boot_id(struct up_storage *s, char out[37])
{
    int fd = up_system_file_open_again("/proc/sys/kernel/random/boot_id", O_RDONLY, 0);
    long long n;

    if (fd < 0)
        return -1;
    n = up_system_file_pread(s, fd, out, 36, 0);
    up_system_file_close_quietly(fd);
    if (n < 0)
        return -1;
    if (n != 36) {
        errno = EIO;
        return -1;
    }
    out[36] = '\0';
    return 0;
}

static uint64_t sys_now(struct up_storage *s)
{
    struct timespec t;

    (void)s;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec > 0 ? (uint64_t)t.tv_sec : 0;
}

static bool sys_synchronised(struct up_storage *s)
{
    struct timex t = {.modes = 0};
    int state = adjtimex(&t);

    (void)s;
    return state >= 0 && state != TIME_ERROR && !(t.status & STA_UNSYNC);
}

static uint64_t milliseconds_of(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t sys_monotonic(struct up_storage *s)
{
    (void)s;
    return milliseconds_of(CLOCK_MONOTONIC);
}

static uint64_t sys_uptime(struct up_storage *s)
{
    (void)s;
    return milliseconds_of(CLOCK_BOOTTIME);
}

static int sys_random(struct up_storage *s, void *buf, size_t len)
{
    size_t done = 0;

    (void)s;
    while (done < len) {
        ssize_t n = getrandom((char *)buf + done, len - done, 0);

        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return -1;
    }
    return 0;
}

/* The agent ignores and blocks signals that a shell script relies on, so reset them for the command. */
static int sys_restart(struct up_storage *s, char *const argv[])
{
    pid_t pid;
    int status;

    (void)s;
    errno = up_program_start(&pid, argv, false, UP_PROGRAM_EMPTY);
    if (errno != 0)
        return -1;
    /* If it takes longer, it works on it, and who waited here could not prove that it lives. */
    if (up_program_wait(pid, RESTART_MS, &status) < 0)
        return errno == ETIMEDOUT ? 0 : -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    errno = ECANCELED;
    return -1;
}

struct up_storage *up_storage_system(void)
{
    static const struct up_storage_ops ops = {
        .open = up_system_file_open,
        .close = up_system_file_close,
        .pread = up_system_file_pread,
        .pwrite = up_system_file_pwrite,
        .sync = up_system_file_sync,
        .sync_dir = up_system_name_sync_dir,
        .rename = up_system_name_rename,
        .link = up_system_name_link,
        .unlink = up_system_name_unlink,
        .mkdir = up_system_name_mkdir,
        .rmdir = up_system_name_rmdir,
        .symlink = up_system_name_symlink,
        .readlink = up_system_name_readlink,
        .chmod = up_system_name_chmod,
        .stat = up_system_name_stat,
        .stat_file = up_system_file_stat,
        .space = up_system_name_space,
        .list = up_system_name_list,
        .open_dir = up_system_dir_open,
        .open_at = up_system_dir_open_at,
        .stat_at = up_system_dir_stat_at,
        .list_at = up_system_dir_list_at,
        .rename_at = up_system_dir_rename_at,
        .link_at = up_system_dir_link_at,
        .unlink_at = up_system_dir_unlink_at,
        .rmdir_at = up_system_dir_rmdir_at,
        .mkdir_at = up_system_dir_mkdir_at,
        .copy_link_at = up_system_dir_copy_link_at,
        .space_at = up_system_dir_space_at,
        .set_attributes = up_system_dir_set_attributes,
        .copy_attributes = up_system_dir_copy_attributes,
        .truncate = up_system_file_truncate,
        .zero_range = up_system_file_zero_range,
        .drop_cache = up_system_file_drop_cache,
        .start_writeback = up_system_file_start_writeback,
        .lock = up_system_file_lock,
        .mounted = sys_mounted,
        .medium = sys_medium,
        .boot_get = sys_boot_get,
        .boot_set = sys_boot_set,
        .flash_info = up_system_flash_info,
        .flash_bad = up_system_flash_bad,
        .flash_erase = up_system_flash_erase,
        .flash_mark_bad = up_system_flash_mark_bad,
        .flash_update = up_system_flash_update,
        .boot_id = sys_boot_id,
        .now = sys_now,
        .synchronised = sys_synchronised,
        .monotonic = sys_monotonic,
        .uptime = sys_uptime,
        .random = sys_random,
        .restart = sys_restart,
    };
    static struct up_storage storage;

    storage.ops = up_storage_waits(&ops);
    return &storage;
}
