/*
 * What the ledger says, and the steps that change it. hotfix_stage.c brings a
 * hotfix to its folder; hotfix_overlap.c says which lie on one another.
 */
#include "hotfix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "hotfix_gate.h"
#include "hotfix_private.h"
#include "printable.h"

#define CUTS_MOST 1 /* tests that may lose power before it counts as failed */

int up_hotfix_ledger(const struct up_device *d, struct up_hotfix_ledger *out, struct up_error *err)
{
    return up_hotfix_ledger_read(out, d->storage, d->config->state, err);
}

/* Set the state of an entry, with why. */
static void set(const struct up_device *d, struct up_hotfix *h, enum up_hotfix_state state, const char *why)
{
    h->state = state;
    h->time = up_device_time(d);
    up_printable_copy(h->why, sizeof h->why, why);
}

/* Write the ledger, and a line of the history for what became of `h`. */
static int record(struct up_device *d, const struct up_hotfix_ledger *ledger, const struct up_hotfix *h,
                  struct up_error *err)
{
    char what[UP_VERSION_SIZE + 1];
    char message[UP_HOTFIX_WHY_SIZE + 16];

    if (up_hotfix_ledger_write(ledger, d->storage, d->config->state, err) < 0)
        return err->code;
    if (!h)
        return 0;
    snprintf(what, sizeof what, "%s %s", h->name, h->version);
    snprintf(message, sizeof message, "%s%s%s", up_hotfix_ledger_state_name(h->state), h->why[0] ? ": " : "",
             h->why);
    up_device_note(d, "hotfix", h->state == UP_HOTFIX_QUARANTINED ? UP_ROLLEDBACK : UP_OK, what, h->sequence,
                   message);
    return 0;
}

/* Replaces the entry of the same version. */
static int enter(struct up_device *d, const struct up_manifest *m, const char *id, struct up_error *err)
{
    struct up_hotfix_ledger ledger;
    struct up_hotfix *h;
    uint64_t highest;
    uint8_t cuts = 0;

    if (up_hotfix_ledger(d, &ledger, err) < 0)
        return err->code;
    highest = up_hotfix_ledger_highest(&ledger, m->hotfix_name);
    h = up_hotfix_ledger_find(&ledger, m->hotfix_name, m->hotfix_version);
    if (h) {
        cuts = h->cuts;
        up_hotfix_ledger_forget(&ledger, h);
    }
    if (up_hotfix_ledger_add(&ledger, m->hotfix_name, &h, err) < 0)
        return err->code;
    snprintf(h->id, sizeof h->id, "%s", id);
    snprintf(h->name, sizeof h->name, "%s", m->hotfix_name);
    snprintf(h->version, sizeof h->version, "%s", m->hotfix_version);
    memcpy(h->base, m->base, sizeof h->base);
    h->sequence = m->sequence;
    h->highest = highest;
    h->cuts = cuts;
    set(d, h, UP_HOTFIX_TESTING, "");
    return record(d, &ledger, h, err);
}

int up_hotfix_test(struct up_device *d, const char *id, struct up_error *err)
{
    struct up_gate_report report;
    struct up_manifest m;
    char name[UP_HOTFIX_ID_SIZE];

    if (up_hotfix_load(d, id, &m, err) < 0)
        return err->code;
    up_hotfix_name(&m, name);
    if (strcmp(name, id) != 0)
        return up_fail(err, UP_UNTRUSTED, "hotfix %s: its folder holds another one", id);
    return up_device_gates(d, &m, &report, err) < 0 ? err->code : enter(d, &m, id, err);
}

/* The entry that is tested, in a ledger that was just read. Errors: also UP_NOTHING. */
static int tested_entry(const struct up_device *d, struct up_hotfix_ledger *ledger, struct up_hotfix **out,
                        struct up_error *err)
{
    if (up_hotfix_ledger(d, ledger, err) < 0)
        return err->code;
    *out = (struct up_hotfix *)up_hotfix_gate_tested(ledger);
    return *out ? 0 : up_fail(err, UP_NOTHING, "no hotfix is being tested");
}

int up_hotfix_passed(struct up_device *d, bool started, struct up_error *err)
{
    struct up_hotfix_ledger ledger;
    struct up_hotfix *h;

    if (tested_entry(d, &ledger, &h, err) < 0)
        return err->code;
    set(d, h, UP_HOTFIX_FRESH, "");
    h->starts = started;
    h->cuts = 0;
    if (h->sequence > h->highest)
        h->highest = h->sequence;
    return record(d, &ledger, h, err);
}

int up_hotfix_failed(struct up_device *d, const char *why, struct up_error *err)
{
    struct up_hotfix_ledger ledger;
    struct up_hotfix *h;

    if (tested_entry(d, &ledger, &h, err) < 0)
        return err->code;
    set(d, h, UP_HOTFIX_QUARANTINED, why);
    return record(d, &ledger, h, err);
}

int up_hotfix_cancel(struct up_device *d, struct up_error *err)
{
    struct up_hotfix_ledger ledger;
    struct up_hotfix *h;

    if (tested_entry(d, &ledger, &h, err) < 0)
        return err->code;
    set(d, h, UP_HOTFIX_UNDONE, "the device was stopped during its test");
    return record(d, &ledger, h, err);
}

/* Whether a later one of that name leads in its place. */
static bool is_replaced(const struct up_hotfix_ledger *ledger, const struct up_hotfix *h, const char *tested)
{
    for (const struct up_hotfix *o = h + 1; o < &ledger->entry[ledger->count]; o++)
        if (strcmp(o->name, h->name) == 0 && up_hotfix_ledger_is_active(o) &&
            (o->state != UP_HOTFIX_TESTING || (tested && strcmp(tested, o->id) == 0)))
            return true;
    return false;
}

/* Change the count of starts of fresh hotfixes that fit the pair; returns their number. One whose starts are
 * used up goes out of force. */
static int change_starts(struct up_device *d, int by, struct up_error *err)
{
    struct up_hotfix *spent = NULL;
    struct up_hotfix_ledger ledger;
    const struct up_hotfix *tested;
    int count = 0;

    if (up_hotfix_ledger(d, &ledger, err) < 0)
        return err->code;
    tested = up_hotfix_gate_tested(&ledger);
    for (uint32_t i = 0; i < ledger.count; i++) {
        struct up_hotfix *h = &ledger.entry[i];

        if (h->state != UP_HOTFIX_FRESH || !up_hotfix_gate_fits(h, up_device_pair(d)) ||
            (by < 0 ? h->starts == 0 : is_replaced(&ledger, h, tested ? tested->id : NULL)))
            continue;
        if (by > 0 && h->starts >= UP_HOTFIX_STARTS) {
            set(d, h, UP_HOTFIX_QUARANTINED, "the script did not live with it, three times");
            spent = h;
            continue;
        }
        h->starts = (uint8_t)(h->starts + by);
        count++;
    }
    if (count == 0 && !spent)
        return 0;
    return record(d, &ledger, spent, err) < 0 ? err->code : count > 0;
}

int up_hotfix_count_start(struct up_device *d, struct up_error *err)
{
    return change_starts(d, 1, err);
}

int up_hotfix_uncount_start(struct up_device *d, struct up_error *err)
{
    return change_starts(d, -1, err);
}

/* It stays: what it replaced does not come back. */
static void drop_lower(const struct up_device *d, struct up_hotfix_ledger *ledger, const struct up_hotfix *h)
{
    for (struct up_hotfix *o = ledger->entry; o < h; o++)
        if (up_hotfix_ledger_is_active(o) && strcmp(o->name, h->name) == 0)
            set(d, o, UP_HOTFIX_DROPPED, "a higher version took its place");
}

int up_hotfix_lived(struct up_device *d, struct up_error *err)
{
    struct up_hotfix_ledger ledger;
    struct up_hotfix *last = NULL;

    if (up_hotfix_ledger(d, &ledger, err) < 0)
        return err->code;
    for (uint32_t i = 0; i < ledger.count; i++)
        if (ledger.entry[i].state == UP_HOTFIX_FRESH && ledger.entry[i].starts > 0) {
            last = &ledger.entry[i];
            set(d, last, UP_HOTFIX_APPLIED, "");
            last->starts = 0;
            drop_lower(d, &ledger, last);
        }
    return last ? record(d, &ledger, last, err) : 0;
}

int up_hotfix_check_in_force(const struct up_device *d, const char *id, struct up_error *err)
{
    struct up_hotfix_ledger ledger;

    if (up_hotfix_ledger(d, &ledger, err) < 0)
        return err->code;
    for (uint32_t i = 0; i < ledger.count; i++)
        if (strcmp(ledger.entry[i].id, id) == 0 &&
            (ledger.entry[i].state == UP_HOTFIX_FRESH || ledger.entry[i].state == UP_HOTFIX_APPLIED))
            return 0;
    return up_fail(err, UP_NOTHING, "hotfix %s: it is not in force", id);
}

int up_hotfix_undo(struct up_device *d, const char *name, bool all_above, struct up_error *err)
{
    struct up_hotfix_ledger ledger;
    struct up_hotfix *h;

    if (up_hotfix_ledger(d, &ledger, err) < 0)
        return err->code;
    if (up_hotfix_gate_tested(&ledger))
        return up_fail(err, UP_BUSY, "hotfix %s: %s is being tested; try again later", name,
                       up_hotfix_gate_tested(&ledger)->name);
    h = up_hotfix_ledger_find_active(&ledger, name);
    if (!h)
        return up_fail(err, UP_NOTHING, "hotfix %s: it is not applied", name);
    for (struct up_hotfix *o = &ledger.entry[ledger.count]; --o > h;) {
        int overlaps = up_hotfix_ledger_is_active(o) ? up_hotfix_overlaps(d, h, o, err) : 0;

        if (overlaps < 0)
            return overlaps;
        if (overlaps && !all_above)
            return up_fail(err, UP_BUSY, "hotfix %s: %s lies on it; undo that first, or all that lie on it",
                           name, o->name);
        if (overlaps) {
            o->by_owner = true;
            set(d, o, UP_HOTFIX_UNDONE, "by order, with what lies below");
        }
    }
    h->by_owner = true;
    set(d, h, UP_HOTFIX_UNDONE, "by order");
    return record(d, &ledger, h, err);
}

/* End what a cut left, and drop what is not made for the pair that runs. True: something changed. */
static bool settle_entry(const struct up_device *d, struct up_hotfix *h, bool read)
{
    if (h->state == UP_HOTFIX_TESTING) {
        bool again = h->cuts < CUTS_MOST;

        h->cuts++;
        set(d, h, again ? UP_HOTFIX_UNDONE : UP_HOTFIX_QUARANTINED,
            again ? "the power failed during its test" : "the power failed during its test, twice");
        return true;
    }
    if (!up_hotfix_ledger_is_active(h))
        return false;
    if (up_hotfix_is_lost(d, h->id))
        set(d, h, UP_HOTFIX_DROPPED, "its folder is lost");
    else if (read && up_hotfix_is_changed(d, h->id))
        set(d, h, UP_HOTFIX_DROPPED, "its files are not what was signed");
    else if (d->state.phase == UP_IDLE && !up_hotfix_gate_fits(h, up_device_pair(d)))
        set(d, h, UP_HOTFIX_DROPPED, "the release is not the one that it was made for");
    return !up_hotfix_ledger_is_active(h);
}

int up_hotfix_settle(struct up_device *d, bool read, struct up_error *err)
{
    struct up_hotfix_ledger ledger;
    struct up_hotfix *changed = NULL;

    if (!up_device_has_file(d, "hotfix"))
        return 0;
    if (up_hotfix_ledger(d, &ledger, err) < 0 || up_hotfix_ledger_tend(d->storage, d->config->state, err) < 0)
        return err->code;
    for (uint32_t i = ledger.count; i > 0; i--)
        if (settle_entry(d, &ledger.entry[i - 1], read))
            changed = &ledger.entry[i - 1];
    if (changed && record(d, &ledger, changed, err) < 0)
        return err->code;
    return up_hotfix_clean(d, &ledger, false, err);
}

void up_hotfix_overlays(const struct up_device *d, const char *tested, bool fresh, char *buf, size_t len)
{
    struct up_hotfix_ledger ledger;
    struct up_error ignored;
    char path[UP_PATH_SIZE];
    size_t used = 0;

    *buf = '\0';
    if (!up_device_has_file(d, "hotfix") || up_hotfix_ledger(d, &ledger, &ignored) < 0)
        return;
    for (const struct up_hotfix *h = &ledger.entry[ledger.count]; h-- > ledger.entry;) {
        if (!up_hotfix_ledger_is_active(h) || !up_hotfix_gate_fits(h, up_device_pair(d)) ||
            !up_hotfix_is_there(d, h->id) ||
            (h->state == UP_HOTFIX_TESTING && !(tested && strcmp(tested, h->id) == 0)) ||
            (h->state == UP_HOTFIX_FRESH && !fresh) || is_replaced(&ledger, h, tested))
            continue;
        up_hotfix_path(d, h->id, "lua", path, sizeof path);
        if (used + strlen(path) + 2 > len)
            return;
        used += (size_t)snprintf(buf + used, len - used, "%s%s", used ? ";" : "", path);
    }
}
