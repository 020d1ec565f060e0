/*
 * loop.h -- the one place where a process waits: curl_multi_poll with extra
 * descriptors.
 */
#ifndef UP_LOOP_H
#define UP_LOOP_H

#include <stdbool.h>
#include <stddef.h>

struct up_error;
struct up_loop; /* opaque; everything registered with it must go before it */

struct up_watch {
    int fd;
    bool read, write; /* what to wait for */
    bool ready;       /* set by up_loop_poll */
};

int up_loop_new(struct up_loop **out, struct up_error *err);
void up_loop_free(struct up_loop *loop);

/* Wait for transfers, for `count` extra descriptors, or timeout_ms (0 polls,
 * negative waits without limit; at most 60 s all the same), and drive the
 * transfers. Errors: UP_INTERNAL. */
int up_loop_poll(struct up_loop *loop, struct up_watch *watches, size_t count, int timeout_ms,
                 struct up_error *err);

/* The CURLM handle, for fetch.c. */
void *up_loop_multi(struct up_loop *loop);

#endif
