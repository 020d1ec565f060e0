/*
 * url.h -- URLs: which are accepted, how they are shown, where a redirect
 * leads.
 *
 * Secrets in a URL (user, password, query) are never shown.
 */
#ifndef UP_URL_H
#define UP_URL_H

#include <stdbool.h>

#include "error.h"

#define UP_URL_SHOWN 256

/* Errors: UP_USAGE not http or https, no host, invalid, control characters or spaces. */
UP_MUST_CHECK int up_url_check(const char *url, struct up_error *err);

/* scheme://host[:port]/path, cut if too long, for messages. */
void up_url_show(const char *url, char out[UP_URL_SHOWN]);

/*
 * Where `location`, from the response of `base`, leads: a fresh absolute URL,
 * which the caller frees. With `prefix` it must be below that URL. Errors:
 * UP_REFUSED invalid, not http or https, from https to http, or outside the
 * prefix.
 */
UP_MUST_CHECK int up_url_follow(char **out, const char *base, const char *location, const char *prefix,
                                struct up_error *err);

/* Same scheme, host and port. */
bool up_url_same_origin(const char *a, const char *b);

#endif
