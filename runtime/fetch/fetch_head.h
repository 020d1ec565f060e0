/*
 * fetch_head.h -- interpret response headers: a redirect, or which part of the
 * object the body is.
 */
#ifndef UP_FETCH_HEAD_H
#define UP_FETCH_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct up_fetch_options;

#define UP_FETCH_UNKNOWN UINT64_MAX

struct up_fetch_head {
    bool redirecting;            /* follow Location */
    uint64_t start, total, span; /* UP_FETCH_UNKNOWN if not given */
};

/* The first header of this name in the handle's last response, and their
 * number; NULL: none. Valid until its next request. */
const char *up_fetch_head_value(void *easy, const char *name, size_t *amount);

/* `Date` in seconds since 1970, if the response does not come from a cache; 0: none. */
uint64_t up_fetch_head_date(void *easy);
/* Whether a proxy wants a log-in: by 407, or, as old ones do, by a 401 with a
 * challenge for a request to a server without TLS. `challenge`:
 * WWW-Authenticate; it and `proxy` are NULL if there is none. */
bool up_fetch_head_by_proxy(int status, const char *challenge, const char *url, const char *proxy);
/* UP_NETWORK with its message: the problem is the path to the server, not the object. */
int up_fetch_head_proxy(struct up_error *err, int status, const char *shown, const char *proxy);
/* Seconds of Retry-After; 0: none. */
uint64_t up_fetch_head_retry_after(void *easy);

/* `shown` is the URL for messages. Errors: UP_NETWORK an invalid length;
 * UP_CORRUPT not the requested part. */
UP_MUST_CHECK int up_fetch_head_read(struct up_fetch_head *h, void *easy, int status,
                                     const struct up_fetch_options *o, const char *shown,
                                     struct up_error *err);

#endif
