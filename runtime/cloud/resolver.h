/*
 * resolver.h -- resolve host names without blocking the loop.
 *
 * getaddrinfo() blocks as long as the network lets it, so it runs in a thread
 * that owns everything it touches. Nobody waits for the thread: after
 * up_resolver_free() it ends by itself, at the latest when the system's
 * resolver gives up, and frees its memory. Run one look-up at a time.
 */
#ifndef UP_RESOLVER_H
#define UP_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

#define UP_ADDRESSES_MAX 8

struct up_resolver;

struct up_addresses {
    size_t count;
    char text[UP_ADDRESSES_MAX][72]; /* numeric; an IPv6 address may have a scope */
};

/* Whether `host` is a numeric address, so that nothing needs to be looked up. */
bool up_resolver_numeric(const char *host);

/* Begin to look up `host`, which is copied. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_resolver_start(struct up_resolver **out, const char *host, struct up_error *err);
/* Readable once there is a result. */
int up_resolver_fd(const struct up_resolver *r);
/* 0 and at least one address, in the system's order of preference; UP_AGAIN; UP_NETWORK no such name. */
UP_MUST_CHECK int up_resolver_result(struct up_resolver *r, struct up_addresses *out, struct up_error *err);
void up_resolver_free(struct up_resolver *r); /* NULL is allowed; does not wait */

#endif
