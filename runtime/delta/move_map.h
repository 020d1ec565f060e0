/*
 * move_map.h -- how far the target of an address has moved, as far as known.
 *
 * A sorted list of places; everything from one place to the next moved alike.
 */
#ifndef UP_MOVE_MAP_H
#define UP_MOVE_MAP_H

#include <stdint.h>

#define UP_MOVES_MAX 16384u

struct up_move {
    uint32_t from; /* targets from here on, up to the next entry, */
    uint32_t by;   /* moved by this much, modulo 2^32 */
};

struct up_move_map {
    struct up_move *list; /* ascending */
    uint32_t count, room;
};

/* Index of the last entry that begins at or before `target`; -1: none. */
long up_move_map_find(const struct up_move_map *m, uint32_t target);

/* Insert an entry after index `after`, the result of up_move_map_find(). It
 * replaces an entry that begins at the same place. A full list does not change.
 * 0, or -1 if out of memory. */
int up_move_map_note(struct up_move_map *m, long after, uint32_t from, uint32_t by);

/* Sort again, after entries were appended without regard to order. */
void up_move_map_sort(struct up_move_map *m);
void up_move_map_free(struct up_move_map *m);

#endif
