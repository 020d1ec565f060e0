#include "system_files.h"

#include "storage.h"
#include "system_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZERO_CHUNK 65536u

int up_system_file_open_again(const char *path, int flags, mode_t mode)
{
    int fd;

    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* Close without losing the errno of the failure being reported. */
void up_system_file_close_quietly(int fd)
{
    int saved = errno;

    close(fd);
    errno = saved;
}

int up_system_file_how(unsigned flags)
{
    if (flags & UP_WRITE_ONLY_NEW)
        return O_RDWR | O_CREAT | O_EXCL;
    if (flags & UP_CREATE)
        return O_RDWR | O_CREAT;
    if (flags & UP_UPDATE)
        return O_RDWR | (flags & UP_EXCLUSIVE ? O_EXCL : 0);
    return O_RDONLY;
}

int up_system_file_open(struct up_storage *s, const char *path, unsigned flags, unsigned mode)
{
    (void)s;
    return up_system_file_open_again(path, up_system_file_how(flags), mode);
}

int up_system_file_close(struct up_storage *s, int file)
{
    (void)s;
    /* Linux closes the descriptor even if it reports EINTR. */
    return close(file) < 0 && errno != EINTR ? -1 : 0;
}

long long up_system_file_pread(struct up_storage *s, int file, void *buf, size_t len, uint64_t offset)
{
    size_t done = 0;

    (void)s;
    if (up_system_cache_is_bypassed(file))
        return up_system_cache_pread(file, buf, len, offset);
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

int up_system_file_pwrite(struct up_storage *s, int file, const void *buf, size_t len, uint64_t offset)
{
    size_t done = 0;

    (void)s;
    up_system_cache_use(file);
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

/* fsync and not fdatasync: a changed mode becomes durable with the content. */
int up_system_file_sync(struct up_storage *s, int file)
{
    int r;

    (void)s;
    do
        r = fsync(file);
    while (r < 0 && errno == EINTR);
    return r;
}

enum up_node_kind up_system_file_kind(mode_t mode)
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

void up_system_file_fill_stat(struct up_stat *out, const struct stat *st)
{
    out->kind = up_system_file_kind(st->st_mode);
    out->size = (uint64_t)st->st_size;
    out->mode = st->st_mode & 07777;
    out->device = st->st_dev;
    out->inode = st->st_ino;
    out->owner = st->st_uid;
    out->group = st->st_gid;
    out->mount_point = out->fixed = false;
}

bool up_system_file_fixed(int fd)
{
    struct statx st;

    return statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, 0, &st) == 0 &&
           (st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND));
}

int up_system_file_stat(struct up_storage *s, int file, struct up_stat *out)
{
    struct stat st;

    (void)s;
    if (fstat(file, &st) < 0)
        return -1;
    up_system_file_fill_stat(out, &st);
    out->fixed = out->kind == UP_NODE_DIR && up_system_file_fixed(file);
    return out->kind == UP_NODE_BLOCK ? ioctl(file, BLKGETSIZE64, &out->size) : 0;
}

int up_system_file_truncate(struct up_storage *s, int file, uint64_t size)
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
    static char zeros[ZERO_CHUNK]; /* never written; if it were const, they would lie in the program */

    while (len > 0) {
        size_t n = len < ZERO_CHUNK ? (size_t)len : ZERO_CHUNK;

        if (up_system_file_pwrite(s, file, zeros, n, offset) < 0)
            return -1;
        offset += n;
        len -= n;
    }
    return 0;
}

/* ZERO_RANGE and not a hole: a preallocated file keeps its blocks, so that
 * writing them later cannot run out of space. */
int up_system_file_zero_range(struct up_storage *s, int file, uint64_t offset, uint64_t len)
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

int up_system_file_drop_cache(struct up_storage *s, int file, uint64_t offset, uint64_t len)
{
    (void)s;
    return up_system_cache_drop(file, offset, len);
}

int up_system_file_start_writeback(struct up_storage *s, int file, uint64_t offset, uint64_t len)
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

int up_system_file_lock(struct up_storage *s, int file)
{
    int r;

    (void)s;
    do
        r = flock(file, LOCK_EX | LOCK_NB);
    while (r < 0 && errno == EINTR);
    return r;
}
