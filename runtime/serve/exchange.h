/*
 * exchange.h -- a server for short questions: each connection carries one question
 * and one answer, which is sent in one write, and is then closed.
 *
 * Nothing waits. Poll fd() for reading and call next() until it returns 0. If
 * there are more than UP_EXCHANGE_CONNECTIONS the oldest is closed, so that silent
 * clients do not keep others out. A client for which the process has no descriptor
 * left is sent away.
 */
#ifndef UP_EXCHANGE_H
#define UP_EXCHANGE_H

#include <stddef.h>

#include "error.h"

#define UP_EXCHANGE_CONNECTIONS 64
#define UP_EXCHANGE_QUESTION 256 /* bytes; a longer one closes its connection */

struct up_exchange; /* opaque */

/* Listen on "HOST:PORT". With cert and key, PEM texts, clients may use TLS: one that does is known by its
 * first byte. NULL for both: none may. Errors: those of http_listen.h; UP_USAGE cert or key. */
UP_MUST_CHECK int up_exchange_open(struct up_exchange **out, const char *listen, const char *cert,
                                   const char *key, struct up_error *err);
int up_exchange_fd(const struct up_exchange *x);
const char *up_exchange_address(const struct up_exchange *x); /* as it listens */

/* All bytes so far of a connection that has received new ones: their number, or 0
 * if there is none. *id identifies the connection until it is answered; *question
 * is valid until the next call. More bytes may follow. */
size_t up_exchange_next(struct up_exchange *x, int *id, const char **question);
/* Answer and close; with len 0 only close. Does nothing if the connection is gone. */
void up_exchange_answer(struct up_exchange *x, int id, const void *answer, size_t len);

void up_exchange_close(struct up_exchange *x); /* NULL is allowed */

#endif
