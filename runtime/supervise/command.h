/*
 * command.h -- run a program beside us and hear how it ended, without waiting.
 *
 *     start -> poll until it is no longer UP_AGAIN -> close
 *
 * It is a process group of its own with the signals of a fresh process; its
 * standard input is empty, its output goes where ours goes.
 */
#ifndef UP_COMMAND_H
#define UP_COMMAND_H

struct up_error;
struct up_command; /* opaque; released with up_command_close() */

/* Start argv[0], found in PATH, with these words; the array ends with NULL.
 * Errors: UP_WRITE there is no such program, or no process can be made; UP_INTERNAL no memory. */
int up_command_start(struct up_command **out, char *const argv[], struct up_error *err);

/* 0 and the exit status in *status (128 and the signal's number when one ended it), UP_AGAIN while it runs, or
 * UP_INTERNAL. */
int up_command_poll(struct up_command *c, int *status, struct up_error *err);

/* Whatever still runs is killed, with all that it started in its group. NULL is allowed. */
void up_command_close(struct up_command *c);

#endif
