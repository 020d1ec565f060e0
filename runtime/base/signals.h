/*
 * signals.h -- SIGTERM and SIGINT as something to poll.
 *
 * While it is open they do not end the process; it ends in order when it
 * wants. Processes that it starts inherit the blocked signals unless whoever
 * starts them sets the mask anew, as program.h and the policy process do.
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
