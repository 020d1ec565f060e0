/*
 * command.h -- run another program without waiting for it, and learn how it
 * ended.
 *
 *     start -> poll until it is no longer UP_AGAIN -> close
 *
 * It gets a process group of its own and default signals; its standard input is
 * empty, or a socket whose other end we have; its output goes where ours goes.
 */
#ifndef UP_COMMAND_H
#define UP_COMMAND_H

#include "error.h"

struct up_command; /* opaque; released with up_command_close() */

/* Start argv[0], found in PATH; the array ends with NULL. Errors: UP_WRITE no
 * such program, or no process can be created; UP_INTERNAL out of memory. */
UP_MUST_CHECK int up_command_start(struct up_command **out, char *const argv[], struct up_error *err);
/* The same, and *link is our end of its standard input, a stream socket; the caller closes it. */
UP_MUST_CHECK int up_command_start_linked(struct up_command **out, char *const argv[], int *link,
                                          struct up_error *err);

/* 0 and the exit status in *status (128 plus the number of the signal that
 * killed it), UP_AGAIN while it runs, or UP_INTERNAL. */
UP_MUST_CHECK int up_command_poll(struct up_command *c, int *status, struct up_error *err);

/* Send it SIGHUP, if it still runs. */
void up_command_hang_up(struct up_command *c);

/* Kills whatever still runs in its group. NULL is allowed. */
void up_command_close(struct up_command *c);

#endif
