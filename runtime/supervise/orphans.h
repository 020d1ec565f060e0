/*
 * orphans.h -- processes of the script that outlive it.
 *
 * The supervisor is a child subreaper: a process below it that loses its parent
 * becomes its child. Processes of the script are distinguished from others (a
 * program that the agent started, for example) by a mark that fork and exec
 * pass on: an oom_score_adj that is UP_ORPHAN_STEP above the supervisor's.
 * Without root the mark cannot be removed. It also makes the kernel kill the
 * script before the updater when memory runs out.
 *
 * Nothing here waits, and nothing fails permanently: on a kernel that refuses
 * the mark, orphans are only reaped.
 */
#ifndef UP_ORPHANS_H
#define UP_ORPHANS_H

#include <sys/types.h>

#include "error.h"

#define UP_ORPHAN_STEP 50

/* Become the parent of orphans until the process ends; -1 with errno set. */
int up_orphans_adopt(void);

/* In the script's process, before anything of the script runs: set the mark.
 * Only once. Errors: UP_INTERNAL the kernel refuses it. */
UP_MUST_CHECK int up_orphans_mark(struct up_error *err);

/* Kill every child of ours that has the mark, except `script` and `tester`, which runs the test of a
 * hotfix; each may be 0. Returns their number; their own children are found by the next call. */
unsigned up_orphans_kill(pid_t script, pid_t tester);

/* Reap every child that has ended, except these three, which are reaped elsewhere. */
void up_orphans_forget(pid_t agent, pid_t script, pid_t tester);

#endif
