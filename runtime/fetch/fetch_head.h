/*
 * fetch_head.h -- what the head of an answer says: a redirect, or how much of
 * the object comes from where on.
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
    bool redirecting;            /* Location is to be followed */
    uint64_t start, total, span; /* UP_FETCH_UNKNOWN when not said */
};

/* The first header of this name in the last answer of the handle of libcurl, and
 * how many there are; NULL. Valid until its next request. */
const char *up_fetch_head_value(void *easy, const char *name, size_t *amount);

/* `Date` in seconds since 1970, of one that no cache kept; 0: none. */
uint64_t up_fetch_head_date(void *easy);
/* Whether a proxy wants a login: by 407, or, as old ones do, by a 401 with a challenge on the way to a server that is
 * asked without TLS. `challenge`: WWW-Authenticate; it and `proxy` are NULL when there is none. */
bool up_fetch_head_by_proxy(int status, const char *challenge, const char *url, const char *proxy);
/* UP_NETWORK and the sentence for it: it is a matter of the way, not of what was asked for. */
int up_fetch_head_proxy(struct up_error *err, int status, const char *shown, const char *proxy);
/* Seconds of Retry-After; 0 when there is none. */
uint64_t up_fetch_head_retry_after(void *easy);

/* `shown` is the URL, for messages. Errors: UP_NETWORK a length that is none;
 * UP_CORRUPT another part than was asked for. */
UP_MUST_CHECK int up_fetch_head_read(struct up_fetch_head *h, void *easy, int status,
                                     const struct up_fetch_options *o, const char *shown,
                                     struct up_error *err);

#endif
