/*
 * move_map.h -- how far what lay at an address has moved, as far as is known.
 *
 * A list of places in order; from each place to the next all moved alike.
 */
#ifndef UP_MOVE_MAP_H
#define UP_MOVE_MAP_H

#include <stdint.h>

#define UP_MOVES_MAX 16384u

struct up_move {
    uint32_t from; /* what lay from here on, up to the next one, */
    uint32_t by;   /* moved by so much, modulo 2^32 */
};

struct up_move_map {
    struct up_move *list; /* rising */
    uint32_t count, room;
};

/* Number of the last entry that begins at or before `target`; -1 none does. */
long up_move_map_find(const struct up_move_map *m, uint32_t target);

/* Note an entry right behind number `after`, what up_move_map_find() said; one
 * that begins at the same place is replaced. A full list stays as it is.
 * 0, or -1 when there is no memory. */
int up_move_map_note(struct up_move_map *m, long after, uint32_t from, uint32_t by);

/* In order again, after entries were noted behind the last one regardless. */
void up_move_map_sort(struct up_move_map *m);
void up_move_map_free(struct up_move_map *m);

#endif
