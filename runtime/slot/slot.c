#include "slot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "slot_link.h"
#include "slot_private.h"

static int wrong_kind(const char *path, struct up_error *err)
{
    return up_fail(err, UP_USAGE, "slot %s: neither a regular file nor a block device, MTD or UBI volume",
                   path);
}

/* Free bytes where a file lies; the file need not be there, its directory must. */
static int space_beside(struct up_storage *storage, const char *path, uint64_t *out, struct up_error *err)
{
    char dir[1024];

    if (snprintf(dir, sizeof dir, "%s", path) >= (int)sizeof dir || !strrchr(dir, '/'))
        return up_fail(err, UP_USAGE, "slot %s: not an absolute path, or too long", path);
    *strrchr(dir, '/') = '\0';
    if (storage->ops->space(storage, dir[0] ? dir : "/", out) < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "slot %s: %s", path, strerror(errno));
    return 0;
}

static int flash_capacity(struct up_storage *storage, const char *path, uint64_t *out, struct up_error *err)
{
    struct up_flash flash;
    int file = storage->ops->open(storage, path, UP_READ, 0), rc;

    if (file < 0)
        return up_fail(err, errno == EBUSY ? UP_BUSY : UP_WRITE, "slot %s: open: %s", path, strerror(errno));
    if (storage->ops->flash_info(storage, file, &flash) < 0)
        rc = up_fail(err, UP_WRITE, "slot %s: what it is: %s", path, strerror(errno));
    else if (flash.kind == UP_FLASH_NONE)
        rc = wrong_kind(path, err);
    else
        rc = up_slot_mtd_capacity(storage, file, &flash, path, out, err);
    storage->ops->close(storage, file);
    return rc;
}

int up_slot_capacity(struct up_storage *storage, const char *path, uint64_t *out, struct up_error *err)
{
    struct up_stat st = {.kind = UP_NODE_FILE};
    char node[UP_SLOT_NODE_SIZE];
    uint64_t free_bytes;
    int there = up_slot_follow(storage, path, node, &st, err);

    if (there < 0)
        return there;
    if (!there)
        st = (struct up_stat){.kind = UP_NODE_FILE};
    switch (st.kind) {
    case UP_NODE_BLOCK:
        *out = st.size;
        return 0;
    case UP_NODE_CHAR:
        return flash_capacity(storage, node, out, err);
    case UP_NODE_FILE:
        if (space_beside(storage, node, &free_bytes, err) < 0)
            return err->code;
        *out = st.size + free_bytes;
        return 0;
    default:
        return wrong_kind(path, err);
    }
}

static int refuse_mounted(struct up_storage *storage, const char *path, const char *node,
                          struct up_error *err)
{
    int mounted = storage->ops->mounted(storage, node);

    if (mounted < 0)
        return up_fail(err, UP_WRITE, "slot %s: cannot tell whether it is mounted: %s", path,
                       strerror(errno));
    if (mounted)
        return up_fail(err, UP_BUSY, "slot %s: is mounted, and a mounted slot is never written", path);
    return 0;
}

/* What is to be opened, and whether it has to be made: 1, 0 or an error. A
 * device that is not there is never made: it would be a file in memory. */
static int find_node(struct up_slot *s, char node[UP_SLOT_NODE_SIZE], struct up_stat *st,
                     struct up_error *err)
{
    int there = up_slot_follow(s->storage, s->path, node, st, err);

    if (there < 0)
        return there;
    if (there)
        return 0;
    if (s->use == UP_SLOT_READ || strncmp(node, "/dev/", 5) == 0)
        return up_fail(err, UP_MISSING, "slot %s: %s", s->path, strerror(ENOENT));
    *st = (struct up_stat){.kind = UP_NODE_FILE};
    return 1;
}

/* Look at what is there, and open it as its kind asks for. */
static int open_node(struct up_slot *s, struct up_error *err)
{
    enum up_slot_use use = s->use;
    unsigned flags = use == UP_SLOT_READ ? UP_READ : UP_CREATE;
    struct up_stat st = {.kind = UP_NODE_FILE};
    char node[UP_SLOT_NODE_SIZE];
    const char *path = s->path;
    int fresh = 0;

    if (use != UP_SLOT_SPOOL) {
        fresh = find_node(s, node, &st, err);
        if (fresh < 0)
            return fresh;
        path = node;
    }
    if (st.kind != UP_NODE_FILE && st.kind != UP_NODE_BLOCK && st.kind != UP_NODE_CHAR)
        return wrong_kind(s->path, err);
    if (use == UP_SLOT_WRITE && !fresh && refuse_mounted(s->storage, s->path, path, err) < 0)
        return err->code;
    if (use == UP_SLOT_WRITE && st.kind != UP_NODE_FILE)
        flags = UP_UPDATE | (st.kind == UP_NODE_BLOCK ? UP_EXCLUSIVE : 0);
    s->traits.node = st.kind;
    s->file = s->storage->ops->open(s->storage, path, flags, 0600);
    if (s->file < 0)
        return errno == EBUSY ? up_fail(err, UP_BUSY, "slot %s: open: %s", s->path, strerror(errno))
                              : up_slot_failed(s, "open", err);
    /* Also of one that is there already: who made it may have failed at this. */
    return use == UP_SLOT_WRITE && st.kind == UP_NODE_FILE ? up_storage_sync_parent(s->storage, path, err)
                                                           : 0;
}

static int use_flash(struct up_slot *s, struct up_error *err)
{
    if (s->storage->ops->flash_info(s->storage, s->file, &s->traits.flash) < 0)
        return up_slot_failed(s, "what it is", err);
    if (s->traits.flash.kind == UP_FLASH_NONE)
        return wrong_kind(s->path, err);
    if (s->use == UP_SLOT_WRITE && !s->traits.flash.writable)
        return up_fail(err, UP_WRITE, "slot %s: the flash is read-only", s->path);
    return s->traits.flash.kind == UP_FLASH_UBI ? up_slot_use_ubi(s, err) : up_slot_use_mtd(s, err);
}

int up_slot_open(struct up_slot **out, struct up_storage *storage, const char *path, enum up_slot_use use,
                 uint64_t size, struct up_error *err)
{
    size_t len = strlen(path);
    struct up_slot *s = calloc(1, sizeof *s + len + 1);

    if (!s)
        return up_fail(err, UP_INTERNAL, "slot %s: out of memory", path);
    memcpy(s->path, path, len + 1);
    s->ops = &up_slot_plain_ops;
    s->storage = storage;
    s->use = use;
    s->size = size;
    s->file = -1;
    if (open_node(s, err) < 0 || (s->traits.node == UP_NODE_CHAR && use_flash(s, err) < 0)) {
        up_slot_close(s);
        return err->code;
    }
    *out = s;
    return 0;
}

void up_slot_close(struct up_slot *s)
{
    if (!s)
        return;
    if (s->ops->close)
        s->ops->close(s);
    if (s->file >= 0)
        s->storage->ops->close(s->storage, s->file);
    free(s);
}

const struct up_slot_traits *up_slot_traits(const struct up_slot *s)
{
    return &s->traits;
}

int up_slot_write(struct up_slot *s, const void *data, size_t len, uint64_t offset, struct up_error *err)
{
    return s->ops->write(s, data, len, offset, err);
}

int up_slot_zero(struct up_slot *s, size_t len, uint64_t offset, struct up_error *err)
{
    static const char zeros[4096];

    if (s->ops->zero)
        return s->ops->zero(s, len, offset, err);
    for (size_t n; len > 0; len -= n, offset += n) {
        n = len < sizeof zeros ? len : sizeof zeros;
        if (s->ops->write(s, zeros, n, offset, err) < 0)
            return err->code;
    }
    return 0;
}

int up_slot_flush(struct up_slot *s, struct up_error *err)
{
    return s->ops->flush ? s->ops->flush(s, err) : 0;
}

int up_slot_prepare(struct up_slot *s, uint64_t offset, struct up_error *err)
{
    return s->ops->prepare ? s->ops->prepare(s, offset, err) : 0;
}

int up_slot_refresh(struct up_slot *s, uint64_t *end, uint64_t *from, struct up_error *err)
{
    *from = *end;
    return s->ops->refresh && *end > 0 ? s->ops->refresh(s, end, from, err) : 0;
}

int up_slot_sync(struct up_slot *s, struct up_error *err)
{
    return s->ops->sync(s, err);
}

int up_slot_drop_cache(struct up_slot *s, struct up_error *err)
{
    return s->ops->drop_cache ? s->ops->drop_cache(s, err) : UP_READ_DIRECT;
}

long long up_slot_read(struct up_slot *s, void *buf, size_t len, uint64_t offset, struct up_error *err)
{
    return s->ops->read(s, buf, len, offset, err);
}
