/*
 * waits.h -- how long a process was blocked where it cannot send a heartbeat:
 * in a call on the medium (storage_waits.c), or in a command that it started.
 *
 * A sync on a slow card can take longer than any heartbeat, and a process that
 * waits for it does not hang. So the heartbeat clock stands still meanwhile:
 * the process notes the beginning and end of each wait on a shared page that
 * its supervisor reads. Nothing here makes the wait itself fail; without a page
 * nothing is noted.
 *
 * Calls may be nested, but only one thread may make them.
 */
#ifndef UP_WAITS_H
#define UP_WAITS_H

#include <stdint.h>

struct up_waits_page; /* opaque */

/* For a child that is about to be started: the descriptor to pass on, above
 * UP_WAITS_FD, closed by the caller; -1 with *out NULL if there is none. The
 * child can only write numbers on the page, and they are trusted no further
 * than child.h says. */
int up_waits_new(struct up_waits_page **out);
void up_waits_free(struct up_waits_page *page); /* NULL is allowed */

/* Milliseconds waited so far, including a wait that is under way; 0 for NULL. */
uint64_t up_waits_read(const struct up_waits_page *page);

/* The descriptor on which a child finds its page. */
#define UP_WAITS_FD 4

/* In the child: note waits on that page from now on. Closes the descriptor if
 * it is such a page, and leaves it alone otherwise. */
void up_waits_adopt(void);
/* Keeps errno. */
void up_waits_begin(void);
void up_waits_end(void);

#endif
