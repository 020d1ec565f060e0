#include "source_pushed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "source.h"

struct pushed {
    struct up_source base; /* first: what source.h promises */
    uint8_t *data;         /* the piece in memory: [at, at + len) of the object */
    uint64_t at;
    size_t len;
    uint64_t wanted; /* where the reader waits, while it starves */
    bool starves;
    struct up_error end; /* code 0: more may come */
};

static uint64_t end_of(const struct pushed *p)
{
    return p->at + p->len;
}

static long pushed_read(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    struct pushed *p = (struct pushed *)s;
    size_t n;

    if (offset < p->at)
        return up_fail(err, UP_CORRUPT, "package: byte %" PRIu64 " came already, and is not sent again",
                       offset);
    if (offset < end_of(p)) {
        n = (size_t)(end_of(p) - offset);
        n = n < len ? n : len;
        memcpy(buf, p->data + (offset - p->at), n);
        p->starves = false;
        return (long)n;
    }
    if (end_of(p) == s->size)
        return 0;
    if (p->end.code) {
        *err = p->end;
        return p->end.code;
    }
    p->starves = true;
    p->wanted = offset;
    return UP_AGAIN;
}

static void pushed_close(struct up_source *s)
{
    struct pushed *p = (struct pushed *)s;

    free(p->data);
    free(p);
}

static const struct up_source_ops ops = {pushed_read, NULL, pushed_close};

int up_source_pushed(struct up_source **out, uint64_t size, struct up_error *err)
{
    struct pushed *p = calloc(1, sizeof *p);

    if (!p)
        return up_fail(err, UP_INTERNAL, "package: out of memory");
    p->base = (struct up_source){.ops = &ops, .size = size, .remote = true};
    *out = &p->base;
    return 0;
}

int up_source_pushed_put(struct up_source *s, const void *data, size_t len, struct up_error *err)
{
    struct pushed *p = (struct pushed *)s;
    uint8_t *piece;

    if (len == 0)
        return 0;
    if (p->len > 0 && !p->starves)
        return up_fail(err, UP_BUSY, "package: the bytes at %" PRIu64 " are not used up yet", p->at);
    if (len > s->size - end_of(p))
        return up_fail(err, UP_CORRUPT, "package: more than the announced %" PRIu64 " bytes came", s->size);
    piece = realloc(p->data, len);
    if (!piece)
        return up_fail(err, UP_INTERNAL, "package: out of memory");
    p->data = piece;
    p->at = end_of(p);
    p->len = len;
    memcpy(p->data, data, len);
    s->received += len;
    p->starves = p->starves && p->wanted >= end_of(p);
    return 0;
}

bool up_source_pushed_starves(const struct up_source *s)
{
    return ((const struct pushed *)s)->starves;
}

void up_source_pushed_end(struct up_source *s, int code, const char *message)
{
    struct pushed *p = (struct pushed *)s;

    up_fail(&p->end, code, "%s", message);
}
