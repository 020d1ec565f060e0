/*
 * The restart of the device. The supervisor alone does it: a request after one
 * that was tried and did not happen waits for its time, and agent and script
 * keep working meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "error.h"
#include "processes.h"
#include "storage.h"
#include "supervisor.h"
#include "supervisor_private.h"

#define RETRY_MS 60000 /* the restart command ran and the device is still up */
#define RETRY_MOST_MS 3600000

static bool by_itself(const struct up_supervisor *s)
{
    return s->config->restart == UP_RESTART_SUPERVISOR;
}

static void will_not_restart(struct up_supervisor *s, const char *why)
{
    up_fail(&s->no_restart.cause, UP_RESTART, "the device is not restarted: %s: %s",
            by_itself(s) ? s->program : s->config->restart_argv[0], why);
}

/* Execute `moult run` again: with the boot driver `file` that is one boot. Returns if it fails, as while the program's
 * file is replaced. */
static int start_over(struct up_supervisor *s)
{
    const char *argv[] = {s->program, "run", "-c", s->config->path, NULL, NULL};

    if (s->verbosity != UP_NORMAL)
        argv[4] = s->verbosity == UP_QUIET ? "-q" : "-v";
    return s->processes->ops->become(s->processes, argv);
}

/* The device should go down now. If it stays up, that is retried. */
static void run_command(struct up_supervisor *s)
{
    s->restart_ran =
        (by_itself(s) ? start_over(s) : s->storage->ops->restart(s->storage, s->config->restart_argv)) == 0;
    if (!s->restart_ran)
        will_not_restart(s, strerror(errno));
    s->restart_delay = s->restart_delay ? s->restart_delay * 2 : RETRY_MS;
    if (s->restart_delay > RETRY_MOST_MS)
        s->restart_delay = RETRY_MOST_MS;
    s->restart_at = up_supervisor_now(s) + s->restart_delay;
    up_supervisor_say(s, "if the device is still up in %llu s, the restart is tried again",
                      (unsigned long long)(s->restart_delay / 1000));
}

void up_supervisor_restart_device(struct up_supervisor *s)
{
    run_command(s);
    s->leave = UP_LEAVE_NOT;
    up_child_may_be_left(s->agent, false);
    up_child_hurry(s->agent);
    up_child_hurry(s->script);
}

void up_supervisor_look_after_restart(struct up_supervisor *s)
{
    if (s->restart_at == 0 || s->leave != UP_LEAVE_NOT || up_supervisor_now(s) < s->restart_at)
        return;
    if (by_itself(s)) { /* the children are stopped first */
        s->restart_at = 0;
        up_supervisor_leave_to_restart(s, "it could not be done the last time");
        return;
    }
    if (s->restart_ran)
        will_not_restart(s, "it ran, and nothing happened");
    up_supervisor_say(s, "restarting the device: it did not go down the last time");
    run_command(s);
}

void up_supervisor_forget_restart(struct up_supervisor *s)
{
    s->restart_at = s->restart_delay = 0;
    s->no_restart.cause.code = UP_OK;
}
