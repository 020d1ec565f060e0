/*
 * place.h -- where a sync is made, as a pattern: the line of code that makes it.
 */
#ifndef PLACE_H
#define PLACE_H

#include <stdbool.h>

#include "sim.h"

#define PLACE_SIZE 128
#define PLACES 128
#define PLACE_FLOWS 128

struct place {
    char name[PLACE_SIZE];
    bool flows[PLACE_FLOWS]; /* those that sync there when nothing goes wrong */
};

struct places {
    unsigned count;
    struct place place[PLACES];
};

/* Of "sync /app/.moult-<id>-3.new": its path, with "*" for each number and each name of
 * 16 or more hex digits. */
void place_of(const char *name, char out[PLACE_SIZE]);

/* Take in where `sim` has synced in a flow. */
void places_add(struct places *p, const struct sim *sim, unsigned flow);

#endif
