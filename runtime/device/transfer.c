#include "transfer.h"

#include <string.h>

#include "block_mac.h"
#include "blocks.h"
#include "codec.h"
#include "delta.h"
#include "digest.h"
#include "error.h"
#include "old_image.h"
#include "package.h"
#include "slot.h"
#include "source.h"
#include "transfer_private.h"

#define WANT_BYTES (8u << 20) /* how far ahead the source is told, */
#define WANT_AGAIN (4u << 20) /* and told again when less than this is left */
#define WANT_GAP (16u << 10)  /* unneeded bytes over which the source reads on */

void up_transfer_progress(const struct up_transfer *t, struct up_transfer_progress *out)
{
    unsigned count = t->manifest->part_count;

    *out = t->progress;
    out->done += t->filled;
    out->part = t->manifest->part[t->at_part < count ? t->at_part : count - 1].kind;
}

/* Tell the source how far the bytes after `from` are wanted: across the missing
 * blocks that follow, and small gaps between them. */
static int want(struct up_transfer *t, uint64_t from, struct up_error *err)
{
    struct up_transfer_part *p = &t->part[t->at_part];
    uint64_t at = t->offset, end = at;
    struct up_block block;
    uint32_t i;

    if (!t->source->ops->want || from + WANT_AGAIN < t->want_end)
        return 0;
    for (i = t->at_block; i < p->count && at - end <= WANT_GAP && end - from < WANT_BYTES; i++) {
        if (up_blocks_get(p->blocks, i, &block, err) < 0)
            return err->code;
        at += block.stored;
        if (!up_transfer_has(p, i) && !up_transfer_seen(t, &block))
            end = at;
    }
    /* What follows the last block is compared too: request it along with it.
     * Before a part that is left out, only its header is wanted. */
    if (i == p->count && at - end <= WANT_GAP && (!p->left_out || from >= end)) {
        bool last = t->at_part + 1 == t->manifest->part_count;

        end = last ? t->layout->size : t->layout->data_offset[t->at_part + 1];
    }
    t->want_end = end;
    if (end > from)
        t->source->ops->want(t->source, from, end - from);
    return 0;
}

/* Compare the bytes of the file in [compared_to, end) that belong to no block:
 * 0 if they are what the manifest implies. */
static int compare(struct up_transfer *t, uint64_t end, struct up_error *err)
{
    uint8_t expected[512], got[512];

    while (t->compared_to < end) {
        size_t n = end - t->compared_to < sizeof got ? (size_t)(end - t->compared_to) : sizeof got;
        long r;

        if (want(t, t->compared_to, err) < 0)
            return err->code;
        r = t->source->ops->read(t->source, t->compared_to, got, n, err);
        if (r < 0)
            return (int)r;
        if (r == 0)
            return up_fail(err, UP_CORRUPT, "package: ends at byte %llu, short of its signed size",
                           (unsigned long long)t->compared_to);
        up_package_layout_fill(t->layout, t->manifest, t->compared_to, expected, (size_t)r);
        if (memcmp(got, expected, (size_t)r) != 0)
            return up_fail(err, UP_UNTRUSTED, "package: bytes near %llu differ from what was signed",
                           (unsigned long long)t->compared_to);
        t->compared_to += (uint64_t)r;
    }
    return 0;
}

/* Get the stored bytes of a block: 0 when complete. */
static int fill(struct up_transfer *t, const struct up_block *block, struct up_error *err)
{
    up_transfer_resume(t, block);
    up_transfer_keep_slow(t);
    while (t->filled < block->stored) {
        uint64_t from = t->offset + t->filled;
        long r;

        if (want(t, from, err) < 0)
            return err->code;
        r = t->source->ops->read(t->source, from, t->stored + t->filled, block->stored - t->filled, err);
        if (r < 0)
            return (int)r;
        if (r == 0)
            return up_fail(err, UP_CORRUPT, "package: ends at byte %llu, short of its signed size",
                           (unsigned long long)from);
        t->filled += (uint32_t)r;
    }
    return 0;
}

/* Decode a block from the old image. The stored bytes were verified, so if the
 * result is wrong or missing, the old image is at fault. It is read past the
 * cache once more; after that, fetching the block again would not help. */
static int decode_old(struct up_transfer *t, const struct up_block *block, struct up_error *err)
{
    uint64_t at = (uint64_t)t->at_block * t->part[t->at_part].info->block_size;
    int rc = 0;

    for (int try = 0; try < 2; try++) {
        if (try)
            up_old_image_drop_cache(t->old);
        rc = block->encoding == UP_COPY
                 ? up_old_image_read(t->old, t->decoded, block->length, block->source, err)
                 : up_delta_decode(t->delta, up_old_image_old(t->old), block->source, at, t->stored,
                                   block->stored, t->decoded, block->length, err);
        if (rc == 0 && up_transfer_matches(t, t->decoded, block->length, block->digest))
            return 0;
        if (rc < 0 && rc != UP_INCOMPATIBLE && rc != UP_CORRUPT)
            return rc;
    }
    if (rc == UP_INCOMPATIBLE)
        return rc;
    return up_fail(err, UP_INCOMPATIBLE, "core: block %u: slot %c no longer holds the base of the delta",
                   t->at_block, up_device_running(t->device) ? 'b' : 'a');
}

/* Verify, decode, verify: *out is what to write. UP_CORRUPT otherwise, but
 * UP_INCOMPATIBLE if the old image does not fit. */
static int decode(struct up_transfer *t, const struct up_block *block, const uint8_t **out,
                  struct up_error *err)
{
    const char *name = up_manifest_part_name(t->part[t->at_part].info->kind);

    if (block->stored > 0 && !up_transfer_matches(t, t->stored, block->stored, block->stored_digest))
        return up_fail(err, UP_CORRUPT, "%s: block %u does not have its signed digest", name, t->at_block);
    *out = t->stored;
    if (block->encoding == UP_RAW)
        return 0;
    *out = t->decoded;
    if (block->encoding == UP_COPY || block->encoding == UP_DELTA)
        return decode_old(t, block, err);
    if (up_codec_decode(t->codec, block->encoding, t->stored, block->stored, t->decoded, block->length, err) <
        0)
        return err->code;
    if (!up_transfer_matches(t, t->decoded, block->length, block->digest))
        return up_fail(err, UP_CORRUPT, "%s: block %u decodes to something else than was signed", name,
                       t->at_block);
    return 0;
}

static int write_block(struct up_transfer *t, const struct up_block *block, const uint8_t *data,
                       struct up_error *err)
{
    struct up_transfer_part *p = &t->part[t->at_part];
    uint64_t at = (uint64_t)t->at_block * p->info->block_size;
    int rc;

    t->held_back = true;
    if (block->encoding == UP_ZEROS)
        rc = up_slot_zero(p->target, block->length, at, err);
    else
        rc = up_slot_write(p->target, data, block->length, at, err);
    if (rc < 0)
        t->held_back = false;
    else if (p->macs && block->encoding != UP_ZEROS)
        up_block_mac_put(p->macs, t->at_block, data, block->length);
    return rc;
}

/* The current part is complete: compare what follows it in the file, and go on. */
static int next_part(struct up_transfer *t, struct up_error *err)
{
    bool last = t->at_part + 1 == t->manifest->part_count;
    uint64_t end = last ? t->layout->size : t->layout->data_offset[t->at_part + 1];
    int rc = compare(t, end, err);

    if (rc < 0)
        return rc;
    t->held_back = false;
    if (!t->part[t->at_part].left_out && up_slot_flush(t->part[t->at_part].target, err) < 0)
        return err->code;
    t->at_part++;
    t->at_block = 0;
    if (!last)
        t->offset = end;
    return 1;
}

static int block_done(struct up_transfer *t, const struct up_block *block, struct up_error *err)
{
    struct up_transfer_part *p = &t->part[t->at_part];

    up_inventory_set(p->in_place, t->at_block, true);
    up_transfer_forget(t);
    up_transfer_written(t, block);
    t->progress.done += block->stored;
    t->unhinted += block->length;
    if (t->unhinted >= UP_HINT_BYTES && !t->hotfix && !up_device_provisioning(t->device)) {
        t->unhinted = 0;
        if (up_device_hint(t->device, up_transfer_before(t, t->at_part) + t->at_block + 1, err) < 0)
            return err->code;
    }
    return 1;
}

/* Verify and write the block, or request it once more. */
static int take_block(struct up_transfer *t, const struct up_block *block, struct up_error *err)
{
    const uint8_t *data = NULL;
    int rc = 0;

    if (up_transfer_copy(t, block)) {
        t->progress.reused += block->stored;
        t->filled = 0;
        data = t->decoded;
    } else if (block->encoding != UP_ZEROS) {
        rc = fill(t, block, err);
        if (rc < 0)
            return rc;
        t->filled = 0;
        rc = decode(t, block, &data, err);
    }
    if (rc == UP_CORRUPT) {
        t->progress.wasted += block->stored;
        up_transfer_forget(t);
        if (t->second_try)
            return rc;
        t->second_try = true;
        t->want_end = 0;
        return 1;
    }
    if (rc < 0 || write_block(t, block, data, err) < 0)
        return err->code;
    t->second_try = false;
    return block_done(t, block, err);
}

/* Preparations before the first write, one piece for each call: 1 there is more, 0 done. */
static int make_ready(struct up_transfer_part *p, uint64_t offset, struct up_error *err)
{
    int rc = p->ready ? 0 : up_slot_prepare(p->target, offset, err);

    p->ready = p->ready || rc == 0;
    return rc;
}

int up_transfer_step(struct up_transfer *t, struct up_error *err)
{
    struct up_transfer_part *p = &t->part[t->at_part];
    struct up_block block;
    int rc;

    if (t->at_part == t->manifest->part_count)
        return 0;
    rc = up_transfer_look(t, err);
    if (rc != 0)
        return rc;
    rc = compare(t, t->layout->data_offset[t->at_part], err);
    if (rc < 0)
        return rc;
    if (p->left_out)
        t->offset = t->layout->data_offset[t->at_part] + p->info->data_size;
    while (t->at_block < p->count) {
        if (up_blocks_get(p->blocks, t->at_block, &block, err) < 0)
            return err->code;
        if (!up_transfer_has(p, t->at_block)) {
            rc = make_ready(p, (uint64_t)t->at_block * p->info->block_size, err);
            if (rc != 0)
                return rc;
            rc = take_block(t, &block, err);
            if (rc < 0 || !up_transfer_has(p, t->at_block))
                return rc;
        } else {
            rc = 0;
        }
        t->at_block++;
        t->offset += block.stored;
        if (rc)
            return rc;
    }
    if (t->compared_to < t->offset)
        t->compared_to = t->offset;
    return next_part(t, err);
}
