/*
 * The script: start it, count its starts on trial, watch it, and act when it
 * has ended. Nothing is changed under a script that still runs.
 */

#include "error.h"
#include "printable.h"
#include "processes.h"
#include "supervisor_private.h"

#define LOOK_EVERY_MS 20 /* between two pieces of the running script */

static void arm_deadline(struct up_supervisor *s)
{
    uint32_t seconds = up_device_state(s->device)->tx.deadline;

    s->trial_until = up_supervisor_now(s) + (uint64_t)(seconds ? seconds : s->config->deadline) * 1000;
}

/* Count a start on trial. False: it must not be started now. */
static bool may_start(struct up_supervisor *s)
{
    enum up_start_action action = UP_START_RUN;
    struct up_error err;
    int n;

    up_supervisor_refresh(s);
    if (up_supervisor_phase(s) != UP_TRIAL)
        return true;
    n = up_device_trial_start(s->device, &action, &err);
    if (n == 0) {
        arm_deadline(s);
        return true;
    }
    if (n == UP_ROLLEDBACK)
        up_supervisor_warn("trial", &err);
    s->trial_until = 0; /* what runs now is not on trial, or its start is not counted */
    up_supervisor_tell_phase(s);
    if (action == UP_START_RESTART)
        up_supervisor_leave_to_restart(s, "back to the old release");
    return action == UP_START_RUN;
}

/* What is on trial is not what was armed. False: nothing may be started now. */
static bool withdraw(struct up_supervisor *s, const struct up_error *why)
{
    enum up_start_action action = UP_START_RUN;
    struct up_error err;
    int n;

    up_supervisor_warn("trial", why);
    n = up_device_withdraw(s->device, why->code, why->message, &action, &err);
    up_supervisor_tell_phase(s);
    if (n < 0) {
        up_supervisor_warn("trial", &err);
        return false;
    }
    up_supervisor_say(s, "withdrawn: %s", why->message);
    if (action == UP_START_RESTART)
        up_supervisor_leave_to_restart(s, "back to the old release");
    return action == UP_START_RUN;
}

/*
 * Count a start on trial and check what it starts, one piece for each turn of
 * the loop; for a confirmed script only install a repaired one. True: start it
 * now.
 */
static bool ready(struct up_supervisor *s)
{
    struct up_error err;
    int n;

    if (!s->checking || up_supervisor_phase(s) != UP_TRIAL) {
        s->checking = false;
        if (!may_start(s)) {
            up_child_postpone(s->script, up_supervisor_now(s));
            return false;
        }
        s->checking = up_supervisor_phase(s) == UP_TRIAL && !up_supervisor_script_uncounted(s);
    }
    if (s->checking) {
        n = up_device_inspect(s->device, &err);
        if (n == UP_AGAIN)
            return false;
        s->checking = false;
        if (n < 0 && !withdraw(s, &err)) {
            up_child_postpone(s->script, up_supervisor_now(s));
            return false;
        }
    } else if (s->device) {
        up_device_put_script(s->device);
    }
    return true;
}

/* Check whether the running confirmed script is what was installed, a little at
 * a time: it runs meanwhile, whatever the result. */
static void look_at_script(struct up_supervisor *s)
{
    uint64_t now = up_supervisor_now(s);
    struct up_error err;
    int n;

    if (s->look_at == 0 || now < s->look_at)
        return;
    s->look_at = 0;
    if (up_supervisor_phase(s) == UP_TRIAL)
        return;
    n = up_device_inspect(s->device, &err);
    if (n == UP_AGAIN)
        s->look_at = now + LOOK_EVERY_MS;
    else if (n < 0)
        up_supervisor_warn("script", &err);
}

int up_supervisor_script_path(const struct up_supervisor *s, char *buf, size_t len, struct up_error *err)
{
    if (!up_supervisor_has_script(s))
        return up_fail(err, UP_NOTHING, "this device has no script");
    if (!s->device)
        return up_device_last_resort(s->storage, s->config, buf, len, err);
    up_device_generation_path(s->device, up_device_generation(s->device), buf, len);
    return 0;
}

uint64_t up_supervisor_script_due(const struct up_supervisor *s)
{
    if (s->leave != UP_LEAVE_NOT || up_child_running(s->script) || s->sweep_until > 0)
        return UINT64_MAX;
    if (s->intent != UP_INTENT_NONE) /* it was down already */
        return 0;
    if (s->alone.up)
        return up_supervisor_alone_due(s);
    return up_child_due(s->script);
}

void up_supervisor_sweep(struct up_supervisor *s)
{
    s->sweep_until = up_supervisor_now(s) + UP_SWEEP_MOST_MS;
}

/* Whether no process of the script is left. */
static bool swept(struct up_supervisor *s)
{
    unsigned left;

    if (s->sweep_until == 0)
        return true;
    left = s->processes->ops->kill_orphans(s->processes, UP_ORPHANS_OF_SCRIPT, up_child_pid(s->script),
                                           up_child_pid(s->tester));
    if (left > 0 && up_supervisor_now(s) < s->sweep_until)
        return false;
    if (left > 0)
        up_supervisor_say(s, "%u processes that the script left behind cannot be killed", left);
    s->sweep_until = 0;
    return true;
}

/* The files that it works with may be half old and half new. */
static bool is_on_mixture(const struct up_supervisor *s)
{
    return s->device && up_device_mixed(s->device) && !s->config->files.run_mixed;
}

static void start_script(struct up_supervisor *s)
{
    struct up_script_words words;
    struct up_error err;
    uint64_t now = up_supervisor_now(s);

    if (is_on_mixture(s)) /* of a hotfix that was cut */
        up_supervisor_fix_settle(s);
    /* A switch that was cut goes on, or back, with the next start on trial. */
    if ((!is_on_mixture(s) || up_supervisor_phase(s) == UP_TRIAL) && !ready(s))
        return;
    if (is_on_mixture(s)) { /* counting the start may have found out */
        if (up_supervisor_has_script(s))
            up_supervisor_say(s, "the script does not start: the files are neither the old nor the new ones");
        up_child_postpone(s->script, now);
        return;
    }
    /* Ask last: counting the start may have rolled back. */
    if (s->device && !up_supervisor_has_script(s)) {
        up_supervisor_alone_begin(s);
        return;
    }
    if (up_supervisor_script_path(s, s->started, sizeof s->started, &err) < 0) {
        up_supervisor_warn("the script does not start", &err);
        up_child_postpone(s->script, now);
        return;
    }
    up_supervisor_fix_before_start(s);
    up_supervisor_script_words(s, NULL, &words);
    if (up_child_start(s->script, words.argv, now, &err) < 0) {
        up_supervisor_warn("script", &err);
        return;
    }
    s->look_at = s->device && up_supervisor_phase(s) != UP_TRIAL ? up_supervisor_now(s) : 0;
    up_supervisor_say(s, "script %s started (process %d)%s", s->started, (int)up_child_pid(s->script),
                      up_supervisor_phase(s) == UP_TRIAL && !up_supervisor_script_uncounted(s) ? ", on trial"
                                                                                               : "");
    up_supervisor_tell_script(s);
}

void up_supervisor_rollback(struct up_supervisor *s, bool unreached)
{
    enum up_start_action action = UP_START_RUN;
    bool trial = up_supervisor_phase(s) == UP_TRIAL;
    struct up_error err;
    int n = unreached ? up_device_unreached(s->device, s->why, &action, &err)
                      : up_device_rollback(s->device, trial, s->why, &action, &err);

    if (s->answer_rollback)
        up_supervisor_tell_answer(s, "rollback", n, &err);
    s->answer_rollback = false;
    up_supervisor_tell_phase(s);
    if (n < 0)
        up_supervisor_warn("rollback", &err);
    else
        up_supervisor_say(s, "%s: %s", trial ? "rolled back" : "disarmed", s->why);
    /* What could not be dropped is armed still, and waits for its restart. */
    if (action == UP_START_RESTART)
        up_supervisor_leave_to_restart(s, "back to the old release");
    else if (!trial && up_supervisor_phase(s) != UP_ARMED)
        up_supervisor_forget_restart(s);
}

static void do_trial(struct up_supervisor *s)
{
    struct up_error err;
    int n = up_device_begin_trial(s->device, &err);

    up_supervisor_tell_phase(s);
    s->trial_until = 0;
    if (n == UP_RESTART)
        up_supervisor_leave_to_restart(s, "a new core is armed");
    else if (n < 0)
        up_supervisor_warn("trial", &err);
}

/* The script is down: do what it was stopped for. */
static void follow_intent(struct up_supervisor *s)
{
    enum up_intent intent = s->intent;

    s->intent = UP_INTENT_NONE;
    if (intent != UP_INTENT_NONE)
        up_supervisor_alone_end(s);
    if (intent == UP_INTENT_NONE || s->leave != UP_LEAVE_NOT)
        return;
    /* A script that asks to be restarted again and again gets growing pauses. */
    if (intent != UP_INTENT_ANEW)
        up_child_hurry(s->script);
    up_supervisor_refresh(s);
    if (intent == UP_INTENT_ROLLBACK || intent == UP_INTENT_GIVE_UP)
        up_supervisor_rollback(s, intent == UP_INTENT_GIVE_UP);
    else if (intent == UP_INTENT_TRIAL)
        do_trial(s);
}

/* Unrequested: record it for `status` and the history. */
static void count_end(struct up_supervisor *s)
{
    uint32_t generation = up_device_generation(s->device);
    uint64_t now = up_supervisor_now(s), due = up_child_due(s->script);

    if (s->ends.generation != generation)
        s->ends.times = 0;
    s->ends.generation = generation;
    s->ends.times++;
    up_printable_copy(s->ends.why, sizeof s->ends.why, up_child_reason(s->script));
    up_device_script_ended(s->device, s->ends.times, (unsigned)(due > now ? (due - now + 999) / 1000 : 0),
                           s->ends.why);
}

static void script_ended(struct up_supervisor *s)
{
    bool asked = s->leave != UP_LEAVE_NOT || s->intent != UP_INTENT_NONE, trial = false;
    struct up_error err;

    up_child_reap(s->script, up_supervisor_now(s));
    s->lacks_cloud = s->vouched = false;
    up_supervisor_sweep(s);
    up_supervisor_say(s, "script %s", up_child_reason(s->script));
    up_supervisor_fix_script_ended(s, asked);
    if (!asked && s->device) {
        up_supervisor_refresh(s);
        trial = up_supervisor_phase(s) == UP_TRIAL && !up_supervisor_script_uncounted(s);
        if (!trial)
            count_end(s);
    }
    up_supervisor_tell_script(s);
    if (!trial)
        return;
    /* Even with code 0: on trial a script has to run until it is confirmed. */
    if (up_device_trial_failed(s->device, up_child_reason(s->script), &err) < 0)
        up_supervisor_warn("trial", &err);
    if (up_device_state(s->device)->tx.starts >= UP_TRIAL_STARTS)
        up_child_hurry(s->script); /* to the old release */
}

void up_supervisor_look_after_script(struct up_supervisor *s, bool over)
{
    uint64_t now = up_supervisor_now(s);

    if (up_supervisor_phase(s) == UP_TRIAL && s->intent < UP_INTENT_GIVE_UP && s->trial_until > 0 &&
        now >= s->trial_until) {
        s->trial_until = 0;
        if (s->lacks_cloud)
            up_supervisor_intend(s, UP_INTENT_GIVE_UP,
                                 "not confirmed before the deadline: no cloud answered");
        else
            up_supervisor_intend(s, UP_INTENT_ROLLBACK, "not confirmed before the deadline");
    }
    if (up_child_running(s->script)) {
        up_child_tick(s->script, s->begun);
        if (over)
            script_ended(s);
    }
    if (up_child_running(s->script)) {
        look_at_script(s);
        return;
    }
    s->look_at = 0;
    if (!swept(s))
        return;
    follow_intent(s);
    if (s->alone.up)
        up_supervisor_look_after_alone(s);
    else if (up_supervisor_now(s) >= up_supervisor_script_due(s))
        start_script(s);
}
