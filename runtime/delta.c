#include "delta.h"

#include "bytes.h"
#include "error.h"

#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MAX ((size_t)1 << 20)

struct up_delta {
    lzma_stream lzma;
    uint8_t *stream[3];
};

int up_delta_new(struct up_delta **out, struct up_error *err)
{
    static const lzma_stream empty = LZMA_STREAM_INIT;
    struct up_delta *d = calloc(1, sizeof *d);

    if (!d)
        return up_fail(err, UP_INTERNAL, "delta: out of memory");
    d->lzma = empty;
    for (int i = 0; i < 3; i++)
        d->stream[i] = malloc(2 * BLOCK_MAX);
    if (!d->stream[0] || !d->stream[1] || !d->stream[2]) {
        up_delta_free(d);
        return up_fail(err, UP_INTERNAL, "delta: out of memory");
    }
    *out = d;
    return 0;
}

void up_delta_free(struct up_delta *d)
{
    if (!d)
        return;
    for (int i = 0; i < 3; i++)
        free(d->stream[i]);
    lzma_end(&d->lzma);
    free(d);
}

static long unpack(struct up_delta *d, int i, const uint8_t *in, size_t len)
{
    lzma_options_lzma options;
    lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};

    lzma_lzma_preset(&options, 9);
    options.dict_size = BLOCK_MAX;
    if (lzma_raw_decoder(&d->lzma, filters) != LZMA_OK)
        return -1;
    d->lzma.next_in = in;
    d->lzma.avail_in = len;
    d->lzma.next_out = d->stream[i];
    d->lzma.avail_out = 2 * BLOCK_MAX;
    if (lzma_code(&d->lzma, LZMA_FINISH) != LZMA_STREAM_END || d->lzma.avail_in)
        return -1;
    return (long)(2 * BLOCK_MAX - d->lzma.avail_out);
}

static int bad(struct up_error *err)
{
    return up_fail(err, UP_CORRUPT, "delta: the block does not decode");
}

static int number(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
    uint64_t v = 0;

    for (int shift = 0; shift < 63 && *p < end; shift += 7) {
        uint8_t b = *(*p)++;

        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *out = v;
            return 0;
        }
    }
    return -1;
}

int up_delta_decode(struct up_delta *d, const struct up_old *old, uint64_t source, uint64_t at,
                    const void *stored, size_t stored_len, void *out, size_t out_len, struct up_error *err)
{
    const uint8_t *in = stored, *p, *end;
    uint8_t *to = out;
    size_t a, b, len[3], diff = 0, literal = 0, done = 0;
    uint64_t from = source;

    (void)at;
    if (stored_len < 8)
        return bad(err);
    a = up_get32(in);
    b = up_get32(in + 4);
    if (a > stored_len - 8 || b > stored_len - 8 - a)
        return bad(err);
    for (int i = 0; i < 3; i++) {
        long n = unpack(d, i, in + 8 + (i > 0 ? a : 0) + (i > 1 ? b : 0),
                        i == 0   ? a
                        : i == 1 ? b
                                 : stored_len - 8 - a - b);

        if (n < 0)
            return bad(err);
        len[i] = (size_t)n;
    }
    p = d->stream[0];
    end = p + len[0];
    while (p < end) {
        uint64_t seek, copy, fill;

        if (number(&p, end, &fill) < 0 || number(&p, end, &copy) < 0 || number(&p, end, &seek) < 0)
            return bad(err);
        if (fill > out_len - done || fill > len[2] - literal)
            return bad(err);
        memcpy(to + done, d->stream[2] + literal, fill);
        done += fill;
        literal += fill;
        from += (seek >> 1) ^ (0 - (seek & 1));
        if (copy > out_len - done || copy > len[1] - diff || from > old->size || copy > old->size - from)
            return bad(err);
        if (copy > 0 && old->read(old->context, to + done, copy, from, err) < 0)
            return err->code;
        for (size_t i = 0; i < copy; i++)
            to[done + i] = (uint8_t)(to[done + i] + d->stream[1][diff + i]);
        from += copy;
        done += copy;
        diff += copy;
    }
    return done == out_len ? 0 : bad(err);
}
