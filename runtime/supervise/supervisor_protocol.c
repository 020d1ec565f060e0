/*
 * What the children say: one line, one word and its rest (supervisor.h).
 */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "printable.h"
#include "supervisor_private.h"

#define LINES_AT_ONCE 32

/* Switch to what is armed; false if nothing is. */
static bool go_to_armed(struct up_supervisor *s)
{
    up_supervisor_refresh(s);
    if (up_supervisor_phase(s) != UP_ARMED)
        return false;
    if (up_device_has_core(s->device))
        up_supervisor_leave_to_restart(s, "a new core is armed");
    else
        up_supervisor_intend(s, UP_INTENT_TRIAL, "a new script is armed");
    return true;
}

static int check_lively(struct up_supervisor *s, struct up_error *err)
{
    if (!up_supervisor_has_script(s))
        return up_supervisor_alone_lively(s, err);
    return up_child_lively(s->script, up_supervisor_now(s))
               ? 0
               : up_fail(err, UP_DEFERRED, "the script gives no sign of life; confirm again when it works");
}

static void confirm(struct up_supervisor *s)
{
    struct up_error err;
    int n;

    s->confirm_by = 0;
    up_supervisor_refresh(s);
    n = up_supervisor_tried(s, &err);
    /* Looked at last: the script can end while the rest is. */
    if (n == 0 && up_supervisor_phase(s) == UP_TRIAL)
        n = check_lively(s, &err);
    if (n == 0)
        n = up_device_confirm(s->device, &err);
    up_supervisor_tell_answer(s, "confirm", n, &err);
    up_supervisor_tell_phase(s);
    if (n < 0)
        return;
    up_supervisor_say(s, "confirmed");
    up_supervisor_fix_settle(s); /* what is not for this release is not in force any more */
}

/* Between its start and its first heartbeat a script does not count as hanging.
 * Wait for that, but not so long that the caller has given up. */
static void hear_confirm(struct up_supervisor *s, const char *rest)
{
    (void)rest;
    up_supervisor_refresh(s);
    if (up_supervisor_phase(s) != UP_TRIAL || !up_supervisor_has_script(s) || up_child_beaten(s->script))
        confirm(s);
    else if (s->confirm_by == 0)
        s->confirm_by = up_supervisor_now(s) + (uint64_t)s->config->heartbeat * 500;
}

void up_supervisor_look_after_confirm(struct up_supervisor *s)
{
    if (s->confirm_by > 0 && (up_supervisor_phase(s) != UP_TRIAL || up_child_beaten(s->script) ||
                              up_supervisor_now(s) >= s->confirm_by))
        confirm(s);
}

static void hear_rollback(struct up_supervisor *s, const char *why)
{
    struct up_error err;
    enum up_phase phase;

    up_supervisor_refresh(s);
    phase = up_supervisor_phase(s);
    if (phase < UP_ARMED) {
        up_supervisor_tell_answer(
            s, "rollback",
            up_fail(&err, UP_NOTHING, "nothing to roll back: the device is %s", up_journal_phase_name(phase)),
            &err);
        return;
    }
    s->answer_rollback = true;
    /* An uncounted start runs the old script, or needs a restart: there is nothing to stop. */
    if (phase == UP_TRIAL && !up_supervisor_script_uncounted(s)) {
        up_supervisor_intend(s, UP_INTENT_ROLLBACK, why);
    } else {
        bool due = s->intent == UP_INTENT_TRIAL;

        up_printable_copy(s->why, sizeof s->why, why);
        s->intent = due ? UP_INTENT_ANEW : s->intent;
        up_supervisor_rollback(s, false);
        if (due && up_supervisor_phase(s) == UP_ARMED)
            s->intent = UP_INTENT_TRIAL; /* it could not be dropped, and is begun as it was asked for */
    }
}

static void hear_failed(struct up_supervisor *s, const char *why)
{
    up_supervisor_refresh(s);
    if (up_supervisor_phase(s) == UP_TRIAL && !up_supervisor_script_uncounted(s))
        up_child_kill(s->script, why);
}

static void hear_unreached(struct up_supervisor *s, const char *why)
{
    up_supervisor_refresh(s);
    if (up_supervisor_phase(s) == UP_TRIAL && !up_supervisor_script_uncounted(s))
        up_supervisor_intend(s, UP_INTENT_GIVE_UP, why);
}

static void hear_date(struct up_supervisor *s, const char *seconds)
{
    bool before, agrees;

    if (!s->device)
        return;
    before = up_device_time_trusted(s->device);
    agrees = up_device_witness(s->device, strtoull(seconds, NULL, 10));
    if (up_device_time_trusted(s->device) != before)
        up_supervisor_say(s, "the clock %s with a server whose certificate was verified",
                          agrees ? "agrees" : "disagrees");
}

/* The rest of a line after `word` and a space; NULL if it begins otherwise. */
static const char *after(const char *line, const char *word)
{
    size_t n = strlen(word);

    if (strncmp(line, word, n) != 0 || (line[n] != ' ' && line[n] != '\0'))
        return NULL;
    return line[n] ? line + n + 1 : "";
}

static void hear_beat(struct up_supervisor *s, const char *rest)
{
    (void)rest;
    up_supervisor_tell_ready(s);
    up_supervisor_tell_alive(s);
}

static void hear_armed(struct up_supervisor *s, const char *rest)
{
    (void)rest;
    up_supervisor_refresh(s);
    up_supervisor_say(s, "%s is armed", up_device_state(s->device)->tx.pair.release);
    up_supervisor_tell_phase(s);
}

static void hear_restart(struct up_supervisor *s, const char *rest)
{
    (void)rest;
    go_to_armed(s);
}

static void hear_resume(struct up_supervisor *s, const char *rest)
{
    (void)rest;
    up_supervisor_refresh(s);
    up_supervisor_tell_phase(s);
}

static void hear_lacks(struct up_supervisor *s, const char *what)
{
    s->lacks_cloud = up_supervisor_release_runs(s) && strcmp(what, "cloud") == 0;
}

static void hear_vouched(struct up_supervisor *s, const char *rest)
{
    (void)rest;
    if (!up_supervisor_has_script(s)) {
        up_supervisor_alone_vouched(s);
        return;
    }
    s->vouched = up_child_running(s->script) && up_supervisor_phase(s) == UP_TRIAL;
}

static void hear_agent(struct up_supervisor *s, const char *line)
{
    static const struct {
        const char *word;
        void (*hear)(struct up_supervisor *, const char *rest);
        const char *otherwise; /* the rest, if there is none */
    } words[] = {
        {"beat", hear_beat, ""},           {"armed", hear_armed, ""},
        {"restart", hear_restart, ""},     {"resume", hear_resume, ""},
        {"confirm", hear_confirm, ""},     {"rollback", hear_rollback, "asked for"},
        {"failed", hear_failed, "failed"}, {"unreached", hear_unreached, "no cloud answered"},
        {"lacks", hear_lacks, ""},         {"vouched", hear_vouched, ""},
        {"date", hear_date, ""},           {"hotfix", up_supervisor_hear_hotfix, ""},
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *rest = after(line, words[i].word);

        if (rest) {
            words[i].hear(s, *rest ? rest : words[i].otherwise);
            return;
        }
    }
    up_supervisor_say(s, "the agent says something unknown: %.80s", line);
}

static void hear_script(struct up_supervisor *s, const char *line)
{
    const char *why;

    if (after(line, "beat"))
        return;
    why = after(line, "restart");
    if (!why) {
        up_supervisor_say(s, "the script says something unknown: %.80s", line);
        return;
    }
    up_supervisor_say(s, "the script asks for a restart: %s", *why ? why : "no reason given");
    if (!go_to_armed(s))
        up_supervisor_intend(s, UP_INTENT_ANEW, why);
}

static bool hear(struct up_supervisor *s, struct up_child *child,
                 void (*handle)(struct up_supervisor *, const char *))
{
    for (int i = 0; i < LINES_AT_ONCE; i++) {
        const char *line = up_child_hear(child, up_supervisor_now(s));

        if (!line)
            return false;
        if (s->verbosity > 0 && strcmp(line, "beat") != 0)
            up_supervisor_say(s, "%s: %.200s", child == s->agent ? "agent" : "script", line);
        handle(s, line);
    }
    return true;
}

bool up_supervisor_hear_agent(struct up_supervisor *s)
{
    return hear(s, s->agent, hear_agent);
}

bool up_supervisor_hear_script(struct up_supervisor *s)
{
    return hear(s, s->script, hear_script);
}
