/*
 * device_kept_out.c -- count the days on which a release kept out packages that
 * passed every gate.
 *
 * While the clock is set, a day is one of the UTC calendar. While it is not,
 * each start of the system counts as a day, and so do 24 hours since, asleep or not:
 * counting one too many is better than a device that never reaches the end of
 * its count. If the clock is set some time after each start, the hour before
 * that does not count.
 */
#include "device_private.h"

#include <string.h>

#define HOUR 3600
#define DAY 86400

struct moment {
    bool set;         /* the clock */
    uint64_t day;     /* since 1970 in UTC */
    uint64_t uptime;  /* seconds */
    char boot_id[37]; /* "" when it cannot be read */
};

static struct moment now(const struct up_device *d)
{
    struct moment m = {.set = up_device_time_set(d),
                       .day = up_device_time(d) / DAY,
                       .uptime = d->storage->ops->uptime(d->storage) / 1000};

    d->storage->ops->boot_id(d->storage, m.boot_id);
    return m;
}

static bool another_day(const struct up_kept_out *k, const struct moment *m)
{
    bool same_boot = strcmp(k->boot_id, m->boot_id) == 0;

    if (k->days == 0)
        return true;
    if (m->set && k->day > 0)
        return m->day != k->day;
    if (same_boot)
        return m->uptime >= k->uptime + DAY;
    return k->day == 0 || m->uptime >= HOUR;
}

/* The last counted day had no date; it gets today's. */
static bool to_be_named(const struct up_kept_out *k, const struct moment *m)
{
    return m->set && k->day == 0;
}

bool up_device_kept_out_due(const struct up_device *d)
{
    const struct up_kept_out *k = &d->state.kept_out;
    struct moment m = now(d);

    return d->state.phase < UP_ARMED && (another_day(k, &m) || to_be_named(k, &m));
}

int up_device_count_kept_out(struct up_device *d, struct up_error *err)
{
    struct up_journal_state next = d->state;
    struct up_kept_out *k = &next.kept_out;
    struct moment m = now(d);

    if (!up_device_kept_out_due(d))
        return 0;
    if (another_day(k, &m) && k->days < UINT32_MAX)
        k->days++;
    if (m.set)
        k->day = m.day;
    k->uptime = m.uptime;
    memcpy(k->boot_id, m.boot_id, sizeof k->boot_id);
    return up_device_save(d, &next, err);
}

void up_device_let_in(struct up_device *d, bool by_release)
{
    d->let_in = by_release;
}
