/*
 * supervisor.h -- start and watch the agent and the script; no Lua.
 *
 * Holds <state>/lock, plays or asks the boot loader, counts trial starts,
 * enforces the deadline, restarts children with back-off, speaks sd_notify.
 * Lines between supervisor and children (child.h), one word and its rest:
 *
 *     from both     beat
 *     from agent    armed | restart | confirm | rollback REASON | failed REASON
 *     from script   restart REASON
 *     to agent      phase WORD | script up PID START | script down REASON
 *                   answer confirm|rollback ok | answer confirm|rollback CODE MESSAGE
 *
 * The service manager is told READY=1 at the agent's first beat, which it sends
 * when it listens on <state>/control; or when it cannot start, or after 20 s.
 *
 * START counts the starts of a trial, 0 outside of one. A confirm is answered
 * "deferred" until the script that is on trial has beaten lately: a script
 * that hangs must not be confirmed before its silence is noticed.
 *
 * The phases armed, trial, confirming and rolling_back of the journal are
 * written here and nowhere else while this runs.
 */
#ifndef UP_SUPERVISOR_H
#define UP_SUPERVISOR_H

struct up_config;
struct up_error;

enum up_verbosity { UP_QUIET = -1, UP_NORMAL = 0, UP_VERBOSE = 1 };

/* Run until told to stop (SIGTERM, SIGINT, SIGHUP: 0) or until a restart is
 * due and the configuration says exit (UP_RESTART). `program` is the host's
 * absolute path; to start over it is executed again in this process. A state
 * that cannot be read (UP_STATELOST) does not stop the device: the script of
 * <state>/script/current runs, without updates.
 * Errors: those of up_device_open() and up_device_start(). */
int up_supervisor_run(const struct up_config *config, const char *program, enum up_verbosity verbosity,
                      struct up_error *err);

#endif
