/*
 * cuts.h -- a life whose power goes at each of its operations, lived hardly more than once.
 *
 * What a cut leaves is taken from the life as it goes by, at the operation. What the device had
 * promised by then is another matter: a call that has decided, and only tidies up, succeeds although
 * the power goes. Operations like that come right before a promise; there, back to the first that
 * keeps the promise from being made, the power is really cut.
 */
#ifndef CUTS_H
#define CUTS_H

#include <stddef.h>
#include <stdint.h>

#include "sim.h"

/* How lives of one kind are lived. `log` is what happened in one so far, of log_size bytes without pointers
 * of its own. */
struct cuts_kind {
    size_t log_size;
    void (*live)(struct sim *sim, const void *flow, void *log);
    uint64_t (*promised)(const void *log); /* what judges ask of it, as a number that tells it apart */
};

/* The power goes at operation k, or, one past the last, when all is done; `log`: what happened before. */
typedef void cuts_fn(void *user, const struct sim *sim, const void *log, unsigned k);

/* Live on from `start`, whose counters are 0, and call fn at every stride-th operation from the first on, and
 * at the end. Into `log`, which holds what happened before, goes what did when nothing was cut. */
void cuts_each(const struct cuts_kind *kind, const struct sim *start, const void *flow, void *log,
               unsigned stride, cuts_fn *fn, void *user);

#endif
