/*
 * delta_blocks.h -- encode each block of a new image in the way that takes the
 * fewest bytes: zeros, a copy from the old image, a delta, or compressed by
 * itself. Host side; the same images give the same bytes.
 *
 * Both images are read into memory, copied and sorted: six times the size of
 * the old image, twice that of the new one, and at most 100 MiB. Old images of
 * 2 GiB and more are refused.
 *
 *     open -> step until 0 -> get each block -> close
 */
#ifndef UP_DELTA_BLOCKS_H
#define UP_DELTA_BLOCKS_H

#include "error.h"
#include "index.h"

#define UP_DELTA_BLOCK_SIZE (1u << 20) /* bytes; larger than in a full image: each delta stands alone */

struct up_delta_blocks; /* opaque; released with up_delta_blocks_close() */
struct up_storage;

/* `encoding` is for blocks that gain nothing from the old image: UP_RAW,
 * UP_ZSTD or UP_LZMA. Errors: UP_USAGE an empty image or one of 8 GiB and more,
 * an invalid encoding or block size; UP_MISSING; UP_WRITE; UP_INTERNAL. */
UP_MUST_CHECK int up_delta_blocks_open(struct up_delta_blocks **out, struct up_storage *storage,
                                       const char *old_path, const char *new_path, enum up_encoding encoding,
                                       uint32_t block_size, struct up_error *err);
void up_delta_blocks_close(struct up_delta_blocks *b); /* NULL is allowed */

/* Sizes of the images in bytes, known from the start. */
uint64_t up_delta_blocks_old_size(const struct up_delta_blocks *b);
uint64_t up_delta_blocks_size(const struct up_delta_blocks *b);

/* Read, sort and compare: UP_AGAIN if there is more to do, 0 when get() may be
 * called. A step may take seconds. Errors: UP_USAGE an image changed its size
 * or is too large; UP_WRITE; UP_INTERNAL. */
UP_MUST_CHECK int up_delta_blocks_step(struct up_delta_blocks *b, struct up_error *err);
/* Progress of that work, in arbitrary units. */
void up_delta_blocks_progress(const struct up_delta_blocks *b, uint64_t *done, uint64_t *total);
/* SHA-256 of the images, once ready. */
const uint8_t *up_delta_blocks_old_digest(const struct up_delta_blocks *b);
const uint8_t *up_delta_blocks_digest(const struct up_delta_blocks *b);

/* Entry i of the index and the bytes stored for it: block->stored bytes in
 * `stored`, which has room for a block. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_delta_blocks_get(struct up_delta_blocks *b, uint32_t i, struct up_block *block,
                                      uint8_t *stored, struct up_error *err);

#endif
