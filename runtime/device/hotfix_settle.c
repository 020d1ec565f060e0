/*
 * hotfix_settle.c -- at a start: what was under way ends, and what does not fit goes.
 */
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "hotfix_gate.h"
#include "hotfix_private.h"
#include "hotfix_set.h"

#define CUTS_MOST 1 /* tests that may lose power before it counts as failed */

/* End what a cut left; its files are back already. True: something changed. */
static bool end_entry(const struct up_device *d, struct up_hotfix *h)
{
    bool changed = h->ending, again = h->cuts < CUTS_MOST;

    h->ending = false;
    if (h->state != UP_HOTFIX_TESTING)
        return changed;
    h->cuts++;
    up_hotfix_mark(d, h, again ? UP_HOTFIX_UNDONE : UP_HOTFIX_QUARANTINED,
                   again ? "the power failed during its test" : "the power failed during its test, twice");
    return true;
}

/* Whether a plan of theirs may have left traces; an idle device looks for those anyway. */
static bool may_leave_traces(const struct up_device *d, const struct up_hotfix_ledger *ledger)
{
    for (uint32_t i = 0; d->state.phase == UP_FETCHING && i < ledger->count; i++)
        if (ledger->entry[i].files)
            return true;
    return false;
}

/* The files first, then the ledger. */
static int end_what_was_under_way(struct up_device *d, struct up_hotfix_ledger *ledger, struct up_error *err)
{
    const struct up_hotfix *changed = NULL;
    bool resolved;

    if ((may_leave_traces(d, ledger) || up_hotfix_ledger_under_way(ledger)) &&
        up_hotfix_tree_back(d, err) < 0)
        return err->code;
    d->fix_unsure = false;
    resolved = up_hotfix_set_resolve(ledger, &d->state, up_device_time(d));
    for (uint32_t i = ledger->count; i > 0; i--)
        if (end_entry(d, &ledger->entry[i - 1]))
            changed = &ledger->entry[i - 1];
    return resolved || changed ? up_hotfix_record(d, ledger, changed, err) : 0;
}

/* Take it out of force if it may not stay. */
static void judge(const struct up_device *d, struct up_hotfix *h, bool read)
{
    if (!up_hotfix_ledger_is_active(h) || h->ends)
        return;
    if (up_hotfix_is_lost(d, h->id))
        up_hotfix_mark(d, h, UP_HOTFIX_DROPPED,
                       h->files ? "its folder is lost: the files that it changed stay as they are"
                                : "its folder is lost");
    else if (read && up_hotfix_is_changed(d, h->id))
        up_hotfix_mark(d, h, UP_HOTFIX_DROPPED, "its files are not what was signed");
    else if (d->state.phase == UP_IDLE && !up_hotfix_gate_fits(h, up_device_pair(d)))
        up_hotfix_mark(d, h, UP_HOTFIX_DROPPED, "the release is not the one that it was made for");
    else if (h->files && up_hotfix_is_spent(h)) /* without files the next start sees to it */
        up_hotfix_mark(d, h, UP_HOTFIX_QUARANTINED, UP_HOTFIX_SPENT);
}

/* What changed the same files after one that goes cannot stay, either. */
static int judge_above(const struct up_device *d, const struct up_hotfix_ledger *now,
                       struct up_hotfix_ledger *next, struct up_error *err)
{
    struct up_hotfix_set *set;
    bool any = false;

    for (uint32_t i = 0; i < now->count; i++)
        any = any || up_hotfix_goes_back(&now->entry[i], &next->entry[i]);
    if (!any)
        return 0;
    if (up_hotfix_set_open(&set, d->storage, d->config->state, NULL, 0, err) < 0)
        return err->code;
    for (uint32_t i = 0; i < now->count; i++)
        set->goes[i] = up_hotfix_goes_back(&now->entry[i], &next->entry[i]);
    up_hotfix_set_close_over(set, NULL);
    for (uint32_t i = 0; i < now->count; i++)
        if (set->goes[i] && up_hotfix_ledger_is_active(&next->entry[i]))
            up_hotfix_mark(d, &next->entry[i], UP_HOTFIX_DROPPED, "what it lies on went");
    up_hotfix_set_close(set);
    return 0;
}

static int drop(struct up_device *d, struct up_hotfix_ledger *ledger, bool read, struct up_error *err)
{
    struct up_hotfix_ledger now = *ledger;
    const struct up_hotfix *changed = NULL;

    for (uint32_t i = ledger->count; i > 0; i--)
        judge(d, &ledger->entry[i - 1], read);
    if (judge_above(d, &now, ledger, err) < 0)
        return err->code;
    for (uint32_t i = ledger->count; i > 0; i--)
        if (ledger->entry[i - 1].state != now.entry[i - 1].state)
            changed = &ledger->entry[i - 1];
    return changed ? up_hotfix_move(d, &now, ledger, changed, err) : 0;
}

int up_hotfix_settle(struct up_device *d, bool read, struct up_error *err)
{
    struct up_hotfix_ledger ledger;

    if (up_device_lacks_file(d, "hotfix"))
        return 0;
    if (up_hotfix_ledger(d, &ledger, err) < 0 ||
        up_hotfix_ledger_tend(d->storage, d->config->state, err) < 0 ||
        end_what_was_under_way(d, &ledger, err) < 0)
        return err->code;
    if (d->state.phase <= UP_FETCHING && drop(d, &ledger, read, err) < 0)
        return err->code;
    return up_hotfix_clean(d, &ledger, false, err);
}

int up_hotfix_inspect(const struct up_device *d, uint32_t n, struct up_error *err)
{
    struct up_hotfix_ledger ledger;
    const struct up_hotfix *h;

    if (up_device_lacks_file(d, "hotfix"))
        return 0;
    if (up_hotfix_ledger(d, &ledger, err) < 0)
        return err->code;
    h = n < ledger.count ? &ledger.entry[n] : NULL;
    if (h && up_hotfix_ledger_is_in_force(h) && up_hotfix_is_changed(d, h->id))
        return up_fail(err, UP_CORRUPT, "hotfix %s %s: its files are not what was signed", h->name,
                       h->version);
    return n + 1 < ledger.count ? UP_AGAIN : 0;
}
