/*
 * waits.h -- how long a process has waited where it cannot beat: in a call on
 * the medium (storage_waits.c), or for a command that it started.
 *
 * A sync on a slow card takes longer than any heartbeat, and whoever waits for
 * it does not hang. So the clock of the heartbeat stands still meanwhile: the
 * process notes begin and end on a page that its supervisor reads. Nothing here
 * can fail what is waited for; without a page nothing is noted.
 *
 * Calls may be nested, but not made by two threads.
 */
#ifndef UP_WAITS_H
#define UP_WAITS_H

#include <stdint.h>

struct up_waits_page; /* opaque */

/* For a child that is about to be started: the descriptor that it is given,
 * above UP_WAITS_FD, closed by the caller; -1 with *out NULL when there is none.
 * The child can only write numbers on the page, and they are not trusted
 * beyond what child.h says. */
int up_waits_new(struct up_waits_page **out);
void up_waits_free(struct up_waits_page *page); /* NULL is allowed */

/* Milliseconds waited so far, those of the wait that goes on included; 0 for NULL. */
uint64_t up_waits_read(const struct up_waits_page *page);

/* The descriptor by which a child has its page. */
#define UP_WAITS_FD 4

/* In the child: note waits on that page from now on; closes the descriptor, and
 * leaves it alone when it is no such page. */
void up_waits_adopt(void);
/* errno stays what it is. */
void up_waits_begin(void);
void up_waits_end(void);

#endif
