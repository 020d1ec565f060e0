/*
 * reuse.h -- find blocks of a full image that the device already has.
 *
 * A new image mostly repeats the running one, and the target may still hold an
 * older image or a part of the new one. The blocks of both are hashed, and
 * wanted blocks are found by digest, wherever they are. Only whole blocks at
 * block offsets are found; content that moved by a few bytes needs a delta.
 *
 * Of a large image, one block in sixteen is read first, or 32 evenly spaced
 * ones, and the rest only if one of those is wanted, zeros aside. An image that
 * is compressed as a whole shares nothing with the next, and hashing all of it
 * would cost as much as installing.
 *
 * A found place is a hint: whoever uses it compares the digest.
 *
 *     new -> step over each image until 0 -> find -> free
 */
#ifndef UP_REUSE_H
#define UP_REUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct up_blocks;
struct up_inventory;
struct up_old_image;
struct up_reuse; /* opaque; released with up_reuse_free() */

enum up_reuse_place { UP_REUSE_RUNNING, UP_REUSE_TARGET, UP_REUSE_PLACES };

/* The wanted blocks are those that are not `in_place`, except zeros. Memory:
 * twelve bytes for each block. Errors: UP_INTERNAL; those of up_blocks_get(). */
UP_MUST_CHECK int up_reuse_new(struct up_reuse **out, struct up_blocks *blocks,
                               const struct up_inventory *in_place, struct up_error *err);
void up_reuse_free(struct up_reuse *r); /* NULL is allowed */

/* Stored bytes of the wanted blocks. */
uint64_t up_reuse_wanted(const struct up_reuse *r);

/*
 * Read an image, a few MiB for each call: 1 there is more, 0 all of it was
 * read, or it cannot be read further; the next call begins with another one.
 * `buffer` has room for a block. A block of the target that is where it belongs
 * is set in `in_place`. Errors: UP_INTERNAL; those of up_blocks_get().
 */
UP_MUST_CHECK int up_reuse_step(struct up_reuse *r, enum up_reuse_place place, struct up_old_image *image,
                                struct up_blocks *blocks, struct up_inventory *in_place, void *buffer,
                                struct up_error *err);

/* Where a block with this digest was seen, and at which byte. */
bool up_reuse_find(const struct up_reuse *r, const uint8_t digest[32], enum up_reuse_place *place,
                   uint64_t *offset);
/* Block number `block` of the target was written just now. */
void up_reuse_written(struct up_reuse *r, const uint8_t digest[32], uint32_t block);
/* The block is no longer there. */
void up_reuse_forget(struct up_reuse *r, const uint8_t digest[32]);

#endif
