/*
 * trial.c -- the second half of a transaction: boots, trial, verdict.
 *
 * Confirm: journal confirming; boot loader marks the slot good; journal idle
 * with the new floors. Roll back: journal rolling_back; boot loader forgets
 * the slot; journal idle with the quarantine. Script-only releases have no
 * boot variables, so the last journal write is the switch.
 */
#include <stdio.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "printable.h"

#define RESTARTS_MAX 3 /* asked of a boot loader that does not do what it was told */

static unsigned target_of(const struct up_device *d)
{
    return d->state.tx.target;
}

/* Whether the running slot is the one that the transaction is about. */
static bool on_target(const struct up_device *d)
{
    return !up_device_has_core(d) || d->boot_state.running == target_of(d);
}

/*
 * The loader is to start the old slot from now on. Told or not: when that cannot
 * be written, but the variables, read back, start it first, it is as good.
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

/* What came of it. One that is no verdict on the release, and that nobody asked
 * for, said so when it began. */
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

    if (up_device_has_core(d)) {
        if (leave_target(d, err) < 0)
            return err->code;
        memset(&next.slot[t->target], 0, sizeof next.slot[0]);
    }
    if (t->failed)
        up_device_quarantine(&next);
    next.phase = UP_IDLE;
    set_outcome(d, &next);
    if (up_device_save(d, &next, err) < 0)
        return err->code;
    d->uncounted = false;
    d->pending &= ~(unsigned)UP_PENDING_WRITE;
    up_device_note(d, t->failed ? "rolledback" : "disarmed", next.last.code, t->pair.release, t->sequence,
                   t->why);
    up_device_clean(d);
    return 0;
}

/* UP_ROLLEDBACK the release failed, or `unreached`; UP_OK it was asked for; else
 * what stands in the way. */
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

/* Whether another restart may be asked for; counts it. */
static int count_restart(struct up_device *d, bool *may, struct up_error *err)
{
    struct up_journal_state next = d->state;

    *may = d->state.tx.restarts < RESTARTS_MAX;
    if (!*may)
        return 0;
    next.tx.restarts++;
    return up_device_save(d, &next, err);
}

/* Whether the loader may start this slot, by what it was told last. */
static bool is_named(const struct up_device *d, unsigned slot)
{
    for (int i = 0; i < d->boot_state.count; i++)
        if (d->boot_state.order[i] == slot)
            return true;
    return false;
}

/* Nothing can be noted of the slot on trial: take it out of the boot loader's
 * order; *action says whether a restart leads away from it. */
static void forsake(struct up_device *d, enum up_start_action *action)
{
    unsigned target = target_of(d);
    struct up_error ignored;

    *action = UP_START_RUN;
    /* A loader that starts what it was told to forget would do so for ever. */
    if (!is_named(d, target) || !up_device_has_core(d) || !on_target(d))
        return;
    if (up_device_disarm(d, target, &ignored) == 0)
        *action = UP_START_RESTART;
    else
        up_boot_unwritable(d->boot, &d->boot_state);
}

/* From phase rolling_back: go on as far as this boot can. */
static int roll_back(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    struct up_error why;
    bool may, told;
    int rc;

    *action = UP_START_RUN;
    if (!up_device_has_core(d) || !on_target(d))
        return end_rollback(d, err);
    told = !is_named(d, target_of(d));
    if (count_restart(d, &may, err) < 0) {
        forsake(d, action);
        return err->code;
    }
    rc = leave_target(d, &why);
    /* When it cannot be told so, restarts spend the tries of the slot. A loader
     * that keeps choosing the slot it was told to forget: a device that runs
     * the wrong release is better than one that only restarts. But one that is
     * told only now has not had its choice. */
    *action = may || (rc == 0 && !told) ? UP_START_RESTART : UP_START_RUN;
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
    return roll_back(d, action, err);
}

int up_device_unreached(struct up_device *d, const char *why, enum up_start_action *action,
                        struct up_error *err)
{
    if (d->state.phase != UP_TRIAL)
        return up_device_rollback(d, true, why, action, err);
    *action = UP_START_RUN;
    if (begin_rollback(d, UP_ROLLEDBACK, true, why, err) < 0)
        return err->code;
    return roll_back(d, action, err);
}

/* We did not see why: it may have been the power. */
static int fell_back(struct up_device *d, const char *why, enum up_start_action *action, struct up_error *err)
{
    return up_device_give_up(d, UP_ROLLEDBACK, why, action, err);
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
        return roll_back(d, action, err);
    case UP_CONFIRMING:
        return up_fail(err, UP_REFUSED, "release %s: it is being confirmed and cannot be rolled back",
                       d->state.tx.pair.release);
    default:
        return up_fail(err, UP_NOTHING, "nothing to roll back: the device is %s",
                       up_phase_name(d->state.phase));
    }
}

int up_device_say_uncounted(const struct up_device *d, struct up_error *err)
{
    struct up_error why = *err;

    return up_fail(err, why.code, "release %s: its start on trial cannot be counted: %s",
                   d->state.tx.pair.release, why.message);
}

/* Nothing is confirmed of what cannot be counted, and it must not go on for ever. */
static int not_counted(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    d->uncounted = true;
    forsake(d, action);
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
                       up_phase_name(d->state.phase));
    up_device_check_free(d);
    up_device_image_free(d);
    if (up_device_give_up(d, code, why, action, err) == 0)
        return 0;
    /* That it cannot be noted is no reason to start it. */
    return d->state.phase == UP_TRIAL ? not_counted(d, action, err) : err->code;
}

static int enter_trial(struct up_device *d, struct up_error *err)
{
    struct up_journal_state next = d->state;

    next.phase = UP_TRIAL;
    if (next.tx.let_in)
        memset(&next.kept_out, 0, sizeof next.kept_out);
    if (up_device_save(d, &next, err) < 0)
        return err->code;
    up_device_note(d, "trial", UP_OK, next.tx.pair.release, next.tx.sequence, "");
    return 0;
}

/* From confirming: mark good, then the one record that makes it final. */
static int end_confirm(struct up_device *d, struct up_error *err)
{
    struct up_journal_state next = d->state;
    struct up_boot_state boot = d->boot_state;
    const struct up_transaction *t = &d->state.tx;

    if (up_device_has_core(d)) {
        /* It may have been taken out of the order, when a start could not be counted. */
        if (boot.order[0] != t->target) {
            boot.order[0] = t->target;
            boot.order[1] = !t->target;
            boot.count = 2;
        }
        boot.good[t->target] = true;
        boot.tries[t->target] = 0;
        if (up_device_set_boot(d, &boot, err) < 0)
            return err->code;
        up_device_repeat_boot(d);
    }
    next.slot[t->target] = t->pair;
    for (int i = 0; i < UP_PART_KINDS; i++)
        if (t->parts & 1u << i && t->sequence > next.floor[i])
            next.floor[i] = t->sequence;
    up_device_learn_time(d, &next, t->issued);
    memset(&next.kept_out, 0, sizeof next.kept_out);
    up_device_close_verdicts(&next, false); /* the old pair is gone, who could have told */
    if (t->permit.not_after)
        up_journal_permit_remember(&next, &t->permit);
    next.phase = UP_IDLE;
    up_device_set_last(d, &next, UP_OK, "confirmed");
    if (up_device_save(d, &next, err) < 0)
        return err->code;
    up_device_note(d, "confirmed", UP_OK, t->pair.release, t->sequence, "");
    up_device_clean(d);
    return 0;
}

int up_device_confirm(struct up_device *d, struct up_error *err)
{
    struct up_journal_state next = d->state;

    if (d->state.phase != UP_TRIAL && d->state.phase != UP_CONFIRMING)
        return up_fail(err, UP_NOTHING, "nothing to confirm: the device is %s",
                       up_phase_name(d->state.phase));
    if (!on_target(d))
        return up_fail(err, UP_NOTHING, "nothing to confirm: release %s is not what runs",
                       d->state.tx.pair.release);
    if (d->uncounted)
        return up_fail(err, UP_DEFERRED,
                       "release %s: its start could not be counted; it is not confirmed until "
                       "the state can be written",
                       d->state.tx.pair.release);
    next.phase = UP_CONFIRMING;
    if (d->state.phase != UP_CONFIRMING && up_device_save(d, &next, err) < 0)
        return err->code;
    return end_confirm(d, err);
}

int up_device_begin_trial(struct up_device *d, struct up_error *err)
{
    enum up_start_action action;
    struct up_error why;

    if (d->state.phase != UP_ARMED)
        return up_fail(err, UP_NOTHING, "nothing is armed: the device is %s", up_phase_name(d->state.phase));
    if (up_device_check_armed(d, &why) < 0)
        return up_device_withdraw(d, why.code, why.message, &action, err) < 0
                   ? err->code
                   : up_fail(err, why.code, "%s", why.message);
    if (!on_target(d))
        return up_fail(err, UP_RESTART, "release %s: has a core and starts with the next restart",
                       d->state.tx.pair.release);
    if (enter_trial(d, err) == 0)
        return 0;
    d->pending |= UP_PENDING_RESUME;
    return err->code;
}

int up_device_trial_failed(struct up_device *d, const char *why, struct up_error *err)
{
    struct up_journal_state next = d->state;

    if (d->state.phase != UP_TRIAL)
        return up_fail(err, UP_NOTHING, "no trial: the device is %s", up_phase_name(d->state.phase));
    if (next.tx.failures < UINT8_MAX)
        next.tx.failures++;
    up_printable_copy(next.tx.why, sizeof next.tx.why, why);
    return up_device_save(d, &next, err);
}

bool up_device_uncounted(const struct up_device *d)
{
    return d->uncounted;
}

int up_device_trial_start(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    struct up_journal_state next = d->state;
    char why[UP_LAST_SIZE];

    *action = UP_START_RUN;
    if (d->state.phase != UP_TRIAL)
        return up_fail(err, UP_NOTHING, "no trial: the device is %s", up_phase_name(d->state.phase));
    if (!on_target(d)) {
        up_fail(err, UP_DEFERRED, "the other slot runs");
        return not_counted(d, action, err);
    }
    if (next.tx.starts >= UP_TRIAL_STARTS) {
        snprintf(why, sizeof why, "%d starts without confirmation%s%.100s", UP_TRIAL_STARTS,
                 next.tx.failures ? ", the last failed: " : " (power was lost, or the core hung)",
                 next.tx.failures ? next.tx.why : "");
        if (fell_back(d, why, action, err) < 0)
            return d->state.phase == UP_TRIAL ? not_counted(d, action, err) : err->code;
        return up_fail(err, UP_ROLLEDBACK, "release %s: %s", next.tx.pair.release, why);
    }
    next.tx.starts++;
    if (up_device_save(d, &next, err) < 0)
        return not_counted(d, action, err);
    d->uncounted = false;
    return 0;
}

/* Armed, and the old slot runs: has the loader been told, and does it obey? */
static int start_armed(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    unsigned target = target_of(d);
    bool told = d->boot_state.order[0] == target, may;
    struct up_error why;

    if (on_target(d))
        return enter_trial(d, err);
    if (up_device_check_armed(d, &why) < 0)
        return up_device_withdraw(d, why.code, why.message, action, err);
    if (told && d->boot_state.tries[target] == 0)
        return fell_back(d, "the boot loader fell back: all its tries of the new core were spent", action,
                         err);
    /* First the count: what cannot be counted is not asked for. */
    if (count_restart(d, &may, err) < 0)
        return err->code;
    if (!may)
        return fell_back(d, "the boot loader did not choose the armed slot", action, err);
    if (!told && up_device_arm_boot(d, err) < 0) {
        why = *err;
        return up_device_give_up(d, why.code, why.message, action, err);
    }
    *action = UP_START_RESTART;
    return 0;
}

/*
 * What runs is confirmed, and the loader still counts its starts: of its
 * variables the newest copy was lost. Uncorrected, it would fall back.
 */
static void mend_boot(struct up_device *d)
{
    struct up_boot_state boot = d->boot_state;
    struct up_error ignored;
    unsigned running = boot.running;

    if (d->boot_lost || boot.good[running] || !d->state.slot[running].present)
        return;
    boot.good[running] = true;
    boot.tries[running] = 0;
    if (up_device_set_boot(d, &boot, &ignored) == 0)
        up_device_repeat_boot(d);
}

/*
 * The loader started a slot that the journal holds no pair for: the journal
 * lost its newest record to a bad block, after the slot had been armed. What
 * the journal does know is the other slot.
 */
static int start_unknown(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    unsigned running = d->boot_state.running;
    struct up_error ignored;
    bool may;

    if (d->state.slot[running].present || !d->state.slot[!running].present)
        return 0;
    if (up_device_disarm(d, running, err) == 0) {
        *action = UP_START_RESTART;
        return 0;
    }
    /* Restarts spend the tries that the loader gives it still. */
    if (count_restart(d, &may, &ignored) == 0 && may)
        *action = UP_START_RESTART;
    return err->code;
}

static int resume_phase(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    switch (d->state.phase) {
    case UP_ARMING:
    case UP_ARMED:
        return start_armed(d, action, err);
    case UP_TRIAL:
        if (on_target(d))
            return 0;
        return fell_back(d, "the boot loader fell back: the new core did not start", action, err);
    case UP_CONFIRMING:
        if (on_target(d))
            return end_confirm(d, err);
        return fell_back(d, "the boot loader fell back while the release was being confirmed", action, err);
    case UP_ROLLING_BACK:
        return roll_back(d, action, err);
    default:
        /* Idle, or a transfer that the agent goes on with. */
        mend_boot(d);
        return start_unknown(d, action, err);
    }
}

int up_device_resume(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    int rc = resume_phase(d, action, err);

    /* The new core runs, and not even that can be noted. */
    if (rc < 0 && (d->state.phase == UP_ARMING || d->state.phase == UP_ARMED))
        forsake(d, action);
    return rc;
}
