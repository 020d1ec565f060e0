/*
 * http_limits.h -- which clients may stay connected to the server.
 *
 * The HTTP library waits without limit for the end of something that does not
 * look like a request, and is content with a byte now and then. Here a
 * connection that does not begin like HTTP gets an error and is closed, and one
 * that completes no request in time is dropped.
 *
 * Each address has a share of the connections. It applies only while most are
 * in use, and not to trusted proxies, which have many clients behind them; the
 * last few connections are for addresses below their share. A connection over
 * the limit is accepted just long enough to send the refusal.
 */
#ifndef UP_HTTP_LIMITS_H
#define UP_HTTP_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#define UP_HTTP_LIMITS_SPARE 32   /* connections beyond the limit, for refusals */
#define UP_HTTP_LIMITS_PROXIES 16 /* at most */
#define UP_HTTP_LIMITS_ADDRESS 16 /* bytes: IPv6, or an IPv4-mapped address */

struct sockaddr;

struct up_http_connection {
    struct up_http_connection *next, *prev;
    int fd; /* not owned */
    unsigned char from[UP_HTTP_LIMITS_ADDRESS];
    bool proxy;     /* it is a trusted proxy */
    bool refused;   /* over the limit: may only get the refusal */
    bool served;    /* a complete request is being answered */
    bool known;     /* has had an answer */
    uint64_t since; /* ms: when it connected or got its last answer */
};

struct up_http_limits {
    struct up_http_connection *first;
    uint64_t swept;       /* ms */
    uint64_t request_ms;  /* ms from `since` to the next complete request */
    bool encrypted;       /* TLS: nothing can be read or sent in plain text */
    unsigned connections; /* the limit */
    unsigned present;     /* without refused ones */
    unsigned proxy_count;
    unsigned char proxies[UP_HTTP_LIMITS_PROXIES][UP_HTTP_LIMITS_ADDRESS];
};

/* Whether the first bytes of a connection can begin a request: method, space,
 * target, no control characters in the first line. */
bool up_http_limits_looks_like_http(const char *bytes, unsigned len);

/* Trust a numeric address as a proxy; false if it is invalid, or too many are trusted. */
bool up_http_limits_trust(struct up_http_limits *limits, const char *address);

/* A connection that was accepted at `now`; NULL if out of memory, and then it
 * stays without these limits. Its first bytes are checked if they have arrived.
 * `from` may be NULL: not known. */
struct up_http_connection *up_http_limits_enter(struct up_http_limits *limits, int fd,
                                                const struct sockaddr *from, uint64_t now);
void up_http_limits_leave(struct up_http_limits *limits,
                          struct up_http_connection *c); /* frees it; NULL is allowed */

/* Connections reserved for queries, which are short. */
unsigned up_http_limits_reserve(const struct up_http_limits *limits);
/* Connections that one address may have while most are in use. */
unsigned up_http_limits_share(const struct up_http_limits *limits);
/* Whether most are in use and the address, or its IPv6 network, has more than its share. */
bool up_http_limits_over_share(const struct up_http_limits *limits, const struct up_http_connection *c);

/* Shut down connections that are over their limit; their owner sees the end of input. */
void up_http_limits_sweep(struct up_http_limits *limits, uint64_t now);

#endif
