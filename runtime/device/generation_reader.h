/*
 * generation_reader.h -- check that a generation on the medium is the one that
 * was signed.
 *
 * Its tree is read past the cache as the canonical tar that it was made from, a
 * piece for each call. The digest of that tar identifies it; with an index,
 * every block of it is compared with what was signed.
 *
 *     open -> step until 0 -> digest -> close
 */
#ifndef UP_GENERATION_READER_H
#define UP_GENERATION_READER_H

#include <stdint.h>

#include "error.h"

struct up_blocks;
struct up_storage;
struct up_generation_reader; /* opaque; released with up_generation_reader_close() */

/* `dir` is the tree; blocks, which must outlive the reader, is the index of its
 * archive, or NULL. Errors: UP_CORRUPT not a tree, or of another size;
 * UP_INTERNAL. */
UP_MUST_CHECK int up_generation_reader_open(struct up_generation_reader **out, struct up_storage *storage,
                                            const char *dir, struct up_blocks *blocks, struct up_error *err);

/* UP_AGAIN if there is more, 0 when all was read. Errors: UP_CORRUPT a file
 * cannot be read, or a block is not what was signed; those of up_blocks_get(). */
UP_MUST_CHECK int up_generation_reader_step(struct up_generation_reader *r, struct up_error *err);

/* After the last step: SHA-256 of the tar. */
const uint8_t *up_generation_reader_digest(const struct up_generation_reader *r);

void up_generation_reader_close(struct up_generation_reader *r); /* NULL is allowed */

#endif
