#include "delta_format.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

#define TELLS 16u /* copies of at least this many bytes show how their surroundings moved */

int up_delta_new(struct up_delta **out, struct up_error *err)
{
    struct up_delta *d = calloc(1, sizeof *d);

    if (d)
        d->literal = up_literal_model_new();
    if (!d || !d->literal) {
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
    up_literal_model_free(d->literal);
    up_move_map_free(&d->moves[0]);
    up_move_map_free(&d->moves[1]);
    free(d->ops);
    free(d);
}

static int refuse(const struct up_delta *d, struct up_error *err)
{
    if (d->starved)
        return up_fail(err, UP_INTERNAL, "delta: out of memory");
    return up_fail(err, UP_CORRUPT, "delta: the block does not decode");
}

static void reset_models(struct up_delta_models *m)
{
    up_range_coder_number_reset(&m->literal);
    up_range_coder_number_reset(&m->copy);
    up_range_coder_number_reset(&m->seek);
    for (int i = 0; i < 4; i++)
        up_range_coder_number_reset(&m->gap[i]);
    up_range_coder_bits_reset(m->content[0], sizeof m->content / sizeof **m->content);
    up_range_coder_bits_reset(m->other[0][0], sizeof m->other / sizeof ***m->other);
    up_range_coder_bits_reset(m->replaced, UP_FIELD_KINDS);
    up_range_coder_bits_reset(m->same[0], sizeof m->same / sizeof **m->same);
    up_range_coder_bits_reset(m->below[0][0], sizeof m->below / sizeof ***m->below);
    up_range_coder_bits_reset(m->above[0], sizeof m->above / sizeof **m->above);
    up_range_coder_bits_reset(m->still, UP_FIELD_KINDS);
    up_range_coder_bits_reset(m->low[0], sizeof m->low / sizeof **m->low);
    up_range_coder_number_reset(&m->by[0]);
    up_range_coder_number_reset(&m->by[1]);
}

static void reset(struct up_delta *d)
{
    reset_models(&d->models);
    up_literal_model_reset(d->literal);
    memset(d->targets, 0, sizeof d->targets);
    d->moves[0].count = d->moves[1].count = 0;
    d->gap_at = 0;
    d->starved = false;
}

struct up_delta_op *up_delta_format_add(struct up_delta *d)
{
    if (d->count == UP_DELTA_OPS)
        return NULL;
    if (d->count == d->room) {
        uint32_t room = d->room ? 2 * d->room : 256;
        struct up_delta_op *more = realloc(d->ops, room * sizeof *more);

        d->starved = !more;
        if (!more)
            return NULL;
        d->ops = more;
        d->room = room;
    }
    d->ops[d->count] = (struct up_delta_op){0};
    return &d->ops[d->count++];
}

/* Read the operations until they fill the block. */
static int code_ops(struct up_delta *d, const struct up_old *old, uint64_t source, uint32_t len,
                    struct up_error *err)
{
    struct up_delta_models *m = &d->models;
    struct up_range_coder *c = &d->coder;
    enum up_content content = UP_PLAIN;
    uint32_t left = len, i = 0;
    uint64_t from = source;

    if (!d->want)
        d->count = 0;
    while (left > 0) {
        struct up_delta_op *op = d->want ? &d->ops[i++] : up_delta_format_add(d);

        if (!op || c->over)
            return refuse(d, err);
        op->literal = up_range_coder_number(c, &m->literal, op->literal);
        op->copy = up_range_coder_number(c, &m->copy, op->copy);
        if (op->literal > left || op->copy > left - op->literal || op->literal + op->copy == 0)
            return refuse(d, err);
        left -= op->literal + op->copy;
        if (op->copy == 0)
            continue;
        op->from = from + (uint64_t)(int64_t)up_range_coder_signed(c, &m->seek, (int32_t)(op->from - from));
        content = op->content = up_range_coder_tree(c, m->content[content], 3, op->content);
        if (content >= UP_CONTENTS || op->from > old->size || op->copy > old->size - op->from)
            return refuse(d, err);
        from = op->from + op->copy;
    }
    return 0;
}

/* Record how far things moved, from the block's own copies. */
static int learn_from_ops(struct up_delta *d, uint64_t at)
{
    struct up_move_map *moves = &d->moves[1];

    for (uint32_t i = 0; i < d->count; i++) {
        const struct up_delta_op *op = &d->ops[i];

        at += op->literal;
        if (op->copy >= TELLS && up_move_map_note(moves, (long)moves->count - 1, (uint32_t)op->from,
                                                  (uint32_t)(at - op->from)) < 0)
            return -1;
        at += op->copy;
    }
    up_move_map_sort(moves);
    return 0;
}

/* Contexts 0 to 15, each four times as far as the one before. */
static unsigned distance_class(uint32_t distance)
{
    return distance ? (31 - (unsigned)__builtin_clz(distance)) / 2 : 0;
}

/* How far the target of the field has moved; `still` is the answer that leaves the field unchanged. */
static uint32_t code_by(struct up_delta *d, const struct up_address_field *f, uint32_t still, uint32_t by)
{
    struct up_delta_models *m = &d->models;
    struct up_move_map *moves = &d->moves[f->relative];
    struct up_target *t = &d->targets[f->relative][f->target * 0x9e3779b1u >> (32 - UP_TARGET_BITS)];
    long i = up_move_map_find(moves, f->target);
    uint32_t below = i >= 0 ? moves->list[i].by : still;
    uint32_t above = i + 1 < (long)moves->count ? moves->list[i + 1].by : below;
    unsigned distance = i >= 0 ? distance_class(f->target - moves->list[i].from) : 15;
    bool known = t->known && t->target == f->target;
    uint32_t ruled_out = known ? t->by : below + 1, got, low;

    if (known && !up_range_coder_bit(&d->coder, &m->same[f->kind][t->sure], by != t->by)) {
        t->sure = (uint8_t)(t->sure + (t->sure < 3));
        return t->by;
    }
    if (below != ruled_out &&
        !up_range_coder_bit(&d->coder, &m->below[f->kind][below == above][distance], by != below)) {
        got = below;
    } else {
        if (above != below && (!known || above != ruled_out) &&
            !up_range_coder_bit(&d->coder, &m->above[f->kind][known], by != above)) {
            got = above;
        } else if (still != below && still != above && (!known || still != ruled_out) &&
                   !up_range_coder_bit(&d->coder, &m->still[f->kind], by != still)) {
            got = still;
        } else { /* functions are aligned, so the lowest bits carry the least */
            low = up_range_coder_tree(&d->coder, m->low[f->relative], 4, (by - below) & 15);
            got = (uint32_t)up_range_coder_signed(&d->coder, &m->by[f->relative], (int32_t)(by - below) >> 4);
            got = below + (got << 4 | low);
        }
        if (up_move_map_note(moves, i, f->target, got) < 0)
            d->coder.over = d->starved = true;
    }
    *t = (struct up_target){.target = f->target, .by = got, .known = 1};
    return got;
}

/* A field that was at `from` and is at `at`. */
static void code_field(struct up_delta *d, const struct up_address_field *f, uint8_t *out,
                       const uint8_t *want, uint64_t from, uint64_t at)
{
    uint32_t still = up_address_finder_shift(f, from, at), value = 0;
    bool replaced = want && !up_address_finder_fits(f->shape, out, want, &value);

    if (f->shape != UP_WORD && up_range_coder_bit(&d->coder, &d->models.replaced[f->kind], replaced)) {
        for (int i = 0; i < 4; i++)
            out[i] = (uint8_t)(out[i] + up_range_coder_tree(&d->coder, d->models.other[UP_PLAIN][0], 8,
                                                            want ? (uint8_t)(want[i] - out[i]) : 0));
        return;
    }
    up_address_finder_put(f->shape, out, f->value + code_by(d, f, still, value - f->value + still) - still);
}

/* The number of equal bytes before the next different one. */
static uint32_t next_gap(struct up_delta *d, uint32_t last)
{
    uint32_t gap = d->want && d->gap_at < d->gap_count ? d->gaps[d->gap_at++] : UINT32_MAX;

    return up_range_coder_number(&d->coder, &d->models.gap[(last > 0) + (last >= 4) + (last >= 64)], gap);
}

struct gap {
    uint32_t left, last;
};

/* `out` holds the old bytes and becomes the new ones. */
static void code_copy(struct up_delta *d, const struct up_delta_op *op, uint8_t *out, const uint8_t *want,
                      uint64_t at, uint64_t size, struct gap *gap)
{
    size_t pos = 0;

    while (pos < op->copy && !d->coder.over) {
        struct up_address_field f;
        bool field = up_address_finder_next(&f, op->content, out, op->copy, pos, op->from, size);
        size_t stop = field ? f.at : op->copy;

        while (stop - pos > gap->left) {
            uint8_t *p = out + pos + gap->left;

            *p = (uint8_t)(*p + up_range_coder_tree(&d->coder, d->models.other[op->content][gap->last > 0], 8,
                                                    want ? (uint8_t)(want[pos + gap->left] - *p) : 0));
            pos += gap->left + 1;
            gap->last = gap->left;
            gap->left = next_gap(d, gap->last);
        }
        gap->left -= (uint32_t)(stop - pos);
        pos = stop;
        if (field) {
            code_field(d, &f, out + pos, want ? want + pos : NULL, op->from + pos, at + pos);
            pos += 4;
        }
    }
}

/* What followed the last copy in the old image may resemble what comes next. */
static int code_literal(struct up_delta *d, const struct up_old *old, uint64_t beside, uint8_t *block,
                        uint32_t at, uint32_t len, struct up_error *err)
{
    while (len > 0) {
        uint32_t n = len < UP_BESIDE ? len : UP_BESIDE;
        uint64_t left = beside < old->size ? old->size - beside : 0;
        uint32_t have = left < n ? (uint32_t)left : n;

        if (have > 0 && old->read(old->context, d->beside, have, beside, err) < 0)
            return err->code;
        up_literal_model_code(d->literal, &d->coder, block, at, n, d->want ? d->want + at : NULL, d->beside,
                              have);
        if (d->coder.over)
            return refuse(d, err);
        beside += n;
        at += n;
        len -= n;
    }
    return 0;
}

int up_delta_format_code(struct up_delta *d, const struct up_old *old, uint64_t source, uint64_t at,
                         uint8_t *out, uint32_t len, struct up_error *err)
{
    struct gap gap = {.last = UINT32_MAX};
    uint64_t beside = source;
    uint32_t done = 0;

    reset(d);
    if (code_ops(d, old, source, len, err) < 0)
        return err->code;
    if (learn_from_ops(d, at) < 0)
        return up_fail(err, UP_INTERNAL, "delta: out of memory");
    gap.left = next_gap(d, gap.last);
    for (uint32_t i = 0; i < d->count; i++) {
        const struct up_delta_op *op = &d->ops[i];

        if (code_literal(d, old, beside, out, done, op->literal, err) < 0)
            return err->code;
        done += op->literal;
        if (op->copy == 0)
            continue;
        if (old->read(old->context, out + done, op->copy, op->from, err) < 0)
            return err->code;
        code_copy(d, op, out + done, d->want ? d->want + done : NULL, at + done, old->size, &gap);
        if (d->coder.over)
            return refuse(d, err);
        done += op->copy;
        beside = op->from + op->copy;
    }
    return 0;
}

int up_delta_decode(struct up_delta *d, const struct up_old *old, uint64_t source, uint64_t at,
                    const void *stored, size_t stored_len, void *out, size_t out_len, struct up_error *err)
{
    int rc;

    if (out_len > UINT32_MAX)
        return refuse(d, err);
    up_range_coder_decode(&d->coder, stored, stored_len);
    rc = up_delta_format_code(d, old, source, at, out, (uint32_t)out_len, err);
    return rc == 0 && up_range_coder_end(&d->coder) < 0 ? refuse(d, err) : rc;
}
