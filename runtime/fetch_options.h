/*
 * fetch_options.h -- what fetch.c and source_http.c do with the options of a
 * request: check them, and say them to libcurl.
 */
#ifndef UP_FETCH_OPTIONS_H
#define UP_FETCH_OPTIONS_H

#include "fetch.h"

struct curl_slist;

/* Errors: UP_USAGE a method, a header, a validator or a range that is none. NULL is fine. */
int up_fetch_options_check(const struct up_fetch_options *o, struct up_error *err);

/*
 * Set a fresh CURL handle up for one request to `url`. `foreign`: the URL is
 * of another origin than the one the options are for. `elapsed`: microseconds
 * of the deadline already spent. *headers is replaced; the caller frees it
 * after the handle. `o` must outlive the transfer. Errors: UP_INTERNAL.
 */
int up_fetch_options_apply(const struct up_fetch_options *o, void *easy, const char *url, bool foreign,
                           int64_t elapsed, struct curl_slist **headers, struct up_error *err);

#endif
