/*
 * relay.h -- copy what children print to our own stdout and stderr.
 *
 * A child writes into pipes of its own, which are emptied here whatever happens
 * to the log (log.h), so no reader of the log can stop a child. Whole lines are
 * copied, and longer ones in pieces of UP_LOG_LINE bytes.
 */
#ifndef UP_RELAY_H
#define UP_RELAY_H

#include <poll.h>
#include <stddef.h>

#define UP_RELAY_PIPES 8 /* two for each child; those of a program that outlives its child may be left */

struct up_relay; /* static, one a process */

struct up_relay *up_relay_here(void);
/* Create two pipes for a child that is about to be started: ends[0] becomes its
 * stdout, ends[1] its stderr; the caller closes both. -1 with errno set. If
 * there are too many pipes, the oldest are given up. */
int up_relay_open(struct up_relay *r, int ends[2]);
/* Fill in up to UP_RELAY_PIPES entries for poll(); returns their number. */
size_t up_relay_watch(const struct up_relay *r, struct pollfd *fds);
/* Copy what is there, up to a limit. Does not wait. */
void up_relay_move(struct up_relay *r);

#endif
