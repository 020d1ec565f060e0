/*
 * suffix_match.h -- find where the bytes of a new image come from in an old
 * one.
 *
 * Host side. The old image is suffix-sorted as a whole. The new one is then
 * read from front to back, and each stretch that resembles a stretch of the old
 * image becomes a match. The bytes of a match may differ here and there: code
 * that moved keeps its shape and changes its addresses.
 *
 * Memory: four bytes for each byte of the old image, and up to 64 MiB.
 */
#ifndef UP_SUFFIX_MATCH_H
#define UP_SUFFIX_MATCH_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct up_suffix_match; /* opaque; released with up_suffix_match_free() */

struct up_match {
    uint64_t at;   /* in the new image */
    uint64_t from; /* in the old image */
    uint64_t len;
};

/* The largest old image, bytes. */
#define UP_MATCH_MAX 0x7fffffffu

/* Both images are borrowed until up_suffix_match_free(). Sorts: takes seconds for
 * tens of MiB. Errors: UP_USAGE too large; UP_INTERNAL out of memory. */
UP_MUST_CHECK int up_suffix_match_new(struct up_suffix_match **out, const uint8_t *old, uint64_t old_size,
                                      const uint8_t *fresh, uint64_t fresh_size, struct up_error *err);
void up_suffix_match_free(struct up_suffix_match *m);

/* The next step, a few hundred KiB: UP_AGAIN if there is more to do, then 0.
 * *done is the byte reached. Errors: UP_INTERNAL out of memory. */
UP_MUST_CHECK int up_suffix_match_step(struct up_suffix_match *m, uint64_t *done, struct up_error *err);

/* The matches: ascending `at`, none empty, none overlapping. */
const struct up_match *up_suffix_match_found(const struct up_suffix_match *m, size_t *count);

#endif
