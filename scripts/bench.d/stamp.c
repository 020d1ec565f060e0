/*
 * stamp.c -- preloaded into a measured program: notes when the target was synced.
 *
 * After each fsync() or fdatasync() of the file named by BENCH_TARGET that
 * succeeded, the file named by BENCH_STAMP holds the time of CLOCK_MONOTONIC
 * and the CPU time spent by the process and its ended children until then,
 * both in seconds. So both programs that are compared are timed by the same
 * hand, and neither needs to know.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double cpu_of(int who)
{
    struct rusage usage;

    getrusage(who, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

static void note(int fd)
{
    const char *target = getenv("BENCH_TARGET"), *stamp = getenv("BENCH_STAMP");
    char link[64], path[PATH_MAX];
    struct timespec t;

    if (!target || !stamp)
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len <= 0)
        return;
    path[len] = '\0';
    if (strcmp(path, target) != 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &t);
    FILE *f = fopen(stamp, "w");
    if (!f)
        return;
    fprintf(f, "%.6f %.6f\n", (double)t.tv_sec + (double)t.tv_nsec / 1e9,
            cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN));
    fclose(f);
}

static int real(const char *name, int fd)
{
    int (*function)(int);

    *(void **)&function = dlsym(RTLD_NEXT, name);
    int result = function(fd);
    if (result == 0)
        note(fd);
    return result;
}

int fsync(int fd)
{
    return real("fsync", fd);
}

int fdatasync(int fd)
{
    return real("fdatasync", fd);
}
