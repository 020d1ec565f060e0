/*
 * program.h -- start a program with default signal handling.
 */
#ifndef UP_PROGRAM_H
#define UP_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

/*
 * Start argv[0], found in PATH; the array ends with NULL. No signal is blocked
 * or ignored in it. `apart`: in a process group of its own, with an empty
 * standard input. Returns 0 or an error number.
 */
UP_MUST_CHECK int up_program_start(pid_t *pid, char *const argv[], bool apart);

#endif
