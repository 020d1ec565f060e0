/*
 * transfer_unfinished.c -- the block during which a link failed.
 *
 * A link that fails every few kilobytes never carries a whole block. The
 * received part stays in memory for the next link, and is kept in the spool,
 * after the digest that the block must have, for a transfer after a restart. It
 * is not trusted: the block is compared as a whole like every other. If it
 * cannot be kept, its bytes are lost, which is not an error.
 *
 * On a fast link the spool is never written. If a block takes longer than five
 * seconds, what arrived is appended every five seconds; and also when a link
 * brought nothing more, since the next may come in hours, or when the process
 * is told to stop. So a kill or a power cut costs what arrived in five seconds,
 * and flash is written at most once more.
 */
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "error.h"
#include "package.h"
#include "source.h"
#include "storage.h"
#include "transfer_private.h"

#define DIGEST 32
#define KEEP_MS 5000

static const char *path_of(const struct up_transfer *t, char path[UP_PATH_SIZE])
{
    return up_device_path(t->device, t->hotfix ? "hotfix/new/unfinished" : "tx/unfinished", path,
                          UP_PATH_SIZE);
}

void up_transfer_resume(struct up_transfer *t, const struct up_block *block)
{
    struct up_error ignored;
    char path[UP_PATH_SIZE], *text;
    size_t len;

    if (t->resumed || !t->remote)
        return;
    t->resumed = true;
    if (up_storage_read_file(t->storage, path_of(t, path), DIGEST + t->room, &text, &len, &ignored) < 0)
        return;
    t->in_spool = true;
    if (len > DIGEST && len - DIGEST <= block->stored && memcmp(text, block->stored_digest, DIGEST) == 0) {
        t->filled = (uint32_t)(len - DIGEST);
        memcpy(t->stored, text + DIGEST, t->filled);
        t->kept = t->filled;
    }
    free(text);
}

/* The beginning of a block. */
static int begin_file(struct up_transfer *t, const char *path, const struct up_block *block,
                      struct up_error *err)
{
    uint8_t *whole = malloc(DIGEST + (size_t)t->filled);
    int rc;

    if (!whole)
        return UP_INTERNAL;
    memcpy(whole, block->stored_digest, DIGEST);
    memcpy(whole + DIGEST, t->stored, t->filled);
    rc = up_storage_write_file(t->storage, path, whole, DIGEST + t->filled, 0600, err);
    free(whole);
    return rc;
}

static int append(struct up_transfer *t, const char *path)
{
    const struct up_storage_ops *ops = t->storage->ops;
    int file = ops->open(t->storage, path, UP_UPDATE, 0), rc;

    if (file < 0)
        return file;
    rc = ops->pwrite(t->storage, file, t->stored + t->kept, t->filled - t->kept, DIGEST + (uint64_t)t->kept);
    if (rc >= 0)
        rc = ops->sync(t->storage, file);
    ops->close(t->storage, file);
    return rc;
}

void up_transfer_keep(struct up_transfer *t)
{
    struct up_error ignored;
    struct up_block block;
    char path[UP_PATH_SIZE];
    int rc;

    if (!t->remote || t->filled <= t->kept || t->at_part == t->manifest->part_count ||
        up_blocks_get(t->part[t->at_part].blocks, t->at_block, &block, &ignored) < 0)
        return;
    path_of(t, path);
    rc = t->kept ? append(t, path) : begin_file(t, path, &block, &ignored);
    t->in_spool = rc >= 0;
    t->kept = rc >= 0 ? t->filled : 0;
    /* Half a file is of no use. */
    if (rc < 0)
        t->storage->ops->unlink(t->storage, path);
}

void up_transfer_keep_slow(struct up_transfer *t)
{
    uint64_t now = t->storage->ops->monotonic(t->storage);

    if (t->filled <= t->kept)
        t->unkept_since = now;
    else if (now - t->unkept_since >= KEEP_MS) {
        up_transfer_keep(t);
        t->unkept_since = now;
    }
}

void up_transfer_go_on(struct up_transfer *t, struct up_source *source)
{
    if (t->filled == t->by_then)
        up_transfer_keep(t);
    t->by_then = t->filled;
    t->source = source;
    t->want_end = 0;
}

void up_transfer_forget(struct up_transfer *t)
{
    char path[UP_PATH_SIZE];

    if (t->in_spool)
        t->storage->ops->unlink(t->storage, path_of(t, path));
    t->in_spool = false;
    t->kept = t->by_then = 0;
}
