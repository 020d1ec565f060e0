/*
 * slot_ubi.c -- a slot on a UBI volume, static or dynamic.
 *
 * The volume is replaced as a whole by the kernel's volume update, which marks
 * it damaged until the last byte arrived, so half an image can never start. The
 * price is that an interrupted update starts again. (Single logical blocks
 * could be changed one by one, but only on dynamic volumes, and nothing would
 * mark the volume as damaged meanwhile.)
 */
#include "slot_private.h"

#include <errno.h>

#include "error.h"

/* Until the last of `size` bytes, the volume is damaged; with a size of 0 it is empty. */
static int begin(struct up_slot *s, uint64_t size, struct up_error *err)
{
    s->since = 0;
    if (s->storage->ops->flash_update(s->storage, s->file, size) == 0)
        return 0;
    return errno == EBUSY ? up_fail(err, UP_BUSY, "slot %s: the volume is in use", s->path)
                          : up_slot_failed(s, "volume update", err);
}

static int ubi_erase(struct up_slot *s, uint64_t offset, struct up_error *err)
{
    (void)offset;
    return begin(s, 0, err);
}

static int ubi_write(struct up_slot *s, const void *data, size_t len, uint64_t offset, struct up_error *err)
{
    if (offset == 0 && begin(s, s->size, err) < 0)
        return err->code;
    if (offset != s->since)
        return up_fail(err, UP_WRITE, "slot %s: a volume is written in order, not at byte %llu", s->path,
                       (unsigned long long)offset);
    if (s->storage->ops->pwrite(s->storage, s->file, data, len, offset) < 0)
        return up_slot_failed(s, "write", err);
    s->since += len;
    return 0;
}

static int ubi_sync(struct up_slot *s, struct up_error *err)
{
    return s->storage->ops->sync(s->storage, s->file) < 0 ? up_slot_failed(s, "sync", err) : 0;
}

/* A damaged volume reads as empty. */
static long long ubi_read(struct up_slot *s, void *buf, size_t len, uint64_t offset, struct up_error *err)
{
    long long got = s->storage->ops->pread(s->storage, s->file, buf, len, offset);

    (void)err;
    return got < 0 ? 0 : got;
}

static int ubi_use(struct up_slot *s, struct up_error *err)
{
    if (s->size > s->flash.size)
        return up_fail(err, UP_NOSPACE, "slot %s: the volume holds %llu bytes, the image has %llu", s->path,
                       (unsigned long long)s->flash.size, (unsigned long long)s->size);
    return 0;
}

static int ubi_capacity(const struct up_slot_medium *m, const struct up_slot_node *n, uint64_t *out,
                        struct up_error *err)
{
    (void)m;
    (void)err;
    *out = n->flash.size;
    return 0;
}

const struct up_slot_medium up_slot_ubi = {
    .traits = {.name = "ubi", .title = "UBI volume", .atomic = true, .in_order = true},
    .node = UP_NODE_CHAR,
    .flash = UP_FLASH_UBI,
    .open = UP_UPDATE,
    .ops = {.write = ubi_write, .erase = ubi_erase, .sync = ubi_sync, .read = ubi_read},
    .capacity = ubi_capacity,
    .use = ubi_use,
};
