/*
 * The cloud: a Luat server that offers one release and is away at times. Below
 * fetch.h and source.h.
 */
#include "stage.h"

#include <stdlib.h>
#include <string.h>

#include "factory.h"
#include "fetch.h"

#define PIECE 3000
#define SLOW_PIECE 200 /* less than a block */

static const char nothing[] = "{\"code\":27,\"msg\":\"nothing for you\"}";

/* Something that is under way. */
struct wait {
    uint64_t ready; /* ms, when it is there */
    struct wait *next;
};

static struct wait *waiting; /* all of them: one that is closed must not stop the others */

struct web {
    struct up_source base; /* first */
    struct wait piece;
    const struct parcel *parcel;
    bool slow;
    int status; /* 0: not answered yet */
    uint64_t retry_after;
};

struct up_fetch {
    struct wait answer;
    bool read;
};

uint64_t cloud_due(void)
{
    uint64_t due = FOREVER;

    for (const struct wait *w = waiting; w; w = w->next)
        if (w->ready > stage.now && w->ready < due) /* for what came nobody is woken twice */
            due = w->ready;
    return due;
}

bool cloud_is_away(void)
{
    const struct player *p = &stage.player[SCRIPT];

    return stage.now < stage.away || stage.gone ||
           (!stage.quiet && p->alive && !p->dead && release_of(p)->manner == BREAKS);
}

void cloud_close(void)
{
    waiting = NULL;
}

static void forget(struct wait *w)
{
    struct wait **at = &waiting;

    while (*at && *at != w)
        at = &(*at)->next;
    if (*at)
        *at = w->next;
}

static void expect(struct wait *w, unsigned most)
{
    forget(w);
    *w = (struct wait){stage.now + 10 + pick(most), waiting};
    waiting = w;
}

/* What this device is to have: nothing, when it says that it has it. */
static const struct parcel *answer_to(const char *url)
{
    const struct parcel *p = &stage.parcel[stage.offered];
    char have[32];

    if (stage.offered == 0)
        return NULL;
    if (!p->script && !p->core) /* which the question does not tell; a person would know */
        return judge_has(p) ? NULL : p;
    snprintf(have, sizeof have, p->script ? "&version=1.0.%u" : "core_version=%u&", p->number);
    return strstr(url, have) ? NULL : p;
}

static long web_read(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    struct web *w = (struct web *)s;
    const char *bytes;
    size_t size;

    if (stage.current->dead)
        return up_fail(err, UP_NETWORK, "killed");
    if (stage.now < w->piece.ready)
        return UP_AGAIN;
    if (stage.now < stage.away && pick(3) == 0) {
        w->status = 503;
        w->retry_after = pick(600);
        return up_fail(err, UP_NETWORK, "http://cloud: HTTP 503");
    }
    if (cloud_is_away() || pick(60) == 0)
        return up_fail(err, UP_NETWORK, "http://cloud: nobody answers");
    if (!w->parcel) {
        w->status = 400;
        return up_fail(err, UP_REFUSED, "http://cloud: HTTP 400");
    }
    w->status = 200;
    bytes = factory_package(w->parcel, &size);
    w->base.size = size;
    if (offset >= size)
        return 0;
    if (len > (w->slow ? SLOW_PIECE : PIECE))
        len = w->slow ? SLOW_PIECE : PIECE;
    if (len > size - offset)
        len = size - offset;
    memcpy(buf, bytes + offset, len);
    w->base.received += len;
    if (pick(w->slow ? 2 : 6) == 0)
        expect(&w->piece, w->slow ? 8000 : 600);
    return (long)len;
}

static void web_close(struct up_source *s)
{
    forget(&((struct web *)s)->piece);
    free(s);
}

#define WRAP(type, name, parameters) \
    type __wrap_##name parameters;   \
    type __wrap_##name parameters

WRAP(int, up_source_http,
     (struct up_source * *out, struct up_loop *loop, const char *url, const struct up_fetch_options *options,
      struct up_error *err))
{
    static const struct up_source_ops ops = {.read = web_read, .close = web_close};
    struct web *w = calloc(1, sizeof *w);

    (void)loop, (void)options;
    if (!w || stage.current->dead) {
        free(w);
        return up_fail(err, UP_INTERNAL, "killed");
    }
    judge_query(url);
    w->base = (struct up_source){.ops = &ops, .size = UINT64_MAX, .remote = true};
    w->parcel = answer_to(url);
    w->slow = pick(4) == 0;
    expect(&w->piece, cloud_is_away() ? 8000 : 400);
    *out = &w->base;
    return 0;
}

WRAP(int, up_source_http_answer,
     (const struct up_source *s, const char **body, size_t *len, const char **location))
{
    const struct web *w = (const struct web *)s;

    *location = NULL;
    *body = w->status == 400 ? nothing : NULL;
    *len = w->status == 400 ? strlen(nothing) : 0;
    return w->status;
}

WRAP(uint64_t, up_source_http_retry_after, (const struct up_source *s))
{
    return ((const struct web *)s)->retry_after;
}

/* A server with a certificate knows the time, whatever the device's clock says. */
static uint64_t date(void)
{
    return stage.tls ? FIRST_SECOND + stage.now / 1000 : 0;
}

WRAP(uint64_t, up_source_http_date, (const struct up_source *s))
{
    return ((const struct web *)s)->status ? date() : 0;
}

WRAP(uint64_t, up_fetch_date, (const struct up_fetch *f))
{
    return stage.now >= f->answer.ready ? date() : 0;
}

WRAP(int, up_fetch_open,
     (struct up_fetch * *out, struct up_loop *loop, const char *url, const struct up_fetch_options *options,
      struct up_error *err))
{
    struct up_fetch *f = calloc(1, sizeof *f);

    (void)loop, (void)options;
    if (!f || stage.current->dead) {
        free(f);
        return up_fail(err, UP_INTERNAL, "killed");
    }
    judge_query(url);
    expect(&f->answer, cloud_is_away() ? 8000 : 400);
    *out = f;
    return 0;
}

WRAP(long, up_fetch_read, (struct up_fetch * f, void *buf, size_t len, struct up_error *err))
{
    const size_t size = sizeof nothing - 1;

    if (stage.now < f->answer.ready)
        return UP_AGAIN;
    if (cloud_is_away())
        return up_fail(err, UP_NETWORK, "http://cloud: nobody answers");
    if (f->read || len < size)
        return 0;
    f->read = true;
    memcpy(buf, nothing, size);
    return (long)size;
}

WRAP(int, up_fetch_status, (const struct up_fetch *f))
{
    return stage.now >= f->answer.ready && !cloud_is_away() ? 400 : 0;
}

WRAP(void, up_fetch_close, (struct up_fetch * f))
{
    if (f)
        forget(&f->answer);
    free(f);
}
