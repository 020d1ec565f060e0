/*
 * supervisor.h -- start and watch the agent and the script; no Lua.
 *
 * Holds <state>/lock, asks the boot loader or acts as one, counts trial starts,
 * enforces the deadline, restarts children with back-off, speaks sd_notify.
 * Lines between supervisor and children (child.h), one word and its rest:
 *
 *     from both     beat
 *     from agent    armed | restart | resume | confirm | rollback REASON | failed REASON |
 *                   lacks cloud|more | vouched | unreached REASON | date SECONDS
 *     from script   restart REASON
 *     to agent      phase WORD | script up PID START [vouched] | script down REASON
 *                   script ended TIMES NEXT REASON
 *                   trouble none | trouble on|off CODE MESSAGE
 *                   answer confirm|rollback ok | answer confirm|rollback CODE MESSAGE
 *
 * If the supervisor itself was late (stopped, frozen, in a slow write), that
 * time is not held against anybody: children get a heartbeat period from then
 * on.
 *
 * The service manager gets READY=1 at the agent's first heartbeat, which it
 * sends when it listens on <state>/control; or when the agent cannot start, or
 * after 20 s. START counts the starts of a trial, 0 outside of one. A confirm
 * waits for the first heartbeat of the script on trial, for at most half of the
 * heartbeat period, and is answered "deferred" if that is not recent: a hanging
 * script must not be confirmed before its silence is noticed.
 *
 * "ended": how often this generation ended by itself or was killed, outside of
 * a trial and since the supervisor started; when it is restarted (seconds since
 * 1970; 0: it runs); and why it ended the last time.
 *
 * "lacks cloud": an answer of a cloud is all that is missing to confirm what
 * runs on trial. At the deadline that is no proof against the release: see
 * up_device_unreached(). "unreached": policy does not wait that long.
 *
 * Without a script PID is 0, and "down" says which program that was started with
 * the new files has ended.
 *
 * "vouched": somebody called the start that runs on trial good. The next agent
 * is told, because the caller was told that it counts.
 *
 * Problems with updating are trouble: the script runs all the same, and they
 * are retried every minute. "on": updates work, only leftovers or what is for
 * people are affected. "resume": the agent left a phase to us (rolling_back).
 *
 * "date" is the time according to a verified TLS peer: to confirm, we have to
 * know whether the clock is right (up_device_witness()).
 *
 * The phases armed, trial, confirming and rolling_back of the journal are
 * written here and nowhere else while this runs.
 */
#ifndef UP_SUPERVISOR_H
#define UP_SUPERVISOR_H

#include "error.h"

struct up_config;
struct up_processes;
struct up_running_table;
struct up_storage;
struct up_supervisor;

enum up_verbosity { UP_QUIET = -1, UP_NORMAL = 0, UP_VERBOSE = 1 };

/* All of it is kept and must outlive the supervisor. */
struct up_supervisor_options {
    const struct up_config *config;
    const char *program; /* the host's absolute path; to start over it is executed again in this process */
    enum up_verbosity verbosity;
    struct up_storage *storage;
    struct up_processes *processes;
    struct up_running_table *running;   /* who runs what; not asked without files */
    const struct up_error *config_flaw; /* of the owner's, when this is the kept copy; or NULL */
};

/* Find the device and its script. Whatever is wrong with the state does not stop
 * the device: see up_device_come_up(); nor does a verb that holds the state's
 * lock, for longer than 5 s. Errors: UP_BUSY another supervisor; UP_USAGE not
 * provisioned; UP_STATELOST and others if there is no script to run either;
 * UP_INTERNAL. */
UP_MUST_CHECK int up_supervisor_open(struct up_supervisor **out, const struct up_supervisor_options *options,
                                     struct up_error *err);

/* Run until told to stop (SIGTERM, SIGINT: 0), or until a restart is due and
 * the configuration says exit (UP_RESTART); closes it. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_supervisor_run(struct up_supervisor *s, struct up_error *err);

/*
 * The same in steps, for a caller that waits in another way:
 *
 *     step [wait as long as it says] step ... -> close
 */

/* Read lines, look after both children, restart the device when that is due;
 * waits only for a restart command. 1: call again when a child sends something
 * or ends, a signal arrives, or after *timeout ms. 0: stopped. Errors:
 * UP_RESTART. */
UP_MUST_CHECK int up_supervisor_step(struct up_supervisor *s, int *timeout, struct up_error *err);
/* Kills children that still run. NULL is allowed. */
void up_supervisor_close(struct up_supervisor *s);

#endif
