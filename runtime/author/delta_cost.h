/*
 * delta_cost.h -- what it would cost to say a stretch of the new image by one
 * of the old. Host side, an estimate, in tenths of a bit.
 */
#ifndef UP_DELTA_COST_H
#define UP_DELTA_COST_H

#include <stddef.h>

#include "address_finder.h"
#include "move_map.h"
#include "suffix_match.h"

#define UP_COST_LITERAL 42u /* a byte that is not in the old image */
#define UP_COST_OP 330u     /* an operation */
#define UP_COST_SWITCH 250u /* taking what follows for something else */

struct up_images {
    const uint8_t *old, *fresh;
    uint64_t old_size, fresh_size;
};

/* What fields taught so far, by what their surroundings were taken for. */
struct up_lessons {
    struct up_move_map moves[UP_CONTENTS][2];
};
void up_lessons_forget(struct up_lessons *l);
void up_lessons_free(struct up_lessons *l);

/* `len` new bytes at `at` by as many old ones at `from`, taken for `content`.
 * `found` is how the images correspond as a whole: rising, not overlapping. */
unsigned up_delta_cost(const struct up_images *images, const struct up_match *found, size_t count,
                       struct up_lessons *lessons, enum up_content content, uint64_t at, uint64_t from,
                       uint32_t len);

#endif
