/*
 * password.h -- hash a password, slowly, in a process of its own.
 *
 * scrypt with N = 2^15, r = 8, p = 1 takes 32 MiB and about a tenth of a
 * second, which a loop that serves clients cannot wait for. The child computes
 * at low priority and writes the hash into a pipe.
 *
 *     start -> (poll fd() -> poll)* -> close
 */
#ifndef UP_PASSWORD_H
#define UP_PASSWORD_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define UP_PASSWORD_HASH 32 /* bytes */

struct up_password; /* opaque; released with up_password_close() */

/* Begin to hash. Errors: UP_INTERNAL no process, no pipe or no memory. */
UP_MUST_CHECK int up_password_start(struct up_password **out, const void *text, size_t len, const void *salt,
                                    size_t salt_len, struct up_error *err);
/* The descriptor to poll for reading. */
int up_password_fd(const struct up_password *p);
/* 0 with the hash; UP_AGAIN while it is computed, and then err is not filled.
 * Errors: UP_INTERNAL the child failed, as without memory. */
UP_MUST_CHECK int up_password_poll(struct up_password *p, uint8_t out[UP_PASSWORD_HASH],
                                   struct up_error *err);
/* Ends the child if it still computes. NULL is allowed. */
void up_password_close(struct up_password *p);

#endif
