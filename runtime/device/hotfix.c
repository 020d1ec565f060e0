/*
 * What the ledger says, and the steps that change it. hotfix_stage.c brings a
 * hotfix to its folder; hotfix_overlap.c says which lie on one another.
 */
#include "hotfix.h"

#include <stdio.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "hotfix_gate.h"
#include "hotfix_private.h"
#include "hotfix_set.h"

/* Replaces the entry of the same version. */
static int enter(struct up_device *d, const struct up_manifest *m, const char *id, struct up_error *err)
{
    struct up_hotfix_ledger ledger;
    char over[UP_HOTFIX_ID_SIZE] = "";
    struct up_hotfix *h, *lower;
    uint64_t highest;
    uint8_t cuts = 0;
    int lua = up_hotfix_has(d, id, "lua", err);

    if (lua < 0 || up_hotfix_ledger(d, &ledger, err) < 0)
        return err->code;
    highest = up_hotfix_ledger_highest(&ledger, m->hotfix_name);
    lower = up_hotfix_ledger_find_active(&ledger, m->hotfix_name);
    if (lower)
        snprintf(over, sizeof over, "%s", lower->id);
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
    h->lua = lua;
    h->files = m->hotfix_files;
    memcpy(h->over, over, sizeof h->over);
    up_hotfix_mark(d, h, UP_HOTFIX_TESTING, "");
    /* Whoever stages its files has to see it. */
    return h->files ? up_hotfix_record_both(d, &ledger, h, err) : up_hotfix_record(d, &ledger, h, err);
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

/* It stays: what it replaced does not come back. */
static void drop_lower(const struct up_device *d, struct up_hotfix_ledger *ledger, const struct up_hotfix *h)
{
    for (struct up_hotfix *o = ledger->entry; o < h; o++)
        if (up_hotfix_ledger_is_active(o) && strcmp(o->name, h->name) == 0)
            up_hotfix_mark(d, o, UP_HOTFIX_DROPPED, "a higher version took its place");
}

int up_hotfix_passed(struct up_device *d, bool started, struct up_error *err)
{
    struct up_hotfix_ledger ledger, now;
    struct up_hotfix *h;

    if (tested_entry(d, &ledger, &h, err) < 0)
        return err->code;
    now = ledger;
    up_hotfix_mark(d, h, h->lua ? UP_HOTFIX_FRESH : UP_HOTFIX_APPLIED, "");
    h->starts = h->lua && started;
    h->cuts = 0;
    if (up_manifest_sequence_raises(h->sequence, h->highest))
        h->highest = h->sequence;
    if (!h->lua)
        drop_lower(d, &ledger, h);
    if (h->files)
        return up_hotfix_accept(d, &now, &ledger, h, err);
    /* Of modules the starts that follow are on record, too. */
    return h->lua ? up_hotfix_record(d, &ledger, h, err) : up_hotfix_record_both(d, &ledger, h, err);
}

/* Out of force, in that state; its files go first. */
static int end_test(struct up_device *d, enum up_hotfix_state state, const char *why, struct up_error *err)
{
    struct up_hotfix_ledger ledger;
    struct up_hotfix *h;

    if (tested_entry(d, &ledger, &h, err) < 0)
        return err->code;
    if (d->fix_unsure && up_hotfix_record(d, &ledger, NULL, err) < 0)
        return err->code;
    d->fix_unsure = false;
    if (h->files && up_hotfix_tree_back(d, err) < 0)
        return err->code;
    up_hotfix_mark(d, h, state, why);
    return up_hotfix_record(d, &ledger, h, err);
}

int up_hotfix_failed(struct up_device *d, const char *why, struct up_error *err)
{
    return end_test(d, UP_HOTFIX_QUARANTINED, why, err);
}

int up_hotfix_not_switched(struct up_device *d, const char *why, struct up_error *err)
{
    return end_test(d, UP_HOTFIX_DROPPED, why, err);
}

int up_hotfix_cancel(struct up_device *d, struct up_error *err)
{
    return end_test(d, UP_HOTFIX_UNDONE, "the device was stopped during its test", err);
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
        if (by > 0 && up_hotfix_is_spent(h) && h->files)
            return up_fail(err, UP_DEFERRED,
                           "hotfix %s: its starts are used up, and its files are not back yet", h->name);
        if (by > 0 && up_hotfix_is_spent(h)) {
            up_hotfix_mark(d, h, UP_HOTFIX_QUARANTINED, UP_HOTFIX_SPENT);
            spent = h;
            continue;
        }
        h->starts = (uint8_t)(h->starts + by);
        count++;
    }
    if (count == 0 && !spent)
        return 0;
    return up_hotfix_record(d, &ledger, spent, err) < 0 ? err->code : count > 0;
}

int up_hotfix_count_start(struct up_device *d, struct up_error *err)
{
    return change_starts(d, 1, err);
}

int up_hotfix_uncount_start(struct up_device *d, struct up_error *err)
{
    return change_starts(d, -1, err);
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
            up_hotfix_mark(d, last, UP_HOTFIX_APPLIED, "");
            last->starts = 0;
            drop_lower(d, &ledger, last);
        }
    return last ? up_hotfix_record(d, &ledger, last, err) : 0;
}

int up_hotfix_check_in_force(const struct up_device *d, const char *id, struct up_error *err)
{
    struct up_hotfix_ledger ledger;
    const struct up_hotfix *h;

    if (up_hotfix_ledger(d, &ledger, err) < 0)
        return err->code;
    h = up_hotfix_ledger_find_id(&ledger, id);
    return h && up_hotfix_ledger_is_in_force(h)
               ? 0
               : up_fail(err, UP_NOTHING, "hotfix %s: it is not in force", id);
}

/* The oldest one of that name in force, or the newest; NULL: there is none. */
static struct up_hotfix *find_to_undo(struct up_hotfix_ledger *ledger, const char *name, bool oldest)
{
    if (!oldest)
        return up_hotfix_ledger_find_active(ledger, name);
    for (uint32_t i = 0; i < ledger->count; i++)
        if (up_hotfix_ledger_is_active(&ledger->entry[i]) && strcmp(ledger->entry[i].name, name) == 0)
            return &ledger->entry[i];
    return NULL;
}

/* What lies on one of those that go. The answer of a folder that cannot be read is its error. */
static int lies_on(const struct up_device *d, const struct up_hotfix_ledger *ledger, const bool *goes,
                   const struct up_hotfix *o, struct up_error *err)
{
    int overlaps = 0;

    for (const struct up_hotfix *h = ledger->entry; h < o && overlaps == 0; h++)
        if (goes[h - ledger->entry])
            overlaps = up_hotfix_overlaps(d, h, o, err);
    return overlaps;
}

int up_hotfix_undo(struct up_device *d, const char *name, bool all_above, struct up_error *err)
{
    bool goes[UP_HOTFIXES] = {false};
    struct up_hotfix_ledger ledger, now;
    struct up_hotfix *h;

    if (up_hotfix_ledger(d, &ledger, err) < 0)
        return err->code;
    if (up_hotfix_gate_tested(&ledger))
        return up_fail(err, UP_BUSY, "hotfix %s: %s is being tested; try again later", name,
                       up_hotfix_gate_tested(&ledger)->name);
    now = ledger;
    h = find_to_undo(&ledger, name, all_above);
    if (!h)
        return up_fail(err, UP_NOTHING, "hotfix %s: it is not applied", name);
    goes[h - ledger.entry] = true;
    for (struct up_hotfix *o = h + 1; o < &ledger.entry[ledger.count]; o++) {
        int overlaps = up_hotfix_ledger_is_active(o) ? lies_on(d, &ledger, goes, o, err) : 0;

        if (overlaps < 0)
            return overlaps;
        if (overlaps && !all_above)
            return up_fail(err, UP_BUSY, "hotfix %s: %s lies on it; undo that first, or all that lie on it",
                           name, o->name);
        goes[o - ledger.entry] = overlaps;
        if (overlaps) {
            o->by_owner = true;
            up_hotfix_mark(d, o, UP_HOTFIX_UNDONE, "by order, with what lies below");
        }
    }
    h->by_owner = true;
    up_hotfix_mark(d, h, UP_HOTFIX_UNDONE, "by order");
    return up_hotfix_move(d, &now, &ledger, h, err);
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
        if (!up_hotfix_ledger_is_active(h) || !h->lua || !up_hotfix_gate_fits(h, up_device_pair(d)) ||
            up_hotfix_set_is_ended(h, up_device_pair(d)) || !up_hotfix_is_there(d, h->id) ||
            (h->state == UP_HOTFIX_TESTING && !(tested && strcmp(tested, h->id) == 0)) ||
            (h->state == UP_HOTFIX_FRESH && !fresh) || is_replaced(&ledger, h, tested))
            continue;
        up_hotfix_path(d, h->id, "lua", path, sizeof path);
        if (used + strlen(path) + 2 > len)
            return;
        used += (size_t)snprintf(buf + used, len - used, "%s%s", used ? ";" : "", path);
    }
}
