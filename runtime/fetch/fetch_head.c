#include "fetch_head.h"

#include <ctype.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "error.h"
#include "fetch_options.h"
#include "url.h"

static bool parse_number(const char **p, uint64_t *out)
{
    uint64_t v = 0;

    if (!isdigit((unsigned char)**p))
        return false;
    for (; isdigit((unsigned char)**p); (*p)++) {
        unsigned digit = (unsigned)(**p - '0');

        if (v > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

/* Parse "bytes FIRST-LAST/TOTAL"; either side of the slash may be "*". A
 * missing range leaves *span UP_FETCH_UNKNOWN. */
static bool parse_content_range(const char *p, uint64_t *start, uint64_t *span, uint64_t *total)
{
    uint64_t last;

    *start = *span = *total = UP_FETCH_UNKNOWN;
    if (strncasecmp(p, "bytes ", 6) != 0)
        return false;
    p += 6;
    if (*p == '*') {
        p++;
    } else {
        if (!parse_number(&p, start) || *p++ != '-' || !parse_number(&p, &last) || last < *start)
            return false;
        *span = last - *start + 1;
    }
    if (*p++ != '/')
        return false;
    if (*p == '*')
        return p[1] == '\0' && *span != UP_FETCH_UNKNOWN;
    return parse_number(&p, total) && *p == '\0' && (*span == UP_FETCH_UNKNOWN || *start + *span <= *total);
}

const char *up_fetch_head_value(void *easy, const char *name, size_t *amount)
{
    struct curl_header *h;

    *amount = 0;
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return NULL;
    *amount = h->amount;
    /* Some versions of libcurl leave the line end in place of an empty value. */
    return h->value[strspn(h->value, "\r\n")] ? h->value : "";
}

uint64_t up_fetch_head_date(void *easy)
{
    size_t amount;
    const char *date = up_fetch_head_value(easy, "Date", &amount);
    time_t seconds = -1;

    /* With an Age the response comes from a cache, and Date is the time when it was stored. */
    if (date && amount == 1 && !up_fetch_head_value(easy, "Age", &amount))
        seconds = curl_getdate(date, NULL);
    return seconds > 0 ? (uint64_t)seconds : 0;
}

bool up_fetch_head_by_proxy(int status, const char *challenge, const char *url, const char *proxy)
{
    return status == 407 ||
           (status == 401 && challenge && proxy && *proxy && strncasecmp(url, "http:", 5) == 0);
}

int up_fetch_head_proxy(struct up_error *err, int status, const char *shown, const char *proxy)
{
    char name[UP_URL_SHOWN] = "on the way", url[UP_URL_SHOWN];

    if (proxy) {
        snprintf(url, sizeof url, "%s%s", strstr(proxy, "://") ? "" : "http://", proxy);
        up_url_show(url, name);
    }
    return up_fail(err, UP_NETWORK, "%s: the proxy %s requires a user and a password (HTTP %d)", shown, name,
                   status);
}

uint64_t up_fetch_head_retry_after(void *easy)
{
    size_t amount;
    const char *text = up_fetch_head_value(easy, "Retry-After", &amount), *date;
    uint64_t seconds;
    time_t then, now;

    if (!text)
        return 0;
    if (parse_number(&text, &seconds))
        return *text ? 0 : seconds;
    /* A time, relative to the server's clock: ours may be wrong. */
    date = up_fetch_head_value(easy, "Date", &amount);
    then = curl_getdate(text, NULL);
    now = date ? curl_getdate(date, NULL) : -1;
    return now != -1 && then > now ? (uint64_t)(then - now) : 0;
}

/* Whether the response to a range request is the requested range and consistent. */
static int check_partial(struct up_fetch_head *h, void *easy, uint64_t length,
                         const struct up_fetch_options *o, const char *shown, struct up_error *err)
{
    size_t amount;
    const char *range = up_fetch_head_value(easy, "Content-Range", &amount);

    if (!o->ranged)
        return up_fail(err, UP_CORRUPT, "%s: the server sent a part, but the whole was requested", shown);
    if (!range || amount != 1 || !parse_content_range(range, &h->start, &h->span, &h->total) ||
        h->span == UP_FETCH_UNKNOWN)
        return up_fail(err, UP_CORRUPT, "%s: a part came without a usable Content-Range", shown);
    if (h->start != o->offset)
        return up_fail(err, UP_CORRUPT, "%s: the server sent bytes from %" PRIu64 ", not from %" PRIu64,
                       shown, h->start, o->offset);
    if (o->length && h->span > o->length)
        return up_fail(err, UP_CORRUPT, "%s: the server announces %" PRIu64 " bytes; requested were %" PRIu64,
                       shown, h->span, o->length);
    if (length != UP_FETCH_UNKNOWN && length != h->span)
        return up_fail(err, UP_CORRUPT, "%s: Content-Length and Content-Range contradict each other", shown);
    return 0;
}

int up_fetch_head_read(struct up_fetch_head *h, void *easy, int status, const struct up_fetch_options *o,
                       const char *shown, struct up_error *err)
{
    size_t amount;
    const char *text = up_fetch_head_value(easy, "Content-Length", &amount);
    uint64_t length = UP_FETCH_UNKNOWN;
    int rc = 0;

    h->redirecting = false;
    h->start = h->total = h->span = UP_FETCH_UNKNOWN;
    if (o->max_redirects &&
        (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) &&
        up_fetch_head_value(easy, "Location", &amount)) {
        h->redirecting = true;
        return 0;
    }
    if (text && (!parse_number(&text, &length) || *text))
        return up_fail(err, UP_NETWORK, "%s: the Content-Length is not a number", shown);
    if (up_fetch_head_value(easy, "Transfer-Encoding", &amount))
        length = UP_FETCH_UNKNOWN; /* chunked encoding overrides it: RFC 9112, 6.3 */
    if (status == 206) {
        rc = check_partial(h, easy, length, o, shown, err);
    } else if (status == 416) {
        text = up_fetch_head_value(easy, "Content-Range", &amount);
        if (text && !parse_content_range(text, &h->start, &h->span, &h->total))
            h->total = UP_FETCH_UNKNOWN;
        h->start = 0;
        h->span = length;
    } else {
        h->start = 0;
        h->span = h->total = length;
    }
    return rc;
}
