/*
 * confined.h -- start the host as a confined process, in one of its modes.
 *
 * The process gets two descriptors and an empty environment, and gives up its
 * other rights itself (sandbox_lock.h) before it reads anything.
 */
#ifndef UP_CONFINED_H
#define UP_CONFINED_H

#include <sys/types.h>

/* A pipe, close-on-exec, both ends above 2: duplicating one to 0 or 1 cannot
 * overwrite the other. 0, or -1 with errno; an end that is not open is -1. */
int up_confined_pipe(int ends[2]);

/* Start `program MODE [USER]` with `in` as descriptor 0 and `out` as 1; the
 * caller keeps both. 0, or an errno. */
int up_confined_start(pid_t *pid, const char *program, const char *mode, const char *user, int in, int out);

#endif
