/*
 * transfer_unfinished.c -- the block that a link died in.
 *
 * A link that dies every few kilobytes never carries a whole block. What came of
 * one stays in memory for the next link, and is kept in the spool, behind the
 * digest that it is to have, for a transfer after a restart. Nothing is believed
 * of it: the block is compared as a whole like every other. That it cannot be kept
 * costs its bytes and is no error.
 *
 * The spool is not written at each death of a link, which would wear flash with
 * many times the size of the package. So a power cut costs half a block at most,
 * and nothing once a link has brought nothing more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "error.h"
#include "package.h"
#include "source.h"
#include "storage.h"
#include "transfer_private.h"

#define DIGEST 32

static const char *path_of(const struct up_transfer *t, char path[1100])
{
    char spool[1024];

    up_device_path(t->device, "tx", spool, sizeof spool);
    snprintf(path, 1100, "%s/unfinished", spool);
    return path;
}

void up_transfer_resume(struct up_transfer *t, const struct up_block *block)
{
    struct up_error ignored;
    char path[1100], *text;
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

void up_transfer_keep(struct up_transfer *t)
{
    struct up_error ignored;
    struct up_block block;
    char path[1100];
    uint8_t *whole;

    if (!t->remote || t->filled == 0 || t->filled == t->kept || t->at_part == t->manifest->part_count ||
        up_blocks_get(t->part[t->at_part].blocks, t->at_block, &block, &ignored) < 0)
        return;
    whole = malloc(DIGEST + (size_t)t->filled);
    if (!whole)
        return;
    memcpy(whole, block.stored_digest, DIGEST);
    memcpy(whole + DIGEST, t->stored, t->filled);
    /* Without the result: the next transfer reads what there is. */
    if (up_storage_write_file(t->storage, path_of(t, path), whole, DIGEST + t->filled, 0600, &ignored) < 0)
        t->storage->ops->unlink(t->storage, path);
    t->in_spool = true;
    t->kept = t->filled;
    free(whole);
}

void up_transfer_go_on(struct up_transfer *t, struct up_source *source)
{
    if (t->filled == t->by_then || t->filled - t->kept >= t->room / 2)
        up_transfer_keep(t);
    t->by_then = t->filled;
    t->source = source;
    t->want_end = 0;
}

void up_transfer_forget(struct up_transfer *t)
{
    char path[1100];

    if (t->in_spool)
        t->storage->ops->unlink(t->storage, path_of(t, path));
    t->in_spool = false;
    t->kept = t->by_then = 0;
}
