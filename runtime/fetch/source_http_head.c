/* source_http_head.c -- whether a response is the object that was asked for. */
#include "source_http_private.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "error.h"
#include "fetch_head.h"

/* Seconds from a date to its response that make it a strong validator: RFC 9110, 8.8.2.2. */
#define MODIFIED_AGE 60

void up_source_http_forget_answer(struct source_http *h)
{
    free(h->answer);
    free(h->location);
    h->answer = h->location = NULL;
    h->answer_len = 0;
    h->retry_after = 0;
}

static void keep_text(char out[UP_VALIDATOR_MAX], const char *value)
{
    out[0] = '\0';
    if (value && strlen(value) < UP_VALIDATOR_MAX)
        strcpy(out, value);
}

static void read_validators(const struct up_fetch *f, struct validators *v)
{
    const char *date = up_fetch_header(f, "Date");
    time_t modified, now = date ? curl_getdate(date, NULL) : -1;

    keep_text(v->tag, up_fetch_header(f, "ETag"));
    keep_text(v->modified, up_fetch_header(f, "Last-Modified"));
    modified = v->modified[0] ? curl_getdate(v->modified, NULL) : -1;
    v->tag_strong = v->tag[0] == '"';
    v->modified_strong = modified != -1 && now != -1 && now - modified >= MODIFIED_AGE;
}

/* Whether this is the same object as in the first response. */
static int check_same(struct source_http *h, struct up_error *err)
{
    struct validators now;
    uint64_t total = up_fetch_total(h->f);

    read_validators(h->f, &now);
    if (now.tag[0] && h->seen.tag[0] && strcmp(now.tag, h->seen.tag) != 0)
        return up_fail(err, UP_CORRUPT, "%s: changed on the server, its entity tag was %s and is %s",
                       h->shown, h->seen.tag, now.tag);
    if (!(now.tag[0] && h->seen.tag[0]) && now.modified[0] && h->seen.modified[0] &&
        strcmp(now.modified, h->seen.modified) != 0)
        return up_fail(err, UP_CORRUPT, "%s: changed on the server, its date was %s and is %s", h->shown,
                       h->seen.modified, now.modified);
    if (total != UNKNOWN && h->base.size != UNKNOWN && total != h->base.size)
        return up_fail(err, UP_CORRUPT, "%s: changed on the server, its size was %" PRIu64 " and is %" PRIu64,
                       h->shown, h->base.size, total);
    if (!h->seen.tag[0] && !h->seen.modified[0])
        h->seen = now;
    return 0;
}

/* An encoding that was not requested makes offsets meaningless. A name that
 * ends in gz is an archive that some servers label so; its bytes are right. */
static int check_plain(struct source_http *h, struct up_error *err)
{
    const char *encoding = up_fetch_header(h->f, "Content-Encoding");
    size_t len = strlen(h->shown);

    if (!encoding || !encoding[0] || strcasecmp(encoding, "identity") == 0)
        return 0;
    if (len > 2 && strcasecmp(h->shown + len - 2, "gz") == 0)
        return 0;
    return up_fail(err, UP_CORRUPT, "%s: came with Content-Encoding %.32s, which was not asked for", h->shown,
                   encoding);
}

/* The log-in page of a captive portal is a 200 response to every request. It
 * says nothing about the object, so the same request is right later. */
static int check_no_page(const struct source_http *h, struct up_error *err)
{
    const char *type = up_fetch_header(h->f, "Content-Type");

    if (!type || strncasecmp(type, "text/html", 9) != 0)
        return 0;
    return up_fail(err, UP_NETWORK, "%s: a web page, not a package", h->shown);
}

static int check_unsatisfiable(struct source_http *h, struct up_error *err)
{
    uint64_t total = up_fetch_total(h->f);

    if (total == UNKNOWN)
        return up_fail(err, UP_CORRUPT, "%s: no byte from %" PRIu64 " on, and no size given (HTTP 416)",
                       h->shown, h->asked);
    if (h->base.size != UNKNOWN && total != h->base.size)
        return up_fail(err, UP_CORRUPT, "%s: changed on the server, its size was %" PRIu64 " and is %" PRIu64,
                       h->shown, h->base.size, total);
    if (h->asked < total)
        return up_fail(err, UP_CORRUPT,
                       "%s: has %" PRIu64 " bytes, yet refuses those from %" PRIu64 " (HTTP 416)", h->shown,
                       total, h->asked);
    h->base.size = total;
    return 0;
}

int up_source_http_check_head(struct source_http *h, struct up_error *err)
{
    int status = h->status = up_fetch_status(h->f);
    uint64_t date = up_fetch_date(h->f);

    if (date)
        h->date = date;
    up_source_http_forget_answer(h);
    h->proxys = false;
    if (h->o.question || (status != 200 && status != 206 && status != 416)) {
        const char *location = up_fetch_header(h->f, "Location");

        h->refused = true;
        h->proxys =
            up_fetch_head_by_proxy(status, up_fetch_header(h->f, "WWW-Authenticate"), h->url, h->o.proxy);
        h->retry_after = up_fetch_retry_after(h->f);
        h->location = location ? strdup(location) : NULL;
        h->answer = calloc(1, ANSWER_MAX + 1);
        return h->answer ? 0 : up_fail(err, UP_INTERNAL, "%s: out of memory", h->shown);
    }
    if (status == 416)
        return check_unsatisfiable(h, err);
    if (check_no_page(h, err) < 0 || check_plain(h, err) < 0 || check_same(h, err) < 0)
        return err->code;
    if (up_fetch_total(h->f) != UNKNOWN)
        h->base.size = up_fetch_total(h->f);
    h->checked = true;
    h->whole = status == 200;
    h->at = up_fetch_start(h->f);
    return 0;
}

bool up_source_http_identity(const struct up_source *s, struct up_source_identity *out)
{
    const struct source_http *h = (const struct source_http *)s;

    memcpy(out->tag, h->seen.tag, sizeof out->tag);
    memcpy(out->modified, h->seen.modified, sizeof out->modified);
    out->size = s->size;
    return out->tag[0] || out->modified[0];
}

void up_source_http_expect(struct up_source *s, const struct up_source_identity *id)
{
    struct source_http *h = (struct source_http *)s;

    keep_text(h->seen.tag, id->tag);
    keep_text(h->seen.modified, id->modified);
    h->seen.tag_strong = h->seen.tag[0] == '"';
    h->seen.modified_strong = h->seen.modified[0] != '\0'; /* it was, or is older now */
    s->size = id->size;
}
