/*
 * inventory.h -- which blocks of a part are in place.
 *
 * There is no record of it, because it could not be trusted: a block is in
 * place if it reads back with the right digest, except where the medium makes
 * that doubtful.
 */
#ifndef UP_INVENTORY_H
#define UP_INVENTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct up_blocks;
struct up_slot;
struct up_inventory; /* opaque; released with up_inventory_free() */

/* For `count` blocks, none in place. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_inventory_new(struct up_inventory **out, uint32_t count, struct up_error *err);
void up_inventory_free(struct up_inventory *v);

bool up_inventory_has(const struct up_inventory *v, uint32_t block);
void up_inventory_set(struct up_inventory *v, uint32_t block, bool has);

/* The number of blocks in place from the first one on without a gap. */
uint32_t up_inventory_front(const struct up_inventory *v);

/*
 * Read the target and hash the blocks below `until`, which is at most their
 * count. Those below `sure` count as in place without reading. `cut` says that
 * the power may have failed since they were written. Flash is written from
 * front to back, so there
 *
 *     - nothing counts as in place without reading, and nothing after the
 *       first missing block counts;
 *     - after a cut, the end of what is in place is written and read again
 *       (up_slot_refresh());
 *     - a UBI volume is in place as a whole or not at all: it can only
 *       be replaced.
 *
 * Errors: UP_WRITE a file or block device cannot be read; those of blocks.h.
 */
UP_MUST_CHECK int up_inventory_find(struct up_inventory *v, struct up_blocks *blocks, struct up_slot *target,
                                    uint32_t sure, uint32_t until, bool cut, struct up_error *err);

#endif
