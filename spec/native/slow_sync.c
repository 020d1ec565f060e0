/*
 * slow_sync.c -- loaded before the C library: each fsync() takes SLOW_SYNC_MS
 * longer, as on a worn card, or, with SLOW_SYNC_WHILE, as long as that file is
 * there. With SLOW_SYNC_NAME only those of files whose path ends so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int is_meant(int fd)
{
    const char *name = getenv("SLOW_SYNC_NAME");
    char link[64], path[4096];
    size_t len = name ? strlen(name) : 0;
    ssize_t n;

    if (!name)
        return 1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path);
    return n >= (ssize_t)len && memcmp(path + n - len, name, len) == 0;
}

int fsync(int fd)
{
    const char *text = getenv("SLOW_SYNC_MS");
    const char *file = getenv("SLOW_SYNC_WHILE");
    long ms = text ? atol(text) : 0;
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    struct timespec look = {0, 20000000};

    if (!is_meant(fd))
        return (int)syscall(SYS_fsync, fd);
    nanosleep(&pause, NULL);
    while (file && access(file, F_OK) == 0)
        nanosleep(&look, NULL);
    return (int)syscall(SYS_fsync, fd);
}
