#include "supervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "files_helper.h"
#include "log.h"
#include "processes.h"
#include "rights.h"
#include "running.h"
#include "storage.h"
#include "supervisor_private.h"

#define READY_MS 20000 /* systemd waits 90 s, and would stop the script, too */
#define VERB_LOOK_MS 100
#define VERB_MS 5000 /* in which most verbs are over */
#define LATE_MS 1000 /* a turn of the loop this late is more than ordinary scheduling */

/* The children are down. 1: go on. */
static int restart(struct up_supervisor *s, struct up_error *err)
{
    if (s->config->restart == UP_RESTART_EXIT)
        return up_fail(err, UP_RESTART, "a restart of the device is due");
    up_supervisor_restart_device(s);
    return 1;
}

/*
 * The loop.
 */

/* Handle signals and lines from the children. True: there may be more. */
static bool hear_all(struct up_supervisor *s)
{
    bool more;

    up_supervisor_hear_signals(s);
    more = up_supervisor_hear_agent(s);
    return up_supervisor_hear_script(s) || more;
}

static void start_agent(struct up_supervisor *s)
{
    const char *argv[] = {s->program, "--agent", "-c", s->config->path, NULL, NULL};
    struct up_error err;

    if (s->verbosity != UP_NORMAL)
        argv[4] = s->verbosity == UP_QUIET ? "-q" : "-v";
    if (up_child_start(s->agent, argv, up_supervisor_now(s), &err) < 0) {
        up_supervisor_warn("agent", &err);
        return;
    }
    up_supervisor_say(s, "agent started (process %d)", (int)up_child_pid(s->agent));
    up_supervisor_refresh(s);
    up_supervisor_tell_phase(s);
    up_supervisor_tell_script(s);
    s->agent_knows = false;
}

static void look_after_agent(struct up_supervisor *s)
{
    if (!s->device)
        return;
    if (up_child_running(s->agent)) {
        up_child_tick(s->agent, s->begun);
        if (up_child_waits(s->agent))
            up_supervisor_tell_alive(s);
        if (up_child_over(s->agent)) {
            (void)up_supervisor_hear_agent(s);
            up_child_reap(s->agent, up_supervisor_now(s));
            up_supervisor_say(s, "agent %s", up_child_reason(s->agent));
            up_supervisor_tell_ready(s);
        }
    }
    if (!up_child_running(s->agent) && s->leave == UP_LEAVE_NOT &&
        up_supervisor_now(s) >= up_child_due(s->agent))
        start_agent(s);
}

/* Read its last lines before it is reaped. */
static void look_after_script(struct up_supervisor *s)
{
    bool over = up_child_running(s->script) && up_child_over(s->script);

    if (over)
        (void)up_supervisor_hear_script(s);
    up_supervisor_look_after_script(s, over);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static int poll_timeout(const struct up_supervisor *s)
{
    uint64_t now = up_supervisor_now(s), next = now + 60000;

    next = sooner(next, sooner(up_child_next_tick(s->agent), up_child_next_tick(s->script)));
    if (s->leave == UP_LEAVE_NOT && s->device && !up_child_running(s->agent))
        next = sooner(next, up_child_due(s->agent));
    next = sooner(next, up_supervisor_script_due(s));
    next = sooner(next, up_supervisor_hotfix_due(s));
    if (up_supervisor_phase(s) == UP_TRIAL && s->intent < UP_INTENT_GIVE_UP && s->trial_until > 0)
        next = sooner(next, s->trial_until);
    if (s->look_at > 0)
        next = sooner(next, s->look_at);
    if (s->leave == UP_LEAVE_NOT && s->restart_at > 0)
        next = sooner(next, s->restart_at);
    if (s->leave == UP_LEAVE_NOT && s->restart_at == 0) /* up_supervisor_tell_trouble() has set it */
        next = sooner(next, s->retry_at);
    if (s->confirm_by > 0)
        next = sooner(next, s->confirm_by);
    if (s->ready_by > 0)
        next = sooner(next, s->ready_by);
    if (s->sweep_until > 0 || s->fix.sweep_until > 0)
        next = sooner(next, now + UP_SWEEP_MS);
    return (int)(next > now ? next - now : 0);
}

static void wait_for_something(struct up_supervisor *s, int timeout)
{
    struct up_link_watch watches[3] = {
        {.link = up_child_link(s->agent), .write = up_child_wants_write(s->agent)},
        {.link = up_child_link(s->script), .write = up_child_wants_write(s->script)},
        {.link = up_child_link(s->tester)},
    };

    s->processes->ops->wait(s->processes, watches, up_child_running(s->tester) ? 3 : 2, timeout);
}

/* Both children are down: do what they were stopped for. 1: go on. */
static int follow_leave(struct up_supervisor *s, struct up_error *err)
{
    if (s->leave == UP_LEAVE_NOT || up_child_running(s->agent) || up_child_running(s->script) ||
        up_child_running(s->tester) || s->sweep_until > 0)
        return 1;
    if (s->leave == UP_LEAVE_STOP)
        return 0;
    return restart(s, err);
}

/*
 * We were frozen, stopped, or blocked in a write to slow flash: so were the
 * children, or they could not be heard. Silence and trial time count from now
 * on.
 */
static void notice_delay(struct up_supervisor *s)
{
    uint64_t now = up_supervisor_now(s), late = s->expected > 0 && now > s->expected ? now - s->expected : 0;

    s->begun = now;
    if (late < LATE_MS)
        return;
    up_supervisor_say(s,
                      "%llu s late, stopped or in a slow write: this time does not count against any process",
                      (unsigned long long)(late / 1000));
    up_child_forgive(s->agent, late, now);
    up_child_forgive(s->script, late, now);
    up_supervisor_fix_forgive(s, late, now);
    if (s->trial_until > 0)
        s->trial_until += late;
    s->stale = true;
}

int up_supervisor_step(struct up_supervisor *s, int *timeout, struct up_error *err)
{
    bool more;
    int n;

    notice_delay(s);
    more = hear_all(s);
    if (s->stale) { /* a heartbeat that was waiting to be read says nothing about now */
        up_child_doubt(s->script);
        s->stale = more;
    }

    look_after_agent(s);
    up_supervisor_look_after_trouble(s);
    look_after_script(s);
    up_supervisor_look_after_hotfix(s);
    up_supervisor_look_after_restart(s);
    up_supervisor_tell_trouble(s);
    up_supervisor_look_after_confirm(s);
    if (!s->device || s->leave != UP_LEAVE_NOT || up_supervisor_now(s) >= s->ready_by)
        up_supervisor_tell_ready(s);
    s->processes->ops->forget_orphans(s->processes, up_child_pid(s->agent), up_child_pid(s->script),
                                      up_child_pid(s->tester));
    n = follow_leave(s, err);
    *timeout = more ? 0 : poll_timeout(s);
    s->expected = s->begun + (uint64_t)*timeout;
    return n;
}

/* Be the only `moult run` of this state, until this process ends: a lock of its own, on the folder. It is no error if
 * that is not possible: the lock of the state then keeps out verbs, too. */
static int claim(struct up_supervisor *s, struct up_error *err)
{
    const struct up_storage_ops *ops = s->storage->ops;
    int dir = ops->open(s->storage, s->config->state, UP_READ, 0);
    bool taken;

    if (dir < 0)
        return 0;
    if (ops->lock(s->storage, dir) == 0) {
        s->claim = dir;
        return 0;
    }
    taken = errno == EWOULDBLOCK;
    ops->close(s->storage, dir);
    return taken ? up_fail(err, UP_BUSY, "state %s: another moult run is using it", s->config->state) : 0;
}

/* A verb that opened the state itself, because no agent was there, ends soon, or after a long transfer: it does not
 * keep the script from running. */
static int come_up(struct up_supervisor *s, enum up_start_action *action, struct up_error *err)
{
    uint64_t till = up_supervisor_now(s) + VERB_MS;
    int rc = up_device_come_up(&s->device, s->storage, s->config, &s->worker, action, &s->trouble, err);

    while (rc == UP_BUSY && s->claim >= 0 && s->leave == UP_LEAVE_NOT && up_supervisor_now(s) < till) {
        s->processes->ops->wait(s->processes, NULL, 0, VERB_LOOK_MS);
        up_supervisor_hear_signals(s);
        rc = up_device_come_up(&s->device, s->storage, s->config, &s->worker, action, &s->trouble, err);
    }
    if (rc != UP_BUSY || s->claim < 0)
        return rc;
    s->device = NULL;
    s->trouble = (struct up_trouble){false, *err};
    return 0;
}

/* Open the device, or go on without one if there is a script to run all the same. */
static int open_device(struct up_supervisor *s, enum up_start_action *action, struct up_error *err)
{
    char path[UP_SAID_SIZE];
    struct up_error ignored;

    if (claim(s, err) < 0 || come_up(s, action, err) < 0)
        return err->code;
    if (up_supervisor_script_path(s, path, sizeof path, &ignored) == 0 ||
        (s->device && !up_supervisor_has_script(s)))
        return 0;
    *err = s->trouble.cause;
    return err->code;
}

static int open_all(struct up_supervisor *s, struct up_error *err)
{
    enum up_start_action action;
    unsigned left;

    if (s->processes->ops->catch_signals(s->processes) < 0)
        return up_fail(err, UP_INTERNAL, "signals: %s", strerror(errno));
    if (s->processes->ops->adopt_orphans(s->processes) < 0)
        up_log("moult run: processes that the script left behind stay: %s", strerror(errno));
    up_supervisor_sweep(s); /* left by the script before we restarted */
    if (up_child_new(&s->agent, s->processes, "agent", s->config->heartbeat, err) < 0 ||
        up_child_new(&s->script, s->processes, "script", s->config->heartbeat, err) < 0 ||
        up_child_new(&s->helper, s->processes, "files", UP_HELPER_HANG, err) < 0 ||
        up_child_new(&s->tester, s->processes, "test", s->config->hotfix_time, err) < 0 ||
        open_device(s, &action, err) < 0)
        return err->code;
    left = s->processes->ops->kill_left(s->processes, s->config->state);
    if (left > 0)
        up_supervisor_say(
            s, "%u processes were left by a script whose supervisor was killed; they are killed, too", left);
    up_child_may_be_left(s->script, true);
    up_child_may_be_left(s->tester, true);
    up_supervisor_fix_settle(s);
    s->fix.read_at = 1; /* when the script runs */
    up_child_advise(s->script, "; split the long task, or raise heartbeat in the configuration");
    if ((s->config->script_user || s->config->control_group) &&
        up_rights_open_state(s->storage, s->config->state, err) < 0)
        up_supervisor_warn("other users may lack access to what they may use", err);
    if (action == UP_START_RESTART)
        up_supervisor_leave_to_restart(s, "the boot loader has to choose again");
    s->ready_by = up_supervisor_now(s) + READY_MS;
    return 0;
}

int up_supervisor_open(struct up_supervisor **out, const struct up_supervisor_options *options,
                       struct up_error *err)
{
    struct up_supervisor *s = calloc(1, sizeof *s);

    if (!s)
        return up_fail(err, UP_INTERNAL, "supervisor: not enough memory");
    s->config = options->config;
    s->program = options->program;
    s->verbosity = options->verbosity;
    s->storage = options->storage;
    s->processes = options->processes;
    s->running = options->running;
    if (options->config_flaw)
        s->other_config = (struct up_trouble){true, *options->config_flaw};
    s->claim = -1;
    s->worker = (struct up_files_worker){up_supervisor_files, s};
    up_notify_open(&s->notify);
    if (open_all(s, err) < 0) {
        up_supervisor_close(s);
        return err->code;
    }
    *out = s;
    return 0;
}

void up_supervisor_close(struct up_supervisor *s)
{
    if (!s)
        return;
    up_child_free(s->script);
    up_child_free(s->agent);
    up_child_free(s->helper);
    up_child_free(s->tester);
    up_files_alive_free(&s->alone.programs);
    up_device_close(s->device);
    if (s->claim >= 0)
        s->storage->ops->close(s->storage, s->claim);
    up_notify_close(&s->notify);
    s->processes->ops->release_signals(s->processes);
    free(s);
}

int up_supervisor_run(struct up_supervisor *s, struct up_error *err)
{
    int n, timeout;

    for (n = up_supervisor_step(s, &timeout, err); n > 0; n = up_supervisor_step(s, &timeout, err))
        wait_for_something(s, timeout);
    up_supervisor_close(s);
    return n;
}
