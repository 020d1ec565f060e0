/*
 * slot_plain.c -- regular files and block devices, which need no special
 * treatment.
 */
#include <errno.h>
#include <string.h>

#include "error.h"
#include "slot_private.h"

#define WINDOW_BYTES (4u << 20) /* written bytes after which write-back is started */

int up_slot_failed(const struct up_slot *s, const char *what, struct up_error *err)
{
    return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s%s: %s: %s",
                   s->use == UP_SLOT_SPOOL ? "" : "slot ", s->path, what, strerror(errno));
}

static int plain_written(struct up_slot *s, size_t len, uint64_t offset)
{
    s->since += len;
    if (s->since < WINDOW_BYTES)
        return 0;
    s->storage->ops->start_writeback(s->storage, s->file, offset + len - s->since, s->since);
    s->since = 0;
    return 0;
}

static int plain_write(struct up_slot *s, const void *data, size_t len, uint64_t offset, struct up_error *err)
{
    if (s->storage->ops->pwrite(s->storage, s->file, data, len, offset) < 0)
        return up_slot_failed(s, "write", err);
    return plain_written(s, len, offset);
}

static int plain_zero(struct up_slot *s, size_t len, uint64_t offset, struct up_error *err)
{
    if (s->storage->ops->zero_range(s->storage, s->file, offset, len) < 0)
        return up_slot_failed(s, "write zeros", err);
    return plain_written(s, len, offset);
}

static int plain_sync(struct up_slot *s, struct up_error *err)
{
    struct up_stat st;

    if (s->medium->traits.made && s->storage->ops->stat_file(s->storage, s->file, &st) == 0 &&
        st.size > s->size && s->storage->ops->truncate(s->storage, s->file, s->size) < 0)
        return up_slot_failed(s, "truncate", err);
    if (s->storage->ops->sync(s->storage, s->file) < 0)
        return up_slot_failed(s, "sync", err);
    return 0;
}

static int plain_drop_cache(struct up_slot *s, struct up_error *err)
{
    int how = s->storage->ops->drop_cache(s->storage, s->file, 0, s->size);

    return how < 0 ? up_slot_failed(s, "drop cache", err) : how;
}

static long long plain_read(struct up_slot *s, void *buf, size_t len, uint64_t offset, struct up_error *err)
{
    long long got = s->storage->ops->pread(s->storage, s->file, buf, len, offset);

    return got < 0 ? up_slot_failed(s, "read", err) : got;
}

/* Free bytes for a file, which need not exist; its directory must. */
static int space_beside(const struct up_slot_node *n, uint64_t *out, struct up_error *err)
{
    char dir[UP_PATH_SIZE], *slash;

    memcpy(dir, n->name, sizeof dir);
    slash = strrchr(dir, '/');
    if (!slash)
        return up_fail(err, UP_USAGE, "slot %s: not an absolute path", n->name);
    *slash = '\0';
    if (n->storage->ops->space(n->storage, dir[0] ? dir : "/", out) < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "slot %s: %s", n->name, strerror(errno));
    return 0;
}

static int file_capacity(const struct up_slot_medium *m, const struct up_slot_node *n, uint64_t *out,
                         struct up_error *err)
{
    (void)m;
    if (space_beside(n, out, err) < 0)
        return err->code;
    *out += n->st.size;
    return 0;
}

static int block_capacity(const struct up_slot_medium *m, const struct up_slot_node *n, uint64_t *out,
                          struct up_error *err)
{
    (void)m;
    (void)err;
    *out = n->st.size;
    return 0;
}

/* clang-format off */
#define PLAIN_OPS {.write = plain_write, .zero = plain_zero, .sync = plain_sync, \
                   .drop_cache = plain_drop_cache, .read = plain_read}
/* clang-format on */

const struct up_slot_medium up_slot_file = {
    .traits = {.name = "file", .title = "regular file", .made = true, .cached = true},
    .node = UP_NODE_FILE,
    .open = UP_CREATE,
    .ops = PLAIN_OPS,
    .capacity = file_capacity,
};

const struct up_slot_medium up_slot_block = {
    .traits = {.name = "block", .title = "block device", .cached = true},
    .node = UP_NODE_BLOCK,
    .open = UP_UPDATE | UP_EXCLUSIVE,
    .ops = PLAIN_OPS,
    .capacity = block_capacity,
};
