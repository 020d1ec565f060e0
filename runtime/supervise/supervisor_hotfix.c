/*
 * supervisor_hotfix.c -- the agent's orders about hotfixes: one is put in force, and tested while
 * the device runs (supervisor_hotfix_test.c); one is undone.
 *
 * The ledger is changed by these two files only (hotfix.h); the agent hears of each result:
 *
 *     from it:  hotfix apply ID live|plain | hotfix undo one|all live|plain NAME | hotfix handled yes|no |
 *               hotfix again ID | hotfix erred MESSAGE | hotfix ill MESSAGE | hotfix bad MESSAGE
 *     to it:    hotfix take ID | hotfix leave ID | answer hotfix ok STATE | answer hotfix CODE MESSAGE
 *
 * `again` runs the test of one that is in force; the answer is "passed" or "failed", and nothing else follows.
 */
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "supervisor_private.h"

/* What it is called, and whether the script has to do with it. */
static void name_it(struct up_supervisor *s, const char *id)
{
    struct up_hotfix_ledger ledger;
    const struct up_hotfix *h;
    struct up_error ignored;

    snprintf(s->fix.id, sizeof s->fix.id, "%s", id);
    snprintf(s->fix.name, sizeof s->fix.name, "hotfix %s", id);
    s->fix.lua = true;
    s->fix.opaque = false;
    h = up_hotfix_ledger(s->device, &ledger, &ignored) < 0 ? NULL : up_hotfix_ledger_find_id(&ledger, id);
    if (!h)
        return;
    snprintf(s->fix.name, sizeof s->fix.name, "hotfix %s %s", h->name, h->version);
    s->fix.lua = h->lua;
    s->fix.opaque = up_hotfix_ledger_is_opaque(h);
}

/* Whether an order about a hotfix can be carried out now; the agent that gives it runs with a device alone. Errors:
 * UP_BUSY. */
static int check_order(struct up_supervisor *s, const char *what, struct up_error *err)
{
    if (s->fix.turn != UP_FIX_NONE || up_child_running(s->tester))
        return up_fail(err, UP_BUSY, "hotfix %s: another one is being tested or undone", what);
    return 0;
}

/* What is for a handler needs one. False: there is none, and it has ended. */
static bool find_handler(struct up_supervisor *s)
{
    struct up_error err, why;

    if (!s->fix.opaque || s->fix.live)
        return true;
    (void)!up_fail(&err, UP_INCOMPATIBLE, "%s: only a handler of the script can take it, and there is none",
                   s->fix.name);
    if (up_hotfix_not_switched(s->device, "there is no handler for it", &why) < 0)
        up_supervisor_warn(s->fix.name, &why);
    up_supervisor_say(s, "%s", err.message);
    up_supervisor_tell_answer(s, "hotfix", err.code, &err);
    return false;
}

/* Its files, before anything is tested. False: they are not in place, and it has ended. */
static bool put_files(struct up_supervisor *s)
{
    struct up_error err, why;
    bool failed;
    int rc;

    if (up_hotfix_switch(s->device, &failed, &err) == 0)
        return true;
    up_supervisor_say(s, "%s: its files are not in place: %s", s->fix.name, err.message);
    rc = failed ? up_hotfix_failed(s->device, err.message, &why)
                : up_hotfix_not_switched(s->device, err.message, &why);
    if (rc < 0)
        up_supervisor_warn(s->fix.name, &why);
    up_supervisor_tell_answer(s, "hotfix", failed ? UP_ROLLEDBACK : err.code, &err);
    return false;
}

static void hear_apply(struct up_supervisor *s, const char *id, bool live)
{
    struct up_error err;

    up_supervisor_refresh(s);
    up_supervisor_fix_settle(s);
    if (check_order(s, id, &err) < 0 || up_hotfix_test(s->device, id, &err) < 0) {
        up_supervisor_tell_answer(s, "hotfix", err.code, &err);
        return;
    }
    name_it(s, id);
    s->fix.live = live && up_child_running(s->script);
    s->fix.called_failed[0] = '\0';
    s->fix.until = up_supervisor_now(s) + (uint64_t)s->config->hotfix_time * 1000;
    if (find_handler(s) && put_files(s))
        up_supervisor_fix_begin(s);
}

static void hear_undo(struct up_supervisor *s, const char *name, bool all, bool live)
{
    struct up_hotfix_ledger ledger;
    struct up_hotfix *h = NULL;
    struct up_error err;
    int rc = check_order(s, name, &err);

    if (rc == 0)
        rc = up_hotfix_ledger(s->device, &ledger, &err);
    if (rc == 0) {
        h = up_hotfix_ledger_find_active(&ledger, name);
        if (h)
            name_it(s, h->id);
        rc = up_hotfix_undo(s->device, name, all, &err);
    }
    up_supervisor_tell_answer(s, "hotfix", rc, &err);
    if (rc < 0)
        return;
    s->fix.live = live && !all;
    s->fix.lua = s->fix.lua || all;
    up_supervisor_say(s, "hotfix %s: undone as ordered", name);
    up_supervisor_fix_take_out(s);
}

static void hear_again(struct up_supervisor *s, const char *id)
{
    struct up_error err;

    if (check_order(s, id, &err) < 0 || up_hotfix_check_in_force(s->device, id, &err) < 0) {
        up_supervisor_tell_answer(s, "hotfix", err.code, &err);
        return;
    }
    name_it(s, id);
    up_supervisor_fix_begin_again(s);
}

void up_supervisor_hear_hotfix(struct up_supervisor *s, const char *rest)
{
    char how[8], many[8], word[UP_HOTFIX_ID_SIZE];
    int at = 0;

    if (sscanf(rest, "apply %16s %7s", word, how) == 2)
        hear_apply(s, word, strcmp(how, "live") == 0);
    else if (sscanf(rest, "undo %7s %7s %n", many, how, &at) == 2 && rest[at])
        hear_undo(s, rest + at, strcmp(many, "all") == 0, strcmp(how, "live") == 0);
    else if (sscanf(rest, "again %16s", word) == 1)
        hear_again(s, word);
    else if (strncmp(rest, "erred ", 6) == 0)
        up_supervisor_fix_failed(s, "a task of the script failed", rest + 6);
    else if (strncmp(rest, "ill ", 4) == 0)
        up_supervisor_fix_failed(s, "policy", rest + 4);
    else if (strncmp(rest, "bad ", 4) == 0)
        up_supervisor_fix_called_failed(s, rest + 4);
    else if (sscanf(rest, "handled %7s", word) == 1)
        up_supervisor_fix_handled(s, strcmp(word, "yes") == 0);
}
