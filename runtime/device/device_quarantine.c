/*
 * device_quarantine.c -- what is recorded against a release that was rolled
 * back.
 *
 * If all that a trial lacked was an answer of a cloud, either the release broke
 * the network, or the network was down. The old pair finds out: see
 * up_device_judge().
 */
#include <stdio.h>
#include <string.h>

#include "device_private.h"
#include "error.h"

static bool is_open(const struct up_quarantined *q)
{
    return q->sequence != 0 && q->strikes == UP_STRIKE_UNJUDGED;
}

/* A lost power supply or network is no proof against a release: one more try. */
static enum up_strike first_strike(const struct up_transaction *t)
{
    if (t->failures > 0)
        return UP_STRIKE_FAILED;
    return t->unreached ? UP_STRIKE_UNJUDGED : UP_STRIKE_POWER;
}

void up_device_quarantine(struct up_journal_state *next)
{
    const struct up_transaction *t = &next->tx;
    struct up_quarantined entry = {.sequence = t->sequence, .parts = t->parts};
    int at = UP_QUARANTINE_MAX - 1;

    entry.strikes = first_strike(t);
    memcpy(entry.project, t->project, sizeof entry.project);
    for (int i = 0; i < UP_QUARANTINE_MAX; i++)
        if (next->quarantine[i].sequence == t->sequence && next->quarantine[i].parts == t->parts &&
            strcmp(next->quarantine[i].project, t->project) == 0) {
            entry.strikes = UP_STRIKE_FAILED;
            at = i;
        }
    memmove(&next->quarantine[1], &next->quarantine[0], (size_t)at * sizeof entry);
    next->quarantine[0] = entry;
}

bool up_device_unjudged(const struct up_device *d)
{
    for (int i = 0; i < UP_QUARANTINE_MAX; i++)
        if (is_open(&d->state.quarantine[i]))
            return true;
    return false;
}

bool up_device_spared(const struct up_device *d)
{
    const struct up_journal_state *s = &d->state;

    for (int i = 0; i < UP_QUARANTINE_MAX; i++)
        if (s->has_last && s->last.code == UP_ROLLEDBACK && s->quarantine[i].sequence == s->last.sequence &&
            s->quarantine[i].strikes == UP_STRIKE_OUTAGE)
            return true;
    return false;
}

void up_device_close_verdicts(struct up_journal_state *next, bool reached)
{
    for (int i = 0; i < UP_QUARANTINE_MAX; i++)
        if (is_open(&next->quarantine[i]))
            next->quarantine[i].strikes = reached ? UP_STRIKE_FAILED : UP_STRIKE_OUTAGE;
}

/* For people: status and history. */
static void tell(struct up_device *d, struct up_journal_state *next, uint64_t sequence, const char *why)
{
    const struct up_transaction *t = &next->tx;

    if (next->has_last && next->last.sequence == sequence)
        snprintf(next->last.message, sizeof next->last.message, "%s", why);
    up_device_note(d, "judged", UP_OK, t->sequence == sequence ? t->pair.release : "", sequence, why);
}

int up_device_judge(struct up_device *d, bool reached, struct up_error *err)
{
    const char *why = reached ? "no cloud answered it on trial, and one answers now: it failed"
                              : "no cloud answered it on trial, nor does one now: it is tried once more";
    struct up_journal_state next = d->state;

    if (!up_device_unjudged(d))
        return up_fail(err, UP_NOTHING, "nothing to judge: no release waits for it");
    if (d->state.phase >= UP_ARMED)
        return up_fail(err, UP_BUSY, "nothing is judged while the device is %s",
                       up_journal_phase_name(d->state.phase));
    for (int i = 0; i < UP_QUARANTINE_MAX; i++)
        if (is_open(&next.quarantine[i]))
            tell(d, &next, next.quarantine[i].sequence, why);
    up_device_close_verdicts(&next, reached);
    return up_device_save(d, &next, err);
}
