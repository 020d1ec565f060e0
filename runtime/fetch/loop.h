/*
 * loop.h -- the one place where a process waits: curl_multi_poll() with extra
 * descriptors.
 */
#ifndef UP_LOOP_H
#define UP_LOOP_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

struct up_loop; /* opaque */

struct up_watch {
    int fd;
    bool read, write; /* what to wait for */
    bool ready;       /* set by up_loop_poll(): readable, writable, or hung up */
};

UP_MUST_CHECK int up_loop_new(struct up_loop **out, struct up_error *err);
/* Everyone who uses the loop keeps it: it is freed after as many up_loop_free()
 * as there were up_loop_new() and up_loop_keep(). */
void up_loop_keep(struct up_loop *loop);
void up_loop_free(struct up_loop *loop); /* NULL is allowed */

/* Wait for transfers, for `count` extra descriptors, or for timeout_ms (0
 * polls, negative waits without limit, but at most 60 s), and drive the
 * transfers. Descriptors below 0 are never ready. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_loop_poll(struct up_loop *loop, struct up_watch *watches, size_t count, int timeout_ms,
                               struct up_error *err);

/* The clock for timeouts: seconds from an arbitrary origin, never set back. */
double up_loop_now(void);
/* Seconds since the system started, for long pauses: the time in which it was suspended counts. */
double up_loop_uptime(void);

/*
 * For fetch.c and dial.c, which own the transfers. `easy` is a CURL handle, `result` a
 * CURLcode. done() is called outside of any curl callback when the handle has
 * ended, and may remove it or add another.
 */
struct up_loop_transfer {
    void (*done)(struct up_loop_transfer *t, int result);
};

/* Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_loop_add(struct up_loop *loop, void *easy, struct up_loop_transfer *t,
                              struct up_error *err);
void up_loop_remove(struct up_loop *loop, void *easy);
/* Let every transfer do what it can without waiting. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_loop_drive(struct up_loop *loop, struct up_error *err);
/* Data arrived for an owner that did not just ask: the next poll must not wait. */
void up_loop_stir(struct up_loop *loop);

#endif
