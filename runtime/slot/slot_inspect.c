/*
 * slot_inspect.c -- examine a slot without changing it.
 */
#include "slot_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

#define PROBE_BYTES (1u << 20) /* of the content, to find out how it can be read back */

static int ask_read_back(struct up_slot_view *v, const struct up_slot_node *n, struct up_error *err)
{
    int how = n->storage->ops->drop_cache(n->storage, n->file, 0, PROBE_BYTES);

    if (how < 0)
        return up_fail(err, UP_WRITE, "%s: drop cache: %s", n->path, strerror(errno));
    v->read_back = (enum up_read_back)how;
    return 0;
}

static int look_at_medium(struct up_slot_view *v, const struct up_slot_medium *m, struct up_slot_node *n,
                          struct up_error *err)
{
    const struct up_flash *f = &n->flash;

    if (up_slot_tell(&m, n, err) < 0)
        return err->code;
    v->traits = &m->traits;
    v->flash = *f;
    if (m->flash != UP_FLASH_NONE)
        v->size = f->size;
    if (m->flash != UP_FLASH_NONE && !f->writable) {
        v->writable = false;
        snprintf(v->why, sizeof v->why, "the flash is read-only");
    }
    if (m->traits.erasable) {
        v->blocks = (uint32_t)(f->size / f->erase_size);
        v->bad = (uint32_t)((f->size - v->capacity) / f->erase_size);
    }
    return m->traits.cached ? ask_read_back(v, n, err) : 0;
}

/* Open it, for writing if possible, and find its medium. */
static int look_inside(struct up_slot_view *v, const struct up_slot_medium *m, struct up_slot_node *n,
                       struct up_error *err)
{
    int rc;

    n->file = n->storage->ops->open(n->storage, n->path, UP_UPDATE, 0);
    if (n->file < 0) {
        v->writable = false;
        snprintf(v->why, sizeof v->why, "%s", strerror(errno));
        n->file = n->storage->ops->open(n->storage, n->path, UP_READ, 0);
    }
    if (n->file < 0)
        return up_fail(err, errno == EBUSY ? UP_BUSY : UP_WRITE, "slot %s: open: %s", n->path,
                       strerror(errno));
    rc = look_at_medium(v, m, n, err);
    n->storage->ops->close(n->storage, n->file);
    return rc;
}

int up_slot_inspect(struct up_slot_view *out, struct up_storage *storage, const char *path,
                    struct up_error *err)
{
    struct up_slot_node n = {.storage = storage, .path = out->node, .file = -1};
    const struct up_slot_medium *m;
    int mounted, there;

    memset(out, 0, sizeof *out);
    there = up_slot_link_follow(storage, path, out->node, &n.st, err);
    if (there < 0 || up_slot_capacity(storage, out->node, &out->capacity, err) < 0)
        return err->code;
    m = up_slot_medium_of(there ? n.st.kind : UP_NODE_FILE);
    out->there = there;
    out->traits = &m->traits;
    out->size = there ? n.st.size : 0;
    out->writable = true;
    if (!there)
        return 0;
    if (up_slot_identity(storage, out->node, out->identity, err) < 0)
        return err->code;
    mounted = storage->ops->mounted(storage, out->node);
    if (mounted < 0)
        return up_fail(err, UP_WRITE, "slot %s: cannot tell whether it is mounted: %s", out->node,
                       strerror(errno));
    out->mounted = mounted;
    return look_inside(out, m, &n, err);
}
