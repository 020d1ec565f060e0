/*
 * fetch.h -- download over HTTP and HTTPS in chunks; the caller pulls.
 *
 * One up_fetch is one request. It never waits: read() returns UP_AGAIN, and the
 * caller polls the loop. Memory is bounded: if the caller does not read, the
 * transfer pauses. Bodies are never decoded. A query string never appears in a
 * message.
 */
#ifndef UP_FETCH_H
#define UP_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "fetch_options.h"
#include "loop.h"
#include "source.h"

struct up_fetch;

/* Start a request. Strings are copied, the loop is kept; options NULL: all
 * defaults. Errors: UP_USAGE not http or https, an invalid URL, method or
 * header; UP_INTERNAL. */
UP_MUST_CHECK int up_fetch_open(struct up_fetch **out, struct up_loop *loop, const char *url,
                                const struct up_fetch_options *options, struct up_error *err);

/* Body bytes: a count > 0, 0 at the end, UP_AGAIN, UP_NETWORK (cannot connect,
 * connection lost, too slow, shorter than announced, not HTTP, too many
 * redirects), UP_CORRUPT (longer than announced or than max_body, or not the
 * requested range), or UP_REFUSED (a redirect that must not be followed; with
 * public_only: no public address). Any
 * HTTP status has a body here. What arrives during this call goes straight into
 * buf; beyond that at most two small buffers are kept. */
UP_MUST_CHECK long up_fetch_read(struct up_fetch *f, void *buf, size_t len, struct up_error *err);

/* 0 while the response headers are incomplete; then the HTTP status. */
int up_fetch_status(const struct up_fetch *f);
/* A header of the last response, name without case; NULL: absent. Valid until close. */
const char *up_fetch_header(const struct up_fetch *f, const char *name);
/* `Date` of the last response in seconds since 1970, if it comes from a peer
 * whose certificate was verified, and only such peers redirected there; else 0. */
uint64_t up_fetch_date(const struct up_fetch *f);
/* `Retry-After` of the last response in seconds, whether given as a number or a
 * time; 0: none, or past. */
uint64_t up_fetch_retry_after(const struct up_fetch *f);
/* Size of the whole object from Content-Range or Content-Length; UINT64_MAX unknown. */
uint64_t up_fetch_total(const struct up_fetch *f);
/* Offset of the body in the object, from Content-Range; 0 for 200. */
uint64_t up_fetch_start(const struct up_fetch *f);
/* Bytes that the body should have; UINT64_MAX unknown. */
uint64_t up_fetch_span(const struct up_fetch *f);
uint64_t up_fetch_received(const struct up_fetch *f); /* body bytes received */
const char *up_fetch_url(const struct up_fetch *f);   /* after redirects */
void up_fetch_close(struct up_fetch *f);

/*
 * A package behind a URL as a source: it requests ranges of at most 4 MiB with
 * If-Range and checks the responses. 206 must have the right offset; 200 starts
 * at byte 0, and bytes before the offset are skipped and not kept; 416 with the
 * known size is the end; a changed entity tag or total size is UP_CORRUPT.
 * Retrying is up to the caller.
 *
 * A response that is not the object (a status other than 200, 206, 416) is
 * UP_NETWORK for 5xx, 429 and a proxy that wants a log-in, UP_MISSING for 404
 * and 410, UP_EXPIRED for 401 and 403, UP_REFUSED otherwise.
 * up_source_http_answer() gives its status and the first 64 KiB of its body,
 * for the dialect to read. `options`: proxy, ca_file, headers, limits; the
 * range fields are set here. In source_http.c.
 */
UP_MUST_CHECK int up_source_http(struct up_source **out, struct up_loop *loop, const char *url,
                                 const struct up_fetch_options *options, struct up_error *err);
/* What the first response said of the object: it belongs to every part of it that is kept. */
#define UP_VALIDATOR_MAX 256
struct up_source_identity {
    char tag[UP_VALIDATOR_MAX], modified[UP_VALIDATOR_MAX]; /* entity tag, date; "": not given */
    uint64_t size;                                          /* bytes; UINT64_MAX unknown */
};
/* Whether it said anything by which the object is known again. */
bool up_source_http_is(const struct up_source *s);
bool up_source_http_identity(const struct up_source *s, struct up_source_identity *out);
/* Before the first read: it must be this object, or reading fails with UP_CORRUPT. */
void up_source_http_expect(struct up_source *s, const struct up_source_identity *id);
/* Status of the server's last response (0: none, or its proxy wants a log-in),
 * the body of one that was not the object, and its Location in *location (each
 * NULL: none). Valid until the next read. */
int up_source_http_answer(const struct up_source *s, const char **body, size_t *len, const char **location);
/* up_fetch_date() of the last response that had one; 0: none had. */
uint64_t up_source_http_date(const struct up_source *s);
/* up_fetch_retry_after() of the last response that was not the object; 0: none. */
uint64_t up_source_http_retry_after(const struct up_source *s);

#endif
