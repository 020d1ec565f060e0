/*
 * device_time.c -- what time it is, and how certain that is.
 *
 * Three sources: the system clock, which may be wrong; the build time of this
 * program, which is past; and `issued` of confirmed releases, set by a build
 * machine whose clock may have been wrong, too. So `issued` never outweighs a
 * clock that is known to be right, and without one it moves the time only by a
 * bounded step: see up_device_learn_time().
 */
#include "device_private.h"

#define YEAR ((uint64_t)366 * 86400)
#define AGREES 600 /* seconds; a busy server or a slow link can explain such a difference */

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

/* System time at which the system started, suspended or not since; wraps if the clock was never set. */
static uint64_t origin(const struct up_device *d)
{
    return clock_of(d) - d->storage->ops->uptime(d->storage) / 1000;
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
    /* A witness vouches for the clock as it runs, not for one that was set since. */
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
