#include "transfer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "codec.h"
#include "delta.h"
#include "device.h"
#include "digest.h"
#include "error.h"
#include "inventory.h"
#include "old_image.h"
#include "package.h"
#include "slot.h"
#include "source.h"
#include "storage.h"

#define HINT_BYTES (8u << 20) /* decoded bytes between two hints */
#define WANT_BYTES (8u << 20) /* how far ahead a source is told, */
#define WANT_AGAIN (4u << 20) /* and told again when less of it is left */

struct part {
    const struct up_part *info;
    struct up_blocks *blocks;
    struct up_slot *target;
    struct up_inventory *in_place;
    uint32_t count;
    bool left_out; /* of the version that runs: not fetched */
    bool ready;    /* to be written */
    bool adopt;    /* compared, never written: the factory's mounted slot */
};

struct up_transfer {
    struct up_device *device;
    struct up_storage *storage;
    struct up_source *source;
    const struct up_manifest *manifest;
    const struct up_layout *layout;
    struct up_codec *codec;
    struct up_digest *digest;
    struct up_old_image *old; /* the running slot, when a part is a delta against it */
    struct up_delta *delta;
    struct part part[UP_PART_KINDS];

    unsigned at_part;
    uint32_t at_block;
    uint64_t offset;      /* of at_block's stored bytes in the file */
    uint64_t want_end;    /* up to where the source was told */
    uint64_t compared_to; /* the file was compared, or skipped, up to here */
    uint8_t *stored, *decoded;
    uint32_t filled;   /* bytes of `stored` */
    bool second_try;   /* of the current block */
    bool fresh;        /* begun just now: nothing can be in place */
    bool refreshed;    /* flash was read for the first time since a boot */
    bool held_back;    /* the slot may hold back what was written */
    uint64_t unhinted; /* decoded bytes since the last hint */
    struct up_transfer_progress progress;
};

static bool has_block(const struct part *p, uint32_t i)
{
    return up_inventory_has(p->in_place, i);
}

/* Blocks of the parts before part number n. */
static uint64_t blocks_before(const struct up_transfer *t, unsigned n)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += t->part[i].count;
    return sum;
}

static int open_target(struct up_transfer *t, struct part *p, struct up_error *err)
{
    enum up_slot_use use = p->info->kind == UP_CORE ? UP_SLOT_WRITE : UP_SLOT_SPOOL;
    char path[1024];

    up_device_target(t->device, p->info->kind, path, sizeof path);
    p->adopt = p->info->kind == UP_CORE && up_device_adopts(t->device);
    return up_slot_open(&p->target, t->storage, path, p->adopt ? UP_SLOT_READ : use, p->info->size, err);
}

/*
 * Which blocks of part n are in place. Up to the hint they are, when this is
 * still the same boot of the kernel, whose cache holds them. Otherwise, and
 * for as many blocks beyond as may have been written since the hint, the
 * medium is read and hashed.
 */
static int find_blocks(struct up_transfer *t, unsigned n, struct up_error *err)
{
    const struct up_transaction *tx = &up_device_state(t->device)->tx;
    struct part *p = &t->part[n];
    uint64_t before = blocks_before(t, n), ahead = HINT_BYTES / p->info->block_size + 1, end;
    uint64_t hinted = tx->hint > before ? tx->hint - before : 0;
    char boot_id[37] = "";
    bool same_boot;

    if (t->fresh && !p->adopt)
        return 0;
    t->storage->ops->boot_id(t->storage, boot_id);
    same_boot = boot_id[0] && strcmp(boot_id, tx->fetch_id) == 0;
    end = tx->hint + ahead > before ? tx->hint + ahead - before : 0;
    if (end > p->count || p->adopt)
        end = p->count;
    if (!same_boot && up_slot_drop_cache(p->target, err) < 0)
        return err->code;
    if (up_inventory_find(p->in_place, p->blocks, p->target, same_boot ? (uint32_t)hinted : 0, (uint32_t)end,
                          !same_boot && !p->adopt, err) < 0)
        return err->code;
    t->refreshed = t->refreshed || (!same_boot && up_slot_traits(p->target)->flash.kind != UP_FLASH_NONE);
    for (uint32_t i = 0; i < end; i++) {
        if (!has_block(p, i) && p->adopt)
            return up_fail(err, UP_INCOMPATIBLE,
                           "slot %s: is mounted and holds another image than release %s",
                           up_device_config(t->device)->slot[tx->target], t->manifest->release);
        if (has_block(p, i) && i >= hinted)
            t->unhinted += p->info->block_size;
    }
    return 0;
}

static int count_reused(struct up_transfer *t, struct part *p, struct up_error *err)
{
    struct up_block block;

    for (uint32_t i = 0; i < p->count; i++) {
        if (!has_block(p, i))
            continue;
        if (up_blocks_get(p->blocks, i, &block, err) < 0)
            return err->code;
        t->progress.done += block.stored;
    }
    return 0;
}

/* The running slot, for a part that is a delta. */
static int open_old(struct up_transfer *t, const struct part *p, struct up_error *err)
{
    const struct up_config *config = up_device_config(t->device);
    const char *slot = config->slot[up_device_running(t->device)];

    if (!p->info->delta || t->old)
        return 0;
    if (!slot)
        return up_fail(err, UP_INCOMPATIBLE, "release %s: its core is a delta, and this device has no slots",
                       t->manifest->release);
    if (up_delta_new(&t->delta, err) < 0)
        return err->code;
    return up_old_image_open(&t->old, t->storage, slot, p->info->source_size, err);
}

static int open_part(struct up_transfer *t, unsigned n, struct up_error *err)
{
    struct part *p = &t->part[n];
    char spool[1024];

    p->info = &t->manifest->part[n];
    p->left_out = !(up_device_state(t->device)->tx.parts & 1u << p->info->kind);
    if (p->left_out)
        return 0;
    up_device_path(t->device, "tx", spool, sizeof spool);
    if (up_blocks_open(&p->blocks, t->storage, spool, p->info, err) < 0 || open_old(t, p, err) < 0 ||
        open_target(t, p, err) < 0)
        return err->code;
    p->count = up_blocks_count(p->blocks);
    if (up_inventory_new(&p->in_place, p->count, err) < 0 || find_blocks(t, n, err) < 0)
        return err->code;
    t->progress.total += p->info->data_size;
    return count_reused(t, p, err);
}

/* All parts were read since this boot: on record, so that flash is not written
 * anew at each try. */
static int note_boot(struct up_transfer *t, struct up_error *err)
{
    uint64_t front = 0;

    if (!t->refreshed || up_device_provisioning(t->device))
        return 0;
    for (unsigned i = 0; i < t->manifest->part_count; i++) {
        const struct part *p = &t->part[i];
        uint32_t n = p->left_out ? p->count : up_inventory_front(p->in_place);

        front += n;
        if (n < p->count)
            break;
    }
    return up_device_hint(t->device, front, err);
}

static int allocate(struct up_transfer *t, struct up_error *err)
{
    size_t size = 0;

    for (unsigned i = 0; i < t->manifest->part_count; i++)
        if (t->manifest->part[i].block_size > size)
            size = t->manifest->part[i].block_size;
    t->stored = malloc(size);
    t->decoded = malloc(size);
    if (!t->stored || !t->decoded)
        return up_fail(err, UP_INTERNAL, "transfer: out of memory");
    if (up_codec_new(&t->codec, err) < 0)
        return err->code;
    return up_digest_new(&t->digest, UP_SHA256, err);
}

int up_transfer_open(struct up_transfer **out, struct up_device *device, const struct up_package *package,
                     struct up_source *source, struct up_error *err)
{
    const struct up_manifest *m = up_package_manifest(package);
    const struct up_journal_state *state = up_device_state(device);
    struct up_transfer *t;

    if ((state->phase != UP_FETCHING && state->phase != UP_INSTALLING) ||
        memcmp(state->tx.pair.digest, m->digest, sizeof m->digest) != 0)
        return up_fail(err, UP_NOTHING, "release %s: no transaction is open for it", m->release);
    t = calloc(1, sizeof *t);
    if (!t)
        return up_fail(err, UP_INTERNAL, "transfer: out of memory");
    t->device = device;
    t->storage = up_device_storage(device);
    t->source = source;
    t->manifest = m;
    t->layout = up_package_layout(package);
    t->fresh = up_device_take_fresh(device);
    if (allocate(t, err) < 0)
        goto fail;
    for (unsigned i = 0; i < m->part_count; i++)
        if (open_part(t, i, err) < 0)
            goto fail;
    if (note_boot(t, err) < 0)
        goto fail;
    t->progress.reused = t->progress.done;
    t->offset = t->layout->data_offset[0];
    t->compared_to = t->layout->head_size;
    *out = t;
    return 0;
fail:
    up_transfer_close(t);
    return err->code;
}

void up_transfer_close(struct up_transfer *t)
{
    struct up_error ignored;

    if (!t)
        return;
    /* What is verified stays, also when the source failed. */
    if (t->held_back)
        up_slot_flush(t->part[t->at_part].target, &ignored);
    for (int i = 0; i < UP_PART_KINDS; i++) {
        up_blocks_close(t->part[i].blocks);
        up_inventory_free(t->part[i].in_place);
        up_slot_close(t->part[i].target);
    }
    up_codec_free(t->codec);
    up_delta_free(t->delta);
    up_old_image_close(t->old);
    up_digest_free(t->digest);
    free(t->stored);
    free(t->decoded);
    free(t);
}

void up_transfer_progress(const struct up_transfer *t, struct up_transfer_progress *out)
{
    *out = t->progress;
    out->part = t->manifest->part[t->at_part < t->manifest->part_count ? t->at_part : 0].kind;
}

/* Tell the source how far the bytes from `from` on are wanted without a gap:
 * over the missing blocks that follow the current one. */
static int want(struct up_transfer *t, uint64_t from, struct up_error *err)
{
    struct part *p = &t->part[t->at_part];
    uint64_t end = t->offset;
    struct up_block block;
    uint32_t i;

    if (!t->source->ops->want || from + WANT_AGAIN < t->want_end)
        return 0;
    for (i = t->at_block; i < p->count && !has_block(p, i) && end - from < WANT_BYTES; i++) {
        if (up_blocks_get(p->blocks, i, &block, err) < 0)
            return err->code;
        end += block.stored;
    }
    /* What follows the last block is compared too: ask for it along with it.
     * Before a part that is left out, only its header is wanted. */
    if (i == p->count && (!p->left_out || from >= end)) {
        bool last = t->at_part + 1 == t->manifest->part_count;

        end = last ? t->layout->size : t->layout->data_offset[t->at_part + 1];
    }
    t->want_end = end;
    if (end > from)
        t->source->ops->want(t->source, from, end - from);
    return 0;
}

/* Bytes of the file at [compared_to, end) that are no block: 0 when they are
 * what the manifest implies. */
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
        up_layout_fill(t->layout, t->manifest, t->compared_to, expected, (size_t)r);
        if (memcmp(got, expected, (size_t)r) != 0)
            return up_fail(err, UP_UNTRUSTED, "package: bytes near %llu differ from what was signed",
                           (unsigned long long)t->compared_to);
        t->compared_to += (uint64_t)r;
    }
    return 0;
}

/* The stored bytes of a block: 0 when complete. */
static int fill(struct up_transfer *t, const struct up_block *block, struct up_error *err)
{
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

static bool matches(struct up_transfer *t, const void *data, size_t len, const uint8_t digest[32])
{
    uint8_t got[UP_DIGEST_MAX];

    up_digest_update(t->digest, data, len);
    up_digest_final(t->digest, got);
    return memcmp(got, digest, 32) == 0;
}

/* A block out of the old image; what was stored is verified, so that a wrong
 * result is the old image's fault. It is read past the cache once more; then
 * it does not help to fetch the block again. */
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
        if (rc == 0 && matches(t, t->decoded, block->length, block->digest))
            return 0;
        if (rc < 0 && rc != UP_INCOMPATIBLE)
            return rc;
    }
    if (rc < 0)
        return rc;
    return up_fail(err, UP_INCOMPATIBLE, "core: block %u: slot %c no longer holds what the delta is against",
                   t->at_block, up_device_running(t->device) ? 'b' : 'a');
}

/* Verify, decode, verify: *out is what to write. UP_CORRUPT otherwise, but
 * UP_INCOMPATIBLE when it is the old image that does not fit. */
static int decode(struct up_transfer *t, const struct up_block *block, const uint8_t **out,
                  struct up_error *err)
{
    const char *name = up_part_name(t->part[t->at_part].info->kind);

    if (block->stored > 0 && !matches(t, t->stored, block->stored, block->stored_digest))
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
    if (!matches(t, t->decoded, block->length, block->digest))
        return up_fail(err, UP_CORRUPT, "%s: block %u decodes to something else than was signed", name,
                       t->at_block);
    return 0;
}

static int write_block(struct up_transfer *t, const struct up_block *block, const uint8_t *data,
                       struct up_error *err)
{
    struct part *p = &t->part[t->at_part];
    uint64_t at = (uint64_t)t->at_block * p->info->block_size;
    int rc;

    t->held_back = true;
    if (block->encoding == UP_ZEROS)
        rc = up_slot_zero(p->target, block->length, at, err);
    else
        rc = up_slot_write(p->target, data, block->length, at, err);
    if (rc < 0)
        t->held_back = false;
    return rc;
}

/* All of the current part is in place: what follows it in the file, and on. */
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
    struct part *p = &t->part[t->at_part];

    up_inventory_set(p->in_place, t->at_block, true);
    t->progress.done += block->stored;
    t->unhinted += block->length;
    if (t->unhinted >= HINT_BYTES && !up_device_provisioning(t->device)) {
        t->unhinted = 0;
        if (up_device_hint(t->device, blocks_before(t, t->at_part) + t->at_block + 1, err) < 0)
            return err->code;
    }
    return 1;
}

/* Verified and written, or asked for once more. */
static int take_block(struct up_transfer *t, const struct up_block *block, struct up_error *err)
{
    const uint8_t *data = NULL;
    int rc = 0;

    if (block->encoding != UP_ZEROS) {
        rc = fill(t, block, err);
        if (rc < 0)
            return rc;
        t->filled = 0;
        rc = decode(t, block, &data, err);
    }
    if (rc == UP_CORRUPT) {
        t->progress.wasted += block->stored;
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

/* Before the first write, a piece a call: 1 there is more, 0 done. */
static int make_ready(struct part *p, uint64_t offset, struct up_error *err)
{
    int rc = p->ready ? 0 : up_slot_prepare(p->target, offset, err);

    p->ready = p->ready || rc == 0;
    return rc;
}

int up_transfer_step(struct up_transfer *t, struct up_error *err)
{
    struct part *p = &t->part[t->at_part];
    struct up_block block;
    int rc;

    if (t->at_part == t->manifest->part_count)
        return 0;
    rc = compare(t, t->layout->data_offset[t->at_part], err);
    if (rc < 0)
        return rc;
    if (p->left_out)
        t->offset = t->layout->data_offset[t->at_part] + p->info->data_size;
    while (t->at_block < p->count) {
        if (up_blocks_get(p->blocks, t->at_block, &block, err) < 0)
            return err->code;
        if (!has_block(p, t->at_block)) {
            rc = make_ready(p, (uint64_t)t->at_block * p->info->block_size, err);
            if (rc != 0)
                return rc;
            rc = take_block(t, &block, err);
            if (rc < 0 || !has_block(p, t->at_block))
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
