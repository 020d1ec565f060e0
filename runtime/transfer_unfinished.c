/*
 * transfer_unfinished.c -- the block that a link died in.
 *
 * A link that dies every few kilobytes never carries a whole block. What came of
 * one is kept in the spool, behind the digest that it is to have, and the next
 * transfer, also one after a restart, goes on there. Nothing is believed of it:
 * the block is compared as a whole like every other. That it cannot be kept
 * costs its bytes and is no error.
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

    if (t->resumed || !t->source->remote)
        return;
    t->resumed = true;
    if (up_storage_read_file(t->storage, path_of(t, path), DIGEST + t->room, &text, &len, &ignored) < 0)
        return;
    t->kept = true;
    if (len > DIGEST && len - DIGEST <= block->stored && memcmp(text, block->stored_digest, DIGEST) == 0) {
        t->filled = (uint32_t)(len - DIGEST);
        memcpy(t->stored, text + DIGEST, t->filled);
        t->from_before = t->filled;
    }
    free(text);
}

void up_transfer_keep(struct up_transfer *t)
{
    struct up_error ignored;
    struct up_block block;
    char path[1100];
    uint8_t *whole;

    if (!t->source->remote || t->filled == 0 || t->filled == t->from_before ||
        t->at_part == t->manifest->part_count ||
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
    free(whole);
}

void up_transfer_forget(struct up_transfer *t)
{
    char path[1100];

    if (t->kept)
        t->storage->ops->unlink(t->storage, path_of(t, path));
    t->kept = false;
    t->from_before = 0;
}
