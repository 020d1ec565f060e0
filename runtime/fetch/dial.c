#include "dial.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "fetch_options.h"
#include "loop.h"
#include "url.h"

#define ADDRESS_SIZE 320 /* bytes of "https://HOST:PORT/" */

struct up_dial {
    struct up_loop_transfer transfer; /* first: what the loop hands back */
    struct up_loop *loop;
    CURL *easy;
    struct curl_slist *headers;
    struct up_fetch_options o;
    char where[ADDRESS_SIZE]; /* HOST:PORT, for messages */
    char why[CURL_ERROR_SIZE];
    bool added; /* to the loop, which it must not leave while connected */
    bool finished;
    CURLcode result;
};

static void on_done(struct up_loop_transfer *t, int result)
{
    struct up_dial *d = (struct up_dial *)t;

    d->finished = true;
    d->result = (CURLcode)result;
}

static int start(struct up_dial *d, const char *url, struct up_error *err)
{
    d->easy = curl_easy_init();
    if (!d->easy)
        return up_fail(err, UP_INTERNAL, "dial: out of memory");
    if (up_fetch_options_apply(&d->o, d->easy, url, false, 0, &d->headers, err) < 0)
        return err->code;
    curl_easy_setopt(d->easy, CURLOPT_ERRORBUFFER, d->why);
    curl_easy_setopt(d->easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(d->easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(d->easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
    if (up_loop_add(d->loop, d->easy, &d->transfer, err) < 0)
        return err->code;
    d->added = true;
    return 0;
}

int up_dial_open(struct up_dial **out, struct up_loop *loop, const char *host, unsigned port, bool tls,
                 const struct up_fetch_options *options, struct up_error *err)
{
    char url[ADDRESS_SIZE + 16];
    struct up_dial *d;
    int n = snprintf(url, sizeof url, "%s://%s:%u/", tls ? "https" : "http", host, port);

    if (n < 0 || n >= (int)sizeof url || port > 65535 || up_url_check(url, err) < 0)
        return up_fail(err, UP_USAGE, "%s: not the address of a server", host);
    d = calloc(1, sizeof *d);
    if (!d)
        return up_fail(err, UP_INTERNAL, "dial: out of memory");
    snprintf(d->where, sizeof d->where, "%s:%u", host, port);
    d->transfer.done = on_done;
    d->loop = loop;
    up_loop_keep(loop);
    if (up_fetch_options_copy(&d->o, options, err) < 0 || start(d, url, err) < 0) {
        up_dial_close(d);
        return err->code;
    }
    *out = d;
    return 0;
}

int up_dial_step(struct up_dial *d, struct up_error *err)
{
    if (!d->finished && up_loop_drive(d->loop, err) < 0)
        return err->code;
    if (!d->finished)
        return UP_AGAIN;
    if (d->result != CURLE_OK)
        return up_fail(err, UP_NETWORK, "%s: %s", d->where,
                       d->why[0] ? d->why : curl_easy_strerror(d->result));
    return 0;
}

int up_dial_fd(const struct up_dial *d)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (d->finished && d->result == CURLE_OK)
        curl_easy_getinfo(d->easy, CURLINFO_ACTIVESOCKET, &fd);
    return fd == CURL_SOCKET_BAD ? -1 : (int)fd;
}

static long outcome(const struct up_dial *d, CURLcode rc, size_t n, struct up_error *err)
{
    if (rc == CURLE_AGAIN)
        return UP_AGAIN;
    if (rc != CURLE_OK)
        return up_fail(err, UP_NETWORK, "%s: %s", d->where, curl_easy_strerror(rc));
    return (long)n;
}

long up_dial_send(struct up_dial *d, const void *data, size_t len, struct up_error *err)
{
    size_t n = 0;
    CURLcode rc = curl_easy_send(d->easy, data, len, &n);

    return outcome(d, rc, n, err);
}

long up_dial_receive(struct up_dial *d, void *buf, size_t len, struct up_error *err)
{
    size_t n = 0;
    CURLcode rc = curl_easy_recv(d->easy, buf, len, &n);

    return outcome(d, rc, n, err);
}

void up_dial_close(struct up_dial *d)
{
    if (!d)
        return;
    if (d->added)
        up_loop_remove(d->loop, d->easy);
    curl_easy_cleanup(d->easy);
    curl_slist_free_all(d->headers);
    up_fetch_options_free(&d->o);
    up_loop_free(d->loop);
    free(d);
}
