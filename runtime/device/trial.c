/*
 * trial.c -- the second half of a transaction: boots, trial, confirmation.
 *
 * Confirm: journal confirming; boot loader marks the slot good; journal idle
 * with the new floors. The way back is rollback.c.
 */
#include <stdio.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "files.h"

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
    char changes[UP_LAST_SIZE - sizeof "confirmed; "], text[UP_LAST_SIZE];

    if (up_device_has_core(d)) {
        /* A slot whose start could not be counted was taken out of the order. */
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
    up_device_confirm_tree(&next);
    for (int i = 0; i < UP_FLOORS; i++)
        if (t->parts & 1u << i && up_manifest_sequence_raises(t->sequence, next.floor[i]))
            next.floor[i] = t->sequence;
    up_device_learn_time(d, &next, t->issued);
    memset(&next.kept_out, 0, sizeof next.kept_out);
    up_device_close_verdicts(&next, false); /* the old pair, which could have told, is gone */
    if (t->permit.not_after)
        up_journal_permit_remember(&next, &t->permit);
    next.phase = UP_IDLE;
    up_device_tell_changes(d, changes, sizeof changes);
    snprintf(text, sizeof text, "confirmed%s%s", changes[0] ? "; " : "", changes);
    up_device_set_last(d, &next, UP_OK, text);
    if (up_device_save(d, &next, err) < 0)
        return err->code;
    up_device_note(d, "confirmed", UP_OK, t->pair.release, t->sequence, changes);
    up_device_clean(d);
    return 0;
}

int up_device_confirm(struct up_device *d, struct up_error *err)
{
    struct up_journal_state next = d->state;
    struct up_error why;

    if (d->state.phase != UP_TRIAL && d->state.phase != UP_CONFIRMING)
        return up_fail(err, UP_NOTHING, "nothing to confirm: the device is %s",
                       up_journal_phase_name(d->state.phase));
    if (!up_device_on_target(d))
        return up_fail(err, UP_NOTHING, "nothing to confirm: release %s is not what runs",
                       d->state.tx.pair.release);
    if (d->uncounted)
        return up_fail(err, UP_DEFERRED,
                       "release %s: its start could not be counted; it is not confirmed until "
                       "the state can be written",
                       d->state.tx.pair.release);
    if (d->state.phase == UP_TRIAL && up_device_find_roots(d, &why) < 0)
        return up_fail(err, UP_DEFERRED, "release %s: it is not confirmed yet: %s", d->state.tx.pair.release,
                       why.message);
    next.phase = UP_CONFIRMING;
    if (d->state.phase != UP_CONFIRMING && up_device_save(d, &next, err) < 0)
        return err->code;
    return end_confirm(d, err);
}

/* Only a restart of the device replaces drivers, and programs that nobody stops and starts. */
static bool waits_for_boot(const struct up_device *d)
{
    return d->state.tx.restart && !up_device_has_core(d) && up_device_same_boot(d);
}

int up_device_begin_trial(struct up_device *d, struct up_error *err)
{
    enum up_start_action action;
    struct up_error why;

    if (d->state.phase != UP_ARMED)
        return up_fail(err, UP_NOTHING, "nothing is armed: the device is %s",
                       up_journal_phase_name(d->state.phase));
    if (up_device_check_armed(d, &why) < 0)
        return up_device_withdraw(d, why.code, why.message, &action, err) < 0
                   ? err->code
                   : up_fail(err, why.code, "%s", why.message);
    if (!up_device_on_target(d))
        return up_fail(err, UP_RESTART, "release %s: has a core and starts with the next restart",
                       d->state.tx.pair.release);
    if (waits_for_boot(d))
        return up_fail(
            err, UP_RESTART,
            "release %s: has files that take effect with a restart of the device, and starts with it",
            d->state.tx.pair.release);
    if (enter_trial(d, err) == 0)
        return 0;
    d->pending |= UP_PENDING_RESUME;
    return err->code;
}

bool up_device_uncounted(const struct up_device *d)
{
    return d->uncounted;
}

/* The cause is not known; it may have been a power cut. */
static int fell_back(struct up_device *d, const char *why, enum up_start_action *action, struct up_error *err)
{
    return up_device_give_up(d, UP_ROLLEDBACK, why, action, err);
}

/* It is not the release's fault that the tree cannot be switched. */
static int not_switched(struct up_device *d, const struct up_error *why, enum up_start_action *action,
                        struct up_error *err)
{
    if (up_device_withdraw(d, why->code, why->message, action, err) < 0)
        return err->code;
    return up_fail(err, UP_ROLLEDBACK, "release %s: %s", d->state.tx.pair.release, why->message);
}

int up_device_count_start(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    struct up_journal_state next = d->state;
    char why[UP_LAST_SIZE];

    *action = UP_START_RUN;
    if (d->state.phase != UP_TRIAL)
        return up_fail(err, UP_NOTHING, "no trial: the device is %s", up_journal_phase_name(d->state.phase));
    if (!up_device_on_target(d)) {
        up_fail(err, UP_DEFERRED, "the other slot runs");
        return up_device_not_counted(d, action, err);
    }
    if (up_device_take_count(d))
        return 0;
    if (next.tx.starts >= UP_TRIAL_STARTS) {
        snprintf(why, sizeof why, "%d starts without confirmation%s%.100s", UP_TRIAL_STARTS,
                 next.tx.failures ? ", the last failed: " : " (power was lost, or the core hung)",
                 next.tx.failures ? next.tx.why : "");
        if (fell_back(d, why, action, err) < 0)
            return d->state.phase == UP_TRIAL ? up_device_not_counted(d, action, err) : err->code;
        return up_fail(err, UP_ROLLEDBACK, "release %s: %s", next.tx.pair.release, why);
    }
    next.tx.starts++;
    if (up_device_save(d, &next, err) < 0)
        return up_device_not_counted(d, action, err);
    d->uncounted = false;
    return 0;
}

int up_device_trial_start(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    enum up_files_outcome outcome;
    struct up_error why;

    /* A program that does not start makes this a failed start of the trial; try again until all are used up. */
    while (up_device_count_start(d, action, err) == 0) {
        if (up_device_switch_tree(d, &outcome, &why) == 0)
            return 0;
        if (outcome != UP_FILES_NOT_STARTED)
            return not_switched(d, &why, action, err);
        if (up_device_trial_failed(d, why.message, err) < 0)
            return up_device_not_counted(d, action, err);
    }
    return err->code;
}

/* Only this program was restarted, not the device. Request that again, but not forever. */
static int ask_for_boot(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    enum up_may_restart may;

    if (up_device_count_restart(d, &may, err) < 0)
        return err->code;
    *action = may == UP_RESTART_NOW ? UP_START_RESTART : UP_START_RUN;
    return 0;
}

/* Armed, and the old slot runs: was the loader told, and does it obey? */
static int start_armed(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    unsigned target = d->state.tx.target;
    bool told = d->boot_state.order[0] == target;
    enum up_may_restart may;
    struct up_error why;

    /* Without a restart command, a start of this program counts as one of the device. */
    if (up_device_on_target(d) && d->config->restart == UP_RESTART_SUPERVISOR)
        return enter_trial(d, err);
    if (up_device_on_target(d))
        return waits_for_boot(d) ? ask_for_boot(d, action, err) : enter_trial(d, err);
    if (up_device_check_armed(d, &why) < 0)
        return up_device_withdraw(d, why.code, why.message, action, err);
    if (told && d->boot_state.tries[target] == 0)
        return fell_back(d, "the boot loader fell back: all its tries of the new core were spent", action,
                         err);
    /* Count first: a restart that cannot be counted is not requested. */
    if (up_device_count_restart(d, &may, err) < 0)
        return err->code;
    if (may == UP_RESTART_NO_MORE)
        return fell_back(d, "the boot loader did not choose the armed slot", action, err);
    if (!told && up_device_arm_boot(d, err) < 0) {
        why = *err;
        return up_device_give_up(d, why.code, why.message, action, err);
    }
    *action = may == UP_RESTART_NOW ? UP_START_RESTART : UP_START_RUN;
    return 0;
}

/*
 * What runs is confirmed, but the loader still counts its starts, because the
 * newest copy of its variables was lost. It would fall back eventually.
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
 * The loader started a slot for which the journal has no pair: the journal lost
 * its newest record to a bad block after the slot had been armed. The journal
 * still knows the other slot.
 */
static int start_unknown(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    unsigned running = d->boot_state.running;
    struct up_error ignored;
    enum up_may_restart may;

    if (d->state.slot[running].present || !d->state.slot[!running].present)
        return 0;
    if (up_device_disarm(d, running, err) == 0) {
        *action = UP_START_RESTART;
        return 0;
    }
    /* Restarts use up the tries that the loader still gives it. */
    if (up_device_count_restart(d, &may, &ignored) == 0 && may == UP_RESTART_NOW)
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
        if (up_device_on_target(d))
            return 0;
        return fell_back(d, "the boot loader fell back: the new core did not start", action, err);
    case UP_CONFIRMING:
        if (up_device_on_target(d))
            return end_confirm(d, err);
        return fell_back(d, "the boot loader fell back while the release was being confirmed", action, err);
    case UP_ROLLING_BACK:
        return up_device_resume_rollback(d, action, err);
    default:
        /* Idle, or a transfer that the agent continues. */
        mend_boot(d);
        return start_unknown(d, action, err);
    }
}

/* What its plan names cannot be read. */
static int give_up_lost(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    struct up_error why;
    struct up_files f;

    if (up_files_open(&f, d->storage, d->config->state, &why) == 0) {
        (void)up_files_unreadable(&f, &why);
        up_files_close(&f);
    }
    return up_device_give_up(d, UP_STATELOST, why.message, action, err);
}

/* The stage of the plan is ahead of the journal. */
static int follow_tree(struct up_device *d, enum up_tree_outcome outcome, enum up_start_action *action,
                       struct up_error *err)
{
    struct up_journal_state next = d->state;

    if (outcome == UP_TREE_IS_OLD)
        return fell_back(d, "the files were to be put back before a verdict", action, err);
    if (outcome == UP_TREE_IS_LOST)
        return give_up_lost(d, action, err);
    next.phase = UP_CONFIRMING;
    if (d->state.phase != UP_CONFIRMING && up_device_save(d, &next, err) < 0)
        return err->code;
    return end_confirm(d, err);
}

int up_device_resume_tree(struct up_device *d, bool *over, enum up_start_action *action, struct up_error *err)
{
    enum up_tree_outcome outcome;

    *over = false;
    if (up_device_settle_tree(d, &outcome, err) < 0)
        return err->code;
    *over = outcome != UP_TREE_AS_PHASE_SAYS;
    return *over ? follow_tree(d, outcome, action, err) : 0;
}

int up_device_resume(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    bool over;
    int rc = up_device_resume_tree(d, &over, action, err);

    if (rc == 0 && !over)
        rc = resume_phase(d, action, err);
    /* The new core runs, and not even that can be recorded. */
    if (rc < 0 && (d->state.phase == UP_ARMING || d->state.phase == UP_ARMED))
        up_device_take_out(d, action);
    return rc;
}
