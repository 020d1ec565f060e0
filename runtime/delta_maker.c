#include "delta_maker.h"

#include "bytes.h"
#include "error.h"
#include "match.h"

#include <lzma.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct up_delta_maker {
    const uint8_t *old, *fresh;
    uint64_t old_size, fresh_size;
    uint32_t block_size;
    struct up_matcher *matcher;
    const struct up_match *found;
    size_t count;
    uint8_t *stream[3], *packed;
    size_t len[3];
};

int up_delta_maker_new(struct up_delta_maker **out, const uint8_t *old, uint64_t old_size,
                       const uint8_t *fresh, uint64_t fresh_size, uint32_t block_size, struct up_error *err)
{
    struct up_delta_maker *m = calloc(1, sizeof *m);

    if (!m)
        return up_fail(err, UP_INTERNAL, "delta: out of memory");
    m->old = old;
    m->old_size = old_size;
    m->fresh = fresh;
    m->fresh_size = fresh_size;
    m->block_size = block_size;
    m->packed = malloc(block_size);
    for (int i = 0; i < 3; i++)
        m->stream[i] = malloc(2 * (size_t)block_size);
    if (up_matcher_new(&m->matcher, old, old_size, fresh, fresh_size, err) < 0) {
        up_delta_maker_free(m);
        return err->code;
    }
    *out = m;
    return 0;
}

void up_delta_maker_free(struct up_delta_maker *m)
{
    if (!m)
        return;
    up_matcher_free(m->matcher);
    for (int i = 0; i < 3; i++)
        free(m->stream[i]);
    free(m->packed);
    free(m);
}

int up_delta_maker_step(struct up_delta_maker *m, uint64_t *done, uint64_t *total, struct up_error *err)
{
    int rc = up_matcher_step(m->matcher, done, err);

    *total = m->fresh_size;
    m->found = up_matcher_found(m->matcher, &m->count);
    return rc;
}

static long pack(const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
    lzma_options_lzma options;
    lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};
    size_t n = 0;

    lzma_lzma_preset(&options, 9 | LZMA_PRESET_EXTREME);
    options.dict_size = 1u << 20;
    return lzma_raw_buffer_encode(filters, NULL, in, len, out, &n, room) == LZMA_OK ? (long)n : -1;
}

static void put(struct up_delta_maker *m, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        m->stream[0][m->len[0]++] = (uint8_t)(v | 0x80);
    m->stream[0][m->len[0]++] = (uint8_t)v;
}

static bool all_zeros(const uint8_t *in, size_t len)
{
    return len > 0 && in[0] == 0 && memcmp(in, in + 1, len - 1) == 0;
}

int up_delta_maker_block(struct up_delta_maker *m, uint32_t i, enum up_encoding *encoding, uint64_t *source,
                         void *out, size_t *out_len, struct up_error *err)
{
    uint64_t start = (uint64_t)i * m->block_size, end = start + m->block_size, at = start, from = 0;
    size_t k = 0, high = m->count;
    size_t used = 8;
    bool first = true;

    (void)err;
    if (end > m->fresh_size)
        end = m->fresh_size;
    *source = 0;
    *out_len = 0;
    if (all_zeros(m->fresh + start, end - start)) {
        *encoding = UP_ZEROS;
        return 0;
    }
    while (k < high) { /* the first match that ends behind the start */
        size_t middle = k + (high - k) / 2;

        if (m->found[middle].at + m->found[middle].len > start)
            high = middle;
        else
            k = middle + 1;
    }
    memset(m->len, 0, sizeof m->len);
    for (; k < m->count && m->found[k].at < end; k++) {
        uint64_t a = m->found[k].at, b = a + m->found[k].len, f = m->found[k].from;

        if (a < start) {
            f += start - a;
            a = start;
        }
        if (b > end)
            b = end;
        if (a == start && b == end && memcmp(m->fresh + a, m->old + f, b - a) == 0) {
            *encoding = UP_COPY;
            *source = f;
            return 0;
        }
        if (first)
            *source = from = f;
        first = false;
        put(m, a - at);
        put(m, b - a);
        put(m, f >= from ? (f - from) << 1 : ((from - f - 1) << 1) | 1);
        memcpy(m->stream[2] + m->len[2], m->fresh + at, a - at);
        m->len[2] += a - at;
        for (uint64_t j = 0; j < b - a; j++)
            m->stream[1][m->len[1]++] = (uint8_t)(m->fresh[a + j] - m->old[f + j]);
        from = f + (b - a);
        at = b;
    }
    if (at < end) {
        put(m, end - at);
        put(m, 0);
        put(m, 0);
        memcpy(m->stream[2] + m->len[2], m->fresh + at, end - at);
        m->len[2] += end - at;
    }
    *encoding = UP_RAW;
    for (int s = 0; s < 3; s++) {
        long n = pack(m->stream[s], m->len[s], (uint8_t *)m->packed, m->block_size);

        if (n < 0 || used + (size_t)n >= end - start)
            return 0;
        memcpy((uint8_t *)out + used, m->packed, (size_t)n);
        if (s < 2)
            up_put32((uint8_t *)out + 4 * s, (uint32_t)n);
        used += (size_t)n;
    }
    *encoding = UP_DELTA;
    *out_len = used;
    return 0;
}
