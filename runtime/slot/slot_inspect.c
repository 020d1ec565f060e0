/*
 * slot_inspect.c -- what a slot is, told and not changed.
 */
#include "slot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "slot_link.h"

#define PROBE_BYTES (1u << 20) /* of what is there, to find out how it can be read back */

static int look_at_flash(struct up_slot_view *v, struct up_storage *storage, const char *path, int file,
                         struct up_error *err)
{
    struct up_flash *f = &v->traits.flash;

    if (storage->ops->flash_info(storage, file, f) < 0)
        return up_fail(err, UP_WRITE, "slot %s: what it is: %s", path, strerror(errno));
    v->size = f->size;
    if (!f->writable) {
        v->writable = false;
        snprintf(v->why, sizeof v->why, "the flash is read-only");
    }
    if ((f->kind == UP_FLASH_NOR || f->kind == UP_FLASH_NAND) && f->erase_size > 0) {
        v->blocks = (uint32_t)(f->size / f->erase_size);
        v->bad = (uint32_t)((f->size - v->capacity) / f->erase_size);
    }
    return 0;
}

static int ask_read_back(struct up_storage *storage, const char *path, int file, struct up_error *err)
{
    int how = storage->ops->drop_cache(storage, file, 0, PROBE_BYTES);

    if (how < 0)
        return up_fail(err, UP_WRITE, "%s: drop cache: %s", path, strerror(errno));
    return how;
}

int up_slot_inspect(struct up_slot_view *out, struct up_storage *storage, const char *path,
                    struct up_error *err)
{
    struct up_stat st = {.kind = UP_NODE_FILE};
    int file, mounted, there, rc = 0;

    memset(out, 0, sizeof *out);
    there = up_slot_follow(storage, path, out->node, &st, err);
    if (there < 0 || up_slot_capacity(storage, out->node, &out->capacity, err) < 0)
        return err->code;
    out->there = there;
    out->traits.node = there ? st.kind : UP_NODE_FILE;
    out->size = there ? st.size : 0;
    out->writable = true;
    if (!there)
        return 0;
    path = out->node;
    if (up_slot_identity(storage, path, out->identity, err) < 0)
        return err->code;
    mounted = storage->ops->mounted(storage, path);
    if (mounted < 0)
        return up_fail(err, UP_WRITE, "slot %s: cannot tell whether it is mounted: %s", path,
                       strerror(errno));
    out->mounted = mounted;
    file = storage->ops->open(storage, path, UP_UPDATE, 0);
    if (file < 0) {
        out->writable = false;
        snprintf(out->why, sizeof out->why, "%s", strerror(errno));
        file = storage->ops->open(storage, path, UP_READ, 0);
    }
    if (file < 0)
        return up_fail(err, UP_WRITE, "slot %s: open: %s", path, strerror(errno));
    rc = st.kind == UP_NODE_CHAR ? look_at_flash(out, storage, path, file, err)
                                 : ask_read_back(storage, path, file, err);
    if (rc > 0)
        out->read_back = (enum up_read_back)rc;
    storage->ops->close(storage, file);
    return rc < 0 ? rc : 0;
}
