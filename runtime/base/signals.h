/*
 * signals.h -- poll for SIGTERM and SIGINT, and if asked for it, SIGHUP.
 *
 * While this is open the signals do not end the process; it ends in order when
 * it is ready. Processes that it starts inherit the blocked signals unless
 * their mask is reset, as program.h and the policy process do.
 */
#ifndef UP_SIGNALS_H
#define UP_SIGNALS_H

#include <stdbool.h>

#include "error.h"

struct up_signals;

/* Without `hangup` SIGHUP does what it did before. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_signals_open(struct up_signals **out, bool hangup, struct up_error *err);
int up_signals_fd(const struct up_signals *s); /* readable when one came */
/* The next one, SIGTERM, SIGINT or SIGHUP; UP_AGAIN if there is none. */
int up_signals_next(struct up_signals *s);
/* From now on SIGTERM comes, too, when the process that started this one ends, however it ends; or with `at_once`
 * SIGKILL, also to a process that waits for something or is stopped. */
void up_signals_follow_parent(bool at_once);
/* Restore the earlier signal handling. NULL is allowed. */
void up_signals_close(struct up_signals *s);

#endif
