/*
 * codec.h -- encode and decode single blocks: zeros, raw, zstd, lzma.
 *
 * Each block stands alone. A context keeps what the libraries allocate, so
 * decoding a million blocks allocates no more than decoding one: at most the
 * block size plus the library's state.
 */
#ifndef UP_CODEC_H
#define UP_CODEC_H

#include <stddef.h>

#include "error.h"
#include "index.h"

struct up_codec; /* opaque; released with up_codec_free() */

UP_MUST_CHECK int up_codec_new(struct up_codec **out, struct up_error *err); /* UP_INTERNAL */
void up_codec_free(struct up_codec *c);

/* Decode exactly `out_len` bytes. `stored` was verified before.
 * Errors: UP_CORRUPT the bytes do not decode to that length; UP_INTERNAL;
 * UP_INCOMPATIBLE copy and delta, which take an old image (delta.h). */
UP_MUST_CHECK int up_codec_decode(struct up_codec *c, enum up_encoding encoding, const void *stored,
                                  size_t stored_len, void *out, size_t out_len, struct up_error *err);

/* Encode a block with the requested encoding, or with a cheaper one if that
 * does not save bytes or the block is all zeros. *encoding is what was used; at
 * most in_len bytes are written to out. Deterministic. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_codec_encode(struct up_codec *c, enum up_encoding *encoding, const void *in,
                                  size_t in_len, void *out, size_t *out_len, struct up_error *err);

/* The size to which a fast encoder compresses a block, at most in_len; `out` is
 * scratch space of that size. Rarely three times the best possible size.
 * Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_codec_guess(struct up_codec *c, const void *in, size_t in_len, void *out, size_t *len,
                                 struct up_error *err);

#endif
