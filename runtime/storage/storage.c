/*
 * storage.c -- helper functions on top of any storage.
 */
#include "storage.h"

#include "error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_READ 4096u

/* Write the parent directory of path to `out`. */
static int parent_of(const char *path, char out[UP_PATH_SIZE])
{
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len >= UP_PATH_SIZE) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(out, len > 0 ? path : ".", len > 0 ? len : 1);
    out[len > 0 ? len : 1] = '\0';
    return 0;
}

/* Read until the end of the file, or one byte past limit. */
static int read_all(struct up_storage *s, int file, size_t limit, char **out, size_t *len)
{
    size_t size = 0, room = FIRST_READ;
    char *data = malloc(room + 1);

    while (data) {
        size_t want = room - size;
        long long n = s->ops->pread(s, file, data + size, want, size);
        char *more;

        if (n < 0)
            break;
        size += (size_t)n;
        if ((size_t)n < want || size > limit) {
            data[size] = '\0';
            *out = data;
            *len = size;
            return 0;
        }
        room *= 2;
        more = realloc(data, room + 1);
        if (!more)
            errno = ENOMEM;
        else
            data = more;
        if (!more)
            break;
    }
    free(data);
    return -1;
}

int up_storage_read_file(struct up_storage *s, const char *path, size_t limit, char **out, size_t *len,
                         struct up_error *err)
{
    int file = s->ops->open(s, path, UP_READ, 0);
    size_t size;
    int r, why;

    *out = NULL;
    if (file < 0)
        return up_fail(err, errno == ENOENT || errno == ENOTDIR ? UP_MISSING : UP_WRITE, "%s: %s", path,
                       strerror(errno));
    r = read_all(s, file, limit, out, &size);
    why = errno;
    s->ops->close(s, file);
    if (r < 0)
        return up_fail(err, why == ENOMEM ? UP_INTERNAL : UP_WRITE, "%s: read: %s", path, strerror(why));
    if (size > limit) {
        free(*out);
        *out = NULL;
        return up_fail(err, UP_USAGE, "%s: larger than %zu bytes", path, limit);
    }
    if (len)
        *len = size;
    return 0;
}

/* Write the data to path.new, durably if requested; remove it on failure. */
static int write_new(struct up_storage *s, const char *temporary, const void *data, size_t len, unsigned mode,
                     bool durably)
{
    int file, r, why;

    /* Remove what a power cut left there, whatever it is. */
    if (s->ops->unlink(s, temporary) < 0 && errno != ENOENT)
        return -1;
    file = s->ops->open(s, temporary, UP_WRITE_ONLY_NEW, mode);
    if (file < 0)
        return -1;
    r = s->ops->pwrite(s, file, data, len, 0);
    if (r == 0 && durably)
        r = s->ops->sync(s, file);
    why = errno;
    if (s->ops->close(s, file) < 0 && r == 0) {
        r = -1;
        why = errno;
    }
    if (r < 0)
        s->ops->unlink(s, temporary);
    errno = why;
    return r;
}

static int put_file(struct up_storage *s, const char *path, const void *data, size_t len, unsigned mode,
                    bool durably, struct up_error *err)
{
    char temporary[UP_PATH_SIZE];
    int why;

    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return up_fail(err, UP_WRITE, "%.200s...: %s", path, strerror(ENAMETOOLONG));
    if (write_new(s, temporary, data, len, mode, durably) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: write: %s", temporary, strerror(errno));
    if (s->ops->rename(s, temporary, path) < 0) {
        why = errno;
        s->ops->unlink(s, temporary);
        return up_fail(err, up_code_of_errno(why, UP_WRITE), "%s: rename: %s", path, strerror(why));
    }
    return durably ? up_storage_sync_parent(s, path, err) : 0;
}

int up_storage_write_file(struct up_storage *s, const char *path, const void *data, size_t len, unsigned mode,
                          struct up_error *err)
{
    return put_file(s, path, data, len, mode, true, err);
}

int up_storage_replace_file(struct up_storage *s, const char *path, const void *data, size_t len,
                            unsigned mode, struct up_error *err)
{
    return put_file(s, path, data, len, mode, false, err);
}

/* One path for the whole descent; names are appended and removed at its end. */
struct removal {
    struct up_storage *storage;
    char path[UP_PATH_SIZE];
    size_t len;
    int error; /* errno of the first failure; 0: none */
};

static void remove_node(struct removal *r, enum up_node_kind kind);

static int remove_entry(void *user, const char *name, enum up_node_kind kind)
{
    struct removal *r = user;
    size_t before = r->len, len = strlen(name);

    if (before + 1 + len >= sizeof r->path) {
        r->error = ENAMETOOLONG;
        return 1;
    }
    r->path[before] = '/';
    memcpy(r->path + before + 1, name, len + 1);
    r->len = before + 1 + len;
    remove_node(r, kind);
    if (r->error != 0)
        return 1; /* keep the path of the failed entry for the message */
    r->len = before;
    r->path[before] = '\0';
    return 0;
}

static void remove_node(struct removal *r, enum up_node_kind kind)
{
    struct up_storage *s = r->storage;

    if (kind == UP_NODE_DIR) {
        if (s->ops->list(s, r->path, remove_entry, r) < 0)
            r->error = errno;
        if (r->error == 0 && s->ops->rmdir(s, r->path) < 0)
            r->error = errno;
    } else if (s->ops->unlink(s, r->path) < 0) {
        r->error = errno;
    }
}

int up_storage_remove_tree(struct up_storage *s, const char *path, struct up_error *err)
{
    struct removal r = {.storage = s};
    struct up_stat st;

    if (s->ops->stat(s, path, &st) < 0) {
        if (errno == ENOENT)
            return 0;
        return up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    }
    r.len = strlen(path);
    if (r.len >= sizeof r.path)
        return up_fail(err, UP_WRITE, "%.200s...: %s", path, strerror(ENAMETOOLONG));
    memcpy(r.path, path, r.len + 1);
    remove_node(&r, st.kind);
    if (r.error != 0)
        return up_fail(err, UP_WRITE, "%s: remove: %s", r.path, strerror(r.error));
    return 0;
}

int up_storage_make_dir(struct up_storage *s, const char *path, unsigned mode, struct up_error *err)
{
    struct up_stat st;

    if (s->ops->mkdir(s, path, mode) == 0)
        return up_storage_sync_parent(s, path, err);
    if (errno != EEXIST)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: mkdir: %s", path, strerror(errno));
    if (s->ops->stat(s, path, &st) < 0)
        return up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    if (st.kind != UP_NODE_DIR)
        return up_fail(err, UP_WRITE, "%s: exists and is not a directory", path);
    /* Whoever made it may have failed to sync its name. */
    return up_storage_sync_parent(s, path, err);
}

const char *up_storage_read_back_text(enum up_read_back how)
{
    switch (how) {
    case UP_READ_DIRECT:
        return "past the cache";
    case UP_READ_DROPPED:
        return "after the cache was dropped";
    default:
        return "in part perhaps from the cache";
    }
}

#define TRY_BYTES 4096u

static int try_file(struct up_storage *s, int file, const char *path, uint64_t *sync_ms, struct up_error *err)
{
    char data[TRY_BYTES], back[TRY_BYTES];
    uint64_t start;
    int how;

    memset(data, 'm', sizeof data);
    if (s->ops->pwrite(s, file, data, sizeof data, 0) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: write: %s", path, strerror(errno));
    start = s->ops->monotonic(s);
    if (s->ops->sync(s, file) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: sync: %s", path, strerror(errno));
    *sync_ms = s->ops->monotonic(s) - start;
    how = s->ops->drop_cache(s, file, 0, sizeof data);
    if (how < 0 || s->ops->pread(s, file, back, sizeof back, 0) != (long long)sizeof back ||
        memcmp(back, data, sizeof data) != 0)
        return up_fail(err, UP_WRITE, "%s: reads back differently from what was written", path);
    return how;
}

int up_storage_try(struct up_storage *s, const char *dir, uint64_t *sync_ms, struct up_error *err)
{
    char path[UP_PATH_SIZE];
    int file, rc;

    if (snprintf(path, sizeof path, "%s/try", dir) >= (int)sizeof path)
        return up_fail(err, UP_WRITE, "%.200s...: path too long", dir);
    file = s->ops->open(s, path, UP_CREATE, 0600);
    if (file < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: make: %s", path, strerror(errno));
    rc = try_file(s, file, path, sync_ms, err);
    s->ops->close(s, file);
    s->ops->unlink(s, path);
    return rc;
}

int up_storage_sync_parent(struct up_storage *s, const char *path, struct up_error *err)
{
    char parent[UP_PATH_SIZE];

    if (parent_of(path, parent) < 0)
        return up_fail(err, UP_WRITE, "%.200s...: %s", path, strerror(errno));
    if (s->ops->sync_dir(s, parent) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: sync: %s", parent, strerror(errno));
    return 0;
}
