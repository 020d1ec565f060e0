#include "slot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "slot_private.h"

int up_slot_capacity(struct up_storage *storage, const char *path, uint64_t *out, struct up_error *err)
{
    struct up_slot_node n = {.storage = storage, .path = path, .file = -1};
    const struct up_slot_medium *m;
    int there = up_slot_link_follow(storage, path, n.name, &n.st, err), rc;

    if (there < 0)
        return there;
    if (!there)
        n.st = (struct up_stat){.kind = UP_NODE_FILE};
    m = up_slot_medium_of(n.st.kind);
    if (!m)
        return up_slot_no_medium(path, err);
    if (m->flash == UP_FLASH_NONE)
        return m->capacity(m, &n, out, err);
    n.file = storage->ops->open(storage, n.name, UP_READ, 0);
    if (n.file < 0)
        return up_fail(err, errno == EBUSY ? UP_BUSY : UP_WRITE, "slot %s: open: %s", path, strerror(errno));
    rc = up_slot_tell(&m, &n, err);
    if (rc == 0)
        rc = m->capacity(m, &n, out, err);
    storage->ops->close(storage, n.file);
    return rc;
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

/* Find what to open, and whether it must be created: 1, 0 or an error. A
 * missing device is never created: it would be a file in memory. */
static int find_node(struct up_slot *s, struct up_slot_node *n, struct up_error *err)
{
    int there = up_slot_link_follow(s->storage, s->path, n->name, &n->st, err);

    if (there < 0)
        return there;
    if (there)
        return 0;
    if (s->use == UP_SLOT_READ || strncmp(n->name, "/dev/", 5) == 0)
        return up_fail(err, UP_MISSING, "slot %s: %s", s->path, strerror(ENOENT));
    n->st = (struct up_stat){.kind = UP_NODE_FILE};
    return 1;
}

/* Examine what is there, and open it as its medium requires. */
static int open_node(struct up_slot *s, struct up_slot_node *n, struct up_error *err)
{
    const char *path = s->path;
    int fresh = 0;

    if (s->use != UP_SLOT_SPOOL) {
        fresh = find_node(s, n, err);
        if (fresh < 0)
            return fresh;
        path = n->name;
    }
    s->medium = up_slot_medium_of(n->st.kind);
    if (!s->medium)
        return up_slot_no_medium(s->path, err);
    if (s->use == UP_SLOT_WRITE && !fresh && refuse_mounted(s->storage, s->path, path, err) < 0)
        return err->code;
    s->file =
        s->storage->ops->open(s->storage, path, s->use == UP_SLOT_READ ? UP_READ : s->medium->open, 0600);
    if (s->file < 0)
        return errno == EBUSY ? up_fail(err, UP_BUSY, "slot %s: open: %s", s->path, strerror(errno))
                              : up_slot_failed(s, "open", err);
    n->file = s->file;
    /* Sync also for an existing file: whoever created it may have failed before the sync. */
    return s->use == UP_SLOT_WRITE && s->medium->traits.made ? up_storage_sync_parent(s->storage, path, err)
                                                             : 0;
}

static int use_medium(struct up_slot *s, struct up_slot_node *n, struct up_error *err)
{
    if (up_slot_tell(&s->medium, n, err) < 0)
        return err->code;
    s->flash = n->flash;
    if (s->use == UP_SLOT_WRITE && s->medium->flash != UP_FLASH_NONE && !s->flash.writable)
        return up_fail(err, UP_WRITE, "slot %s: the flash is read-only", s->path);
    return s->medium->use ? s->medium->use(s, err) : 0;
}

int up_slot_open(struct up_slot **out, struct up_storage *storage, const char *path, enum up_slot_use use,
                 uint64_t size, struct up_error *err)
{
    size_t len = strlen(path);
    struct up_slot_node n = {.storage = storage, .path = path, .file = -1, .st.kind = UP_NODE_FILE};
    struct up_slot *s = calloc(1, sizeof *s + len + 1);

    if (!s)
        return up_fail(err, UP_INTERNAL, "slot %s: out of memory", path);
    memcpy(s->path, path, len + 1);
    s->storage = storage;
    s->use = use;
    s->size = size;
    s->file = -1;
    if (open_node(s, &n, err) < 0 || use_medium(s, &n, err) < 0) {
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
    if (s->medium && s->medium->ops.close)
        s->medium->ops.close(s);
    if (s->file >= 0)
        s->storage->ops->close(s->storage, s->file);
    free(s);
}

const struct up_slot_traits *up_slot_traits(const struct up_slot *s)
{
    return &s->medium->traits;
}

int up_slot_write(struct up_slot *s, const void *data, size_t len, uint64_t offset, struct up_error *err)
{
    return s->medium->ops.write(s, data, len, offset, err);
}

int up_slot_zero(struct up_slot *s, size_t len, uint64_t offset, struct up_error *err)
{
    static const char zeros[4096];

    if (s->medium->ops.zero)
        return s->medium->ops.zero(s, len, offset, err);
    for (size_t n; len > 0; len -= n, offset += n) {
        n = len < sizeof zeros ? len : sizeof zeros;
        if (s->medium->ops.write(s, zeros, n, offset, err) < 0)
            return err->code;
    }
    return 0;
}

int up_slot_flush(struct up_slot *s, struct up_error *err)
{
    return s->medium->ops.flush ? s->medium->ops.flush(s, err) : 0;
}

int up_slot_prepare(struct up_slot *s, uint64_t offset, struct up_error *err)
{
    return s->medium->ops.prepare ? s->medium->ops.prepare(s, offset, err) : 0;
}

int up_slot_erase(struct up_slot *s, uint64_t offset, struct up_error *err)
{
    return s->medium->ops.erase ? s->medium->ops.erase(s, offset, err) : 0;
}

int up_slot_refresh(struct up_slot *s, uint64_t *end, uint64_t *from, struct up_error *err)
{
    *from = *end;
    return s->medium->ops.refresh && *end > 0 ? s->medium->ops.refresh(s, end, from, err) : 0;
}

int up_slot_sync(struct up_slot *s, struct up_error *err)
{
    return s->medium->ops.sync(s, err);
}

int up_slot_drop_cache(struct up_slot *s, struct up_error *err)
{
    return s->medium->ops.drop_cache ? s->medium->ops.drop_cache(s, err) : UP_READ_DIRECT;
}

long long up_slot_read(struct up_slot *s, void *buf, size_t len, uint64_t offset, struct up_error *err)
{
    return s->medium->ops.read(s, buf, len, offset, err);
}
