/*
 * block_mac.h -- whether a medium gives back what was written to it.
 *
 * A block is sealed when it is written, right after its signed digest was
 * compared. When it is read back, the seal is compared instead of the digest,
 * which takes a fifth of the time. A seal is a message authentication code
 * (Poly1305) under a random key that never leaves this process. Two different
 * blocks of a MiB have the same seal with a chance of 2^-87, whatever the
 * medium did to them.
 *
 * Only this process can check its seals. What another one wrote is compared by
 * its digest.
 */
#ifndef UP_BLOCK_MAC_H
#define UP_BLOCK_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct up_block_mac; /* of the blocks of a part; released with up_block_mac_free() */
struct up_storage;

/* For `count` blocks, none of them sealed; 16 bytes each. Errors: UP_INTERNAL
 * no memory, no random bytes, or OpenSSL has no Poly1305. */
UP_MUST_CHECK int up_block_mac_new(struct up_block_mac **out, struct up_storage *storage, uint32_t count,
                                   struct up_error *err);
void up_block_mac_free(struct up_block_mac *s); /* NULL is allowed */

/* Block i was written, and this is what it holds. */
void up_block_mac_put(struct up_block_mac *s, uint32_t i, const void *data, size_t len);
bool up_block_mac_has(const struct up_block_mac *s, uint32_t i);
/* Whether these bytes are what block i was sealed with. Call only if it was. */
bool up_block_mac_fits(struct up_block_mac *s, uint32_t i, const void *data, size_t len);

#endif
