/*
 * storage_system.c -- the operating system behind the storage seam.
 *
 * Calls are repeated after EINTR, short reads and writes are finished, and no
 * descriptor survives an exec. Files are opened without waiting, so that a pipe
 * put where a file belongs is an error and not a hang.
 *
 * Whether a slot is mounted is answered in storage_mounted.c, flash is handled
 * in storage_flash.c, the boot loader's environment in storage_boot.c.
 */
#include "storage.h"

#include "storage_boot.h"
#include "storage_flash.h"
#include "storage_mounted.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ZERO_CHUNK 65536u

static int open_again(const char *path, int flags, mode_t mode)
{
    int fd;

    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* Close without losing the errno of the failure being reported. */
static void close_quietly(int fd)
{
    int saved = errno;

    close(fd);
    errno = saved;
}

static int sys_open(struct up_storage *s, const char *path, unsigned flags, unsigned mode)
{
    int how = O_RDONLY;

    (void)s;
    if (flags & UP_WRITE_ONLY_NEW)
        how = O_RDWR | O_CREAT | O_EXCL;
    else if (flags & UP_CREATE)
        how = O_RDWR | O_CREAT;
    else if (flags & UP_UPDATE)
        how = O_RDWR | (flags & UP_EXCLUSIVE ? O_EXCL : 0);
    return open_again(path, how, mode);
}

static int sys_close(struct up_storage *s, int file)
{
    (void)s;
    /* Linux frees the descriptor even when it reports EINTR. */
    return close(file) < 0 && errno != EINTR ? -1 : 0;
}

static long long sys_pread(struct up_storage *s, int file, void *buf, size_t len, uint64_t offset)
{
    size_t done = 0;

    (void)s;
    while (done < len) {
        ssize_t n = pread(file, (char *)buf + done, len - done, (off_t)(offset + done));

        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return -1;
    }
    return (long long)done;
}

static int sys_pwrite(struct up_storage *s, int file, const void *buf, size_t len, uint64_t offset)
{
    size_t done = 0;

    (void)s;
    while (done < len) {
        ssize_t n = pwrite(file, (const char *)buf + done, len - done, (off_t)(offset + done));

        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0) {
            errno = ENOSPC;
            return -1;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

/* fsync, not fdatasync: a changed mode becomes durable with the content. */
static int sys_sync(struct up_storage *s, int file)
{
    int r;

    (void)s;
    do
        r = fsync(file);
    while (r < 0 && errno == EINTR);
    return r;
}

static int sys_sync_dir(struct up_storage *s, const char *path)
{
    int fd = open_again(path, O_RDONLY | O_DIRECTORY, 0);
    int r;

    if (fd < 0)
        return -1;
    r = sys_sync(s, fd);
    close_quietly(fd);
    return r;
}

static int sys_rename(struct up_storage *s, const char *from, const char *to)
{
    (void)s;
    return rename(from, to);
}

static int sys_link(struct up_storage *s, const char *from, const char *to)
{
    (void)s;
    return link(from, to);
}

static int sys_unlink(struct up_storage *s, const char *path)
{
    (void)s;
    return unlink(path);
}

static int sys_mkdir(struct up_storage *s, const char *path, unsigned mode)
{
    (void)s;
    return mkdir(path, mode);
}

static int sys_rmdir(struct up_storage *s, const char *path)
{
    (void)s;
    return rmdir(path);
}

static int sys_symlink(struct up_storage *s, const char *target, const char *path)
{
    (void)s;
    return symlink(target, path);
}

static int sys_readlink(struct up_storage *s, const char *path, char *buf, size_t len)
{
    ssize_t n = readlink(path, buf, len - 1);

    (void)s;
    if (n < 0)
        return -1;
    buf[n] = '\0';
    return (int)n;
}

static int sys_chmod(struct up_storage *s, const char *path, unsigned mode)
{
    (void)s;
    return chmod(path, mode);
}

static enum up_node_kind kind_of_mode(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return UP_NODE_FILE;
    case S_IFDIR:
        return UP_NODE_DIR;
    case S_IFLNK:
        return UP_NODE_LINK;
    case S_IFBLK:
        return UP_NODE_BLOCK;
    case S_IFCHR:
        return UP_NODE_CHAR;
    default:
        return UP_NODE_OTHER;
    }
}

static void fill_stat(struct up_stat *out, const struct stat *st)
{
    out->kind = kind_of_mode(st->st_mode);
    out->size = (uint64_t)st->st_size;
    out->mode = st->st_mode & 07777;
    out->device = st->st_dev;
    out->inode = st->st_ino;
}

static int sys_stat(struct up_storage *s, const char *path, struct up_stat *out)
{
    struct stat st;
    int fd, r = 0;

    (void)s;
    if (lstat(path, &st) < 0)
        return -1;
    fill_stat(out, &st);
    if (out->kind == UP_NODE_BLOCK) {
        if ((fd = open_again(path, O_RDONLY, 0)) < 0)
            return -1;
        r = ioctl(fd, BLKGETSIZE64, &out->size);
        close_quietly(fd);
    }
    return r;
}

static int sys_stat_file(struct up_storage *s, int file, struct up_stat *out)
{
    struct stat st;

    (void)s;
    if (fstat(file, &st) < 0)
        return -1;
    fill_stat(out, &st);
    return out->kind == UP_NODE_BLOCK ? ioctl(file, BLKGETSIZE64, &out->size) : 0;
}

static int sys_space(struct up_storage *s, const char *path, uint64_t *free_bytes)
{
    struct statvfs vfs;
    int r;

    (void)s;
    do
        r = statvfs(path, &vfs);
    while (r < 0 && errno == EINTR);
    if (r == 0)
        *free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    return r;
}

static enum up_node_kind kind_of_entry(DIR *dir, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type != DT_UNKNOWN)
        return kind_of_mode(DTTOIF(entry->d_type));
    return fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? UP_NODE_OTHER
                                                                            : kind_of_mode(st.st_mode);
}

static int sys_list(struct up_storage *s, const char *path, up_list_fn *fn, void *user)
{
    int fd = open_again(path, O_RDONLY | O_DIRECTORY, 0);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    int failure;

    (void)s;
    if (!dir) {
        if (fd >= 0)
            close_quietly(fd);
        return -1;
    }
    for (;;) {
        errno = 0;
        entry = readdir(dir);
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (fn(user, entry->d_name, kind_of_entry(dir, entry)) != 0)
            break;
    }
    failure = entry ? 0 : errno;
    closedir(dir);
    errno = failure;
    return failure ? -1 : 0;
}

static int sys_truncate(struct up_storage *s, int file, uint64_t size)
{
    int r;

    (void)s;
    do
        r = ftruncate(file, (off_t)size);
    while (r < 0 && errno == EINTR);
    return r;
}

static int write_zeros(struct up_storage *s, int file, uint64_t offset, uint64_t len)
{
    static const char zeros[ZERO_CHUNK];

    while (len > 0) {
        size_t n = len < ZERO_CHUNK ? (size_t)len : ZERO_CHUNK;

        if (sys_pwrite(s, file, zeros, n, offset) < 0)
            return -1;
        offset += n;
        len -= n;
    }
    return 0;
}

/* ZERO_RANGE and not a hole: the blocks of a preallocated file stay its own, so
 * that writing them later cannot run out of space. */
static int sys_zero_range(struct up_storage *s, int file, uint64_t offset, uint64_t len)
{
    int r;

    if (len == 0)
        return 0;
    do
        r = fallocate(file, FALLOC_FL_ZERO_RANGE, (off_t)offset, (off_t)len);
    while (r < 0 && errno == EINTR);
    if (r == 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL && errno != EBUSY))
        return r;
    return write_zeros(s, file, offset, len);
}

static bool unsupported(int error)
{
    return error == EINVAL || error == ENOSYS || error == ESPIPE || error == EOPNOTSUPP;
}

static int sys_drop_cache(struct up_storage *s, int file, uint64_t offset, uint64_t len)
{
    const unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t start = offset / page * page;
    uint64_t end = (offset + len + page - 1) / page * page;
    int r;

    if (len == 0)
        return 0;
    /* A dirty page cannot be dropped, and a page in part is not: the range is
     * widened to whole pages. */
    do
        r = sync_file_range(file, (off_t)start, (off_t)(end - start), all);
    while (r < 0 && errno == EINTR);
    if (r < 0 && (!unsupported(errno) || sys_sync(s, file) < 0))
        return -1;
    r = posix_fadvise(file, (off_t)start, (off_t)(end - start), POSIX_FADV_DONTNEED);
    if (r == 0 || unsupported(r))
        return 0;
    errno = r;
    return -1;
}

static int sys_start_writeback(struct up_storage *s, int file, uint64_t offset, uint64_t len)
{
    int r;

    (void)s;
    if (len == 0)
        return 0;
    do
        r = sync_file_range(file, (off_t)offset, (off_t)len, SYNC_FILE_RANGE_WRITE);
    while (r < 0 && errno == EINTR);
    return r < 0 && unsupported(errno) ? 0 : r;
}

static int sys_lock(struct up_storage *s, int file)
{
    int r;

    (void)s;
    do
        r = flock(file, LOCK_EX | LOCK_NB);
    while (r < 0 && errno == EINTR);
    return r;
}

static int sys_mounted(struct up_storage *s, const char *path)
{
    (void)s;
    return up_storage_mounted(path);
}

static int sys_boot_get(struct up_storage *s, const char *config, struct up_boot_variable *variables,
                        size_t count)
{
    (void)s;
    return up_storage_boot_get(config, variables, count);
}

static int sys_boot_set(struct up_storage *s, const char *config, const struct up_boot_variable *variables,
                        size_t count)
{
    (void)s;
    return up_storage_boot_set(config, variables, count);
}

static int sys_boot_id(struct up_storage *s, char out[37])
{
    int fd = open_again("/proc/sys/kernel/random/boot_id", O_RDONLY, 0);
    long long n;

    if (fd < 0)
        return -1;
    n = sys_pread(s, fd, out, 36, 0);
    close_quietly(fd);
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

static uint64_t sys_monotonic(struct up_storage *s)
{
    struct timespec t;

    (void)s;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
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

/* The command starts with the signals of a fresh process: the agent ignores and
 * blocks some that a shell script relies on. */
static int spawn(pid_t *pid, char *const argv[])
{
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int r = posix_spawnattr_init(&attributes);

    if (r != 0)
        return r;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    r = posix_spawnp(pid, argv[0], NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    return r;
}

static int sys_restart(struct up_storage *s, char *const argv[])
{
    pid_t pid, r;
    int status;

    (void)s;
    errno = spawn(&pid, argv);
    if (errno != 0)
        return -1;
    do
        r = waitpid(pid, &status, 0);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    errno = ECANCELED;
    return -1;
}

struct up_storage *up_storage_system(void)
{
    static const struct up_storage_ops ops = {
        .open = sys_open,
        .close = sys_close,
        .pread = sys_pread,
        .pwrite = sys_pwrite,
        .sync = sys_sync,
        .sync_dir = sys_sync_dir,
        .rename = sys_rename,
        .link = sys_link,
        .unlink = sys_unlink,
        .mkdir = sys_mkdir,
        .rmdir = sys_rmdir,
        .symlink = sys_symlink,
        .readlink = sys_readlink,
        .chmod = sys_chmod,
        .stat = sys_stat,
        .stat_file = sys_stat_file,
        .space = sys_space,
        .list = sys_list,
        .truncate = sys_truncate,
        .zero_range = sys_zero_range,
        .drop_cache = sys_drop_cache,
        .start_writeback = sys_start_writeback,
        .lock = sys_lock,
        .mounted = sys_mounted,
        .boot_get = sys_boot_get,
        .boot_set = sys_boot_set,
        .flash_info = up_flash_info,
        .flash_bad = up_flash_bad,
        .flash_erase = up_flash_erase,
        .flash_mark_bad = up_flash_mark_bad,
        .flash_update = up_flash_update,
        .boot_id = sys_boot_id,
        .now = sys_now,
        .monotonic = sys_monotonic,
        .random = sys_random,
        .restart = sys_restart,
    };
    static struct up_storage storage = {&ops};

    return &storage;
}
