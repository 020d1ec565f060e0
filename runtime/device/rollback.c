/*
 * rollback.c -- return from a transaction to the old pair.
 *
 * Journal rolling_back; boot loader forgets the slot; journal idle with the
 * quarantine. Script-only releases have no boot variables, so the last journal
 * write is the switch.
 */
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "printable.h"

static unsigned target_of(const struct up_device *d)
{
    return d->state.tx.target;
}

/*
 * The loader must start the old slot from now on. If the variables cannot be
 * written, it is enough that they, read back, start the old slot first.
 */
static int leave_target(struct up_device *d, struct up_error *err)
{
    struct up_boot_state now;
    struct up_error ignored;
    unsigned target = target_of(d);

    if (up_device_disarm(d, target, err) == 0)
        return 0;
    if (d->boot_lost || up_boot_read(d->boot, &now, &ignored) < 0 || now.order[0] == target ||
        !now.good[now.order[0]])
        return err->code;
    d->boot_state = now;
    return 0;
}

/* The outcome that `status` shows. If the rollback is not a verdict on the
 * release, and nobody requested it, begin_rollback() has recorded the reason
 * already. */
static void set_outcome(const struct up_device *d, struct up_journal_state *next)
{
    const struct up_transaction *t = &d->state.tx;
    bool told =
        next->has_last && next->last.sequence == t->sequence && strcmp(next->last.message, t->why) == 0;

    if (t->failed || !told)
        up_device_set_last(d, next, t->failed ? UP_ROLLEDBACK : UP_OK, t->why);
}

/* The old pair runs (or is about to, for a script): close the transaction. */
static int end_rollback(struct up_device *d, struct up_error *err)
{
    struct up_journal_state next = d->state;
    const struct up_transaction *t = &d->state.tx;
    struct up_error why = {.code = UP_OK};

    /* A tree that is mixed must not keep a package away that replaces it, so it is put back while idle. One that
     * is wholly new has its script: up_device_pair(). */
    if (up_device_undo_tree(d, &why) < 0 && !up_device_mixed(d)) {
        *err = why;
        return why.code;
    }
    if (up_device_has_core(d)) {
        if (leave_target(d, err) < 0)
            return err->code;
        memset(&next.slot[t->target], 0, sizeof next.slot[0]);
    }
    if (t->failed)
        up_device_quarantine(&next);
    next.tx.plan.known = false;
    next.phase = UP_IDLE;
    set_outcome(d, &next);
    if (up_device_save(d, &next, err) < 0)
        return err->code;
    d->uncounted = false;
    d->pending &= ~(unsigned)UP_PENDING_WRITE;
    up_device_note(d, t->failed ? "rolledback" : "disarmed", next.last.code, t->pair.release, t->sequence,
                   t->why);
    up_device_clean(d);
    if (why.code == UP_OK || !up_device_mixed(d))
        return 0;
    *err = why;
    return why.code;
}

/* UP_ROLLEDBACK the release failed, or `unreached`; UP_OK it was requested; else what prevents it. */
static int begin_rollback(struct up_device *d, int code, bool unreached, const char *why,
                          struct up_error *err)
{
    struct up_journal_state next = d->state;

    next.phase = UP_ROLLING_BACK;
    next.tx.failed = code == UP_ROLLEDBACK;
    next.tx.unreached = unreached;
    next.tx.restarts = 0;
    up_printable_copy(next.tx.why, sizeof next.tx.why, why);
    if (code != UP_OK && code != UP_ROLLEDBACK)
        up_device_set_last(d, &next, code, next.tx.why);
    return up_device_save(d, &next, err);
}

static int count(struct up_device *d, struct up_error *err)
{
    struct up_journal_state next = d->state;

    next.tx.restarts++;
    return up_device_save(d, &next, err);
}

int up_device_count_restart(struct up_device *d, enum up_may_restart *may, struct up_error *err)
{
    unsigned asked = up_device_restarts_noted(d);
    bool noted =
        !d->restart_counted && asked > 0 && asked < UP_RESTARTS_MAX && up_device_note_restart(d, asked + 1);

    *may = UP_RESTART_NOW;
    if (d->restart_counted || noted) {
        d->restart_counted = true;
        return 0;
    }
    if (asked >= UP_RESTARTS_MAX)
        *may = UP_RESTART_LATER;
    else if (d->state.tx.restarts >= UP_RESTARTS_MAX)
        *may = UP_RESTART_NO_MORE;
    if (*may != UP_RESTART_NOW)
        return 0;
    if (count(d, err) < 0)
        return err->code;
    d->restart_counted = true;
    if (asked == 0)
        (void)up_device_note_restart(d, 1); /* else the next process counts again */
    return 0;
}

/* Whether the loader may start this slot, according to what it was told last. */
static bool is_named(const struct up_device *d, unsigned slot)
{
    for (int i = 0; i < d->boot_state.count; i++)
        if (d->boot_state.order[i] == slot)
            return true;
    return false;
}

void up_device_take_out(struct up_device *d, enum up_start_action *action)
{
    unsigned target = target_of(d);
    struct up_error ignored;

    *action = UP_START_RUN;
    /* A loader that ignored the order once would ignore it again and again. */
    if (!is_named(d, target) || !up_device_has_core(d) || !up_device_on_target(d))
        return;
    if (up_device_disarm(d, target, &ignored) == 0) {
        *action = UP_START_RESTART;
        return;
    }
    up_boot_unwritable(d->boot, &d->boot_state);
    up_device_see_tree(d); /* another slot may count as running now */
}

int up_device_resume_rollback(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    enum up_may_restart may;
    struct up_error why;
    bool told;
    int rc;

    *action = UP_START_RUN;
    if (!up_device_has_core(d) || !up_device_on_target(d))
        return end_rollback(d, err);
    told = !is_named(d, target_of(d));
    if (up_device_count_restart(d, &may, err) < 0) {
        up_device_take_out(d, action);
        return err->code;
    }
    rc = leave_target(d, &why);
    /* If the loader cannot be told, restarts use up the slot's tries. If it
     * keeps choosing the slot that it was told to forget, the device runs on:
     * the wrong release is better than endless restarts. If it was told only
     * now, it has not chosen yet, and gets its restart. */
    *action = may == UP_RESTART_NOW || (rc == 0 && !told) ? UP_START_RESTART : UP_START_RUN;
    if (rc < 0)
        *err = why;
    return rc;
}

int up_device_give_up(struct up_device *d, int code, const char *why, enum up_start_action *action,
                      struct up_error *err)
{
    *action = UP_START_RUN;
    if (begin_rollback(d, code, false, why, err) < 0)
        return err->code;
    return up_device_resume_rollback(d, action, err);
}

int up_device_unreached(struct up_device *d, const char *why, enum up_start_action *action,
                        struct up_error *err)
{
    if (d->state.phase != UP_TRIAL)
        return up_device_rollback(d, true, why, action, err);
    *action = UP_START_RUN;
    if (begin_rollback(d, UP_ROLLEDBACK, true, why, err) < 0)
        return err->code;
    return up_device_resume_rollback(d, action, err);
}

int up_device_trial_failed(struct up_device *d, const char *why, struct up_error *err)
{
    struct up_journal_state next = d->state;

    if (d->state.phase != UP_TRIAL)
        return up_fail(err, UP_NOTHING, "no trial: the device is %s", up_journal_phase_name(d->state.phase));
    if (next.tx.failures < UINT8_MAX)
        next.tx.failures++;
    up_printable_copy(next.tx.why, sizeof next.tx.why, why);
    return up_device_save(d, &next, err);
}

int up_device_rollback(struct up_device *d, bool failed, const char *why, enum up_start_action *action,
                       struct up_error *err)
{
    *action = UP_START_RUN;
    switch (d->state.phase) {
    case UP_TRIAL:
        if (failed && up_device_trial_failed(d, why, err) < 0)
            return err->code;
        /* fall through */
    case UP_ARMING:
    case UP_ARMED:
        return up_device_give_up(d, failed ? UP_ROLLEDBACK : UP_OK, why, action, err);
    case UP_ROLLING_BACK:
        return up_device_resume_rollback(d, action, err);
    case UP_CONFIRMING:
        return up_fail(err, UP_REFUSED, "release %s: it is being confirmed and cannot be rolled back",
                       d->state.tx.pair.release);
    default:
        return up_fail(err, UP_NOTHING, "nothing to roll back: the device is %s",
                       up_journal_phase_name(d->state.phase));
    }
}

int up_device_say_uncounted(const struct up_device *d, struct up_error *err)
{
    struct up_error why = *err;

    return up_fail(err, why.code, "release %s: its start on trial cannot be counted: %s",
                   d->state.tx.pair.release, why.message);
}

int up_device_not_counted(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    struct up_error ignored;

    d->uncounted = true;
    /* Undoing needs no journal. If that fails, too, the script that belongs to the tree as it is runs:
     * up_device_pair(). */
    if (!up_device_has_core(d))
        (void)!up_device_undo_tree(d, &ignored);
    up_device_see_tree(d);
    up_device_take_out(d, action);
    up_device_say_uncounted(d, err);
    d->pending |= UP_PENDING_WRITE;
    d->trouble = (struct up_trouble){false, *err};
    return err->code;
}

int up_device_withdraw(struct up_device *d, int code, const char *why, enum up_start_action *action,
                       struct up_error *err)
{
    *action = UP_START_RUN;
    if (d->state.phase != UP_ARMING && d->state.phase != UP_ARMED && d->state.phase != UP_TRIAL)
        return up_fail(err, UP_NOTHING, "nothing to withdraw: the device is %s",
                       up_journal_phase_name(d->state.phase));
    up_device_check_free(d);
    up_device_image_free(d);
    if (up_device_give_up(d, code, why, action, err) == 0)
        return 0;
    /* Being unable to record it is no reason to start it. */
    return d->state.phase == UP_TRIAL ? up_device_not_counted(d, action, err) : err->code;
}
