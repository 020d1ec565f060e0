/*
 * http_limits.h -- who may stay connected to the server.
 *
 * The HTTP library waits in silence for the end of what does not look like a
 * request, and is content with one byte now and then. Here a connection that
 * does not begin like HTTP is told so and shown out, and one that completes
 * no request in time is dropped.
 *
 * Every address may have a share of the connections, which binds only when
 * most are taken, and not for proxies, behind which there are many; the last
 * few are for those who are below theirs. Who comes too many is let in for as
 * long as it takes to tell him so.
 */
#ifndef UP_HTTP_LIMITS_H
#define UP_HTTP_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#define UP_HTTP_LIMITS_SPARE 32   /* connections beyond the limit, in which is said that it is reached */
#define UP_HTTP_LIMITS_PROXIES 16 /* at most */
#define UP_HTTP_LIMITS_ADDRESS 16 /* bytes: IPv6, or IPv4 as it is mapped into that */

struct sockaddr;

struct up_visitor {
    struct up_visitor *next, *prev;
    int fd; /* not owned */
    unsigned char from[UP_HTTP_LIMITS_ADDRESS];
    bool proxy;     /* comes from a trusted one */
    bool refused;   /* too many: may only be told so */
    bool served;    /* a complete request is being answered */
    bool known;     /* has had an answer */
    uint64_t since; /* ms: when it connected or got its last answer */
};

struct up_http_limits {
    struct up_visitor *first;
    uint64_t swept;       /* ms */
    uint64_t limit;       /* ms from `since` to the next complete request */
    bool encrypted;       /* the bytes are TLS: nothing can be read from them, nor said */
    unsigned connections; /* the limit */
    unsigned present;     /* without those that were refused */
    unsigned proxy_count;
    unsigned char proxies[UP_HTTP_LIMITS_PROXIES][UP_HTTP_LIMITS_ADDRESS];
};

/* Whether the first bytes of a connection can begin a request: method, space,
 * target, no control characters in the first line. */
bool up_http_limits_looks_like_http(const char *bytes, unsigned len);

/* Trust a numeric address to be a proxy; false when it is no address, or too many are trusted. */
bool up_http_limits_trust(struct up_http_limits *door, const char *address);

/* A connection that was accepted at `now`; NULL when memory is short, and then
 * it stays without these limits. Its first bytes are looked at if they came.
 * `from` may be NULL: not known. */
struct up_visitor *up_http_limits_enter(struct up_http_limits *door, int fd, const struct sockaddr *from,
                                        uint64_t now);
void up_http_limits_leave(struct up_http_limits *door, struct up_visitor *v); /* frees it; NULL is allowed */

/* Connections that only queries may use, which are short. */
unsigned up_http_limits_reserve(const struct up_http_limits *door);
/* Connections that one address may have while most are taken. */
unsigned up_http_limits_share(const struct up_http_limits *door);
/* Whether most are taken, and the visitor's address, or its network of IPv6, has more than its share. */
bool up_http_limits_over_share(const struct up_http_limits *door, const struct up_visitor *v);

/* Shut down those who are over the limit; their owner sees the end of input. */
void up_http_limits_sweep(struct up_http_limits *door, uint64_t now);

#endif
