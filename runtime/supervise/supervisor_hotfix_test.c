/*
 * supervisor_hotfix_test.c -- a hotfix while it is tested or undone, and when the script starts with it.
 *
 *     in force -> the handler of the script takes it, or the script is started anew
 *              -> test.lua, in a process of its own with the script's rights
 *              -> the script lives on for a while -> fresh
 *
 * What fails undoes it: then its handler takes it out again, or the script is
 * started without it. All of it has `hotfix_time` seconds.
 */
#include <stdio.h>

#include "error.h"
#include "printable.h"
#include "processes.h"
#include "supervisor_private.h"

#define ALIVE_MS 10000     /* that the script has to live after the test; less if hotfix_time is short */
#define READ_EVERY_MS 20   /* between two of them that are read */
#define LEAVE_MS 10000     /* for the handler, to take it out again */
#define LOOK_EVERY_MS 1000 /* at the programs, where there is no script */

static uint64_t alive_ms(const struct up_supervisor *s)
{
    uint64_t part = (uint64_t)s->config->hotfix_time * 250;

    return part < ALIVE_MS ? part : ALIVE_MS;
}

static bool is_tested(const struct up_supervisor *s)
{
    return s->fix.turn != UP_FIX_NONE && s->fix.turn != UP_FIX_LEFT && s->fix.turn != UP_FIX_AGAIN;
}

/* Start the script again, with or without it, if there is one. */
static void start_anew(struct up_supervisor *s, enum up_fix_turn turn, const char *why)
{
    s->fix.turn = turn;
    if (up_supervisor_has_script(s))
        up_supervisor_intend(s, UP_INTENT_FIX, why);
}

void up_supervisor_fix_take_out(struct up_supervisor *s)
{
    up_child_kill(s->tester, "is not needed any more");
    if (!s->fix.live || !up_child_running(s->script)) {
        s->fix.turn = UP_FIX_NONE;
        if (s->fix.lua)
            start_anew(s, UP_FIX_NONE, "a hotfix was undone");
        return;
    }
    s->fix.turn = UP_FIX_LEFT;
    s->fix.start = up_child_starts(s->script);
    s->fix.until = up_supervisor_now(s) + LEAVE_MS;
    up_child_tell(s->agent, "hotfix leave %s", s->fix.id);
}

static void fail(struct up_supervisor *s, const char *why)
{
    struct up_error err, cause;

    up_fail(&cause, UP_ROLLEDBACK, "%s: %s; it is undone", s->fix.name, why);
    if (up_hotfix_failed(s->device, why, &err) < 0)
        up_supervisor_warn(s->fix.name, &err);
    up_supervisor_say(s, "%s", cause.message);
    up_supervisor_tell_answer(s, "hotfix", UP_ROLLEDBACK, &cause);
    up_supervisor_fix_take_out(s);
}

static void pass(struct up_supervisor *s)
{
    struct up_error err;
    int n = up_hotfix_passed(s->device, s->fix.led, &err);

    if (n < 0) {
        fail(s, err.message);
        return;
    }
    s->fix.turn = UP_FIX_NONE;
    up_supervisor_say(s, "%s: passed its test", s->fix.name);
    up_child_tell(s->agent, "answer hotfix ok %s",
                  up_hotfix_ledger_state_name(s->fix.lua ? UP_HOTFIX_FRESH : UP_HOTFIX_APPLIED));
    if (s->fix.led)
        s->fix.lived_at = s->fix.led_at + UP_HOTFIX_LIVED_MS;
}

/* The script has it. */
static void live_on(struct up_supervisor *s)
{
    s->fix.turn = UP_FIX_ALIVE;
    s->fix.alive_at = up_supervisor_now(s) + alive_ms(s);
}

/* Start test.lua: 1, or 0 if there is none. */
static int start_tester(struct up_supervisor *s, struct up_error *err)
{
    char path[UP_PATH_SIZE], tree[UP_PATH_SIZE];
    struct up_script_words words;
    struct up_stat st;

    up_hotfix_path(s->device, s->fix.id, "test.lua", path, sizeof path);
    if (s->storage->ops->stat(s->storage, path, &st) < 0)
        return 0;
    up_hotfix_overlays(s->device, s->fix.id, true, s->overlays, sizeof s->overlays);
    up_supervisor_script_words(s, up_hotfix_path(s->device, s->fix.id, "", tree, sizeof tree), &words);
    return up_child_start(s->tester, words.argv, up_supervisor_now(s), err) < 0 ? err->code : 1;
}

static void try_it(struct up_supervisor *s)
{
    struct up_error err;
    int started;

    s->fix.start = up_child_starts(s->script);
    s->fix.turn = UP_FIX_TEST;
    up_supervisor_alone_forget(s);
    started = start_tester(s, &err);
    if (started < 0)
        fail(s, err.message);
    else if (started == 0)
        live_on(s);
}

void up_supervisor_fix_begin(struct up_supervisor *s)
{
    up_supervisor_say(s, "%s: in force, and on test", s->fix.name);
    s->fix.led = false;
    if (s->fix.live) {
        s->fix.turn = UP_FIX_TAKEN;
        s->fix.start = up_child_starts(s->script);
        up_child_tell(s->agent, "hotfix take %s", s->fix.id);
    } else if (up_supervisor_has_script(s) && (s->fix.lua || !up_child_running(s->script))) {
        start_anew(s, UP_FIX_ANEW, "a hotfix comes");
    } else {
        try_it(s);
    }
}

/* Whether the script that has it is gone. */
static bool is_gone(const struct up_supervisor *s)
{
    return up_supervisor_has_script(s) &&
           (!up_child_running(s->script) || up_child_starts(s->script) != s->fix.start);
}

void up_supervisor_fix_handled(struct up_supervisor *s, bool yes)
{
    if (s->fix.turn == UP_FIX_TAKEN && s->fix.called_failed[0])
        fail(s, s->fix.called_failed);
    else if (s->fix.turn == UP_FIX_TAKEN && yes)
        try_it(s);
    else if (s->fix.turn == UP_FIX_TAKEN)
        fail(s, "its handler did not take it");
    else if (s->fix.turn == UP_FIX_LEFT && (yes || is_gone(s) || !s->fix.lua)) /* a new script never had it */
        s->fix.turn = UP_FIX_NONE;
    else if (s->fix.turn == UP_FIX_LEFT)
        start_anew(s, UP_FIX_NONE, "a hotfix was undone");
}

/* Before the script has it, that is not its fault. */
void up_supervisor_fix_failed(struct up_supervisor *s, const char *what, const char *message)
{
    char why[UP_HOTFIX_WHY_SIZE];

    if (s->fix.turn != UP_FIX_TEST && s->fix.turn != UP_FIX_ALIVE)
        return;
    snprintf(why, sizeof why, "%s: %s", what, message);
    fail(s, why);
}

/* A handler that is at it answers first, so that its answer is not taken for that to the order to leave it. */
void up_supervisor_fix_called_failed(struct up_supervisor *s, const char *why)
{
    if (s->fix.turn == UP_FIX_TAKEN)
        up_printable_copy(s->fix.called_failed, sizeof s->fix.called_failed, why);
    else if (is_tested(s))
        fail(s, why);
}

/* How the test of one in force ended, which changes nothing. */
static void end_again(struct up_supervisor *s, bool passed, const char *why)
{
    up_child_kill(s->tester, "is not needed any more");
    s->fix.turn = UP_FIX_NONE;
    up_supervisor_say(s, "%s: tested again: %s", s->fix.name, why);
    up_child_tell(s->agent, "answer hotfix ok %s", passed ? "passed" : "failed");
}

void up_supervisor_fix_begin_again(struct up_supervisor *s)
{
    struct up_error err;
    int started;

    s->fix.turn = UP_FIX_AGAIN;
    s->fix.until = up_supervisor_now(s) + (uint64_t)s->config->hotfix_time * 1000;
    started = start_tester(s, &err);
    if (started <= 0)
        end_again(s, started == 0, started == 0 ? "it has no test.lua" : err.message);
}

void up_supervisor_fix_settle(struct up_supervisor *s)
{
    struct up_error err;

    if (s->device && s->fix.turn == UP_FIX_NONE && up_hotfix_settle(s->device, false, &err) < 0)
        up_supervisor_warn("hotfixes", &err);
}

void up_supervisor_fix_before_start(struct up_supervisor *s)
{
    bool tested = is_tested(s);
    struct up_error err;
    int fresh;

    s->overlays[0] = '\0';
    if (!s->device)
        return;
    up_supervisor_fix_settle(s);
    fresh = up_hotfix_count_start(s->device, &err);
    if (fresh < 0)
        up_supervisor_warn("hotfixes", &err);
    up_hotfix_overlays(s->device, tested ? s->fix.id : NULL, fresh > 0, s->overlays, sizeof s->overlays);
    if (fresh > 0)
        s->fix.lived_at = up_supervisor_now(s) + UP_HOTFIX_LIVED_MS;
    s->fix.led = tested;
    s->fix.led_at = up_supervisor_now(s);
}

/* We are told to stop: it never was. */
static void cancel(struct up_supervisor *s)
{
    struct up_error err;

    up_child_kill(s->tester, "is not needed any more");
    if (is_tested(s) && up_hotfix_cancel(s->device, &err) < 0)
        up_supervisor_warn("hotfixes", &err);
    s->fix.turn = UP_FIX_NONE;
}

/* Somebody ordered the end of the script: that says nothing about the hotfix, which comes again later. */
static void put_off(struct up_supervisor *s)
{
    struct up_error err;

    cancel(s);
    (void)!up_fail(&err, UP_BUSY, "%s: the script was ended as ordered during its test; try again later",
                   s->fix.name);
    up_supervisor_say(s, "%s", err.message);
    up_supervisor_tell_answer(s, "hotfix", UP_BUSY, &err);
}

void up_supervisor_fix_script_ended(struct up_supervisor *s, bool asked)
{
    struct up_error err;

    if (asked && s->leave == UP_LEAVE_NOT && s->intent != UP_INTENT_FIX && is_tested(s))
        put_off(s);
    if (s->fix.lived_at > 0 && asked && up_hotfix_uncount_start(s->device, &err) < 0)
        up_supervisor_warn("hotfixes", &err);
    s->fix.lived_at = 0;
}

void up_supervisor_fix_forgive(struct up_supervisor *s, uint64_t late, uint64_t now)
{
    up_child_forgive(s->tester, late, now);
    if (s->fix.turn != UP_FIX_NONE) {
        s->fix.until += late;
        s->fix.alive_at += late;
        s->fix.led_at += late;
    }
    if (s->fix.lived_at > 0)
        s->fix.lived_at += late;
}

/* The child that runs test.lua. True: it has ended. */
static bool look_after_tester(struct up_supervisor *s)
{
    if (!up_child_running(s->tester))
        return false;
    while (up_child_hear(s->tester, up_supervisor_now(s)))
        continue;
    up_child_tick(s->tester, s->begun);
    if (!up_child_over(s->tester))
        return false;
    up_child_reap(s->tester, up_supervisor_now(s));
    s->fix.sweep_until = up_supervisor_now(s) + UP_SWEEP_MOST_MS;
    return true;
}

/* What a test started ends with it. */
static void sweep(struct up_supervisor *s)
{
    if (s->fix.sweep_until > 0 &&
        (s->processes->ops->kill_orphans(s->processes, UP_ORPHANS_OF_TEST, up_child_pid(s->script),
                                         up_child_pid(s->tester)) == 0 ||
         up_supervisor_now(s) >= s->fix.sweep_until))
        s->fix.sweep_until = 0;
}

/* Whether it has lived long enough. */
static bool has_lived(const struct up_supervisor *s)
{
    return s->fix.turn == UP_FIX_ALIVE && up_supervisor_now(s) >= s->fix.alive_at;
}

/* Where there is no script, the programs that it started have to live; why not, if one does not. Before it passes they
 * are looked at once more. */
static bool has_ended(struct up_supervisor *s, char why[UP_HOTFIX_WHY_SIZE])
{
    struct up_error err;

    if (up_supervisor_has_script(s) || (up_supervisor_now(s) < s->fix.look_at && !has_lived(s)))
        return false;
    s->fix.look_at = up_supervisor_now(s) + LOOK_EVERY_MS;
    if (up_supervisor_alone_look(s, &err) == 0)
        return false;
    snprintf(why, UP_HOTFIX_WHY_SIZE, "%.*s", UP_HOTFIX_WHY_SIZE - 1, err.message);
    return true;
}

static void look_after_test(struct up_supervisor *s, bool tester_over)
{
    char why[UP_HOTFIX_WHY_SIZE];

    if (s->fix.turn == UP_FIX_ANEW && s->fix.led && up_child_running(s->script)) {
        try_it(s);
    } else if (s->fix.turn != UP_FIX_ANEW && is_gone(s)) {
        snprintf(why, sizeof why, "the script %s", up_child_reason(s->script));
        fail(s, why);
    } else if (has_ended(s, why)) {
        fail(s, why);
    } else if (s->fix.turn == UP_FIX_TEST && tester_over) {
        snprintf(why, sizeof why, "test.lua %s", up_child_reason(s->tester));
        if (up_child_succeeded(s->tester))
            live_on(s);
        else
            fail(s, why);
    } else if (has_lived(s)) {
        pass(s);
    } else if (up_supervisor_now(s) >= s->fix.until) {
        snprintf(why, sizeof why, "no result within %u s", s->config->hotfix_time);
        fail(s, why);
    }
}

static void look_after_again(struct up_supervisor *s, bool tester_over)
{
    if (tester_over)
        end_again(s, up_child_succeeded(s->tester), up_child_reason(s->tester));
    else if (up_supervisor_now(s) >= s->fix.until)
        end_again(s, false, "no result in time");
}

static bool is_to_read(const struct up_supervisor *s)
{
    return s->fix.read_at > 0 && s->device && s->fix.turn == UP_FIX_NONE && up_supervisor_release_runs(s);
}

/* Compare the next one with what was signed; the script runs meanwhile. */
static void read_next(struct up_supervisor *s)
{
    struct up_error err;
    int rc;

    if (!is_to_read(s) || up_supervisor_now(s) < s->fix.read_at)
        return;
    rc = up_hotfix_inspect(s->device, s->fix.read, &err);
    s->fix.read++;
    s->fix.read_at = rc == UP_AGAIN ? up_supervisor_now(s) + READ_EVERY_MS : 0;
    if (rc == 0 || rc == UP_AGAIN)
        return;
    up_supervisor_warn("hotfixes", &err);
    if (rc == UP_CORRUPT && up_hotfix_settle(s->device, true, &err) < 0)
        up_supervisor_warn("hotfixes", &err);
    if (rc == UP_CORRUPT)
        start_anew(s, UP_FIX_NONE, "a hotfix was dropped");
}

void up_supervisor_look_after_hotfix(struct up_supervisor *s)
{
    bool tester_over = look_after_tester(s);
    struct up_error err;

    sweep(s);
    if (s->leave != UP_LEAVE_NOT && s->fix.turn != UP_FIX_NONE)
        cancel(s);
    if (is_tested(s))
        look_after_test(s, tester_over);
    else if (s->fix.turn == UP_FIX_AGAIN)
        look_after_again(s, tester_over);
    else if (s->fix.turn == UP_FIX_LEFT && up_supervisor_now(s) >= s->fix.until)
        up_supervisor_fix_handled(s, false);
    if (s->fix.lived_at > 0 && up_supervisor_now(s) >= s->fix.lived_at) {
        s->fix.lived_at = 0;
        if (up_hotfix_lived(s->device, &err) < 0)
            up_supervisor_warn("hotfixes", &err);
    }
    read_next(s);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return b < a ? b : a;
}

uint64_t up_supervisor_hotfix_due(const struct up_supervisor *s)
{
    uint64_t due = up_child_next_tick(s->tester);

    if (s->fix.lived_at > 0)
        due = sooner(due, s->fix.lived_at);
    if (s->fix.turn != UP_FIX_NONE)
        due = sooner(due, s->fix.until);
    else if (is_to_read(s))
        due = sooner(due, s->fix.read_at);
    if (is_tested(s) && !up_supervisor_has_script(s))
        due = sooner(due, s->fix.look_at);
    return s->fix.turn == UP_FIX_ALIVE ? sooner(due, s->fix.alive_at) : due;
}
