/*
 * signals.h -- SIGTERM and SIGINT as something to poll.
 *
 * While it is open they do not end the process; it ends in order when it
 * wants. Meant for a process that starts no others meanwhile: they would
 * inherit the blocked signals.
 */
#ifndef UP_SIGNALS_H
#define UP_SIGNALS_H

#include "error.h"

struct up_signals;

/* Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_signals_open(struct up_signals **out, struct up_error *err);
int up_signals_fd(const struct up_signals *s); /* readable when one came */
/* Number of the next one, SIGTERM or SIGINT; UP_AGAIN when there is none. */
int up_signals_next(struct up_signals *s);
/* They have their earlier effect again. NULL is allowed. */
void up_signals_close(struct up_signals *s);

#endif
