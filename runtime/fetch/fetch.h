/*
 * fetch.h -- chunked download over HTTP and HTTPS, pulled.
 *
 * One up_fetch is one request. It never waits: read() says UP_AGAIN, the
 * caller polls the loop. Memory is bounded: a reader that does not pull
 * pauses the transfer. Bodies are never decoded automatically. A query string
 * is never put into a message.
 */
#ifndef UP_FETCH_H
#define UP_FETCH_H

#include <stdint.h>

#include "error.h"
#include "fetch_options.h"
#include "loop.h"
#include "source.h"

struct up_fetch;

/* Start a request. Strings are copied, the loop is kept; options NULL: all
 * defaults.
 * Errors: UP_USAGE not http or https, control characters in the URL, a method
 * or a header. */
UP_MUST_CHECK int up_fetch_open(struct up_fetch **out, struct up_loop *loop, const char *url,
                                const struct up_fetch_options *options, struct up_error *err);

/* Body bytes: a count > 0, 0 at the end, UP_AGAIN, UP_NETWORK (connect, broken
 * off, too slow, shorter than announced, not HTTP, too many redirects),
 * UP_CORRUPT (longer than announced or than max_body, or the answer to a range
 * is another range), or UP_REFUSED (a redirect that must not be followed).
 * Any HTTP status has a body here. What arrives while this call lasts goes
 * straight into buf; beside that at most two small buffers are kept. */
UP_MUST_CHECK long up_fetch_read(struct up_fetch *f, void *buf, size_t len, struct up_error *err);

/* 0 while the answer's head is not complete; then the HTTP status. */
int up_fetch_status(const struct up_fetch *f);
/* A header of the last answer, name without case; NULL when absent. Valid until close. */
const char *up_fetch_header(const struct up_fetch *f, const char *name);
/* `Date` of the last answer in seconds since 1970, when it comes from a peer
 * whose certificate was verified and that nothing but such peers named; else 0. */
uint64_t up_fetch_date(const struct up_fetch *f);
/* `Retry-After` of the last answer in seconds, whether it was a number or a time; 0: none, or the past. */
uint64_t up_fetch_retry_after(const struct up_fetch *f);
/* Size of the whole object by Content-Range or Content-Length; UINT64_MAX unknown. */
uint64_t up_fetch_total(const struct up_fetch *f);
/* First byte of the body within the object: Content-Range's; 0 for 200. */
uint64_t up_fetch_start(const struct up_fetch *f);
/* Bytes the body is to have; UINT64_MAX unknown. */
uint64_t up_fetch_span(const struct up_fetch *f);
uint64_t up_fetch_received(const struct up_fetch *f); /* body bytes off the wire */
const char *up_fetch_url(const struct up_fetch *f);   /* after redirects */
void up_fetch_close(struct up_fetch *f);

/*
 * A package behind a URL as a source: ranges of at most 4 MiB with If-Range,
 * the right answers checked (206 at the right offset; 200 means from the
 * start, skipped up to the offset without being kept; 416 with the known size is the end; a
 * changed entity tag or total is UP_CORRUPT). Retries are the caller's.
 *
 * An answer that is no object (a status other than 200, 206, 416) is
 * UP_NETWORK for 5xx, 429 and a proxy that wants a login, UP_MISSING for 404 and 410,
 * UP_EXPIRED for 401 and 403, UP_REFUSED otherwise; its status and first 64 KiB of body
 * can be had from up_source_http_answer(), for the dialect to read.
 * `options`: proxy, ca_file, headers, limits; the range fields are ours. In source_http.c.
 */
UP_MUST_CHECK int up_source_http(struct up_source **out, struct up_loop *loop, const char *url,
                                 const struct up_fetch_options *options, struct up_error *err);
/* Status of the server's last answer (0: none, or its proxy wants a login) and the body of one that was no object (NULL when
 * none), Location in *location (NULL when none). Valid until the next read. */
int up_source_http_answer(const struct up_source *s, const char **body, size_t *len, const char **location);
/* up_fetch_date() of the last answer that had one; 0: none had. */
uint64_t up_source_http_date(const struct up_source *s);
/* up_fetch_retry_after() of the last answer that was no object; 0: none. */
uint64_t up_source_http_retry_after(const struct up_source *s);

#endif
