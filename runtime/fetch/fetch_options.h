/*
 * fetch_options.h -- options of a request: checked, copied, and passed to
 * libcurl.
 */
#ifndef UP_FETCH_OPTIONS_H
#define UP_FETCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct curl_slist;

struct up_fetch_options {
    uint64_t offset;            /* first byte wanted; with `ranged` */
    uint64_t length;            /* bytes wanted; 0: to the end */
    int ranged;                 /* send Range */
    const char *if_range;       /* entity tag or date; NULL for none */
    const char *proxy;          /* NULL: none, whatever the environment says */
    const char *ca_file;        /* NULL: the system's */
    const char *const *headers; /* extra "Name: value", NULL-terminated; or NULL. Not sent to another
                                 * origin after a redirect */
    const char *method;         /* NULL: GET, with a body POST */
    const void *body;           /* request body, copied; NULL for none */
    size_t body_len;
    unsigned max_redirects;      /* 0: a redirect is returned, not followed */
    const char *redirect_prefix; /* follow only below this URL; NULL: any http(s) */
    unsigned connect_timeout;    /* seconds; 0: 15 */
    unsigned low_speed_limit;    /* bytes a second; 0: 100 */
    unsigned low_speed_time;     /* seconds below it that end the transfer; 0: 30 */
    unsigned deadline;           /* seconds for the whole request; 0: none */
    uint64_t time_floor; /* seconds since 1970, when the system clock was never set and all that is known
                                  * is that it is not earlier: certificates that ended before it are refused,
                                  * those that begin after it are not. 0: the system clock judges */
    uint64_t max_body;   /* bytes; more is UP_CORRUPT. 0: no limit */
    bool public_only;    /* connect to public addresses only (public_address.h) */
    int question;        /* of a source: the response is never the object, whatever its status */
};

/* Errors: UP_USAGE an invalid method, header, validator or range. NULL is fine. */
UP_MUST_CHECK int up_fetch_options_check(const struct up_fetch_options *o, struct up_error *err);

/* A copy that owns its strings, and its release function. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_fetch_options_copy(struct up_fetch_options *out, const struct up_fetch_options *in,
                                        struct up_error *err);
void up_fetch_options_free(struct up_fetch_options *o);

/*
 * For fetch.c and dial.c: prepare a fresh CURL handle for one request to `url`. `foreign`:
 * the URL is of another origin than the one the options are for. `elapsed`:
 * microseconds of the deadline already spent. *headers is replaced; the caller
 * frees it after the handle. `o` must outlive the transfer. Errors:
 * UP_INTERNAL.
 */
UP_MUST_CHECK int up_fetch_options_apply(const struct up_fetch_options *o, void *easy, const char *url,
                                         bool foreign, int64_t elapsed, struct curl_slist **headers,
                                         struct up_error *err);

/*
 * For fetch.c, with `public_only`: *kept_off, which must outlive the transfer,
 * is set when an address that is not public was not connected to.
 */
void up_fetch_options_public(void *easy, bool *kept_off);

#endif
