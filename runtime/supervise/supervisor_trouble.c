/*
 * What does not work about updating: reported once, told to the agent, retried.
 * The script runs meanwhile.
 */
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "status.h"
#include "supervisor_private.h"

#define RETRY_FIRST_MS 5000
#define RETRY_MOST_MS 60000

static const struct up_trouble *trouble(const struct up_supervisor *s)
{
    const struct up_trouble *t = s->device ? up_device_trouble(s->device) : &s->trouble;

    if (t->updates && s->no_restart.cause.code != UP_OK)
        return &s->no_restart;
    return t->cause.code == UP_OK && s->other_config.cause.code != UP_OK ? &s->other_config : t;
}

/* When to look again. Without trouble that is seldom, and does not write: a
 * file system may become read-only at any time. */
static void schedule(struct up_supervisor *s)
{
    bool wrong = !s->device || up_device_unfinished(s->device);

    if (wrong == (s->retry_delay > 0) && s->retry_at > 0)
        return;
    s->retry_delay = wrong ? RETRY_FIRST_MS : 0;
    s->retry_at = up_supervisor_now(s) + (wrong ? RETRY_FIRST_MS : RETRY_MOST_MS);
}

static void say(struct up_supervisor *s, const struct up_trouble *t)
{
    bool without = t->cause.code != UP_OK && !t->updates;

    if (s->without_updates && !without)
        up_supervisor_say(s, "updates work again");
    s->without_updates = without;
    s->agent_knows = false;
    if (without)
        up_supervisor_warn(
            !s->device && t->cause.code == UP_STATELOST
                ? "STATE LOST: the script runs WITHOUT UPDATES until the device is provisioned again"
                : "the script runs WITHOUT UPDATES",
            &t->cause);
    else if (t->cause.code != UP_OK)
        up_supervisor_warn("not in the way of updates", &t->cause);
}

/* Where the tree of files is stuck is read from the medium, so it is not asked more than needed. */
static void tell_mixed(struct up_supervisor *s)
{
    char path[UP_PATH_SIZE];
    bool mixed = s->device && up_status_mixed(s->device, path, sizeof path);

    if (mixed)
        up_child_tell(s->agent, "mixed %s", path);
    else if (s->mixed)
        up_child_tell(s->agent, "mixed");
    s->mixed = mixed;
}

static void tell_agent(struct up_supervisor *s, const struct up_trouble *t)
{
    tell_mixed(s);
    if (t->cause.code == UP_OK)
        up_child_tell(s->agent, "trouble none");
    else
        up_child_tell(s->agent, "trouble %s %s %s", t->updates ? "on" : "off", up_code_word(t->cause.code),
                      t->cause.message);
}

/* Ignore numbers: which half of a record it was is no news. */
static bool same(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "0123456789");
        b += strspn(b, "0123456789");
        if (*a != *b)
            return false;
        if (!*a)
            return true;
    }
}

void up_supervisor_tell_trouble(struct up_supervisor *s)
{
    const struct up_trouble *t = trouble(s);
    const char *message = t->cause.code == UP_OK ? "" : t->cause.message;
    bool news = !same(message, s->said) || s->without_updates != (*message && !t->updates);

    schedule(s);
    if (news) {
        snprintf(s->said, sizeof s->said, "%s", message);
        say(s, t);
    }
    if (s->mixed != (s->device && up_device_mixed(s->device)))
        s->agent_knows = false;
    if ((news || !s->agent_knows) && up_child_running(s->agent)) {
        tell_agent(s, t);
        s->agent_knows = true;
    }
}

/* The running script is not the one that should run, or its start was not
 * counted; or the same script is now on trial with another core, and that trial
 * has not begun. */
static void change_script(struct up_supervisor *s, bool trial_begun)
{
    char dir[UP_SAID_SIZE];
    struct up_error ignored;

    if (s->alone.up && !trial_begun && !up_supervisor_script_uncounted(s) &&
        up_supervisor_phase(s) == UP_TRIAL)
        up_supervisor_intend(s, UP_INTENT_ANEW, "the trial has not begun");
    if (!up_child_running(s->script) || up_supervisor_script_path(s, dir, sizeof dir, &ignored) < 0)
        return;
    if (strcmp(dir, s->started) != 0 ||
        (!trial_begun && !up_supervisor_script_uncounted(s) && up_supervisor_phase(s) == UP_TRIAL))
        up_supervisor_intend(s, UP_INTENT_ANEW, "another generation is to run");
}

void up_supervisor_look_after_trouble(struct up_supervisor *s)
{
    enum up_start_action action = UP_START_RUN;
    bool trial_begun = s->device && !up_supervisor_script_uncounted(s) && up_supervisor_phase(s) == UP_TRIAL;
    bool mixed = s->device && up_device_mixed(s->device);
    struct up_error err;

    if (s->retry_at == 0 || s->leave != UP_LEAVE_NOT || s->restart_at > 0 ||
        up_supervisor_now(s) < s->retry_at)
        return;
    s->retry_at = 0; /* up_supervisor_tell_trouble() sets the next time */
    if (s->retry_delay == 0) {
        up_device_check(s->device);
        return;
    }
    s->retry_delay = s->retry_delay * 2 < RETRY_MOST_MS ? s->retry_delay * 2 : RETRY_MOST_MS;
    s->retry_at = up_supervisor_now(s) + s->retry_delay;
    if (s->device)
        (void)!up_device_retry(s->device, &action, &err);
    else if (up_device_come_up(&s->device, s->storage, s->config, &s->worker, &action, &s->trouble, &err) < 0)
        s->trouble = (struct up_trouble){false, err};
    up_supervisor_tell_phase(s);
    if (mixed && s->device && !up_device_mixed(s->device))
        up_child_hurry(s->script);
    if (action == UP_START_RESTART)
        up_supervisor_leave_to_restart(s, "the boot loader has to choose again");
    else
        change_script(s, trial_begun);
}
