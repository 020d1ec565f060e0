/*
 * httpd.h -- an HTTP server for a process with one loop.
 *
 * It has no threads and no callbacks: complete requests are queued, returned by
 * up_httpd_next() and answered with one of the reply functions, at once or
 * later; a client that waits for its response causes no events. Files are sent
 * from descriptor to socket, for as many clients as there are connections, and
 * never read into memory.
 *
 *     open -> (poll fd() or timeout() -> run -> next -> reply -> finished)* -> close
 *
 * Limits: connections; of these, those that are receiving files, and the share
 * of one address while most are in use (http_limits.h); bytes of a request's
 * headers and body; seconds without progress; and seconds from one response to
 * the next complete request, so that a client that sends single bytes is
 * dropped, too. What is not HTTP gets a 4xx, a connection over the limit a 503
 * with Retry-After.
 *
 * Files are read directly and not through storage.h: a server changes nothing.
 */
#ifndef UP_HTTPD_H
#define UP_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct up_httpd;

struct up_httpd_options {
    unsigned connections; /* maximum; 0: 1000; fewer if descriptors are short */
    unsigned timeout;     /* seconds; 0: 60 */
    size_t head_max;      /* bytes of request line and headers; 0: 16 KiB */
    size_t body_max;      /* bytes of a request body; 0: 64 KiB */
    const char *cert;     /* PEM of the certificate, followed by its chain: HTTPS; NULL: HTTP */
    const char *key;      /* PEM of its key, unencrypted; both or neither. Copied */
    const char *const
        *proxies;      /* NULL-terminated numeric addresses, each with many clients behind it; NULL: none */
    const char *early; /* PUT and POST below this path are handed out before their body; NULL: none. Copied */
};

/* A request, owned by the server until it is answered. Strings are "" if absent, header values NULL. */
struct up_httpd_request {
    uint64_t id;        /* rising from 1 */
    const char *method; /* at most 15 characters */
    const char *path;   /* decoded once; begins with '/'; no "..", no control characters */
    const char *query;  /* as sent, without '?' */
    const char *client; /* numeric address */
    const void *body;
    size_t body_len;
    bool early;        /* its body has not come: receive it, or answer */
    uint64_t expected; /* with early: bytes of the body */
    const char *fault; /* why the body could not be written to the file; "" otherwise */
};

/* How a request ended. */
struct up_httpd_event {
    uint64_t id;
    const char *method, *path,
        *client;     /* path as in the request; without query; made printable (printable.h) */
    unsigned status; /* 0: the client left before the response */
    bool complete;   /* the whole response was passed to the system */
    uint64_t bytes;  /* of the body; when not complete, what the client acknowledged, head included;
                     * UINT64_MAX when the system does not tell */
    const char *why; /* it was refused without being handed out, as at a limit; "": it was not */
    uint64_t ms;     /* from the request line to the end */
};

/*
 * Listen on "HOST:PORT" ("[v6]:PORT", ":PORT" for every address; port 0 picks
 * one). `options` may be NULL. Raises the soft limit of open files as far as
 * the connections need and the hard limit allows.
 *
 * Errors: UP_USAGE not of that form, an invalid certificate or key or not a
 * pair, or an invalid address of a proxy; UP_NETWORK cannot be resolved or
 * bound; UP_INTERNAL.
 */
UP_MUST_CHECK int up_httpd_open(struct up_httpd **out, const char *listen,
                                const struct up_httpd_options *options, struct up_error *err);

/* "127.0.0.1:43211": the actual address. Valid until close. */
const char *up_httpd_address(const struct up_httpd *h);
/* The actual maximum of connections. */
unsigned up_httpd_connections(const struct up_httpd *h);
/* Seconds after which a refused client may come again; they differ, so that not all come at once. */
unsigned up_httpd_retry_after(uint64_t id);
/* The descriptor to poll for reading. */
int up_httpd_fd(const struct up_httpd *h);
/* Milliseconds after which run must be called even if nothing is ready; -1: no limit. */
int up_httpd_timeout(struct up_httpd *h);
/* Do what is possible without waiting. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_httpd_run(struct up_httpd *h, struct up_error *err);

/* The next complete request: 0, or UP_AGAIN. *out is valid until it is answered. */
int up_httpd_next(struct up_httpd *h, const struct up_httpd_request **out);
/* A header of a request that was handed out, name without case; NULL: absent. */
const char *up_httpd_header(const struct up_httpd *h, const struct up_httpd_request *request,
                            const char *name);

/*
 * Let the body of an early request come: into the file `path` from byte
 * `offset` on, created if missing, or into memory if path is NULL. Then the
 * request is handed out once more, complete; `fault` says whether all of it was
 * written. Not durable until the caller syncs the file. A client that leaves
 * before has finished() tell. Errors: UP_USAGE no such request; UP_NOSPACE,
 * UP_WRITE the file cannot be opened, and the request is still to be answered.
 */
UP_MUST_CHECK int up_httpd_receive(struct up_httpd *h, uint64_t id, const char *path, uint64_t offset,
                                   struct up_error *err);

/*
 * Answer a request with what push() appends until end_stream(). At most
 * UP_HTTPD_STREAM bytes wait for a slow client; after that its connection is
 * closed. Errors of reply_stream(): as of reply(). Errors of the others:
 * UP_MISSING the client has left; UP_BUSY it reads too slowly, and is dropped.
 */
#define UP_HTTPD_STREAM 65536
UP_MUST_CHECK int up_httpd_reply_stream(struct up_httpd *h, uint64_t id, unsigned status,
                                        const char *const *headers, struct up_error *err);
UP_MUST_CHECK int up_httpd_push(struct up_httpd *h, uint64_t id, const void *data, size_t len,
                                struct up_error *err);
UP_MUST_CHECK int up_httpd_end_stream(struct up_httpd *h, uint64_t id, struct up_error *err);

/*
 * Answer a request; `body` is copied and, for HEAD, only counted. `headers` are
 * "Name: value", NULL-terminated, or NULL. The response is sent by later calls
 * of run. Errors: UP_USAGE no such request, or it is answered already, or a
 * header is malformed; UP_INTERNAL.
 */
UP_MUST_CHECK int up_httpd_reply(struct up_httpd *h, uint64_t id, unsigned status, const char *const *headers,
                                 const void *body, size_t len, struct up_error *err);

/*
 * Answer GET or HEAD with a regular file: 200, 206, 304 or 416 by Range,
 * If-Range and If-None-Match. `tag` is the strong entity tag without quotes;
 * NULL derives one from size and modification time. On failure the request is
 * still open and can be answered otherwise. Errors: UP_MISSING no such file;
 * UP_BUSY too many open files or downloads, or this address has its share;
 * UP_WRITE cannot be read; UP_USAGE, UP_INTERNAL as above.
 */
UP_MUST_CHECK int up_httpd_reply_file(struct up_httpd *h, uint64_t id, const char *path, const char *tag,
                                      const char *const *headers, struct up_error *err);

/* How the oldest ended request ended: 0, or UP_AGAIN. The last 1024 are kept;
 * strings are valid until the next call. */
int up_httpd_finished(struct up_httpd *h, struct up_httpd_event *out);

/* Abort requests and downloads, and free everything. NULL is allowed. */
void up_httpd_close(struct up_httpd *h);

#endif
