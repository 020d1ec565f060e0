/*
 * httpd.h -- an HTTP server that joins the one loop.
 *
 * It has no thread and calls nobody: complete requests are queued, handed out
 * by up_httpd_next() and answered with one of the reply functions, at once or
 * later; a client that waits for its answer costs no descriptor event. Files
 * go from the descriptor to the socket, for as many clients as there are
 * connections, and are never read into memory.
 *
 *     open -> (poll fd() or timeout() -> run -> next -> reply -> finished)* -> close
 *
 * Bounds: connections; of them those with files under way, and an address'
 * share while most are taken (http_limits.h); bytes of a request's head and body, seconds without
 * progress, and seconds from one answer to the next complete request, so that
 * a client that drips bytes is dropped too. What is no HTTP gets a 4xx, who
 * comes too many a 503 with Retry-After.
 *
 * Files are read without the storage seam: a server changes nothing.
 */
#ifndef UP_HTTPD_H
#define UP_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct up_httpd;

struct up_httpd_options {
    unsigned connections;       /* at most this many; 0: 1000; fewer when descriptors are short */
    unsigned timeout;           /* seconds; 0: 60 */
    size_t head_max;            /* bytes of request line and headers; 0: 16 KiB */
    size_t body_max;            /* bytes of a request body; 0: 64 KiB */
    const char *cert;           /* PEM of the certificate, followed by those above it: HTTPS; NULL: HTTP */
    const char *key;            /* PEM of its key, unencrypted; both or neither. Copied */
    const char *const *proxies; /* NULL-terminated: numeric addresses that many are behind; NULL: none */
};

/* A request, owned by the server until it is answered. Strings are "" when
 * absent, header values NULL. */
struct up_httpd_request {
    uint64_t id;        /* rising from 1 */
    const char *method; /* at most 15 characters */
    const char *path;   /* decoded once; begins with '/'; no "..", no control characters */
    const char *query;  /* as sent, without '?' */
    const char *client; /* numeric address */
    const void *body;
    size_t body_len;
};

/* What became of a request. */
struct up_httpd_event {
    uint64_t id;
    const char *method, *path,
        *client;     /* path as in the request; without query; made printable (printable.h) */
    unsigned status; /* 0: gone before it was answered */
    bool complete;   /* the whole answer was handed to the system */
    uint64_t bytes;  /* of the body; when not complete, what the client acknowledged, head included;
                     * UINT64_MAX when the system does not tell */
    const char *why; /* it was turned away without being handed out, as at a limit; "" if not */
    uint64_t ms;     /* from the request line to the end */
};

/*
 * Listen on "HOST:PORT" ("[v6]:PORT", ":PORT" for every address; port 0 picks
 * one). `options` may be NULL. Raises the soft limit of open files as far as
 * the connections need and the hard limit allows.
 *
 * Errors: UP_USAGE not of that form, or certificate and key are none or no
 * pair, or a proxy's address is none; UP_NETWORK cannot be resolved or bound; UP_INTERNAL.
 */
UP_MUST_CHECK int up_httpd_open(struct up_httpd **out, const char *listen,
                                const struct up_httpd_options *options, struct up_error *err);

/* "127.0.0.1:43211": where it really listens. Valid until close. */
const char *up_httpd_address(const struct up_httpd *h);
/* How many there may really be. */
unsigned up_httpd_connections(const struct up_httpd *h);
/* Seconds after which the client of a request that came too many may come again: not all in the same moment. */
unsigned up_httpd_retry_after(uint64_t id);
/* The descriptor to poll for reading. */
int up_httpd_fd(const struct up_httpd *h);
/* Milliseconds after which run must be called though nothing is ready; -1: no limit. */
int up_httpd_timeout(struct up_httpd *h);
/* Do what can be done without waiting. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_httpd_run(struct up_httpd *h, struct up_error *err);

/* The next complete request: 0, or UP_AGAIN. *out is valid until it is answered. */
int up_httpd_next(struct up_httpd *h, const struct up_httpd_request **out);
/* A header of a request that was handed out, name without case; NULL when absent. */
const char *up_httpd_header(const struct up_httpd *h, const struct up_httpd_request *request,
                            const char *name);

/*
 * Answer a request; `body` is copied and, to HEAD, only counted. `headers` are
 * "Name: value", NULL-terminated, or NULL. The client gets it as run goes on.
 * Errors: UP_USAGE no such request, or it is answered already, or a header is
 * malformed; UP_INTERNAL.
 */
UP_MUST_CHECK int up_httpd_reply(struct up_httpd *h, uint64_t id, unsigned status, const char *const *headers,
                                 const void *body, size_t len, struct up_error *err);

/*
 * Answer GET or HEAD with a regular file: 200, 206, 304 or 416 by Range,
 * If-Range and If-None-Match. `tag` is the strong entity tag without quotes;
 * NULL makes one from size and time of change. On failure the request is
 * still open, to be answered otherwise.
 * Errors: UP_MISSING no such file; UP_BUSY too many open files, or files under
 * way, or this address has its share; UP_WRITE cannot be read; UP_USAGE, UP_INTERNAL as above.
 */
UP_MUST_CHECK int up_httpd_reply_file(struct up_httpd *h, uint64_t id, const char *path, const char *tag,
                                      const char *const *headers, struct up_error *err);

/* What became of the oldest request that ended: 0, or UP_AGAIN. Kept for the
 * last 1024; strings are valid until the next call. */
int up_httpd_finished(struct up_httpd *h, struct up_httpd_event *out);

/* Break off what is under way and free everything. NULL is allowed. */
void up_httpd_close(struct up_httpd *h);

#endif
