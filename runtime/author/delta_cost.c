#include "delta_cost.h"

#include <stdbool.h>

#define FIRST 150u    /* a byte that differs, */
#define NEXT 90u      /* and one right behind it */
#define GUESSED 6u    /* a field that moved with its surroundings, */
#define STILL 30u     /* that stays while they moved, */
#define SURPRISE 160u /* that does neither, */
#define REPLACED 400u /* or is another instruction now */

void up_delta_cost_forget(struct up_delta_lessons *l)
{
    for (int i = 0; i < UP_CONTENTS; i++)
        l->moves[i][0].count = l->moves[i][1].count = 0;
}

void up_delta_cost_free(struct up_delta_lessons *l)
{
    for (int i = 0; i < UP_CONTENTS; i++) {
        up_move_map_free(&l->moves[i][0]);
        up_move_map_free(&l->moves[i][1]);
    }
}

/* Whether what lay at `target` moved by this distance. */
static bool did_move(const struct up_match *found, size_t count, uint32_t target, uint32_t by)
{
    uint64_t there = (uint32_t)(target + by);
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (found[middle].at + found[middle].len > there)
            high = middle;
        else
            low = middle + 1;
    }
    return low < count && found[low].at <= there && (uint32_t)(found[low].at - found[low].from) == by;
}

static bool has(const struct up_move_map *m, long i, uint32_t by)
{
    return i >= 0 && i < (long)m->count && m->list[i].by == by;
}

static unsigned field_cost(const struct up_address_field *f, const struct up_match *found, size_t count,
                           struct up_move_map *moves, uint32_t still, uint32_t by)
{
    long i = up_move_map_find(moves, f->target);

    if (has(moves, i, by) || has(moves, i + 1, by) || (f->relative && did_move(found, count, f->target, by)))
        return GUESSED;
    /* Out of memory the estimate gets worse, but the delta stays correct. */
    (void)up_move_map_note(moves, i, f->target, by);
    return by == still ? STILL : SURPRISE;
}

unsigned up_delta_cost(const struct up_images *images, const struct up_match *found, size_t count,
                       struct up_delta_lessons *lessons, enum up_content content, uint64_t at, uint64_t from,
                       uint32_t len)
{
    const uint8_t *old = images->old + from, *fresh = images->fresh + at;
    unsigned sum = 0;
    size_t pos = 0;
    bool differs = false;

    while (pos < len) {
        struct up_address_field f;
        bool field = up_address_finder_next(&f, content, old, len, pos, from, images->old_size);
        size_t stop = field ? f.at : len;

        for (; pos < stop; pos++) {
            bool other = old[pos] != fresh[pos];

            if (other)
                sum += differs ? NEXT : FIRST;
            differs = other;
        }
        if (field) {
            uint32_t still = up_address_finder_shift(&f, from + pos, at + pos), value;

            if (up_address_finder_fits(f.shape, old + pos, fresh + pos, &value))
                sum += field_cost(&f, found, count, &lessons->moves[content][f.relative], still,
                                  value - f.value + still);
            else
                sum += REPLACED;
            differs = false;
            pos += 4;
        }
    }
    return sum;
}
