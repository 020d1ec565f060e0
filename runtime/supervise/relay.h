/*
 * relay.h -- what children print, handed on to our own stdout and stderr.
 *
 * A child writes into pipes of its own, which are emptied here whatever
 * becomes of the log (log.h): no reader of the log can stop a child. Whole
 * lines are handed on, and of a longer one pieces of UP_LOG_LINE bytes.
 */
#ifndef UP_RELAY_H
#define UP_RELAY_H

#include <poll.h>
#include <stddef.h>

#define UP_RELAY_PIPES 8 /* two a child; those of a program that outlives its child may be left */

struct up_relay; /* static, one a process */

struct up_relay *up_relay_here(void);
/* Two pipes for a child that is about to be started: ends[0] becomes its
 * stdout, ends[1] its stderr; the caller closes both. -1 with errno set. The
 * oldest pipes are given up when there are too many. */
int up_relay_open(struct up_relay *r, int ends[2]);
/* Fill up to UP_RELAY_PIPES entries for poll(); how many. */
size_t up_relay_watch(const struct up_relay *r, struct pollfd *fds);
/* Hand on what is there, a bounded amount of it. Waits for nothing. */
void up_relay_move(struct up_relay *r);

#endif
