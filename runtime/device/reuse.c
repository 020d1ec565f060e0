#include "reuse.h"

#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "digest.h"
#include "error.h"
#include "inventory.h"
#include "old_image.h"

#define BYTES_A_CALL (4u << 20)
#define SHARE_FIRST 16
#define LEAST_FIRST 32
#define UNSEEN UINT32_MAX
#define IN_TARGET 0x80000000u /* a bit of `at`; the rest is the block's number there */

struct up_reuse {
    uint32_t count, block_size;
    uint64_t wanted;
    uint64_t *key; /* prefixes of the wanted digests, ascending, without duplicates */
    uint32_t *at;  /* where it was seen */
    struct up_digest *digest;
    uint32_t next; /* the next block of the current image */
    uint32_t step; /* distance to the one after it; 0: no image has begun */
    uint32_t seen; /* multiples of this were read before; 0: none */
    bool useful;   /* some block of the image was wanted */
};

static uint64_t key_of(const uint8_t digest[32])
{
    uint64_t key;

    memcpy(&key, digest, sizeof key);
    return key;
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static int collect(struct up_reuse *r, struct up_blocks *blocks, const struct up_inventory *in_place,
                   struct up_error *err)
{
    struct up_block block;
    uint32_t n = 0;

    for (uint32_t i = 0; i < up_blocks_count(blocks); i++) {
        if (up_inventory_has(in_place, i))
            continue;
        if (up_blocks_get(blocks, i, &block, err) < 0)
            return err->code;
        if (block.encoding == UP_ZEROS)
            continue;
        r->key[r->count++] = key_of(block.digest);
        r->wanted += block.stored;
    }
    qsort(r->key, r->count, sizeof *r->key, compare_keys);
    for (uint32_t i = 0; i < r->count; i++)
        if (n == 0 || r->key[n - 1] != r->key[i])
            r->key[n++] = r->key[i];
    r->count = n;
    for (uint32_t i = 0; i < n; i++)
        r->at[i] = UNSEEN;
    return 0;
}

int up_reuse_new(struct up_reuse **out, struct up_blocks *blocks, const struct up_inventory *in_place,
                 struct up_error *err)
{
    struct up_reuse *r = calloc(1, sizeof *r);
    size_t count = up_blocks_count(blocks);

    if (r) {
        r->block_size = up_blocks_size(blocks);
        r->key = malloc(count * sizeof *r->key);
        r->at = malloc(count * sizeof *r->at);
    }
    if (!r || !r->key || !r->at) {
        up_reuse_free(r);
        return up_fail(err, UP_INTERNAL, "transfer: out of memory");
    }
    if (up_digest_new(&r->digest, UP_SHA256, err) < 0 || collect(r, blocks, in_place, err) < 0) {
        up_reuse_free(r);
        return err->code;
    }
    *out = r;
    return 0;
}

void up_reuse_free(struct up_reuse *r)
{
    if (!r)
        return;
    up_digest_free(r->digest);
    free(r->key);
    free(r->at);
    free(r);
}

uint64_t up_reuse_wanted(const struct up_reuse *r)
{
    return r->wanted;
}

/* The entry of a digest; NULL: not wanted. */
static uint32_t *entry(const struct up_reuse *r, const uint8_t digest[32])
{
    uint64_t key = key_of(digest), *found;

    found = r->count ? bsearch(&key, r->key, r->count, sizeof *r->key, compare_keys) : NULL;
    return found ? &r->at[found - r->key] : NULL;
}

/* Block r->next of the image was read and has this digest. */
static int note(struct up_reuse *r, enum up_reuse_place place, const uint8_t digest[32],
                struct up_blocks *blocks, struct up_inventory *in_place, struct up_error *err)
{
    uint32_t *at = entry(r, digest);
    struct up_block block;

    r->useful = r->useful || at;
    if (at && *at == UNSEEN)
        *at = r->next | (place == UP_REUSE_TARGET ? IN_TARGET : 0);
    if (place != UP_REUSE_TARGET || r->next >= up_blocks_count(blocks))
        return 0;
    if (up_blocks_get(blocks, r->next, &block, err) < 0)
        return err->code;
    if (memcmp(block.digest, digest, sizeof block.digest) == 0) {
        up_inventory_set(in_place, r->next, true);
        /* Zeros are never fetched, so a blank slot is not worth reading for them. */
        r->useful = r->useful || block.encoding != UP_ZEROS;
    }
    return 0;
}

/* The distance between the blocks of the first sample. */
static uint32_t stride(uint64_t blocks)
{
    uint64_t first = blocks / SHARE_FIRST > LEAST_FIRST ? blocks / SHARE_FIRST : LEAST_FIRST;

    return blocks > first ? (uint32_t)(blocks / first) : 1;
}

/* The image, or the first sample of it, is done: 1 if there is more to read. */
static int end_of_look(struct up_reuse *r)
{
    bool again = r->step > 1 && r->useful;

    r->seen = again ? r->step : 0;
    r->step = again ? 1 : 0;
    r->next = 0;
    r->useful = false;
    return again;
}

int up_reuse_step(struct up_reuse *r, enum up_reuse_place place, struct up_old_image *image,
                  struct up_blocks *blocks, struct up_inventory *in_place, void *buffer, struct up_error *err)
{
    uint64_t size = up_old_image_old(image)->size;
    uint8_t digest[UP_DIGEST_MAX];
    struct up_error ignored;
    uint32_t done = 0;

    if (r->step == 0)
        r->step = stride((size + r->block_size - 1) / r->block_size);
    for (; (uint64_t)r->next * r->block_size < size; r->next += r->step) {
        uint64_t offset = (uint64_t)r->next * r->block_size;
        size_t len = size - offset < r->block_size ? (size_t)(size - offset) : r->block_size;

        if (r->seen && r->next % r->seen == 0)
            continue;
        if (done >= BYTES_A_CALL)
            return 1;
        /* An unreadable block is fetched. */
        if (up_old_image_read(image, buffer, len, offset, &ignored) < 0)
            break;
        up_digest_update(r->digest, buffer, len);
        up_digest_final(r->digest, digest);
        if (note(r, place, digest, blocks, in_place, err) < 0)
            return err->code;
        done += r->block_size;
    }
    return end_of_look(r);
}

bool up_reuse_find(const struct up_reuse *r, const uint8_t digest[32], enum up_reuse_place *place,
                   uint64_t *offset)
{
    const uint32_t *at = entry(r, digest);

    if (!at || *at == UNSEEN)
        return false;
    *place = *at & IN_TARGET ? UP_REUSE_TARGET : UP_REUSE_RUNNING;
    *offset = (uint64_t)(*at & ~IN_TARGET) * r->block_size;
    return true;
}

void up_reuse_written(struct up_reuse *r, const uint8_t digest[32], uint32_t block)
{
    uint32_t *at = entry(r, digest);

    if (at && *at == UNSEEN)
        *at = block | IN_TARGET;
}

void up_reuse_forget(struct up_reuse *r, const uint8_t digest[32])
{
    uint32_t *at = entry(r, digest);

    if (at)
        *at = UNSEEN;
}
