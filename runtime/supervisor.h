/*
 * supervisor.h -- start and watch the agent and the script; no Lua.
 *
 * Holds <state>/lock, plays or asks the boot loader, counts trial starts,
 * enforces the deadline, restarts children with back-off, speaks sd_notify.
 */
#ifndef UP_SUPERVISOR_H
#define UP_SUPERVISOR_H

struct up_config;
struct up_error;

/* Run until told to stop (SIGTERM, SIGINT: 0) or until a restart is due and
 * the configuration says exit (UP_RESTART). `program` is the host's path.
 * Errors: those of up_device_open() and up_device_start(). */
int up_supervisor_run(const struct up_config *config, const char *program, struct up_error *err);

#endif
