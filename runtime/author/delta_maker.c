#include "delta_maker.h"

#include "bytes.h"
#include "delta_cost.h"
#include "delta_format.h"
#include "delta_plan.h"
#include "error.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 256u /* bytes of a copy that get one kind of content */

struct gaps {
    uint32_t *list;
    size_t count, room;
};

/* Dynamic programming over the chunks of a copy: for each kind of content, the
 * lowest cost up to here if this chunk has that kind, and the kind of the chunk
 * before. */
struct chunk {
    unsigned cost[UP_CONTENTS];
    uint8_t before[UP_CONTENTS];
};

struct up_delta_maker {
    struct up_images images;
    uint32_t block_size;
    struct up_delta_plan *plan;
    const struct up_match *found;
    size_t count;
    struct up_delta *delta;
    struct up_delta_lessons lessons;
    struct chunk *chunks; /* of a block */
    struct gaps gaps;
    uint8_t *result; /* what the block decodes to */
};

int up_delta_maker_new(struct up_delta_maker **out, const uint8_t *old, uint64_t old_size,
                       const uint8_t *fresh, uint64_t fresh_size, uint32_t block_size, struct up_error *err)
{
    struct up_delta_maker *m;

    if (block_size < UP_BLOCK_MIN || block_size > UP_BLOCK_MAX)
        return up_fail(err, UP_USAGE, "delta: blocks of %u bytes; they have %u to %u", block_size,
                       UP_BLOCK_MIN, UP_BLOCK_MAX);
    m = calloc(1, sizeof *m);
    if (!m)
        return up_fail(err, UP_INTERNAL, "delta: out of memory");
    m->images = (struct up_images){old, fresh, old_size, fresh_size};
    m->block_size = block_size;
    m->result = malloc(block_size);
    m->chunks = malloc((block_size / CHUNK + 1) * sizeof *m->chunks);
    if (!m->result || !m->chunks)
        up_fail(err, UP_INTERNAL, "delta: out of memory");
    else if (up_delta_new(&m->delta, err) == 0 && up_delta_plan_new(&m->plan, &m->images, err) == 0) {
        *out = m;
        return 0;
    }
    up_delta_maker_free(m);
    return err->code;
}

void up_delta_maker_free(struct up_delta_maker *m)
{
    if (!m)
        return;
    up_delta_plan_free(m->plan);
    up_delta_free(m->delta);
    up_delta_cost_free(&m->lessons);
    free(m->chunks);
    free(m->gaps.list);
    free(m->result);
    free(m);
}

int up_delta_maker_step(struct up_delta_maker *m, uint64_t *done, uint64_t *total, struct up_error *err)
{
    int rc = up_delta_plan_step(m->plan, done, total, err);

    if (rc == 0)
        m->found = up_delta_plan_found(m->plan, &m->count);
    return rc;
}

static int read_old(void *context, void *buf, size_t len, uint64_t offset, struct up_error *err)
{
    struct up_delta_maker *m = context;

    (void)err;
    memcpy(buf, m->images.old + offset, len);
    return 0;
}

static bool push(struct up_delta *d, uint32_t literal, uint32_t copy, uint64_t from, enum up_content content)
{
    struct up_delta_op *op = up_delta_format_add(d);

    if (op)
        *op = (struct up_delta_op){literal, copy, from, content};
    return op != NULL;
}

static unsigned weigh(struct up_delta_maker *m, uint64_t at, uint64_t from, uint32_t len)
{
    unsigned n = 0, best = 0;

    memset(&m->chunks[0], 0, sizeof m->chunks[0]);
    for (uint32_t done = 0; done < len; done += CHUNK, n++) {
        uint32_t size = len - done < CHUNK ? len - done : CHUNK;
        const struct chunk *last = &m->chunks[n];
        struct chunk *next = &m->chunks[n + 1];

        for (enum up_content c = 0; c < UP_CONTENTS; c++) {
            unsigned cost =
                up_delta_cost(&m->images, m->found, m->count, &m->lessons, c, at + done, from + done, size);

            next->before[c] = (uint8_t)c;
            next->cost[c] = last->cost[c];
            for (enum up_content b = 0; b < UP_CONTENTS; b++)
                if (last->cost[b] + UP_COST_SWITCH < next->cost[c]) {
                    next->cost[c] = last->cost[b] + UP_COST_SWITCH;
                    next->before[c] = (uint8_t)b;
                }
            next->cost[c] += cost;
        }
    }
    for (unsigned c = 1; c < UP_CONTENTS; c++)
        if (m->chunks[n].cost[c] < m->chunks[n].cost[best])
            best = c;
    return best;
}

/* Encode a copy as one operation for each stretch of one kind of content. */
static bool push_copy(struct up_delta_maker *m, uint32_t literal, uint64_t at, uint64_t from, uint32_t len)
{
    uint8_t content[UP_BLOCK_MAX / CHUNK + 1];
    unsigned n = (len + CHUNK - 1) / CHUNK, best = weigh(m, at, from, len);
    uint32_t begin = 0;

    for (unsigned i = n; i > 0; i--) {
        content[i - 1] = (uint8_t)best;
        best = m->chunks[i].before[best];
    }
    for (unsigned i = 1; i <= n; i++) {
        uint32_t end = i == n ? len : i * CHUNK;

        if (i < n && content[i] == content[i - 1])
            continue;
        if (!push(m->delta, begin ? 0 : literal, end - begin, from + begin, content[i - 1]))
            return false;
        begin = end;
    }
    return true;
}

static int push_gap(struct gaps *g, uint32_t gap)
{
    if (g->count == g->room) {
        size_t room = g->room ? 2 * g->room : 1024;
        uint32_t *more = realloc(g->list, room * sizeof *more);

        if (!more)
            return -1;
        g->list = more;
        g->room = room;
    }
    g->list[g->count++] = gap;
    return 0;
}

/* Lengths of the runs of equal bytes between fields. */
static int find_gaps(struct up_delta_maker *m, uint64_t at)
{
    uint32_t gap = 0;

    m->gaps.count = 0;
    for (uint32_t i = 0; i < m->delta->count; i++) {
        const struct up_delta_op *op = &m->delta->ops[i];
        const uint8_t *old = m->images.old + op->from;
        struct up_address_field f;

        at += op->literal;
        for (size_t pos = 0; pos < op->copy;) {
            bool field =
                up_address_finder_next(&f, op->content, old, op->copy, pos, op->from, m->images.old_size);
            size_t stop = field ? f.at : op->copy;

            for (; pos < stop; pos++) {
                if (old[pos] == m->images.fresh[at + pos]) {
                    gap++;
                    continue;
                }
                if (push_gap(&m->gaps, gap) < 0)
                    return -1;
                gap = 0;
            }
            pos += field ? 4 : 0;
        }
        at += op->copy;
    }
    return 0;
}

/* The first match that ends after `at`. */
static size_t first_match(const struct up_delta_maker *m, uint64_t at)
{
    size_t low = 0, high = m->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (m->found[middle].at + m->found[middle].len > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The part of a match that is in [begin, end). */
static struct up_match clip(struct up_match m, uint64_t begin, uint64_t end)
{
    uint64_t cut = m.at < begin ? begin - m.at : 0;

    if (m.at + m.len > end)
        m.len = end - m.at;
    return (struct up_match){m.at + cut, m.from + cut, m.len - cut};
}

/* Whether the whole block occurs in the old image: at *source. */
static bool is_copy(const struct up_delta_maker *m, uint64_t begin, uint64_t end, uint64_t *source)
{
    size_t k = first_match(m, begin);
    struct up_match first;

    if (k == m->count || m->found[k].at > begin)
        return false;
    first = clip(m->found[k], begin, end);
    *source = first.from;
    return first.len == end - begin &&
           memcmp(m->images.fresh + begin, m->images.old + first.from, (size_t)first.len) == 0;
}

/* Collect the operations of a block; false if there are too many. *source is
 * where the first copy begins. */
static bool make_ops(struct up_delta_maker *m, uint64_t begin, uint64_t end, uint64_t *source)
{
    struct up_delta *d = m->delta;
    uint64_t at = begin;

    d->count = 0;
    *source = 0;
    up_delta_cost_forget(&m->lessons);
    for (size_t k = first_match(m, begin); k < m->count && m->found[k].at < end; k++) {
        struct up_match copy = clip(m->found[k], begin, end);

        if (d->count == 0)
            *source = copy.from;
        if (!push_copy(m, (uint32_t)(copy.at - at), copy.at, copy.from, (uint32_t)copy.len))
            return false;
        at = copy.at + copy.len;
    }
    return at == end || push(d, (uint32_t)(end - at), 0, 0, UP_PLAIN);
}

int up_delta_maker_block(struct up_delta_maker *m, uint32_t i, enum up_encoding *encoding, uint64_t *source,
                         void *out, size_t *out_len, struct up_error *err)
{
    uint64_t begin = (uint64_t)i * m->block_size, left = m->images.fresh_size - begin;
    uint32_t len = left < m->block_size ? (uint32_t)left : m->block_size;
    const uint8_t *fresh = m->images.fresh + begin;
    struct up_old old = {read_old, m, m->images.old_size};
    struct up_delta *d = m->delta;
    long stored;

    *encoding = UP_ZEROS;
    *source = 0;
    *out_len = 0;
    if (up_all_zeros(fresh, len))
        return 0;
    *encoding = UP_COPY;
    if (is_copy(m, begin, begin + len, source))
        return 0;
    *encoding = UP_RAW;
    d->starved = false;
    if (!make_ops(m, begin, begin + len, source) && !d->starved)
        return 0;
    if (d->starved || find_gaps(m, begin) < 0)
        return up_fail(err, UP_INTERNAL, "delta: out of memory");
    d->want = fresh;
    d->gaps = m->gaps.list;
    d->gap_count = m->gaps.count;
    up_range_coder_encode(&d->coder, out, len - 1);
    if (up_delta_format_code(d, &old, *source, begin, m->result, len, err) < 0)
        return err->code == UP_CORRUPT ? 0 : err->code;
    stored = up_range_coder_end(&d->coder);
    if (stored < 0)
        return 0;
    if (memcmp(m->result, fresh, len) != 0)
        return up_fail(err, UP_INTERNAL, "delta: block %u does not decode to what was encoded", i);
    *encoding = UP_DELTA;
    *out_len = (size_t)stored;
    return 0;
}
