/*
 * exchange.h -- a server of short questions: on each connection one comes, and
 * one answer goes back in one write; then the connection is closed.
 *
 * Nothing waits. Poll fd() for reading and call next() until it gives nothing.
 * Of more than UP_EXCHANGE_CONNECTIONS the oldest is closed, so that those who
 * say nothing keep nobody out.
 */
#ifndef UP_EXCHANGE_H
#define UP_EXCHANGE_H

#include <stddef.h>

#include "error.h"

#define UP_EXCHANGE_CONNECTIONS 64
#define UP_EXCHANGE_QUESTION 256 /* bytes; a longer one closes its connection */

struct up_exchange; /* opaque */

/* Listen on "HOST:PORT". Errors: those of http_listen.h. */
UP_MUST_CHECK int up_exchange_open(struct up_exchange **out, const char *listen, struct up_error *err);
int up_exchange_fd(const struct up_exchange *x);
const char *up_exchange_address(const struct up_exchange *x); /* as it listens */

/* What came on some connection since the last time, all of it from its begin:
 * its length, or 0 when there is nothing new. *id names the connection until it
 * is answered or the next call; more may come on it. */
size_t up_exchange_next(struct up_exchange *x, int *id, const char **question);
/* Answer and close; with len 0 only close. An `id` that is gone is ignored. */
void up_exchange_answer(struct up_exchange *x, int id, const void *answer, size_t len);

void up_exchange_close(struct up_exchange *x); /* NULL is allowed */

#endif
