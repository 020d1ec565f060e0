/*
 * delta.h -- decode one block of a new image from an old image and a few bytes.
 *
 * delta_maker.h encodes, this decodes. Whatever the stored bytes say, nothing
 * outside the old image is read, nothing beyond the block is written, and the
 * work is bounded by the length of the block and of the stored bytes. Whether
 * the result is right is for its digest to say.
 */
#ifndef UP_DELTA_H
#define UP_DELTA_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct up_delta; /* a decoder and all its memory; released with up_delta_free() */

/* The old image. */
struct up_old {
    /* Exactly len bytes from `offset`, within size; 0 or an error. */
    int (*read)(void *context, void *buf, size_t len, uint64_t offset, struct up_error *err);
    void *context;
    uint64_t size; /* bytes */
};

UP_MUST_CHECK int up_delta_new(struct up_delta **out, struct up_error *err); /* UP_INTERNAL */
void up_delta_free(struct up_delta *d);                                      /* NULL is allowed */

/*
 * Decode the block at offset `at` of the new image, out_len bytes long.
 * `source` is where reading of the old image begins, from the index entry.
 * Errors: UP_CORRUPT; those of old->read.
 */
UP_MUST_CHECK int up_delta_decode(struct up_delta *d, const struct up_old *old, uint64_t source, uint64_t at,
                                  const void *stored, size_t stored_len, void *out, size_t out_len,
                                  struct up_error *err);

#endif
