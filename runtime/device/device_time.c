/*
 * device_time.c -- what time it is, and how well that is known.
 *
 * Three things tell it: the system clock, which may be wrong; the time at which
 * this program was built, which is past; and `issued` of confirmed releases,
 * which is the word of a build machine whose clock may have been wrong, too.
 * So the last never outweighs a clock that is known to be right, and without
 * one it moves the time by a bounded step: see up_device_learn_time().
 */
#include "device_private.h"

#define YEAR ((uint64_t)366 * 86400)
#define AGREES 600 /* seconds; a busy server or a slow link may explain it */

static uint64_t clock_of(const struct up_device *d)
{
    return d->storage->ops->now(d->storage);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool agree(uint64_t a, uint64_t b)
{
    return larger(a, b) - smaller(a, b) <= AGREES;
}

/* When the monotonic clock stood at 0, by the system clock; wraps for one that
 * was never set. */
static uint64_t origin(const struct up_device *d)
{
    return clock_of(d) - d->storage->ops->monotonic(d->storage) / 1000;
}

bool up_device_witness(struct up_device *d, uint64_t date)
{
    d->witnessed = agree(date, clock_of(d));
    d->witnessed_origin = origin(d);
    return d->witnessed;
}

bool up_device_time_trusted(const struct up_device *d)
{
    uint64_t moved = origin(d) - d->witnessed_origin;

    if (clock_of(d) < MOULT_BUILD_TIME)
        return false;
    /* A witness speaks for the clock as it ran on, not for one that was set since. */
    return d->storage->ops->synchronised(d->storage) ||
           (d->witnessed && (moved <= AGREES || -moved <= AGREES));
}

bool up_device_time_set(const struct up_device *d)
{
    return clock_of(d) == up_device_time(d);
}

uint64_t up_device_time(const struct up_device *d)
{
    uint64_t now = larger(clock_of(d), MOULT_BUILD_TIME);

    return up_device_time_trusted(d) ? now : larger(now, d->state.issued);
}

uint64_t up_device_time_floor(const struct up_device *d)
{
    if (up_device_time_trusted(d))
        return 0;
    return larger(larger(clock_of(d), MOULT_BUILD_TIME), d->state.proven);
}

void up_device_learn_time(const struct up_device *d, struct up_journal_state *next, uint64_t issued)
{
    uint64_t now = clock_of(d), known = larger(next->issued, MOULT_BUILD_TIME), most = known + YEAR;

    if (up_device_time_trusted(d)) {
        next->proven = now;
        most = now;
    } else if (now >= known) {
        most = smaller(most, now);
    }
    next->issued = smaller(larger(next->issued, issued), most);
}

void up_device_bound_time(const struct up_device *d, struct up_journal_state *next)
{
    uint64_t said = next->issued;

    next->issued = 0;
    up_device_learn_time(d, next, said);
}
