/*
 * source_http.c -- a package's bytes from a server: ranges are requested where
 * they are needed, continued after a failure, and never taken from a changed
 * file.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "fetch.h"
#include "fetch_head.h"
#include "source_http_private.h"

#define RANGE_MAX (4 * 1024 * 1024) /* bytes of one request */
#define SKIP_MAX (16 * 1024)        /* reading across a gap is cheaper than a new connection */

static void drop(struct source_http *h)
{
    if (!h->f)
        return;
    h->before += up_fetch_received(h->f);
    h->base.received = h->before;
    up_fetch_close(h->f);
    h->f = NULL;
}

static int ask(struct source_http *h, uint64_t offset, struct up_error *err)
{
    struct up_fetch_options o = h->o;
    uint64_t end = offset + RANGE_MAX;

    if (h->want_end > offset && h->want_end < end)
        end = h->want_end;
    if (h->base.size < end)
        end = h->base.size;
    o.ranged = 1;
    o.offset = offset;
    o.length = end - offset;
    if (h->seen.tag_strong)
        o.if_range = h->seen.tag;
    else
        o.if_range = h->seen.modified_strong ? h->seen.modified : NULL;
    h->asked = offset;
    h->checked = h->refused = h->whole = false;
    return up_fetch_open(&h->f, h->loop, h->url, &o, err);
}

/* Conditions that pass: the server's own trouble, "come later", and a response
 * that replaces the object, as a log-in page does. */
static bool is_passing(int status)
{
    return status < 300 || status >= 500 || status == 408 || status == 425 || status == 429;
}

static int code_of_status(int status)
{
    if (is_passing(status))
        return UP_NETWORK;
    if (status == 404 || status == 410)
        return UP_MISSING;
    return status == 401 || status == 403 ? UP_EXPIRED : UP_REFUSED;
}

static int refuse(struct source_http *h, struct up_error *err)
{
    int s = h->status;

    drop(h);
    if (h->proxys)
        return up_fetch_head_proxy(err, s, h->shown, h->o.proxy);
    return up_fail(err, code_of_status(s), "%s: the server answered HTTP %d", h->shown, s);
}

/* Take the body of a response that is not the object; n as up_fetch_read() returned it. */
static int keep_answer(struct source_http *h, const void *data, long n, struct up_error *err)
{
    size_t room = ANSWER_MAX - h->answer_len;

    if (n == UP_AGAIN)
        return UP_AGAIN;
    if (n <= 0)
        return refuse(h, err);
    if ((size_t)n > room)
        n = (long)room;
    memcpy(h->answer + h->answer_len, data, (size_t)n);
    h->answer_len += (size_t)n;
    return h->answer_len == ANSWER_MAX ? refuse(h, err) : 0;
}

/* Whether the open request can still give the byte at `offset`. */
static bool serves(const struct source_http *h, uint64_t offset)
{
    if (!h->checked)
        return offset == h->asked;
    return offset >= h->at && (h->whole || offset - h->at <= SKIP_MAX);
}

/* The body has ended: 0 if the object has, too, 1 if more must be requested. */
static int end_of_body(struct source_http *h, uint64_t offset, struct up_error *err)
{
    uint64_t at = h->at;
    bool whole = h->whole;

    drop(h);
    if (!whole)
        return 1;
    if (h->base.size == UNKNOWN)
        h->base.size = at;
    if (at < h->base.size)
        return up_fail(err, UP_NETWORK, "%s: ended after %" PRIu64 " of %" PRIu64 " bytes", h->shown, at,
                       h->base.size);
    return offset < h->base.size ? 1 : 0;
}

/* n bytes of the object arrived in buf: count them, and keep only those from
 * `offset` on, at the front. Returns their number. */
static long place(struct source_http *h, uint64_t offset, void *buf, long n, struct up_error *err)
{
    uint64_t skip = offset - h->at;

    if (h->base.size != UNKNOWN && (uint64_t)n > h->base.size - h->at)
        return up_fail(err, UP_CORRUPT, "%s: more than its %" PRIu64 " bytes came", h->shown, h->base.size);
    h->at += (uint64_t)n;
    if (skip >= (uint64_t)n)
        return 0;
    if (skip > 0)
        memmove(buf, (char *)buf + skip, (size_t)n - (size_t)skip);
    return n - (long)skip;
}

/* If a range is used up and the next is sure to be wanted, request it now: it
 * travels while the caller works on what it has. */
static void ask_ahead(struct source_http *h)
{
    struct up_error err;
    char none;

    if (h->whole || h->at - h->asked < up_fetch_span(h->f) || up_fetch_read(h->f, &none, 1, &err) != 0)
        return;
    drop(h);
    if (h->at < h->base.size && h->base.size != UNKNOWN && (h->want_end == 0 || h->at < h->want_end) &&
        ask(h, h->at, &err) == 0)
        (void)!up_loop_drive(h->loop, &err);
}

/* One step of the open request: a count > 0, UP_AGAIN, an error, or 0 to try
 * again (h->f may be NULL then, for the next range); *end at the end. */
static long step(struct source_http *h, uint64_t offset, void *buf, size_t len, bool *end,
                 struct up_error *err)
{
    long n = up_fetch_read(h->f, buf, len, err), kept;
    int rc;

    h->base.received = h->before + up_fetch_received(h->f);
    if (!h->checked && !h->refused && up_fetch_status(h->f)) {
        /* Invalid headers that fetch.c found come as an error of the read. */
        if (n < 0 && n != UP_AGAIN && n != UP_NETWORK)
            return n;
        rc = up_source_http_check_head(h, err);
        if (rc < 0)
            return rc;
        /* 416, or 200 for an object that is shorter than assumed. */
        if (offset >= h->base.size) {
            *end = true;
            return 0;
        }
    }
    if (h->refused)
        return keep_answer(h, buf, n, err);
    if (n < 0)
        return n;
    if (n == 0) {
        rc = end_of_body(h, offset, err);
        *end = rc == 0;
        return rc < 0 ? rc : 0;
    }
    kept = place(h, offset, buf, n, err);
    if (kept > 0)
        ask_ahead(h);
    return kept;
}

static long source_read(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    struct source_http *h = (struct source_http *)s;
    bool end = false;
    long n = 0;

    if (len == 0)
        return up_fail(err, UP_USAGE, "%s: a read of 0 bytes", h->shown);
    if (s->size != UNKNOWN && offset >= s->size)
        return 0;
    if (h->f && !serves(h, offset))
        drop(h);
    while (n == 0 && !end) {
        if (!h->f && ask(h, offset, err) < 0)
            return err->code;
        n = step(h, offset, buf, len, &end, err);
    }
    if (end || (n < 0 && n != UP_AGAIN))
        drop(h);
    return n;
}

static void source_want(struct up_source *s, uint64_t offset, uint64_t len)
{
    struct source_http *h = (struct source_http *)s;

    h->want_end = len < UNKNOWN - offset ? offset + len : UNKNOWN;
}

static void source_close(struct up_source *s)
{
    struct source_http *h = (struct source_http *)s;

    if (!h)
        return;
    drop(h);
    up_source_http_forget_answer(h);
    up_fetch_options_free(&h->o);
    if (h->loop)
        up_loop_free(h->loop);
    free(h->url);
    free(h);
}

static const struct up_source_ops ops = {.read = source_read, .want = source_want, .close = source_close};

bool up_source_http_is(const struct up_source *s)
{
    return s->ops == &ops;
}

int up_source_http(struct up_source **out, struct up_loop *loop, const char *url,
                   const struct up_fetch_options *options, struct up_error *err)
{
    struct source_http *h;
    int rc;

    if (up_url_check(url, err) < 0 || up_fetch_options_check(options, err) < 0)
        return err->code;
    h = calloc(1, sizeof *h);
    if (!h)
        return up_fail(err, UP_INTERNAL, "source: out of memory");
    h->base.ops = &ops;
    h->base.size = UNKNOWN;
    h->base.remote = true;
    h->loop = loop;
    up_loop_keep(loop);
    up_url_show(url, h->shown);
    h->url = strdup(url);
    rc = up_fetch_options_copy(&h->o, options, err);
    if (rc == 0 && !h->url)
        rc = up_fail(err, UP_INTERNAL, "source: out of memory");
    if (rc < 0) {
        source_close(&h->base);
        return rc;
    }
    *out = &h->base;
    return 0;
}

int up_source_http_answer(const struct up_source *s, const char **body, size_t *len, const char **location)
{
    const struct source_http *h = (const struct source_http *)s;

    *body = h->answer;
    *len = h->answer_len;
    *location = h->location;
    return h->proxys ? 0 : h->status;
}

uint64_t up_source_http_retry_after(const struct up_source *s)
{
    return ((const struct source_http *)s)->retry_after;
}

uint64_t up_source_http_date(const struct up_source *s)
{
    return ((const struct source_http *)s)->date;
}
