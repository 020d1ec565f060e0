/*
 * system_uboot_env.c -- the U-Boot environment, through libubootenv.
 *
 * The library writes the copy that is not in use and syncs it, but does not
 * report a failed sync. So the files and block devices of both copies are kept
 * open during the write, synced once more and dropped from the cache, and what
 * the medium returns is compared. An environment without a valid copy is never
 * written: U-Boot then runs on its built-in environment, and would lose the
 * command that boots the device to one that holds our variables alone.
 */
#include "system_uboot_env.h"

#include <errno.h>
#include <fcntl.h>
#include <libuboot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage.h"

#define COPIES 2
#define NAME_SIZE 256

struct copies {
    unsigned count;
    char name[COPIES][NAME_SIZE];
    int fd[COPIES]; /* -1: not open */
};

static int fail(int error)
{
    errno = error;
    return -1;
}

/* The library returns a negative errno, or -1 or a short count for any failure. */
static int fail_library(int result)
{
    return fail(result < -1 ? -result : EIO);
}

/* Find the files and devices of the copies; the library does not expose them. */
static int find_copies(const char *config, struct copies *c)
{
    FILE *f = fopen(config, "re");
    char line[512], name[NAME_SIZE], offset[32], size[32];

    *c = (struct copies){.fd = {-1, -1}};
    if (!f)
        return -1;
    while (c->count < COPIES && fgets(line, sizeof line, f))
        if (line[0] != '#' && sscanf(line, "%255s %31s %31s", name, offset, size) == 3)
            strcpy(c->name[c->count++], name);
    fclose(f);
    return c->count > 0 ? 0 : fail(EINVAL);
}

/* Not a character device: MTD has no cache, and a UBI volume that somebody else
 * holds open cannot be updated. The library does not say why it cannot write. */
static int hold_copies(struct copies *c)
{
    struct stat st;

    for (unsigned i = 0; i < c->count; i++) {
        if (stat(c->name[i], &st) < 0 || access(c->name[i], W_OK) < 0)
            return -1;
        if (S_ISCHR(st.st_mode))
            continue;
        c->fd[i] = open(c->name[i], O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (c->fd[i] < 0)
            return -1;
    }
    return 0;
}

/* Also after a failure: the next reader must see what is on the medium, not what failed to get there. */
static int sync_copies(const struct copies *c)
{
    int failed = 0;

    for (unsigned i = 0; i < c->count; i++) {
        int r = 0;

        if (c->fd[i] < 0)
            continue;
        do
            r = fsync(c->fd[i]);
        while (r < 0 && errno == EINTR);
        if (r < 0)
            failed = errno;
        posix_fadvise(c->fd[i], 0, 0, POSIX_FADV_DONTNEED);
    }
    return failed ? fail(failed) : 0;
}

static void release_copies(struct copies *c)
{
    int saved = errno;

    for (unsigned i = 0; i < COPIES; i++)
        if (c->fd[i] >= 0)
            close(c->fd[i]);
    errno = saved;
}

/* Load the environment; takes the lock that fw_setenv takes. */
static int load(struct uboot_ctx **out, const char *config)
{
    struct uboot_ctx *ctx = NULL;
    int r = libuboot_initialize(&ctx, NULL);

    if (r < 0)
        return fail_library(r);
    r = libuboot_read_config(ctx, config);
    if (r == 0) {
        r = libuboot_open(ctx);
        if (r < 0)
            libuboot_close(ctx);
    }
    if (r < 0) {
        libuboot_exit(ctx);
        return fail_library(r);
    }
    *out = ctx;
    return 0;
}

static void unload(struct uboot_ctx *ctx)
{
    int saved = errno;

    libuboot_close(ctx);
    libuboot_exit(ctx);
    errno = saved;
}

static int get(struct uboot_ctx *ctx, const char *name, char value[UP_BOOT_VALUE_SIZE])
{
    char *found = libuboot_get_env(ctx, name);
    size_t len = found ? strlen(found) : 0;

    if (len < UP_BOOT_VALUE_SIZE)
        memcpy(value, found ? found : "", len + 1);
    free(found);
    return len < UP_BOOT_VALUE_SIZE ? 0 : fail(ERANGE);
}

int up_system_uboot_env_get(const char *config, struct up_boot_variable *variables, size_t count)
{
    struct uboot_ctx *ctx;
    int r = 0;

    /* For errno: the library's code is the same for every problem with the file. */
    if (access(config, R_OK) < 0 || load(&ctx, config) < 0)
        return -1;
    for (size_t i = 0; i < count && r == 0; i++)
        r = get(ctx, variables[i].name, variables[i].value);
    unload(ctx);
    return r;
}

static int store(const char *config, const struct up_boot_variable *variables, size_t count)
{
    struct uboot_ctx *ctx;
    int r = 0;

    if (load(&ctx, config) < 0)
        return -1;
    for (size_t i = 0; i < count && r == 0; i++)
        r = libuboot_set_env(ctx, variables[i].name, *variables[i].value ? variables[i].value : NULL);
    if (r == 0)
        r = libuboot_env_store(ctx);
    if (r != 0)
        fail_library(r);
    unload(ctx);
    return r == 0 ? 0 : -1;
}

static int compare(const char *config, const struct up_boot_variable *variables, size_t count)
{
    struct uboot_ctx *ctx;
    char value[UP_BOOT_VALUE_SIZE];
    int r = 0;

    if (load(&ctx, config) < 0)
        return -1;
    for (size_t i = 0; i < count && r == 0; i++) {
        r = get(ctx, variables[i].name, value);
        if (r == 0 && strcmp(value, variables[i].value) != 0)
            r = fail(EIO);
    }
    unload(ctx);
    return r;
}

int up_system_uboot_env_set(const char *config, const struct up_boot_variable *variables, size_t count)
{
    struct copies copies;
    int r;

    if (find_copies(config, &copies) < 0)
        return -1;
    if (copies.count < COPIES)
        return fail(EOPNOTSUPP);
    r = hold_copies(&copies);
    if (r == 0) {
        int stored = store(config, variables, count), why = errno;

        r = sync_copies(&copies);
        if (stored < 0)
            r = fail(why);
    }
    release_copies(&copies);
    return r == 0 ? compare(config, variables, count) : -1;
}
