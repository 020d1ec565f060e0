/*
 * child.h -- one process under the supervisor: start, hear, stop, start again.
 *
 * A child runs in a process group of its own with a line channel to us on its
 * descriptor 3, and dies when we do. It must say "beat" within `heartbeat`
 * seconds, again and again, or it is killed; time that it waited for the medium
 * or a command of its own (waits.h) does not count, up to UP_CHILD_WAIT_MS. When it ends, whatever else runs
 * in its group is killed too. Nothing here waits; times are milliseconds of
 * the monotonic clock, handed in.
 *
 *     start -> [hear, tell, tick]* -> ended -> [due] -> start ...
 */
#ifndef UP_CHILD_H
#define UP_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

#define UP_CHILD_GRACE_MS 5000        /* from SIGTERM to SIGKILL */
#define UP_CHILD_DELAY_MS 1000        /* first pause before it is started again; doubles */
#define UP_CHILD_DELAY_MOST_MS 300000 /* longest pause */
#define UP_CHILD_WAIT_MS 1800000      /* from one beat to the next; then a wait is taken for a hang */
#define UP_CHILD_STEADY_MS 60000      /* having run so long, the pause is the first one again */

struct up_processes;
struct up_child;

/* `name` is kept, for messages. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_child_new(struct up_child **out, struct up_processes *processes, const char *name,
                               unsigned heartbeat, struct up_error *err);
/* What to do about its silence: follows that reason. The text is kept. */
void up_child_advise(struct up_child *c, const char *text);
/* Kills at once and waits for the end. */
void up_child_free(struct up_child *c);

/* argv[0] is the program's path. Errors: UP_INTERNAL; then it counts as ended,
 * so that it becomes due later. */
UP_MUST_CHECK int up_child_start(struct up_child *c, const char *const argv[], uint64_t now,
                                 struct up_error *err);
bool up_child_running(const struct up_child *c); /* also while it is being stopped */
bool up_child_stopping(const struct up_child *c);
pid_t up_child_pid(const struct up_child *c);
unsigned up_child_starts(const struct up_child *c); /* since up_child_new() */

int up_child_link(const struct up_child *c);         /* -1 when there is nothing to hear */
bool up_child_wants_write(const struct up_child *c); /* something waits until the link can be written to */
/* The next line, valid until the next call; beats are noted and returned too.
 * NULL when there is none now. */
const char *up_child_hear(struct up_child *c, uint64_t now);
/* Whether it runs, is not being stopped, and has beaten within half of the
 * heartbeat. One that has ended is not, though nobody noticed yet. */
bool up_child_lively(const struct up_child *c, uint64_t now);
/* Whether it waited where it cannot beat, between the last two ticks. */
bool up_child_waits(const struct up_child *c);
/* Whether it has beaten since it was last started, or doubted. */
bool up_child_beaten(const struct up_child *c);
/* What was heard of it may be old: only another beat shows that it is alive. */
void up_child_doubt(struct up_child *c);
/* Queue a line, formatted as by printf; dropped when the child is not there. */
void up_child_tell(struct up_child *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ask it to end: SIGTERM now, SIGKILL after the grace. */
void up_child_stop(struct up_child *c, uint64_t now);
/* End it now; `why` becomes the reason. */
void up_child_kill(struct up_child *c, const char *why);

/* We were `late` ms late ourselves: what it had to say may still be under way, so
 * it has a heartbeat from now on. That happens once until it beats again; else
 * only the `late` ms do not count. It is no sign of life. */
void up_child_forgive(struct up_child *c, uint64_t late, uint64_t now);

/* Do what is due: the kill after a silence or after the grace; send what is queued. */
void up_child_tick(struct up_child *c, uint64_t now);
/* When tick has something to do next; UINT64_MAX: never. */
uint64_t up_child_next_tick(const struct up_child *c);

/* Whether the process is over, without forgetting it: hear its last lines first. */
bool up_child_over(const struct up_child *c);
/* Forget a process that is over and decide when it may start again. */
void up_child_reap(struct up_child *c, uint64_t now);
/* Why it ended, as a clause: "exited with code 1". */
const char *up_child_reason(const struct up_child *c);
uint64_t up_child_due(const struct up_child *c);          /* when it may start again */
void up_child_postpone(struct up_child *c, uint64_t now); /* it could not be started: later */
void up_child_hurry(struct up_child *c);                  /* it may start at once, and pauses begin anew */

#endif
