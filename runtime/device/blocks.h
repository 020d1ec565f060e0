/*
 * blocks.h -- read and check the blocks of one part, by its spooled index.
 *
 * The index stays on the medium and is read entry by entry, a few KiB at a
 * time; its digest was checked when it was spooled.
 */
#ifndef UP_BLOCKS_H
#define UP_BLOCKS_H

#include "error.h"
#include "index.h"

struct up_block_mac;
struct up_slot;
struct up_storage;
struct up_blocks; /* opaque; released with up_blocks_close() */

/* Open <spool>/<part>.idx. Errors: UP_MISSING, UP_CORRUPT wrong size,
 * UP_UNTRUSTED, UP_WRITE. */
UP_MUST_CHECK int up_blocks_open(struct up_blocks **out, struct up_storage *storage, const char *spool,
                                 const struct up_part *part, struct up_error *err);
void up_blocks_close(struct up_blocks *b);
uint32_t up_blocks_count(const struct up_blocks *b);
/* Length of a block (the last may be shorter) and of the whole content, in bytes. */
uint32_t up_blocks_size(const struct up_blocks *b);
uint64_t up_blocks_content(const struct up_blocks *b);
/* Entry i; cheap in ascending order. Errors: UP_CORRUPT the index ends before
 * it, or the entry is invalid; UP_WRITE the read failed. */
UP_MUST_CHECK int up_blocks_get(struct up_blocks *b, uint32_t i, struct up_block *out, struct up_error *err);

/*
 * Read block i of the decoded content from `target` and compare its digest: 1
 * it matches, 0 it does not. To judge the medium and not the cache, call
 * up_slot_drop_cache() first. Errors: UP_WRITE the read failed.
 */
UP_MUST_CHECK int up_blocks_match(struct up_blocks *b, uint32_t i, struct up_slot *target,
                                  struct up_error *err);
/* The same, but a block with a MAC is compared with that. `macs` may be NULL. */
UP_MUST_CHECK int up_blocks_intact(struct up_blocks *b, uint32_t i, struct up_slot *target,
                                   struct up_block_mac *macs, struct up_error *err);

#endif
