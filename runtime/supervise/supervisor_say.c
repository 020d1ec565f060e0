/*
 * supervisor_say.c -- shared by the supervisor's files: the time, the phase,
 * messages to people, the agent and the service manager.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "log.h"
#include "printable.h"
#include "processes.h"
#include "supervisor.h"
#include "supervisor_private.h"

uint64_t up_supervisor_now(const struct up_supervisor *s)
{
    return s->storage->ops->monotonic(s->storage);
}

void up_supervisor_say(const struct up_supervisor *s, const char *format, ...)
{
    struct up_error line;
    va_list arguments;
    char text[sizeof line.message];

    if (s->verbosity < UP_NORMAL)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* It may contain text from a script, which must not control a terminal. */
    up_fail(&line, UP_OK, "%s", text);
    up_log("moult run: %s", line.message);
}

void up_supervisor_warn(const char *what, const struct up_error *err)
{
    up_log("moult run: %s: %s (%s)", what, err->message, up_code_word(err->code));
}

enum up_phase up_supervisor_phase(const struct up_supervisor *s)
{
    return s->device ? up_device_state(s->device)->phase : UP_IDLE;
}

bool up_supervisor_script_uncounted(const struct up_supervisor *s)
{
    return s->device && up_device_uncounted(s->device);
}

void up_supervisor_refresh(struct up_supervisor *s)
{
    struct up_error err;

    if (s->device && up_device_reload(s->device, &err) < 0)
        up_supervisor_warn("journal", &err);
}

void up_supervisor_tell_phase(struct up_supervisor *s)
{
    const char *phase = up_journal_phase_name(up_supervisor_phase(s));

    up_child_tell(s->agent, "phase %s", phase);
    up_notify_send(&s->notify, "STATUS=%s %s", s->config->project, phase);
}

/* Of the script, seconds since 1970; 0: it runs. */
static unsigned long long next_start(const struct up_supervisor *s)
{
    uint64_t now = up_supervisor_now(s), due = up_child_due(s->script);

    if (up_child_running(s->script))
        return 0;
    return s->storage->ops->now(s->storage) + (due > now ? (due - now + 999) / 1000 : 0);
}

void up_supervisor_tell_script(struct up_supervisor *s)
{
    bool counted = up_supervisor_phase(s) == UP_TRIAL && !up_supervisor_script_uncounted(s);
    unsigned starts = counted ? up_device_state(s->device)->tx.starts : 0;

    if (up_child_running(s->script) || (s->alone.up && s->alone.ended_at == 0))
        up_child_tell(s->agent, "script up %d %u%s",
                      up_child_running(s->script) ? (int)up_child_pid(s->script) : 0, starts,
                      s->vouched ? " vouched" : "");
    else if (s->alone.up)
        up_child_tell(s->agent, "script down %s", s->alone.why);
    else if (up_child_starts(s->script) > 0)
        up_child_tell(s->agent, "script down %s", up_child_reason(s->script));
    if (s->ends.times > 0 && s->ends.generation == up_device_generation(s->device))
        up_child_tell(s->agent, "script ended %u %llu %s", s->ends.times, next_start(s), s->ends.why);
}

void up_supervisor_tell_answer(struct up_supervisor *s, const char *verb, int result,
                               const struct up_error *err)
{
    if (result < 0)
        up_child_tell(s->agent, "answer %s %s %s", verb, up_code_word(result), err->message);
    else
        up_child_tell(s->agent, "answer %s ok", verb);
}

/*
 * Services that start after us may call the agent at once, so READY waits for
 * its first heartbeat, before which it listens. But an agent that cannot start
 * must not make us look hung.
 */
void up_supervisor_tell_ready(struct up_supervisor *s)
{
    if (s->ready_by == 0)
        return;
    s->ready_by = 0;
    up_notify_send(&s->notify, "READY=1\nSTATUS=%s %s", s->config->project,
                   up_journal_phase_name(up_supervisor_phase(s)));
}

void up_supervisor_tell_alive(struct up_supervisor *s)
{
    if (s->notify.watchdog)
        up_notify_send(&s->notify, "WATCHDOG=1");
}

/*
 * Stopping and restarting.
 */

/* Stop both children for this reason; a stronger earlier reason stays. */
static void leave(struct up_supervisor *s, enum up_leave how)
{
    if (s->leave == UP_LEAVE_STOP || s->leave == how)
        return;
    s->leave = how;
    up_notify_send(&s->notify, how == UP_LEAVE_STOP ? "STOPPING=1" : "STATUS=restarting");
    up_child_stop(s->script, up_supervisor_now(s));
    up_child_stop(s->agent, up_supervisor_now(s));
}

void up_supervisor_leave_to_restart(struct up_supervisor *s, const char *why)
{
    if (s->restart_at > 0)
        return;
    if (up_supervisor_phase(s) == UP_ARMED && !up_device_has_core(s->device))
        why = "new files wait for it";
    up_supervisor_say(s, "restarting the device: %s", why);
    /* What it has begun to write ends with the system. */
    up_child_may_be_left(s->agent, s->config->restart == UP_RESTART_COMMAND);
    leave(s, UP_LEAVE_RESTART);
}

/* Stop the script for `intent`; a stronger earlier intent stays. */
void up_supervisor_intend(struct up_supervisor *s, enum up_intent intent, const char *why)
{
    if (s->leave != UP_LEAVE_NOT || intent < s->intent)
        return;
    s->intent = intent;
    up_printable_copy(s->why, sizeof s->why, why);
    up_child_stop(s->script, up_supervisor_now(s));
}

static int next_signal(struct up_supervisor *s)
{
    return s->processes->ops->next_signal(s->processes);
}

void up_supervisor_hear_signals(struct up_supervisor *s)
{
    for (int number = next_signal(s); number != 0; number = next_signal(s)) {
        if (number == SIGHUP) { /* a closed terminal; many daemons reload their files for it */
            up_supervisor_say(s, "ignores SIGHUP; the configuration is read at the next start");
            continue;
        }
        if (s->leave != UP_LEAVE_STOP)
            up_supervisor_say(s, "stopping: %s", strsignal(number));
        leave(s, UP_LEAVE_STOP);
    }
}
