#include "fetch.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "fetch_head.h"
#include "url.h"

#define HEAD_MAX (64 * 1024)      /* bytes of one response's headers */
#define REDIRECT_BODY (64 * 1024) /* read to keep the connection; more ends it */

struct up_fetch {
    struct up_loop_transfer transfer; /* first: what the loop hands back */
    struct up_loop *loop;
    CURL *easy;
    struct curl_slist *headers; /* as sent now */
    struct up_fetch_options o;
    bool kept_off; /* with public_only: from an address that is not */
    char *url;
    char shown[UP_URL_SHOWN];
    char why[CURL_ERROR_SIZE];
    bool added;         /* to the loop */
    bool verified;      /* every server so far had a verified certificate */
    bool foreign;       /* redirected to another origin: extra headers stay behind */
    unsigned redirects; /* followed */
    uint64_t earlier;   /* bytes received before the last redirect */
    int64_t elapsed;    /* microseconds, likewise */

    int status; /* 0 until the head is complete */
    struct up_fetch_head head;
    size_t head_bytes;
    uint64_t body; /* bytes of the body taken from libcurl */

    uint8_t *into; /* the current read: [into + got, into + room) is free */
    size_t room, got;
    uint8_t hold[CURL_MAX_WRITE_SIZE]; /* what arrived beyond that: [held_at, held) */
    size_t held_at, held;
    bool paused; /* `hold` is full: libcurl keeps the rest and stops receiving */

    bool finished;
    struct up_error error; /* code 0: none */
};

static int on_head(struct up_fetch *f, int status)
{
    int rc = up_fetch_head_read(&f->head, f->easy, status, &f->o, f->shown, &f->error);

    if (rc == UP_NETWORK || f->head.redirecting)
        return rc;
    f->status = status;
    up_loop_stir(f->loop);
    return rc;
}

static size_t header_in(char *data, size_t size, size_t count, void *user)
{
    struct up_fetch *f = user;
    size_t n = size * count;
    long status = 0;

    f->head_bytes += n;
    if (f->head_bytes > HEAD_MAX) {
        up_fail(&f->error, UP_NETWORK, "%s: the response headers are longer than %d bytes", f->shown,
                HEAD_MAX);
        return 0;
    }
    /* An empty line ends the headers; lines after the body are trailers. */
    if (f->status || f->head.redirecting || (data[0] != '\r' && data[0] != '\n'))
        return n;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return n;
    return on_head(f, (int)status) < 0 ? 0 : n;
}

static int check_length(struct up_fetch *f, size_t more)
{
    f->body += more;
    if (f->head.span != UP_FETCH_UNKNOWN && f->body > f->head.span)
        return up_fail(&f->error, UP_CORRUPT, "%s: more than the announced %" PRIu64 " bytes came", f->shown,
                       f->head.span);
    if (f->o.max_body && f->body > f->o.max_body)
        return up_fail(&f->error, UP_CORRUPT, "%s: more than %" PRIu64 " bytes came", f->shown,
                       f->o.max_body);
    return 0;
}

static size_t body_in(char *data, size_t size, size_t count, void *user)
{
    struct up_fetch *f = user;
    size_t n = size * count, direct;

    if (f->head.redirecting) {
        f->body += n;
        return f->body > REDIRECT_BODY ? 0 : n;
    }
    if (f->held > f->held_at) {
        f->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (check_length(f, n) < 0)
        return 0;
    direct = f->room - f->got < n ? f->room - f->got : n;
    if (direct)
        memcpy(f->into + f->got, data, direct);
    f->got += direct;
    f->held_at = 0;
    f->held = n - direct;
    if (f->held)
        memcpy(f->hold, data + direct, f->held);
    if (!f->into)
        up_loop_stir(f->loop);
    return n;
}

static int start(struct up_fetch *f)
{
    f->status = 0;
    f->head.redirecting = false;
    f->head_bytes = 0;
    f->body = 0;
    up_url_show(f->url, f->shown);
    /* A fresh handle for each request: a used one may point to headers that
     * were freed (libcurl before 8.1). The connection stays with the loop. */
    curl_easy_cleanup(f->easy);
    f->easy = curl_easy_init();
    if (!f->easy)
        return up_fail(&f->error, UP_INTERNAL, "fetch: out of memory");
    if (up_fetch_options_apply(&f->o, f->easy, f->url, f->foreign, f->elapsed, &f->headers, &f->error) < 0)
        return f->error.code;
    f->kept_off = false;
    if (f->o.public_only)
        up_fetch_options_public(f->easy, &f->kept_off);
    curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, f->why);
    curl_easy_setopt(f->easy, CURLOPT_HEADERFUNCTION, header_in);
    curl_easy_setopt(f->easy, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, body_in);
    curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, f);
    if (up_loop_add(f->loop, f->easy, &f->transfer, &f->error) < 0)
        return f->error.code;
    f->added = true;
    return 0;
}

static void stop(struct up_fetch *f)
{
    if (f->added)
        up_loop_remove(f->loop, f->easy);
    f->added = false;
}

static uint64_t off_the_wire(const struct up_fetch *f)
{
    curl_off_t n = 0;

    /* Libcurl's own count lags behind for chunked bodies, ours while it holds some back. */
    curl_easy_getinfo(f->easy, CURLINFO_SIZE_DOWNLOAD_T, &n);
    return (uint64_t)n > f->body ? (uint64_t)n : f->body;
}

/* set_transport() has the certificate of each of these verified. */
static bool is_https(const char *url)
{
    return strncasecmp(url, "https:", 6) == 0;
}

static void become_get(struct up_fetch *f)
{
    free((char *)f->o.method);
    free((void *)f->o.body);
    f->o.method = NULL;
    f->o.body = NULL;
    f->o.body_len = 0;
}

static int follow(struct up_fetch *f)
{
    size_t amount;
    const char *location = up_fetch_head_value(f->easy, "Location", &amount);
    curl_off_t took = 0;
    long status = 0;
    char *url;

    if (f->redirects++ == f->o.max_redirects)
        return up_fail(&f->error, UP_NETWORK, "%s: more than %u redirects", f->shown, f->o.max_redirects);
    if (up_url_follow(&url, f->url, location, f->o.redirect_prefix, &f->error) < 0)
        return up_fail_in(&f->error, f->shown);
    f->foreign = f->foreign || !up_url_same_origin(url, f->url);
    free(f->url);
    f->url = url;
    f->verified = f->verified && is_https(url);
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 303 || (status <= 302 && f->o.body))
        become_get(f);
    f->earlier += off_the_wire(f);
    curl_easy_getinfo(f->easy, CURLINFO_TOTAL_TIME_T, &took);
    f->elapsed += took;
    return start(f);
}

/* Why libcurl failed. Its own text may repeat a proxy's address including the password. */
static const char *reason(const struct up_fetch *f, CURLcode result)
{
    bool repeats = strstr(f->why, "://") || (f->o.proxy && *f->o.proxy && strstr(f->why, f->o.proxy));

    return f->why[0] && !repeats ? f->why : curl_easy_strerror(result);
}

/* The status of a proxy that wants a log-in before it opens a tunnel to an
 * https server, or 0. Other responses of a proxy have a status of their own. */
static int tunnel_wants_login(const struct up_fetch *f)
{
    long status = 0;

    curl_easy_getinfo(f->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    return status == 407 || status == 401 ? (int)status : 0;
}

static int check_end(struct up_fetch *f, CURLcode result)
{
    bool head_only = f->o.method && strcmp(f->o.method, "HEAD") == 0;

    /* libcurl's code for a header line that it cannot hold. */
    if (result == CURLE_OUT_OF_MEMORY && !f->status)
        return up_fail(&f->error, UP_NETWORK, "%s: the response headers are too long", f->shown);
    if (result != CURLE_OK && tunnel_wants_login(f))
        return up_fetch_head_proxy(&f->error, tunnel_wants_login(f), f->shown, f->o.proxy);
    if (result != CURLE_OK && f->kept_off)
        return up_fail(&f->error, UP_REFUSED, "%s: its address is not public", f->shown);
    if (result != CURLE_OK)
        return up_fail(&f->error, result == CURLE_OUT_OF_MEMORY ? UP_INTERNAL : UP_NETWORK, "%s: %s",
                       f->shown, reason(f, result));
    if (!f->status)
        return up_fail(&f->error, UP_NETWORK, "%s: the response has no headers", f->shown);
    if (f->status == 206 && !head_only && f->body < f->head.span)
        return up_fail(&f->error, UP_NETWORK, "%s: ended after %" PRIu64 " of %" PRIu64 " bytes", f->shown,
                       f->body, f->head.span);
    return 0;
}

static void on_done(struct up_loop_transfer *t, int result)
{
    struct up_fetch *f = (struct up_fetch *)t;

    stop(f);
    if (!f->error.code && f->head.redirecting && follow(f) == 0)
        return;
    if (!f->error.code)
        check_end(f, (CURLcode)result);
    f->finished = true;
}

int up_fetch_open(struct up_fetch **out, struct up_loop *loop, const char *url,
                  const struct up_fetch_options *options, struct up_error *err)
{
    struct up_fetch *f;
    int rc;

    if (up_url_check(url, err) < 0 || up_fetch_options_check(options, err) < 0)
        return err->code;
    f = malloc(sizeof *f);
    if (!f)
        return up_fail(err, UP_INTERNAL, "fetch: out of memory");
    memset(f, 0, offsetof(struct up_fetch, hold));
    f->held_at = f->held = 0;
    f->paused = f->finished = false;
    f->error.code = 0;
    f->transfer.done = on_done;
    f->loop = loop;
    up_loop_keep(loop);
    f->head.start = f->head.total = f->head.span = UP_FETCH_UNKNOWN;
    rc = up_fetch_options_copy(&f->o, options, err);
    f->verified = is_https(url);
    f->url = strdup(url);
    if (rc == 0 && !f->url)
        rc = up_fail(err, UP_INTERNAL, "fetch: out of memory");
    if (rc == 0 && start(f) < 0)
        rc = up_fail(err, f->error.code, "%s", f->error.message);
    if (rc < 0) {
        up_fetch_close(f);
        return rc;
    }
    *out = f;
    return 0;
}

static void take_held(struct up_fetch *f)
{
    size_t n = f->held - f->held_at;

    if (n > f->room - f->got)
        n = f->room - f->got;
    memcpy(f->into + f->got, f->hold + f->held_at, n);
    f->got += n;
    f->held_at += n;
}

/* Receive into the registered buffer until it is full or there is nothing more. */
static int receive(struct up_fetch *f, struct up_error *err)
{
    size_t before;
    int rc;

    if (f->paused && !f->finished && f->got < f->room) {
        f->paused = false;
        /* Calls body_in() with what libcurl kept. If that fails, the transfer ends. */
        curl_easy_pause(f->easy, CURLPAUSE_CONT);
    }
    while (!f->finished && f->got < f->room) {
        before = f->got;
        rc = up_loop_drive(f->loop, err);
        if (rc < 0)
            return rc;
        if (f->got == before)
            break;
    }
    return 0;
}

long up_fetch_read(struct up_fetch *f, void *buf, size_t len, struct up_error *err)
{
    int rc;

    if (len == 0)
        return up_fail(err, UP_USAGE, "%s: a read of 0 bytes", f->shown);
    f->into = buf;
    f->room = len;
    f->got = 0;
    take_held(f);
    rc = receive(f, err);
    len = f->got;
    f->into = NULL;
    f->room = f->got = 0;
    if (len > 0)
        return (long)len;
    if (rc < 0)
        return rc;
    if (!f->finished)
        return UP_AGAIN;
    return f->error.code ? up_fail(err, f->error.code, "%s", f->error.message) : 0;
}

int up_fetch_status(const struct up_fetch *f)
{
    return f->status;
}

const char *up_fetch_header(const struct up_fetch *f, const char *name)
{
    size_t amount;

    return f->status ? up_fetch_head_value(f->easy, name, &amount) : NULL;
}

uint64_t up_fetch_date(const struct up_fetch *f)
{
    return f->status && f->verified ? up_fetch_head_date(f->easy) : 0;
}

uint64_t up_fetch_retry_after(const struct up_fetch *f)
{
    return f->status ? up_fetch_head_retry_after(f->easy) : 0;
}

uint64_t up_fetch_total(const struct up_fetch *f)
{
    return f->head.total;
}

uint64_t up_fetch_start(const struct up_fetch *f)
{
    return f->head.start;
}

uint64_t up_fetch_span(const struct up_fetch *f)
{
    return f->head.span;
}

uint64_t up_fetch_received(const struct up_fetch *f)
{
    return f->earlier + off_the_wire(f);
}

const char *up_fetch_url(const struct up_fetch *f)
{
    return f->url;
}

void up_fetch_close(struct up_fetch *f)
{
    if (!f)
        return;
    stop(f);
    curl_easy_cleanup(f->easy);
    up_loop_free(f->loop);
    curl_slist_free_all(f->headers);
    up_fetch_options_free(&f->o);
    free(f->url);
    free(f);
}
