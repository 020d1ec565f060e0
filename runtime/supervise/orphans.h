/*
 * orphans.h -- processes of the script that outlive it.
 *
 * The supervisor is a child subreaper: whoever below it loses its parent
 * becomes its child. What the script has started is told from everything else
 * (a program that the agent started, say) by a mark that fork and exec hand
 * on: an oom_score_adj UP_ORPHAN_STEP above the supervisor's. Without root it
 * cannot be taken off again; it also lets the kernel, when memory runs out,
 * take the script before the updater.
 *
 * Nothing here waits, and nothing fails for good: on a kernel that takes no
 * mark, orphans are only reaped.
 */
#ifndef UP_ORPHANS_H
#define UP_ORPHANS_H

#include <sys/types.h>

#include "error.h"

#define UP_ORPHAN_STEP 50

/* Become the parent of orphans, until the process ends; -1 with errno set. */
int up_orphans_adopt(void);

/* In the process of the script, before anything of the script runs: take the
 * mark. Not repeatable. Errors: UP_INTERNAL the kernel does not take it. */
UP_MUST_CHECK int up_orphans_mark(struct up_error *err);

/* Kill every child of ours that carries the mark, but for `script`, which may
 * be 0. How many there were: their own children are found by the next call. */
unsigned up_orphans_kill(pid_t script);

/* Forget every child that is over, but for the two, who are waited for elsewhere. */
void up_orphans_forget(pid_t agent, pid_t script);

#endif
