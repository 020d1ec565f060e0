/*
 * delta_maker.h -- make the blocks that delta.h decodes. Host side.
 *
 * The same images give the same bytes. Memory: that of delta_plan.h, besides
 * the two images.
 *
 *     new -> step until 0 -> block*, in any order -> free
 */
#ifndef UP_DELTA_MAKER_H
#define UP_DELTA_MAKER_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "index.h"

struct up_delta_maker; /* opaque; released with up_delta_maker_free() */

/* Both images are in memory and borrowed until the end. Sorts the old one,
 * which takes seconds. Blocks have UP_BLOCK_MIN to UP_BLOCK_MAX bytes. Errors:
 * UP_USAGE too large; UP_INTERNAL. */
UP_MUST_CHECK int up_delta_maker_new(struct up_delta_maker **out, const uint8_t *old, uint64_t old_size,
                                     const uint8_t *fresh, uint64_t fresh_size, uint32_t block_size,
                                     struct up_error *err);
void up_delta_maker_free(struct up_delta_maker *m); /* NULL is allowed */

/* Continue comparing the images: UP_AGAIN if there is more to do, 0 when blocks
 * can be made. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_delta_maker_step(struct up_delta_maker *m, uint64_t *done, uint64_t *total,
                                      struct up_error *err);

/*
 * Make block i of the new image. *encoding becomes UP_ZEROS; UP_COPY, from byte
 * *source of the old image; UP_DELTA, with *out_len bytes in `out`, fewer than
 * the block has; or UP_RAW with nothing in `out`, if no delta is smaller than
 * the block. `out` has room for a block. Errors: UP_INTERNAL.
 */
UP_MUST_CHECK int up_delta_maker_block(struct up_delta_maker *m, uint32_t i, enum up_encoding *encoding,
                                       uint64_t *source, void *out, size_t *out_len, struct up_error *err);

#endif
