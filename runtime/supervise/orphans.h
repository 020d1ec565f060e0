/*
 * orphans.h -- processes of the script that outlive it.
 *
 * The supervisor is a child subreaper: a process below it that loses its parent
 * becomes its child. Processes of the script are distinguished from others (a
 * program that the agent started, for example) by a mark that fork and exec
 * pass on: an oom_score_adj that is UP_ORPHAN_STEP above the supervisor's, and
 * twice that far for the test of a hotfix, which runs beside the script.
 * Without root the mark cannot be removed. It also makes the kernel kill the
 * script before the updater when memory runs out. When the supervisor was killed,
 * they are children of somebody else, and found by a name in their environment.
 *
 * Nothing here waits, and nothing fails permanently: on a kernel that refuses
 * the mark, orphans are only reaped.
 */
#ifndef UP_ORPHANS_H
#define UP_ORPHANS_H

#include <sys/types.h>

#include "error.h"

#define UP_ORPHAN_STEP 50

/* Whose they are, in steps. */
enum up_orphans_of { UP_ORPHANS_OF_SCRIPT = 1, UP_ORPHANS_OF_TEST = 2 };

/* Become the parent of orphans until the process ends; -1 with errno set. */
int up_orphans_adopt(void);

/* In the process of the script or the test, before anything of it runs: set the mark.
 * Only once. Errors: UP_INTERNAL the kernel refuses it. */
UP_MUST_CHECK int up_orphans_mark(enum up_orphans_of of, struct up_error *err);

/* In the script's process, too: a name in the environment that fork and exec pass on, the
 * state of its device, by which the next supervisor finds what is left when this
 * one was killed. 0, or -1 with errno set. */
UP_MUST_CHECK int up_orphans_name(const char *state);
/* Kill all that have the name of that state. Only while we hold its lock and no script runs. Returns their number. */
unsigned up_orphans_kill_left(const char *state);

/* Kill every child of ours that has the mark, those of a test with those of the script, except `script` and
 * `tester`, which runs the test of a hotfix; each may be 0. Returns their number; their own children are found by
 * the next call. */
unsigned up_orphans_kill(enum up_orphans_of of, pid_t script, pid_t tester);

/* Reap every child that has ended, except these three, which are reaped elsewhere. */
void up_orphans_forget(pid_t agent, pid_t script, pid_t tester);

#endif
