/*
 * source_pushed.h -- a source for pushed data: a sender passes the bytes of the
 * object in order, piece by piece, each of them once.
 *
 * One piece is in memory. It is used up when the reader wants bytes after it; only
 * then is the next one accepted, so a sender who waits for that is never ahead of
 * what was verified. Pieces before the offset that the reader wants are skipped.
 */
#ifndef UP_SOURCE_PUSHED_H
#define UP_SOURCE_PUSHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct up_source;

/* For an object of `size` bytes. Its read() also fails with UP_CORRUPT when the
 * reader goes back before the piece in memory. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_source_pushed(struct up_source **out, uint64_t size, struct up_error *err);

/* The next piece, copied. Errors: UP_BUSY the last one is not used up;
 * UP_CORRUPT more than the size; UP_INTERNAL. */
UP_MUST_CHECK int up_source_pushed_put(struct up_source *s, const void *data, size_t len,
                                       struct up_error *err);

/* Whether the reader has used up the pushed bytes and wants more. */
bool up_source_pushed_starves(const struct up_source *s);

/* No more will come: read() fails like this once the piece in memory is used up. */
void up_source_pushed_end(struct up_source *s, int code, const char *message);

#endif
