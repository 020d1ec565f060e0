/*
 * block_mac.h -- check that a medium returns what was written to it.
 *
 * When a block is written, right after its signed digest was compared, a
 * message authentication code (Poly1305) is computed over it, under a random
 * key that never leaves this process. On reading back, the MAC is compared
 * instead of the digest, which takes a fifth of the time. Two different blocks
 * of a MiB have the same MAC with a probability of 2^-87, whatever the medium
 * did to them.
 *
 * Only this process can check its MACs. What another process wrote is compared
 * by digest.
 */
#ifndef UP_BLOCK_MAC_H
#define UP_BLOCK_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct up_block_mac; /* of the blocks of a part; released with up_block_mac_free() */
struct up_storage;

/* For `count` blocks, none of which has a MAC yet; 16 bytes each. Errors:
 * UP_INTERNAL out of memory, no random bytes, or OpenSSL has no Poly1305. */
UP_MUST_CHECK int up_block_mac_new(struct up_block_mac **out, struct up_storage *storage, uint32_t count,
                                   struct up_error *err);
void up_block_mac_free(struct up_block_mac *s); /* NULL is allowed */

/* Block i was written with this content: compute its MAC. */
void up_block_mac_put(struct up_block_mac *s, uint32_t i, const void *data, size_t len);
bool up_block_mac_has(const struct up_block_mac *s, uint32_t i);
/* Whether these bytes have the MAC of block i. Call only if it has one. */
bool up_block_mac_fits(struct up_block_mac *s, uint32_t i, const void *data, size_t len);

#endif
