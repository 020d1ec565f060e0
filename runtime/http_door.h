/*
 * http_door.h -- who may stay connected to the server.
 *
 * The HTTP library waits in silence for the end of what does not look like a
 * request, and is content with one byte now and then. Here a connection that
 * does not begin like HTTP is told so and shown out, and one that completes
 * no request in time is dropped.
 */
#ifndef UP_HTTP_DOOR_H
#define UP_HTTP_DOOR_H

#include <stdbool.h>
#include <stdint.h>

struct up_visitor {
    struct up_visitor *next, *prev;
    int fd;         /* not owned */
    bool served;    /* a complete request is being answered */
    bool known;     /* has had an answer */
    uint64_t since; /* ms: when it connected or got its last answer */
};

struct up_door {
    struct up_visitor *first;
    uint64_t swept; /* ms */
    uint64_t limit; /* ms from `since` to the next complete request */
    bool encrypted; /* the bytes are TLS: nothing can be read from them, nor said */
};

/* Whether the first bytes of a connection can begin a request: method, space,
 * target, no control characters in the first line. */
bool up_looks_like_http(const char *bytes, unsigned len);

/* A connection that was accepted at `now`; NULL when memory is short, and then
 * it stays without these limits. Its first bytes are looked at if they came. */
struct up_visitor *up_door_enter(struct up_door *door, int fd, uint64_t now);
void up_door_leave(struct up_door *door, struct up_visitor *v); /* frees it; NULL is allowed */

/* Shut down those who are over the limit; their owner sees the end of input. */
void up_door_sweep(struct up_door *door, uint64_t now);

#endif
