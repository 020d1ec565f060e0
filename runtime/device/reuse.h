/*
 * reuse.h -- which blocks of a full image the device has already.
 *
 * A new image mostly repeats the one that runs, and the target may still hold
 * one before that, or a part of the new one. Blocks of those are hashed, and
 * what the new image wants is found by the digest of its content, wherever it
 * lies. Only whole blocks at their places are found; what moved by a few bytes
 * takes a delta.
 *
 * Of a large image, one block in sixteen is looked at first, or 32 of them
 * evenly, and the others only when one of those is wanted, zeros apart: an image that is
 * compressed as a whole shares nothing with the next, and hashing all of it
 * would cost as much as installing.
 *
 * Where a block was seen is a hint: who uses it compares the digest.
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

/* Wanted are the blocks that `in_place` lacks, but for zeros. Memory: twelve
 * bytes a block. Errors: UP_INTERNAL; those of up_blocks_get(). */
UP_MUST_CHECK int up_reuse_new(struct up_reuse **out, struct up_blocks *blocks,
                               const struct up_inventory *in_place, struct up_error *err);
void up_reuse_free(struct up_reuse *r); /* NULL is allowed */

/* Stored bytes of what is wanted. */
uint64_t up_reuse_wanted(const struct up_reuse *r);

/*
 * Look through an image, a few MiB a call: 1 there is more, 0 all of it was
 * seen, or it cannot be read further; the next call begins with another one.
 * `buffer` has room for a block. A block of the target that lies where it belongs is set in `in_place`.
 * Errors: UP_INTERNAL; those of up_blocks_get().
 */
UP_MUST_CHECK int up_reuse_step(struct up_reuse *r, enum up_reuse_place place, struct up_old_image *image,
                                struct up_blocks *blocks, struct up_inventory *in_place, void *buffer,
                                struct up_error *err);

/* Where a block with this digest was seen, and at which byte. */
bool up_reuse_find(const struct up_reuse *r, const uint8_t digest[32], enum up_reuse_place *place,
                   uint64_t *offset);
/* Block number `block` of the target was written just now. */
void up_reuse_written(struct up_reuse *r, const uint8_t digest[32], uint32_t block);
/* It is not there any more. */
void up_reuse_forget(struct up_reuse *r, const uint8_t digest[32]);

#endif
