#include "move_map.h"

#include <stdlib.h>
#include <string.h>

long up_move_map_find(const struct up_move_map *m, uint32_t target)
{
    uint32_t low = 0, high = m->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (m->list[middle].from <= target)
            low = middle + 1;
        else
            high = middle;
    }
    return (long)low - 1;
}

int up_move_map_note(struct up_move_map *m, long after, uint32_t from, uint32_t by)
{
    uint32_t i = (uint32_t)(after + 1);

    if (after >= 0 && m->list[after].from == from) {
        m->list[after].by = by;
        return 0;
    }
    if (m->count == UP_MOVES_MAX)
        return 0;
    if (m->count == m->room) {
        uint32_t room = m->room ? 2 * m->room : 1024;
        struct up_move *more = realloc(m->list, room * sizeof *more);

        if (!more)
            return -1;
        m->list = more;
        m->room = room;
    }
    memmove(m->list + i + 1, m->list + i, (m->count - i) * sizeof *m->list);
    m->list[i] = (struct up_move){from, by};
    m->count++;
    return 0;
}

/* A total order, so that every sort gives the same result. */
static int by_place(const void *a, const void *b)
{
    const struct up_move *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->by < y->by ? -1 : x->by > y->by;
}

void up_move_map_sort(struct up_move_map *m)
{
    if (m->count > 1)
        qsort(m->list, m->count, sizeof *m->list, by_place);
}

void up_move_map_free(struct up_move_map *m)
{
    free(m->list);
    *m = (struct up_move_map){0};
}
