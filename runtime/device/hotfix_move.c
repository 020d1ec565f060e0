/*
 * hotfix_move.c -- from one ledger to the next, with the tree of files.
 *
 *     under way on record -> plan staged, switched -> the ledger accepts the plan -> swept
 *
 * A plan that the ledger did not accept goes back (device_tree.c). A write of the ledger
 * that fails may have reached the medium all the same: the tree goes back only when the
 * ledger certainly does not accept it.
 */
#include <stdio.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "files.h"
#include "hotfix_gate.h"
#include "hotfix_private.h"
#include "log.h"
#include "printable.h"

int up_hotfix_ledger(const struct up_device *d, struct up_hotfix_ledger *out, struct up_error *err)
{
    return up_hotfix_ledger_read(out, d->storage, d->config->state, err);
}

void up_hotfix_mark(const struct up_device *d, struct up_hotfix *h, enum up_hotfix_state state,
                    const char *why)
{
    h->state = state;
    h->time = up_device_time(d);
    up_printable_copy(h->why, sizeof h->why, why);
}

static int record(struct up_device *d, struct up_hotfix_ledger *ledger, const struct up_hotfix *h, bool both,
                  struct up_error *err)
{
    char what[UP_VERSION_SIZE + 1];
    char message[UP_HOTFIX_WHY_SIZE + 16];
    int rc;

    /* As long as the device may fall back to an older Moult, the ledger stays in the form that it reads. */
    if (d->state.phase < UP_ARMED)
        ledger->form = UP_HOTFIX_FORM;
    rc = both ? up_hotfix_ledger_write_both(ledger, d->storage, d->config->state, err)
              : up_hotfix_ledger_write(ledger, d->storage, d->config->state, err);
    if (rc < 0 || !h)
        return rc;
    snprintf(what, sizeof what, "%s %s", h->name, h->version);
    snprintf(message, sizeof message, "%s%s%s", up_hotfix_ledger_state_name(h->state), h->why[0] ? ": " : "",
             h->why);
    up_device_note(d, "hotfix", h->state == UP_HOTFIX_QUARANTINED ? UP_ROLLEDBACK : UP_OK, what, h->sequence,
                   message);
    return 0;
}

int up_hotfix_record(struct up_device *d, struct up_hotfix_ledger *ledger, const struct up_hotfix *h,
                     struct up_error *err)
{
    return record(d, ledger, h, false, err);
}

int up_hotfix_record_both(struct up_device *d, struct up_hotfix_ledger *ledger, const struct up_hotfix *h,
                          struct up_error *err)
{
    return record(d, ledger, h, true, err);
}

/* The digest of the open plan: 1, or 0 there is none. */
static int open_plan(const struct up_device *d, uint8_t digest[32], struct up_error *err)
{
    struct up_files f;
    bool open;

    if (up_files_open(&f, d->storage, d->config->state, err) < 0)
        return err->code;
    open = f.stage.step != UP_FILES_NONE;
    memcpy(digest, f.stage.plan, sizeof f.stage.plan);
    up_files_close(&f);
    return open;
}

/* The tree as it was before the plan that is open. */
int up_hotfix_tree_back(struct up_device *d, struct up_error *err)
{
    return up_device_end_fixes(d, true, err);
}

/* Something is under way, on record. The release may have left fetching meanwhile: it looks at that record after it
 * did (up_device_prepare()). */
static int check_phase(struct up_device *d, struct up_error *err)
{
    if (up_device_reload(d, err) < 0)
        return err->code;
    return d->state.phase <= UP_FETCHING
               ? 0
               : up_fail(err, UP_BUSY, "release %s is %s; try again later", d->state.tx.pair.release,
                         up_journal_phase_name(d->state.phase));
}

/* Stage and switch what is under way: 1, or 0 there is nothing to do. If it fails, the caller puts the tree back. */
static int switch_tree(struct up_device *d, enum up_files_outcome *outcome, struct up_error *err)
{
    uint8_t ignored[32];
    int rc = check_phase(d, err);

    *outcome = UP_FILES_NOT_SWITCHED;
    if (rc == 0)
        rc = up_device_do_tree(d, UP_FILES_STAGE, err);
    if (rc == 0)
        rc = open_plan(d, ignored, err);
    if (rc <= 0)
        return rc;
    return up_device_work_tree(d, UP_FILES_ON, outcome, err) < 0 ? err->code : 1;
}

int up_hotfix_switch(struct up_device *d, bool *failed, struct up_error *err)
{
    struct up_hotfix_ledger ledger;
    const struct up_hotfix *h;
    enum up_files_outcome outcome = UP_FILES_NOT_SWITCHED;
    int rc;

    *failed = false;
    if (up_hotfix_ledger(d, &ledger, err) < 0)
        return err->code;
    h = up_hotfix_gate_tested(&ledger);
    if (!h)
        return up_fail(err, UP_NOTHING, "no hotfix is being tested");
    if (!h->files)
        return 0;
    rc = up_hotfix_tree_back(d, err); /* what an earlier one left */
    if (rc == 0)
        rc = switch_tree(d, &outcome, err);
    *failed = rc < 0 && outcome == UP_FILES_NOT_STARTED;
    return rc < 0 ? rc : 0;
}

/* The ledger accepts the plan that is open. If it cannot be written, it certainly does not, or `d` is unsure. */
int up_hotfix_accept(struct up_device *d, struct up_hotfix_ledger *now, struct up_hotfix_ledger *next,
                     const struct up_hotfix *h, struct up_error *err)
{
    struct up_error why;
    int rc = open_plan(d, next->plan, err);

    if (rc < 0)
        return rc;
    if (rc == 0)
        memcpy(next->plan, now->plan, sizeof next->plan);
    if (rc > 0 ? up_hotfix_record_both(d, next, h, err) < 0 : up_hotfix_record(d, next, h, err) < 0) {
        d->fix_unsure = rc > 0 && up_hotfix_record(d, now, NULL, &why) < 0;
        return err->code;
    }
    if (rc > 0) { /* what is left of it is removed by the next start at the latest */
        (void)!up_device_do_tree(d, UP_FILES_KEEP_NEW, &why);
        up_device_see_tree(d);
    }
    return 0;
}

/* Nothing was put back: the ledger is to say so. */
static int stay(struct up_device *d, struct up_hotfix_ledger *now, struct up_error *err)
{
    struct up_error why = *err;

    if (d->fix_unsure || up_hotfix_tree_back(d, err) < 0)
        return err->code;
    for (uint32_t i = 0; i < now->count; i++)
        now->entry[i].ending = false;
    (void)!up_hotfix_record(d, now, NULL, err);
    return up_fail(err, why.code, "%s", why.message);
}

bool up_hotfix_goes_back(const struct up_hotfix *now, const struct up_hotfix *next)
{
    return now->files && !now->ends && now->state != UP_HOTFIX_TESTING && up_hotfix_ledger_is_active(now) &&
           !up_hotfix_ledger_is_active(next);
}

/* A program that does not start again is no reason to bring the hotfix back. */
static int put_back(struct up_device *d, struct up_hotfix_ledger *now, struct up_hotfix_ledger *next,
                    const struct up_hotfix *h, struct up_error *err)
{
    enum up_files_outcome outcome = UP_FILES_NOT_SWITCHED;
    int rc;

    if (up_hotfix_record_both(d, now, NULL, err) < 0)
        return stay(d, now, err);
    rc = switch_tree(d, &outcome, err);
    if (rc < 0 && outcome == UP_FILES_NOT_STARTED)
        up_log("hotfixes: %s (%s)", err->message, up_code_word(err->code));
    else if (rc < 0)
        return stay(d, now, err);
    return up_hotfix_accept(d, now, next, h, err) < 0 ? stay(d, now, err) : 0;
}

int up_hotfix_move(struct up_device *d, struct up_hotfix_ledger *now, struct up_hotfix_ledger *next,
                   const struct up_hotfix *h, struct up_error *err)
{
    bool any = false;

    for (uint32_t i = 0; i < now->count; i++) {
        now->entry[i].ending = up_hotfix_goes_back(&now->entry[i], &next->entry[i]);
        any = any || now->entry[i].ending;
    }
    if (!any)
        return up_hotfix_record(d, next, h, err);
    if (d->state.phase > UP_FETCHING)
        return up_fail(err, UP_BUSY, "hotfix %s: it has files, and release %s is %s", h->name,
                       d->state.tx.pair.release, up_journal_phase_name(d->state.phase));
    d->fix_unsure = false;
    return up_hotfix_tree_back(d, err) < 0 ? err->code : put_back(d, now, next, h, err);
}
