/*
 * mqtt_peer.h -- for checks of mqtt.h: a clock, a broker that does nothing by
 * itself, and a client between them.
 */
#ifndef UP_MQTT_PEER_H
#define UP_MQTT_PEER_H

#include "mqtt.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "error.h"
#include "storage.h"

#define TURNS 100000 /* of the loop, 1 ms at most each, before something is broken */

/* The system's storage with another clock and other chance. */
struct fake {
    struct up_storage storage;
    struct up_storage_ops ops;
    uint64_t now; /* ms */
    uint32_t chance;
};

static inline uint64_t fake_monotonic(struct up_storage *s)
{
    return ((struct fake *)s)->now;
}

static inline int fake_random(struct up_storage *s, void *buf, size_t len)
{
    struct fake *f = (struct fake *)s;

    for (size_t i = 0; i < len; i++) {
        f->chance = f->chance * 1664525 + 1013904223;
        ((unsigned char *)buf)[i] = (unsigned char)(f->chance >> 24);
    }
    return 0;
}

static inline void fake_init(struct fake *f, uint32_t chance)
{
    f->ops = *up_storage_system()->ops;
    f->ops.monotonic = fake_monotonic;
    f->ops.random = fake_random;
    f->storage.ops = &f->ops;
    f->now = 1000;
    f->chance = chance;
}

/* A broker that does nothing by itself. */
struct peer {
    int listener, fd;
    unsigned port;
    unsigned char in[1 << 20];
    size_t filled;
};

/* Bound, so that nobody else gets the port; connections are refused until it listens. */
static inline void peer_bind(struct peer *p)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;

    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(p->listener >= 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &len), 0);
    p->port = ntohs(a.sin_port);
    p->fd = -1;
    p->filled = 0;
}

static inline void peer_listen(struct peer *p)
{
    assert_int_equal(listen(p->listener, 8), 0);
}

static inline void peer_drop(struct peer *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    p->filled = 0;
}

static inline void peer_close(struct peer *p)
{
    peer_drop(p);
    close(p->listener);
}

static inline void peer_turn(struct peer *p)
{
    ssize_t n = 0;

    if (p->fd < 0)
        p->fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (p->fd >= 0)
        n = recv(p->fd, p->in + p->filled, sizeof p->in - p->filled, 0);
    if (n > 0)
        p->filled += (size_t)n;
}

static inline void peer_say(struct peer *p, const void *bytes, size_t len)
{
    assert_int_equal(send(p->fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Take the first packet off; its length, 0 when it is not whole yet. */
static inline size_t peer_take(struct peer *p, unsigned char *out)
{
    size_t length = 0, at = 1;
    unsigned shift = 0;

    do {
        if (at >= p->filled)
            return 0;
        length |= (size_t)(p->in[at] & 127) << shift;
        shift += 7;
    } while (p->in[at++] & 128);
    if (at + length > p->filled)
        return 0;
    memcpy(out, p->in, at + length);
    p->filled -= at + length;
    memmove(p->in, p->in + at + length, p->filled);
    return at + length;
}

/* A client, its clock and its broker. */
struct set {
    struct fake fake;
    struct peer peer;
    struct up_mqtt *m;
    struct up_mqtt_event event; /* the last that was waited for; strings are gone */
    char message[300];
    unsigned char packet[1 << 20];
    size_t len;
};

static inline struct up_mqtt_options options(unsigned port)
{
    return (struct up_mqtt_options){.host = "127.0.0.1",
                                    .port = port,
                                    .client_id = "check",
                                    .keepalive = 60,
                                    .clean = true,
                                    .back_off_min = 1000,
                                    .back_off_max = 300000,
                                    .queue = UP_MQTT_QUEUE};
}

static inline void must_open(struct set *s, const struct up_mqtt_options *o)
{
    struct up_error err;

    if (up_mqtt_open(&s->m, &s->fake.storage, o, &err) < 0)
        fail_msg("%s", err.message);
}

static inline int set_up_offline(void **state)
{
    struct set *s = calloc(1, sizeof *s);
    struct up_mqtt_options o;

    fake_init(&s->fake, 1);
    peer_bind(&s->peer);
    o = options(s->peer.port);
    must_open(s, &o);
    *state = s;
    return 0;
}

static inline int set_up(void **state)
{
    set_up_offline(state);
    peer_listen(&((struct set *)*state)->peer);
    return 0;
}

static inline int tear_down(void **state)
{
    struct set *s = *state;

    up_mqtt_close(s->m);
    peer_close(&s->peer);
    free(s);
    return 0;
}

/* All events of a round; true when one is of this kind. */
static inline bool saw(struct set *s, enum up_mqtt_kind kind)
{
    struct up_mqtt_event e;
    bool found = false;

    while (up_mqtt_step(s->m, &e))
        if (e.kind == kind && !found) {
            found = true;
            s->event = e;
            snprintf(s->message, sizeof s->message, "%s", e.message ? e.message : "");
        }
    return found;
}

static inline void turn(struct set *s)
{
    struct pollfd p = {.fd = up_mqtt_fd(s->m), .events = POLLIN};

    peer_turn(&s->peer);
    poll(&p, 1, up_mqtt_remaining(s->m) > 0 ? 1 : 0);
}

static inline void wait_for(struct set *s, enum up_mqtt_kind kind)
{
    for (int i = 0; i < TURNS; i++) {
        if (saw(s, kind))
            return;
        turn(s);
    }
    fail_msg("no event %d", (int)kind);
}

/* The next packet that the client sends. */
static inline void wait_for_packet(struct set *s, unsigned char first)
{
    for (int i = 0; i < TURNS; i++) {
        saw(s, UP_MQTT_DROPPED);
        turn(s);
        s->len = peer_take(&s->peer, s->packet);
        if (s->len > 0) {
            assert_int_equal(s->packet[0], first);
            return;
        }
    }
    fail_msg("no packet %02x", first);
}

static inline void go_online(struct set *s)
{
    wait_for_packet(s, 0x10);
    peer_say(&s->peer, "\x20\x02\0\0", 4);
    wait_for(s, UP_MQTT_CONNECTED);
}

/* The client is not connected any more, and has said why. */
static inline void expect_end(struct set *s, int code, const char *fragment)
{
    wait_for(s, UP_MQTT_DISCONNECTED);
    assert_int_equal(s->event.code, code);
    if (!strstr(s->message, fragment))
        fail_msg("%s", s->message);
    peer_drop(&s->peer);
}

#endif
