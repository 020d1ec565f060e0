/*
 * delta_plan.h -- find what corresponds in two images, addresses considered.
 * Host side.
 *
 * First pass: match the images as they are, which shows where things moved.
 * Then make copies of both in which each address is replaced by the place in
 * the new image that it points to, so that what differed only by addresses is
 * equal. Second pass: match the copies. Where the two results differ, the
 * cheaper one is taken, piece by piece.
 *
 * Memory: that of suffix_match.h, and a copy of each image.
 *
 *     new -> step until 0 -> found -> free
 */
#ifndef UP_DELTA_PLAN_H
#define UP_DELTA_PLAN_H

#include "delta_cost.h"
#include "error.h"

struct up_delta_plan; /* opaque; released with up_delta_plan_free() */

/* Images are borrowed. Errors: UP_USAGE too large; UP_INTERNAL. */
UP_MUST_CHECK int up_delta_plan_new(struct up_delta_plan **out, const struct up_images *images,
                                    struct up_error *err);
void up_delta_plan_free(struct up_delta_plan *p); /* NULL is allowed */

/* UP_AGAIN while there is more to do, then 0. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_delta_plan_step(struct up_delta_plan *p, uint64_t *done, uint64_t *total,
                                     struct up_error *err);

/* The matches, in ascending order, not overlapping; the bytes between them have no counterpart. */
const struct up_match *up_delta_plan_found(const struct up_delta_plan *p, size_t *count);

#endif
