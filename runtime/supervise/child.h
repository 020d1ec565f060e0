/*
 * child.h -- one process under the supervisor: start, listen, stop, restart.
 *
 * A child runs in a process group of its own with a line channel to us on its
 * descriptor 3, and dies when we do. It must send "beat" at least every
 * `heartbeat` seconds, or it is killed; time in which it waited for the medium
 * or for a command of its own (waits.h) does not count, up to UP_CHILD_WAIT_MS.
 * When it ends, everything else in its group is killed, too. Nothing here
 * waits; times are milliseconds of the monotonic clock, passed in.
 *
 *     start -> [hear, tell, tick]* -> ended -> [due] -> start ...
 */
#ifndef UP_CHILD_H
#define UP_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

#define UP_CHILD_GRACE_MS 5000  /* from SIGTERM to SIGKILL */
#define UP_CHILD_STUCK_MS 20000 /* from SIGKILL until one that may be left counts as ended; doubles */
#define UP_CHILD_STUCK_MOST_MS 86400000
#define UP_CHILD_DELAY_MS 1000        /* first pause before a restart; doubles */
#define UP_CHILD_DELAY_MOST_MS 300000 /* longest pause */
#define UP_CHILD_WAIT_MS 1800000      /* between two heartbeats; a longer wait counts as a hang */
#define UP_CHILD_STEADY_MS 60000      /* after running this long, the next pause is the first one again */

struct up_processes;
struct up_child;

/* `name` is kept, for messages. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_child_new(struct up_child **out, struct up_processes *processes, const char *name,
                               unsigned heartbeat, struct up_error *err);
/* Called when it has been silent for too long; kills it with this reason. The text is kept. */
void up_child_advise(struct up_child *c, const char *text);
/* It may be left: killed, and stuck in a call that the kernel cannot break off, it
 * counts as ended after UP_CHILD_STUCK_MS, and each further one in a row after
 * twice that time, so that they do not become many. It never runs code of its own again, but
 * what it has begun to write may still reach the medium, so this is not for one
 * that writes what we rely on. */
void up_child_may_be_left(struct up_child *c, bool may);
/* Kills at once and waits for the end, not long. */
void up_child_free(struct up_child *c);

/* argv[0] is the program's path. Errors: UP_INTERNAL; then it counts as ended and becomes due later. */
UP_MUST_CHECK int up_child_start(struct up_child *c, const char *const argv[], uint64_t now,
                                 struct up_error *err);
bool up_child_running(const struct up_child *c); /* also while it is being stopped */
bool up_child_stopping(const struct up_child *c);
pid_t up_child_pid(const struct up_child *c);
unsigned up_child_starts(const struct up_child *c); /* since up_child_new() */

int up_child_link(const struct up_child *c);         /* -1: nothing to listen to */
bool up_child_wants_write(const struct up_child *c); /* something is queued until the link becomes writable */
/* The next line, valid until the next call; heartbeats are recorded and
 * returned, too. NULL: there is none now. */
const char *up_child_hear(struct up_child *c, uint64_t now);
/* Whether it runs, is not being stopped, and sent a heartbeat within the last
 * half of the period. False for one that has ended, even if nobody has noticed
 * yet. */
bool up_child_lively(const struct up_child *c, uint64_t now);
/* Whether it waited where it cannot send heartbeats, between the last two ticks. */
bool up_child_waits(const struct up_child *c);
/* Whether it sent a heartbeat since it was last started, or doubted. */
bool up_child_beaten(const struct up_child *c);
/* What it sent may be old: only another heartbeat shows that it is alive. */
void up_child_doubt(struct up_child *c);
/* Queue a line, formatted as by printf; dropped if the child is not running. */
void up_child_tell(struct up_child *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ask it to end: SIGTERM now, SIGKILL after the grace period. */
void up_child_stop(struct up_child *c, uint64_t now);
/* Kill it now; `why` becomes the reason. */
void up_child_kill(struct up_child *c, const char *why);

/* We were `late` ms late ourselves, and what it sent may not have been read
 * yet, so it gets a whole heartbeat period from now on. That happens once until
 * its next heartbeat; after that only the `late` ms do not count. This is no
 * sign of life. */
void up_child_forgive(struct up_child *c, uint64_t late, uint64_t now);

/* Do what is due: kill it after a silence or after the grace period; send what is queued. */
void up_child_tick(struct up_child *c, uint64_t now);
/* When tick must be called next; UINT64_MAX: never. */
uint64_t up_child_next_tick(const struct up_child *c);

/* Whether the process has ended or is left, without reaping it: read its last lines first. */
bool up_child_over(const struct up_child *c);
/* Reap an ended process and decide when it may start again. */
void up_child_reap(struct up_child *c, uint64_t now);
/* Whether it ended by itself, with code 0. */
bool up_child_succeeded(const struct up_child *c);
/* Why it ended, as a clause: "exited with code 1". */
const char *up_child_reason(const struct up_child *c);
uint64_t up_child_due(const struct up_child *c);          /* when it may start again */
void up_child_postpone(struct up_child *c, uint64_t now); /* it could not be started: try later */
void up_child_hurry(struct up_child *c); /* it may start at once, and pauses are short again */

#endif
