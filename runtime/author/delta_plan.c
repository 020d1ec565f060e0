#include "delta_plan.h"

#include "bytes.h"
#include "elf.h"
#include "error.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 1024u   /* bytes that are judged together */
#define NEAR 65536u   /* a smaller number is usually not an address */
#define ADDRESSES 20u /* words in a piece that make it a table of addresses */
#define BRANCHES 8u   /* branches in a piece that make it code */
#define FORGET (1u << 20)

struct list {
    struct up_match *item;
    size_t count;
};

struct up_delta_plan {
    struct up_images images;
    struct up_suffix_match *matcher;
    uint8_t *old_copy, *fresh_copy; /* with targets in place of addresses */
    struct list plain;              /* the images matched as they are */
    struct list by_old;             /* the same in the order of the old image, without overlaps there */
    struct list best;
    bool again; /* the copies are being matched */
};

int up_delta_plan_new(struct up_delta_plan **out, const struct up_images *images, struct up_error *err)
{
    struct up_delta_plan *p = calloc(1, sizeof *p);

    if (!p)
        return up_fail(err, UP_INTERNAL, "delta: out of memory");
    p->images = *images;
    if (up_suffix_match_new(&p->matcher, images->old, images->old_size, images->fresh, images->fresh_size,
                            err) < 0) {
        up_delta_plan_free(p);
        return err->code;
    }
    *out = p;
    return 0;
}

void up_delta_plan_free(struct up_delta_plan *p)
{
    if (!p)
        return;
    up_suffix_match_free(p->matcher);
    free(p->old_copy);
    free(p->fresh_copy);
    free(p->plain.item);
    free(p->by_old.item);
    free(p->best.item);
    free(p);
}

static int copy_list(struct list *out, const struct up_match *item, size_t count, struct up_error *err)
{
    out->item = malloc((count + 1) * sizeof *item);
    if (!out->item)
        return up_fail(err, UP_INTERNAL, "delta: out of memory");
    if (count > 0)
        memcpy(out->item, item, count * sizeof *item);
    out->count = count;
    return 0;
}

static int by_from(const void *a, const void *b)
{
    const struct up_match *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->len != y->len)
        return x->len > y->len ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Append f to a sorted list. Where two matches overlap, the longer one stays whole. */
static void settle(struct list *l, struct up_match f)
{
    while (l->count > 0) {
        struct up_match *last = &l->item[l->count - 1];
        uint64_t end = last->from + last->len;

        if (f.from >= end)
            break;
        if (f.len <= last->len) {
            uint64_t cut = end - f.from < f.len ? end - f.from : f.len;

            f.from += cut;
            f.at += cut;
            f.len -= cut;
            break;
        }
        last->len = f.from - last->from;
        if (last->len > 0)
            break;
        l->count--;
    }
    if (f.len > 0)
        l->item[l->count++] = f;
}

static void order_by_old(struct list *l)
{
    size_t count = l->count;

    if (count > 1)
        qsort(l->item, count, sizeof *l->item, by_from);
    l->count = 0;
    for (size_t i = 0; i < count; i++)
        settle(l, l->item[i]);
}

/* Where the byte at an offset of the old image went. If it was not matched
 * itself, its neighbours decide. */
static uint32_t went_to(const struct list *by_old, uint32_t offset)
{
    size_t low = 0, high = by_old->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (by_old->item[middle].from <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? offset + (uint32_t)(by_old->item[low - 1].at - by_old->item[low - 1].from) : offset;
}

/* An image whose addresses are being replaced. */
struct translation {
    const uint8_t *image;
    uint64_t size;
    struct up_elf elf;
    const struct list *by_old; /* NULL: it is the new image, whose offsets stay as they are */
    uint8_t *copy;
};

static void put_place(const struct translation *t, uint64_t at, uint32_t offset)
{
    up_put32(t->copy + at, t->by_old ? went_to(t->by_old, offset) : offset);
}

/* The offset that a word points to, if any. */
static bool points(const struct translation *t, uint64_t at, bool relative, uint32_t *offset)
{
    uint32_t word = up_get32(t->image + at);

    if (word + NEAR <= 2 * NEAR)
        return false;
    if (t->elf.count > 0)
        return up_elf_offset(&t->elf, word + (relative ? up_elf_address(&t->elf, at) : 0), offset);
    *offset = word + (uint32_t)at;
    return relative && *offset < t->size;
}

/* A piece of which most words are pointers. */
static bool translate_table(const struct translation *t, uint64_t at, uint64_t end)
{
    unsigned pointing[2] = {0, 0}, words = 0;
    uint32_t offset;
    bool relative;

    for (uint64_t i = at; i + 4 <= end; i += 4) {
        words += up_get32(t->image + i) != 0;
        pointing[0] += points(t, i, false, &offset);
        pointing[1] += points(t, i, true, &offset);
    }
    relative = pointing[1] >= pointing[0];
    if (pointing[relative] <= ADDRESSES || pointing[relative] * 10 <= words * 4)
        return false;
    for (uint64_t i = at; i + 4 <= end; i += 4)
        if (points(t, i, relative, &offset))
            put_place(t, i, offset);
    return true;
}

static bool translate_code(const struct translation *t, enum up_content content, uint64_t at, uint64_t end)
{
    const uint8_t *image = t->image + at;
    size_t len = (size_t)(end - at);
    unsigned branches = 0;
    struct up_address_field f;

    for (size_t i = 0; up_address_finder_next(&f, content, image, len, i, at, t->size); i = f.at + 4)
        branches += f.relative;
    if (branches < BRANCHES)
        return false;
    for (size_t i = 0; up_address_finder_next(&f, content, image, len, i, at, t->size); i = f.at + 4) {
        uint32_t offset = f.target;

        if (f.relative || up_elf_offset(&t->elf, f.target, &offset))
            put_place(t, at + f.at, offset);
    }
    return true;
}

static uint8_t *translate(struct translation *t, struct up_error *err)
{
    static const enum up_content code[] = {UP_X86, UP_THUMB, UP_ARM, UP_ARM64};

    t->copy = malloc((size_t)t->size + 1);
    if (!t->copy) {
        up_fail(err, UP_INTERNAL, "delta: out of memory");
        return NULL;
    }
    up_elf_read(&t->elf, t->image, t->size);
    memcpy(t->copy, t->image, (size_t)t->size);
    for (uint64_t at = 0; at < t->size; at += PIECE) {
        uint64_t end = at + PIECE < t->size ? at + PIECE : t->size;
        bool done = translate_table(t, at, end);

        for (size_t i = 0; !done && i < sizeof code / sizeof *code; i++)
            done = translate_code(t, code[i], at, end);
    }
    return t->copy;
}

/* The first pass is complete: match the copies. */
static int begin_again(struct up_delta_plan *p, struct up_error *err)
{
    const struct up_images *images = &p->images;
    struct translation old = {.image = images->old, .size = images->old_size, .by_old = &p->by_old};
    struct translation fresh = {.image = images->fresh, .size = images->fresh_size};
    size_t count;
    const struct up_match *found = up_suffix_match_found(p->matcher, &count);

    if (copy_list(&p->plain, found, count, err) < 0 || copy_list(&p->by_old, found, count, err) < 0)
        return err->code;
    up_suffix_match_free(p->matcher);
    p->matcher = NULL;
    order_by_old(&p->by_old);
    p->old_copy = translate(&old, err);
    p->fresh_copy = p->old_copy ? translate(&fresh, err) : NULL;
    if (!p->fresh_copy)
        return err->code;
    p->again = true;
    return up_suffix_match_new(&p->matcher, p->old_copy, images->old_size, p->fresh_copy, images->fresh_size,
                               err);
}

/* A cursor over one of the two match lists. */
struct answer {
    const struct up_match *item;
    size_t count, at;
    struct up_delta_lessons lessons;
};

/* What the new bytes [begin, end) cost with this list. */
static unsigned cost_of(struct answer *a, const struct up_images *images, uint64_t begin, uint64_t end)
{
    unsigned sum = 0;
    uint64_t at = begin;

    while (a->at < a->count && a->item[a->at].at + a->item[a->at].len <= begin)
        a->at++;
    for (size_t i = a->at; i < a->count && a->item[i].at < end; i++) {
        const struct up_match *m = &a->item[i];
        uint64_t first = m->at < begin ? begin : m->at, last = m->at + m->len < end ? m->at + m->len : end;
        unsigned best = UINT32_MAX;

        for (enum up_content c = 0; c < UP_CONTENTS; c++) {
            unsigned cost = up_delta_cost(images, a->item, a->count, &a->lessons, c, first,
                                          m->from + (first - m->at), (uint32_t)(last - first));

            if (cost < best)
                best = cost;
        }
        sum += best + (unsigned)(first - at) * UP_COST_LITERAL + (m->at >= begin ? UP_COST_OP : 0);
        at = last;
    }
    return sum + (unsigned)(end - at) * UP_COST_LITERAL;
}

/* Append its part of [begin, end) to the best list; there is room. */
static void take(struct list *best, const struct answer *a, uint64_t begin, uint64_t end)
{
    for (size_t i = a->at; i < a->count && a->item[i].at < end; i++) {
        struct up_match m = a->item[i], *last = best->count ? &best->item[best->count - 1] : NULL;
        uint64_t cut = m.at < begin ? begin - m.at : 0;

        if (m.at + m.len > end)
            m.len = end - m.at;
        m.at += cut;
        m.from += cut;
        m.len -= cut;
        if (last && last->at + last->len == m.at && last->from + last->len == m.from)
            last->len += m.len;
        else
            best->item[best->count++] = m;
    }
}

static int choose(struct up_delta_plan *p, struct up_error *err)
{
    struct answer plain = {.item = p->plain.item, .count = p->plain.count}, copies = {.count = 0};
    uint64_t size = p->images.fresh_size;

    copies.item = up_suffix_match_found(p->matcher, &copies.count);
    /* Matches are cut only at the borders of pieces. */
    p->best.item =
        malloc((plain.count + copies.count + 2 * (size_t)(size / PIECE) + 2) * sizeof *p->best.item);
    if (!p->best.item)
        return up_fail(err, UP_INTERNAL, "delta: out of memory");
    for (uint64_t at = 0; at < size; at += PIECE) {
        uint64_t end = at + PIECE < size ? at + PIECE : size;
        bool first;

        if (at % FORGET == 0) {
            up_delta_cost_forget(&plain.lessons);
            up_delta_cost_forget(&copies.lessons);
        }
        first = cost_of(&plain, &p->images, at, end) < cost_of(&copies, &p->images, at, end);
        take(&p->best, first ? &plain : &copies, at, end);
    }
    up_delta_cost_free(&plain.lessons);
    up_delta_cost_free(&copies.lessons);
    return 0;
}

int up_delta_plan_step(struct up_delta_plan *p, uint64_t *done, uint64_t *total, struct up_error *err)
{
    int rc = up_suffix_match_step(p->matcher, done, err);

    *total = 2 * p->images.fresh_size;
    *done += p->again ? p->images.fresh_size : 0;
    if (rc != 0)
        return rc;
    if (p->again)
        return choose(p, err);
    return begin_again(p, err) < 0 ? err->code : UP_AGAIN;
}

const struct up_match *up_delta_plan_found(const struct up_delta_plan *p, size_t *count)
{
    *count = p->best.count;
    return p->best.item;
}
