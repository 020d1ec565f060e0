/*
 * failing_calls.c -- system calls that fail when told to, by the linker's --wrap.
 */
#include "failing.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* A call that does what it always does, or gives `failure`. */
#define CALL(type, name, failure, parameters, arguments)             \
    type __real_##name parameters;                                   \
    type __wrap_##name parameters;                                   \
    type __wrap_##name parameters                                    \
    {                                                                \
        return failing_now(EIO) ? failure : __real_##name arguments; \
    }

CALL(int, socket, -1, (int domain, int type, int protocol), (domain, type, protocol))
CALL(int, bind, -1, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len))
CALL(int, listen, -1, (int fd, int backlog), (fd, backlog))
CALL(int, connect, -1, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len))
CALL(int, accept4, -1, (int fd, struct sockaddr *address, socklen_t *len, int flags),
     (fd, address, len, flags))
CALL(int, setsockopt, -1, (int fd, int level, int name, const void *value, socklen_t len),
     (fd, level, name, value, len))
CALL(int, getsockname, -1, (int fd, struct sockaddr *address, socklen_t *len), (fd, address, len))
CALL(ssize_t, send, -1, (int fd, const void *data, size_t len, int flags), (fd, data, len, flags))
CALL(ssize_t, recv, -1, (int fd, void *data, size_t len, int flags), (fd, data, len, flags))
CALL(int, socketpair, -1, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds))
CALL(int, pipe2, -1, (int fds[2], int flags), (fds, flags))
CALL(ssize_t, read, -1, (int fd, void *data, size_t len), (fd, data, len))
CALL(ssize_t, write, -1, (int fd, const void *data, size_t len), (fd, data, len))
CALL(ssize_t, pread, -1, (int fd, void *data, size_t len, off_t offset), (fd, data, len, offset))
CALL(int, fstat, -1, (int fd, struct stat *st), (fd, st))
CALL(int, lstat, -1, (const char *path, struct stat *st), (path, st))
CALL(int, stat, -1, (const char *path, struct stat *st), (path, st))
CALL(int, fstatat, -1, (int fd, const char *path, struct stat *st, int flags), (fd, path, st, flags))
CALL(int, statvfs, -1, (const char *path, struct statvfs *st), (path, st))
CALL(int, ftruncate, -1, (int fd, off_t size), (fd, size))
CALL(int, fallocate, -1, (int fd, int mode, off_t offset, off_t len), (fd, mode, offset, len))
CALL(int, posix_fadvise, errno, (int fd, off_t offset, off_t len, int advice), (fd, offset, len, advice))
CALL(int, sync_file_range, -1, (int fd, off64_t offset, off64_t len, unsigned flags),
     (fd, offset, len, flags))

/* The pages are written, for one who reads past the cache; that the medium confirms them would cost a minute. */
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    const unsigned flags = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

    if (failing_now(EIO))
        return -1;
    return __real_sync_file_range(fd, 0, 0, flags) == 0 || errno == ESPIPE || errno == EINVAL ? 0 : -1;
}

CALL(int, flock, -1, (int fd, int operation), (fd, operation))
CALL(int, rename, -1, (const char *from, const char *to), (from, to))
CALL(int, link, -1, (const char *from, const char *to), (from, to))
CALL(int, unlink, -1, (const char *path), (path))
CALL(int, mkdir, -1, (const char *path, mode_t mode), (path, mode))
CALL(int, rmdir, -1, (const char *path), (path))
CALL(int, symlink, -1, (const char *target, const char *path), (target, path))
CALL(ssize_t, readlink, -1, (const char *path, char *buf, size_t len), (path, buf, len))
CALL(int, chmod, -1, (const char *path, mode_t mode), (path, mode))
CALL(int, renameat, -1, (int from_dir, const char *from, int to_dir, const char *to),
     (from_dir, from, to_dir, to))
CALL(int, linkat, -1, (int from_dir, const char *from, int to_dir, const char *to, int flags),
     (from_dir, from, to_dir, to, flags))
CALL(int, unlinkat, -1, (int dir, const char *name, int flags), (dir, name, flags))
CALL(int, mkdirat, -1, (int dir, const char *name, mode_t mode), (dir, name, mode))
CALL(int, fstatvfs, -1, (int fd, struct statvfs *st), (fd, st))
CALL(int, fchown, -1, (int fd, uid_t owner, gid_t group), (fd, owner, group))
CALL(int, fchmod, -1, (int fd, mode_t mode), (fd, mode))
CALL(ssize_t, flistxattr, -1, (int fd, char *names, size_t len), (fd, names, len))
CALL(ssize_t, fgetxattr, -1, (int fd, const char *name, void *value, size_t len), (fd, name, value, len))
CALL(int, fremovexattr, -1, (int fd, const char *name), (fd, name))
CALL(DIR *, opendir, NULL, (const char *path), (path))
CALL(DIR *, fdopendir, NULL, (int fd), (fd))
CALL(struct dirent *, readdir, NULL, (DIR * dir), (dir))
CALL(FILE *, fopen, NULL, (const char *path, const char *mode), (path, mode))
CALL(ssize_t, getrandom, -1, (void *data, size_t len, unsigned flags), (data, len, flags))
CALL(int, signalfd, -1, (int fd, const sigset_t *set, int flags), (fd, set, flags))
CALL(pid_t, fork, -1, (void), ())
CALL(int, posix_spawn_file_actions_init, ENOMEM, (posix_spawn_file_actions_t * actions), (actions))
CALL(int, posix_spawn_file_actions_adddup2, ENOMEM, (posix_spawn_file_actions_t * actions, int from, int to),
     (actions, from, to))
CALL(int, posix_spawnattr_init, ENOMEM, (posix_spawnattr_t * attributes), (attributes))
CALL(CURLM *, curl_multi_init, NULL, (void), ())
CALL(CURL *, curl_easy_init, NULL, (void), ())
CALL(struct curl_slist *, curl_slist_append, NULL, (struct curl_slist * list, const char *line), (list, line))
CALL(CURLcode, curl_global_init, CURLE_OUT_OF_MEMORY, (long flags), (flags))
CALL(CURLMcode, curl_multi_add_handle, CURLM_OUT_OF_MEMORY, (CURLM * multi, CURL *easy), (multi, easy))
CALL(CURLMcode, curl_multi_perform, CURLM_OUT_OF_MEMORY, (CURLM * multi, int *running), (multi, running))
CALL(CURLMcode, curl_multi_poll, CURLM_OUT_OF_MEMORY,
     (CURLM * multi, struct curl_waitfd *fds, unsigned count, int timeout_ms, int *ready),
     (multi, fds, count, timeout_ms, ready))

pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);

/* Nothing else can happen to who waits for a child of its own. */
pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
    if (!failing_now(EINTR))
        return __real_waitpid(pid, status, options);
    errno = EINTR;
    return -1;
}

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);

int __wrap_openat(int dir, const char *path, int flags, ...)
{
    unsigned mode;
    va_list args;

    if (failing_now(EIO))
        return -1;
    va_start(args, flags);
    mode = flags & O_CREAT ? va_arg(args, unsigned) : 0;
    va_end(args);
    return __real_openat(dir, path, flags, mode);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);

static size_t taken = SIZE_MAX;

void failing_take(size_t most)
{
    taken = most;
}

ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t offset);

ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t offset)
{
    return failing_now(EIO) ? -1 : __real_pwrite(fd, data, len < taken ? len : taken, offset);
}

static int open_flags;

int failing_open_flags(void)
{
    return open_flags;
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list more;
    unsigned mode;

    open_flags = flags;
    va_start(more, flags);
    mode = flags & O_CREAT ? va_arg(more, unsigned) : 0;
    va_end(more);
    return failing_now(EIO) ? -1 : __real_open(path, flags, mode);
}

int __wrap_fcntl(int fd, int command, ...)
{
    va_list more;
    long argument;

    va_start(more, command);
    argument = va_arg(more, long);
    va_end(more);
    return failing_now(EIO) ? -1 : __real_fcntl(fd, command, argument);
}
