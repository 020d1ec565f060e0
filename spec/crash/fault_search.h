/*
 * fault_search.h -- one flow under many faults: cut it, judge what is left, say
 * what is bad.
 */
#ifndef FAULT_SEARCH_H
#define FAULT_SEARCH_H

#include <stdio.h>

#include "fault_life.h"

/* What is promised in a kind of fault; where it is not all, bad ends stand apart. */
struct fault_model {
    const char *name;
    bool all;
};
extern const struct fault_model fault_models[FAULT_KINDS];

struct tally {
    unsigned long states, bad;
};

#define SEARCH_STARTS 16

struct search {
    const struct world_plan *plan;
    struct sim *start;
    struct tally tally[FAULT_KINDS];
    uint64_t random;
    /* Of --all: where the power went, and media that were judged, each once. */
    struct known *cuts, *media;
    struct known *ends;
    /* The life under the last fault, before each of its starts: where lives that are cut begin. */
    struct {
        struct sim *sim;
        struct fault_life life;
    } starts[SEARCH_STARTS];
    unsigned start_count;
    const struct fault_life *now;
    uint64_t *states; /* and after each of its operations, from the first on */
    size_t state_count, state_room;
    char *kinds[48]; /* of ends that are wrong, each printed once */
    unsigned kind_count;
};

/* The next of a row of random numbers; one below n. */
uint64_t fault_random(uint64_t *state);
unsigned fault_below(uint64_t *state, size_t n);

void search_begin(struct search *s, const struct world_plan *plan, uint64_t seed);
void search_end(struct search *s);

/* Until the power goes at operation k (0: never), or to the end. */
struct sim *fault_live_until(const struct search *s, const struct fault_spec *f, unsigned k,
                             struct world_log *log, FILE *trace);
/* Judge, count, and say what is bad: each kind of it once, with what shows it again. */
void fault_end_of(struct search *s, struct sim *medium, const struct fault_spec *f,
                  const struct world_log *before, unsigned cut, unsigned which);
/* The whole story without a cut. Whether the fault was met; the operations
 * after which it was, and at the end. */
bool fault_uncut(struct search *s, const struct fault_spec *f, unsigned *met_at, unsigned *ops);
/* After that: the power goes at operation k, after the fault; some of the media
 * that it may leave are judged. */
void fault_cut(struct search *s, const struct fault_spec *f, unsigned k);
/* At each operation after the fault; what was met before not again. */
void fault_cut_each(struct search *s, const struct fault_spec *f);

#endif
