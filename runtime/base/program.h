/*
 * program.h -- start a program with default signal handling; wait for processes, but not for ever.
 */
#ifndef UP_PROGRAM_H
#define UP_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

#define UP_PROGRAM_EMPTY (-1)

/*
 * Start argv[0], found in PATH; the array ends with NULL. No signal is blocked
 * or ignored in it. `apart`: in a process group of its own, with an empty
 * standard input, or `input` unless that is UP_PROGRAM_EMPTY. Returns 0 or an
 * error number.
 */
UP_MUST_CHECK int up_program_start(pid_t *pid, char *const argv[], bool apart, int input);

/* Close what is open from `first` on: in a child, before its program, what whoever started us left open, too. Where
 * that takes a call for each, not above UP_PROGRAM_FDS: with a limit of a billion it would take minutes. */
#define UP_PROGRAM_FDS 65536
void up_program_close_from(int first);

/* /dev/null. A system whose /dev nothing has filled has none, and its application runs all the same: then it is a
 * descriptor that nothing can be read from or written to. -1 and errno. */
int up_program_open_null(void);

/* Let the modes of what this process makes hold, as far as others may read it: the script's user reads what it
 * is given also where whoever started us had the umask 077. That umask stays known. */
void up_program_take_umask(void);
/* In a child, before its program: the umask from before, if it was taken. */
void up_program_give_umask(void);

/* Wait at most `ms` milliseconds for the end of a child, and reap it: 0, *status as waitpid() gives it.
 * Or -1 and errno: ETIMEDOUT if it has not ended. */
UP_MUST_CHECK int up_program_wait(pid_t pid, unsigned ms, int *status);

/* Kill a child, or with `group` all of the process group that it leads, and reap it. A process that a
 * medium holds back in a system call does not end; after a second it is left as it is, and *status too. */
void up_program_kill(pid_t pid, bool group, int *status);

#endif
