/*
 * scratch.h -- a temporary directory for one check, and files in it. Whoever
 * leaves a descriptor open fails when it is taken down.
 */
#ifndef UP_SCRATCH_H
#define UP_SCRATCH_H

#include "storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <cmocka.h>

#include "error.h"

/* Whether a path lies in memory: there, what is written has no medium below it. */
static inline bool in_memory(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

struct scratch {
    struct up_storage *storage; /* the operating system's */
    char dir[64];
    unsigned descriptors; /* that were open at the start */
};

static inline unsigned open_descriptors(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static inline int scratch_set_up(void **state)
{
    struct scratch *s = calloc(1, sizeof *s);

    s->storage = up_storage_system();
    strcpy(s->dir, "/tmp/moult-check-XXXXXX");
    if (!mkdtemp(s->dir))
        return -1;
    s->descriptors = open_descriptors();
    *state = s;
    return 0;
}

static inline int scratch_tear_down(void **state)
{
    struct scratch *s = *state;
    int rc = up_storage_remove_tree(s->storage, s->dir, NULL);

    if (open_descriptors() > s->descriptors) {
        print_error("%s: a descriptor was left open\n", s->dir);
        rc = -1;
    }
    free(s);
    return rc;
}

/* dir/name in a buffer of the caller's. */
static inline const char *scratch_path(const struct scratch *s, const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", s->dir, name);
    return path;
}

static inline void scratch_write(const struct scratch *s, const char *name, const void *data, size_t len)
{
    char path[512];

    assert_int_equal(up_storage_write_file(s->storage, scratch_path(s, name, path), data, len, 0644, NULL),
                     0);
}

/* The whole file, NUL-terminated; the caller frees it. */
__attribute__((noinline, unused)) static char *scratch_read(const struct scratch *s, const char *name,
                                                            size_t *len)
{
    char path[512], *text = NULL;
    struct up_error err;

    if (up_storage_read_file(s->storage, scratch_path(s, name, path), (size_t)64 << 20, &text, len, &err) < 0)
        fail_msg("%s", err.message);
    return text;
}

/* A call that must succeed. */
static inline void must(int rc, const struct up_error *err)
{
    if (rc == 0)
        return;
    fail_msg("code %d: %s", rc, err->message);
    abort(); /* not reached; the compiler does not know */
}

/* A call that must fail so, with a message that has `part` in it. */
static inline void must_fail(int rc, int code, const char *part, const struct up_error *err)
{
    if (rc != code)
        fail_msg("code %d instead of %d: %s", rc, code, rc < 0 ? err->message : "no error");
    if (!strstr(err->message, part))
        fail_msg("\"%s\" is not in the message: %s", part, err->message);
}

#endif
