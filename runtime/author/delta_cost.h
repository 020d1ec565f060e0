/*
 * delta_cost.h -- estimate what it costs to encode a stretch of the new image
 * from a stretch of the old one. Host side, in tenths of a bit.
 */
#ifndef UP_DELTA_COST_H
#define UP_DELTA_COST_H

#include <stddef.h>

#include "address_finder.h"
#include "move_map.h"
#include "suffix_match.h"

#define UP_COST_LITERAL 42u /* a byte that is not in the old image */
#define UP_COST_OP 330u     /* an operation */
#define UP_COST_SWITCH 250u /* switching to another kind of content */

struct up_images {
    const uint8_t *old, *fresh;
    uint64_t old_size, fresh_size;
};

/* What earlier fields showed about moves, by kind of content. */
struct up_delta_lessons {
    struct up_move_map moves[UP_CONTENTS][2];
};
void up_delta_cost_forget(struct up_delta_lessons *l);
void up_delta_cost_free(struct up_delta_lessons *l);

/* Cost of `len` new bytes at `at` encoded from old ones at `from` as `content`.
 * `found` is the match list of the whole images: ascending, not overlapping. */
unsigned up_delta_cost(const struct up_images *images, const struct up_match *found, size_t count,
                       struct up_delta_lessons *lessons, enum up_content content, uint64_t at, uint64_t from,
                       uint32_t len);

#endif
