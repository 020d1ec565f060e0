/*
 * mqtt_check.c -- the client against a clock and a broker of the check's own:
 * pauses over simulated days, what goes over the wire, what is left behind.
 */
#include "mqtt_peer.h"

#include <dirent.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <netdb.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <semaphore.h>

#include "mqtt_queue.h"

static sem_t answer;

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out);

/* two.test has two addresses, and nobody listens at the first; slow.test has
 * none before it is told to answer. */
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    int rc;

    if (!strstr(node, ".test") || hints->ai_flags & AI_NUMERICHOST)
        return __real_getaddrinfo(node, service, hints, out);
    if (strcmp(node, "none.test") == 0)
        return EAI_AGAIN;
    if (strcmp(node, "slow.test") == 0)
        sem_wait(&answer);
    rc = __real_getaddrinfo("127.0.0.2", service, hints, out);
    return rc != 0 ? rc : __real_getaddrinfo("127.0.0.1", service, hints, &(*out)->ai_next);
}

/* The library runs out of memory at the n-th publish or subscribe from now; 0 never. */
static unsigned short_publish, short_subscribe;

int __real_mosquitto_publish(struct mosquitto *m, int *mid, const char *topic, int len, const void *payload,
                             int qos, bool retain);
int __wrap_mosquitto_publish(struct mosquitto *m, int *mid, const char *topic, int len, const void *payload,
                             int qos, bool retain);
int __real_mosquitto_subscribe(struct mosquitto *m, int *mid, const char *topic, int qos);
int __wrap_mosquitto_subscribe(struct mosquitto *m, int *mid, const char *topic, int qos);

int __wrap_mosquitto_publish(struct mosquitto *m, int *mid, const char *topic, int len, const void *payload,
                             int qos, bool retain)
{
    if (short_publish > 0 && --short_publish == 0)
        return MOSQ_ERR_NOMEM;
    return __real_mosquitto_publish(m, mid, topic, len, payload, qos, retain);
}

int __wrap_mosquitto_subscribe(struct mosquitto *m, int *mid, const char *topic, int qos)
{
    if (short_subscribe > 0 && --short_subscribe == 0)
        return MOSQ_ERR_NOMEM;
    return __real_mosquitto_subscribe(m, mid, topic, qos);
}

static unsigned count_descriptors(bool inherited)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
        if (e->d_name[0] != '.' && atoi(e->d_name) > 2)
            count += !inherited || !(fcntl(atoi(e->d_name), F_GETFD) & FD_CLOEXEC);
    closedir(dir);
    return count - !inherited;
}

/* Another client of the same set, with other options. */
static void reopen(struct set *s, const struct up_mqtt_options *o)
{
    up_mqtt_close(s->m);
    peer_drop(&s->peer);
    must_open(s, o);
}

static uint64_t must_publish(struct set *s, const char *payload, int qos)
{
    struct up_error err;
    uint64_t id = 0;

    if (up_mqtt_publish(s->m, "t", payload, strlen(payload), qos, false, &id, &err) < 0)
        fail_msg("%s", err.message);
    return id;
}

static void hours_offline_lose_nothing(void **state)
{
    struct set *s = *state;
    struct up_mqtt_status status;
    uint64_t until = s->fake.now + 3 * 86400000ULL, least = UINT64_MAX, sum = 0;
    unsigned pauses = 0, descriptors;

    for (int i = 0; i < UP_MQTT_QUEUE; i++)
        must_publish(s, "x", 1);
    wait_for(s, UP_MQTT_DISCONNECTED);
    assert_in_range(s->event.retry_after, 1000, 2000);
    descriptors = count_descriptors(false);
    while (s->fake.now < until) {
        s->fake.now += (uint64_t)up_mqtt_remaining(s->m);
        if (!saw(s, UP_MQTT_DISCONNECTED))
            continue;
        assert_int_equal(s->event.code, UP_NETWORK);
        assert_in_range(s->event.retry_after, ++pauses < 8 ? 1000 : 150000, 300000);
        least = pauses >= 8 && s->event.retry_after < least ? s->event.retry_after : least;
        sum += pauses >= 8 ? s->event.retry_after : 0;
    }
    assert_in_range(pauses, 3 * 86400 / 300, 3 * 86400 / 150 + 8);
    assert_in_range(sum / (pauses - 7), 210000, 240000); /* chance is even: 225000 on average */
    assert_in_range(least, 150000, 155000);
    assert_int_equal(count_descriptors(false), descriptors);
    up_mqtt_status(s->m, &status);
    assert_int_equal(status.queued, UP_MQTT_QUEUE);
    assert_int_equal(status.attempts, pauses + 1);
    peer_listen(&s->peer);
    s->fake.now += 300000;
    go_online(s);
    for (unsigned char i = 1; i <= UP_MQTT_QUEUE; i++) {
        wait_for_packet(s, 0x32);
        peer_say(&s->peer, (unsigned char[]){0x40, 2, s->packet[5], s->packet[6]}, 4);
        wait_for(s, UP_MQTT_PUBLISHED);
        assert_int_equal(s->event.id, i);
    }
}

static void whoever_cannot_wait_is_tried_at_once(void **state)
{
    struct set *s = *state;
    struct up_mqtt_status status;

    up_mqtt_hurry(s->m); /* it does not wait */
    for (unsigned i = 1; i <= 10; i++) {
        wait_for(s, UP_MQTT_DISCONNECTED);
        assert_true(up_mqtt_remaining(s->m) > 0);
        up_mqtt_hurry(s->m);
        assert_int_equal(up_mqtt_remaining(s->m), 0);
        up_mqtt_status(s->m, &status);
        assert_int_equal(status.attempts, i);
    }
    assert_in_range(s->event.retry_after, 150000, 300000);
}

static void a_fleet_does_not_come_back_as_one(void **state)
{
    struct set *s = *state;
    struct up_mqtt_options o = options(s->peer.port);
    unsigned quarters[4] = {0};

    for (uint32_t i = 0; i < 200; i++) {
        s->fake.chance = i * 2654435761U;
        reopen(s, &o);
        wait_for(s, UP_MQTT_DISCONNECTED);
        quarters[(s->event.retry_after - 1000) / 251]++;
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(quarters[i], 25, 75);
}

static void only_a_connection_that_lasts_makes_the_pauses_short_again(void **state)
{
    struct set *s = *state;

    for (uint64_t most = 2000; most <= 16000; most *= 2) {
        go_online(s);
        peer_drop(&s->peer);
        expect_end(s, UP_NETWORK, "ended the connection");
        assert_in_range(s->event.retry_after, most / 2, most);
        s->fake.now += most;
    }
    go_online(s);
    s->fake.now += 30000;
    peer_drop(&s->peer);
    expect_end(s, UP_NETWORK, "ended the connection");
    assert_in_range(s->event.retry_after, 1000, 2000);
}

static void what_is_not_acknowledged_is_sent_again_and_marked(void **state)
{
    struct set *s = *state;
    unsigned char mid[2];
    uint64_t id;

    go_online(s);
    id = must_publish(s, "one", 1);
    wait_for_packet(s, 0x32);
    memcpy(mid, s->packet + 5, 2);
    peer_drop(&s->peer);
    wait_for(s, UP_MQTT_DISCONNECTED);
    s->fake.now += 300000;
    go_online(s);
    wait_for_packet(s, 0x3a);
    assert_memory_equal(s->packet + 5, mid, 2);
    assert_memory_equal(s->packet + 7, "one", 3);
    peer_say(&s->peer, "\x40\x02\x77\x77", 4); /* one that there never was */
    peer_say(&s->peer, (unsigned char[]){0x40, 2, mid[0], mid[1], 0x40, 2, mid[0], mid[1]}, 8);
    wait_for(s, UP_MQTT_PUBLISHED);
    assert_int_equal(s->event.id, id);
    must_publish(s, "two", 1);
    wait_for_packet(s, 0x32);
}

/* A broker that ends the connection over `bad` and takes the rest; how often it was so,
 * until nothing is queued. *lost: the id that was given up, 0 none. */
static unsigned serve(struct set *s, const char *bad, unsigned patience, uint64_t *lost)
{
    struct up_mqtt_status status;
    struct up_mqtt_event e;
    unsigned ended = 0;

    *lost = 0;
    for (int i = 0; i < TURNS; i++) {
        while (up_mqtt_step(s->m, &e)) {
            s->fake.now += e.kind == UP_MQTT_DISCONNECTED ? e.retry_after : 0;
            *lost = e.kind == UP_MQTT_LOST ? e.id : *lost;
        }
        up_mqtt_status(s->m, &status);
        if (status.queued == 0)
            return ended;
        turn(s);
        for (s->len = peer_take(&s->peer, s->packet); s->len > 0; s->len = peer_take(&s->peer, s->packet))
            if (s->packet[0] == 0x10)
                peer_say(&s->peer, "\x20\x02\0\0", 4);
            else if (memcmp(s->packet + 7, bad, strlen(bad)) == 0 && ended < patience)
                ended++, peer_drop(&s->peer);
            else
                peer_say(&s->peer, (unsigned char[]){0x40, 2, s->packet[5], s->packet[6]}, 4);
    }
    fail_msg("%zu messages are queued", status.queued);
    return 0;
}

static void one_message_cannot_keep_it_away_for_ever(void **state)
{
    struct set *s = *state;
    uint64_t lost, bad;

    must_publish(s, "first", 1);
    bad = must_publish(s, "bad", 1);
    for (int i = 0; i < 20; i++)
        must_publish(s, "more", 1);
    assert_in_range(serve(s, "bad", 100, &lost), 10, 12);
    assert_int_equal(lost, bad);
    must_publish(s, "bad", 1);
    assert_int_equal(serve(s, "bad", 9, &lost), 9);
    assert_int_equal(lost, 0);
}

static void others_as_large_do_not_keep_it_away_as_long(void **state)
{
    struct set *s = *state;
    uint64_t lost;

    for (int i = 0; i < 20; i++)
        must_publish(s, "bad and large", 1);
    must_publish(s, "good", 1);
    assert_in_range(serve(s, "bad", 1000, &lost), 29, 32);
    must_publish(s, "worse", 1);
    assert_in_range(serve(s, "worse", 1000, &lost), 10, 12); /* smaller */
    must_publish(s, "as large, and taken", 1);
    assert_int_equal(serve(s, "bad", 1000, &lost), 0);
    must_publish(s, "bad and large", 1);
    assert_in_range(serve(s, "bad", 1000, &lost), 10, 12);
}

static void subscriptions_are_said_anew_and_may_be_denied(void **state)
{
    struct set *s = *state;
    struct up_error err;

    assert_int_equal(up_mqtt_subscribe(s->m, "a", 1, &err), 0);
    assert_int_equal(up_mqtt_subscribe(s->m, "b", 0, &err), 0);
    assert_int_equal(up_mqtt_unsubscribe(s->m, "b", &err), 0);
    for (int i = 0; i < 2; i++) {
        go_online(s);
        wait_for_packet(s, 0x82);
        assert_memory_equal(s->packet + 4, "\0\1a\1", 4);
        peer_say(&s->peer, (unsigned char[]){0x90, 3, s->packet[2], s->packet[3], i ? 0x80 : 1}, 5);
        wait_for(s, i ? UP_MQTT_DENIED : UP_MQTT_SUBSCRIBED);
        assert_int_equal(s->event.code, i ? UP_UNTRUSTED : 0);
        assert_int_equal(s->event.qos, i ? 0 : 1);
        if (i == 0) {
            peer_drop(&s->peer);
            wait_for(s, UP_MQTT_DISCONNECTED);
            s->fake.now += 300000;
        }
    }
    assert_int_equal(up_mqtt_unsubscribe(s->m, "a", &err), 0);
    wait_for_packet(s, 0xa2);
    assert_int_equal(up_mqtt_unsubscribe(s->m, "a", &err), UP_NOTHING);
}

static void a_broker_that_says_nothing_is_left(void **state)
{
    struct set *s = *state;

    wait_for_packet(s, 0x10);
    s->fake.now += 29999;
    assert_false(saw(s, UP_MQTT_DISCONNECTED));
    s->fake.now += 1;
    expect_end(s, UP_NETWORK, "no answer within 30 s");
}

/* As over a long way: the listener's queue is full, so that connecting takes until
 * there is room and the kernel has asked again, a second later. */
static void connecting_may_take_its_time(void **state, bool tls, unsigned char first)
{
    struct set *s = *state;
    struct up_mqtt_options o = options(s->peer.port);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)s->peer.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int others[3];

    listen(s->peer.listener, 0);
    for (int i = 0; i < 3; i++) {
        others[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(others[i], (struct sockaddr *)&a, sizeof a);
    }
    o.tls = o.insecure = tls;
    reopen(s, &o);
    for (int i = 0; i < 20; i++)
        assert_false(saw(s, UP_MQTT_DISCONNECTED));
    assert_true(up_mqtt_wants_write(s->m));
    assert_int_equal(up_mqtt_remaining(s->m), 30000);
    for (int i = 0; i < 3; i++)
        close(others[i]);
    for (int i = 0; i < TURNS && (s->peer.filled == 0 || s->peer.in[0] != first); i++) {
        struct pollfd p = {.fd = s->peer.fd, .events = POLLIN};

        if (s->peer.fd >= 0 && poll(&p, 1, 0) > 0 && recv(s->peer.fd, s->packet, 1, MSG_PEEK) == 0)
            peer_drop(&s->peer); /* one of the others */
        saw(s, UP_MQTT_DISCONNECTED);
        turn(s);
    }
    assert_int_equal(s->peer.in[0], first);
    assert_false(up_mqtt_wants_write(s->m)); /* now it is the broker's turn */
    assert_in_range(up_mqtt_remaining(s->m), 1, 30000);
}

static void a_slow_way_to_the_broker_stops_nobody(void **state)
{
    connecting_may_take_its_time(state, false, 0x10);
}

static void a_slow_way_delays_tls_until_there_is_a_connection(void **state)
{
    struct set *s = *state;

    connecting_may_take_its_time(state, true, 0x16);
    for (int i = 0; i < 3; i++) { /* a broker that stalls in the middle of it is left, and tried again */
        s->fake.now += 30000;
        expect_end(s, UP_NETWORK, "no answer within 30 s");
        s->fake.now += s->event.retry_after;
        for (int j = 0; j < TURNS && s->peer.filled < 100; j++) {
            saw(s, UP_MQTT_DISCONNECTED);
            turn(s);
        }
        assert_int_equal(s->peer.in[0], 0x16);
    }
}

static void a_broker_that_does_not_read_stops_nobody(void **state)
{
    static char large[UP_MQTT_PAYLOAD + 1];
    struct set *s = *state;
    struct up_mqtt_status status;
    struct up_error err;
    uint64_t id;
    unsigned sent = 0;

    go_online(s);
    while (up_mqtt_publish(s->m, "t", large, UP_MQTT_PAYLOAD, 0, false, &id, &err) == 0) {
        assert_true(++sent < 2000);
        saw(s, UP_MQTT_DISCONNECTED);
    }
    assert_int_equal(err.code, UP_NETWORK);
    assert_non_null(strstr(err.message, "64 messages wait"));
    assert_true(up_mqtt_wants_write(s->m));
    do { /* it reads again */
        saw(s, UP_MQTT_DISCONNECTED);
        turn(s);
        while (peer_take(&s->peer, s->packet) > 0)
            sent--;
        up_mqtt_status(s->m, &status);
    } while (sent > 0);
    assert_int_equal(status.queued, 0);
    assert_int_equal(up_mqtt_publish(s->m, "t", large, sizeof large, 0, false, &id, &err), UP_NETWORK);
    assert_non_null(strstr(err.message, "65537 bytes"));
}

static void it_takes_leave_and_leaves_nothing(void **state)
{
    struct set *s = *state;
    struct up_mqtt_options o = options(s->peer.port);
    unsigned descriptors, inherited;

    up_mqtt_close(s->m);
    s->m = NULL;
    descriptors = count_descriptors(false);
    inherited = count_descriptors(true);
    must_open(s, &o);
    go_online(s);
    assert_int_equal(count_descriptors(true), inherited);
    must_publish(s, "last", 0);
    up_mqtt_close(s->m);
    s->m = NULL;
    do
        peer_turn(&s->peer);
    while (s->peer.filled < 11);
    assert_memory_equal(s->peer.in, "\x30\x07\0\1tlast\xe0\0", 11);
    peer_drop(&s->peer);
    assert_int_equal(count_descriptors(false), descriptors);
}

static void every_address_is_tried_before_a_pause(void **state)
{
    struct set *s = *state;
    struct up_mqtt_options o = options(s->peer.port);

    o.host = "two.test";
    reopen(s, &o);
    go_online(s);
    o.host = "none.test";
    reopen(s, &o);
    expect_end(s, UP_NETWORK, "none.test");
}

static void a_slow_name_server_stops_nobody(void **state)
{
    struct set *s = *state;
    struct up_mqtt_options o = options(s->peer.port);

    o.host = "slow.test";
    reopen(s, &o);
    assert_false(saw(s, UP_MQTT_DISCONNECTED));
    s->fake.now += 30000;
    expect_end(s, UP_NETWORK, "the name server does not answer");
    s->fake.now += 300000; /* the next attempt waits for the same look-up */
    assert_false(saw(s, UP_MQTT_DISCONNECTED));
    sem_post(&answer);
    go_online(s);
    reopen(s, &o);
    assert_false(saw(s, UP_MQTT_DISCONNECTED));
    reopen(s, &o); /* the one before is not waited for */
    sem_post(&answer);
    sem_post(&answer);
    go_online(s);
}

static void options_that_cannot_be_are_refused(void **state)
{
    struct set *s = *state;
    struct up_mqtt_options cases[14];
    size_t n = sizeof cases / sizeof *cases;

    for (size_t i = 0; i < n; i++)
        cases[i] = options(s->peer.port);
    cases[0].host = NULL;
    cases[1].host = "";
    cases[2].port = 0;
    cases[3].port = 65536;
    cases[4].keepalive = 4;
    cases[5].keepalive = 65536;
    cases[6].back_off_min = 0;
    cases[7].back_off_max = 999;
    cases[8].queue = 0;
    cases[9].queue = UP_MQTT_QUEUE + 1;
    cases[10].client_id = NULL, cases[10].clean = false;
    cases[11].password = "secret";
    cases[12].will_topic = "a/#";
    cases[13].client_id = "";
    for (size_t i = 0; i < n; i++) {
        struct up_mqtt *m;
        struct up_error err = {0};

        if (up_mqtt_open(&m, &s->fake.storage, &cases[i], &err) != UP_USAGE || strstr(err.message, "secret"))
            fail_msg("case %zu: %s", i, err.message);
    }
}

/* What the library could not take is said, and handed over on the next connection. */
static void a_shortage_of_memory_loses_nothing(void **state)
{
    struct set *s = *state;
    struct up_error err;
    uint64_t id;

    go_online(s);
    short_publish = 2;
    for (int i = 0; i < 3; i++)
        id = must_publish(s, "abc", 1);
    expect_end(s, UP_INTERNAL, "out of memory");
    peer_drop(&s->peer);
    s->fake.now += 300000;
    go_online(s);
    for (uint64_t i = 0; i < 3; i++) {
        wait_for_packet(s, i == 0 ? 0x3a : 0x32);
        peer_say(&s->peer, (unsigned char[]){0x40, 2, s->packet[5], s->packet[6]}, 4);
        wait_for(s, UP_MQTT_PUBLISHED);
        assert_int_equal(s->event.id, id - 2 + i);
    }
    assert_int_equal(up_mqtt_subscribe(s->m, "a", 1, &err), 0);
    wait_for_packet(s, 0x82);
    assert_int_equal(up_mqtt_subscribe(s->m, "b", 1, &err), 0);
    wait_for_packet(s, 0x82);
    peer_drop(&s->peer);
    wait_for(s, UP_MQTT_DISCONNECTED);
    s->fake.now += 300000;
    short_subscribe = 1; /* the first of the two fails, the second does not */
    go_online(s);
    expect_end(s, UP_INTERNAL, "out of memory");
    peer_drop(&s->peer);
    s->fake.now += 300000;
    go_online(s);
    wait_for_packet(s, 0x82);
    assert_memory_equal(s->packet + 4, "\0\1a\1", 4);
    wait_for_packet(s, 0x82);
    assert_memory_equal(s->packet + 4, "\0\1b\1", 4);
}

/* One by one after trouble, but not for ever. */
static void care_ends_with_a_connection_that_lasts(void **state)
{
    struct set *s = *state;
    uint64_t lost;

    must_publish(s, "bad", 1);
    assert_int_equal(serve(s, "bad", 9, &lost), 9);
    for (int i = 0; i < 3; i++)
        must_publish(s, "more", 1);
    wait_for_packet(s, 0x32);
    for (int i = 0; i < 20; i++) {
        saw(s, UP_MQTT_PUBLISHED);
        turn(s);
    }
    assert_int_equal(s->peer.filled, 0);
    s->fake.now += 30000;
    wait_for_packet(s, 0x32);
    wait_for_packet(s, 0x32);
}

static void what_was_under_way_at_the_end_is_sent_again(void **state)
{
    static char large[UP_MQTT_PAYLOAD];
    struct set *s = *state;
    struct up_mqtt_status status;
    struct up_error err;
    uint64_t id;
    size_t queued;

    go_online(s);
    while (up_mqtt_publish(s->m, "t", large, sizeof large, 0, false, &id, &err) == 0)
        saw(s, UP_MQTT_DISCONNECTED);
    up_mqtt_status(s->m, &status);
    assert_int_equal(queued = status.queued, UP_MQTT_QUEUE);
    peer_drop(&s->peer);
    wait_for(s, UP_MQTT_DISCONNECTED);
    s->fake.now += 300000;
    go_online(s);
    for (; queued > 0; queued--)
        wait_for_packet(s, 0x30);
    saw(s, UP_MQTT_PUBLISHED);
    up_mqtt_status(s->m, &status);
    assert_int_equal(status.queued, 0);
}

/* The broker reads nothing any more, or is gone: leave is taken within a second. */
static void it_takes_leave_of_a_broker_that_does_not_listen(void **state)
{
    static char large[UP_MQTT_PAYLOAD];
    struct set *s = *state;
    struct up_mqtt_options o = options(s->peer.port);
    struct up_error err;
    unsigned descriptors = count_descriptors(false);
    uint64_t id;

    for (int gone = 0; gone < 2; gone++) {
        go_online(s);
        while (up_mqtt_publish(s->m, "t", large, sizeof large, 0, false, &id, &err) == 0)
            saw(s, UP_MQTT_DISCONNECTED);
        if (gone)
            peer_drop(&s->peer);
        up_mqtt_close(s->m);
        peer_drop(&s->peer);
        must_open(s, &o);
        assert_in_range(count_descriptors(false), 0, descriptors + 1);
    }
}

static void what_cannot_be_said_is_refused(void **state)
{
    static const char *const bad_topics[] = {"", "a/+", "a/#", "a\xff"}, *const bad_filters[] = {"", "a/#/b",
                                                                                                 "a+"};
    struct set *s = *state;
    struct up_mqtt_status status;
    struct up_error err;
    char topic[32], long_host[300];
    struct up_mqtt_options o = options(s->peer.port);
    uint64_t id = 77;

    for (size_t i = 0; i < sizeof bad_topics / sizeof *bad_topics; i++)
        assert_int_equal(up_mqtt_publish(s->m, bad_topics[i], "x", 1, 0, false, &id, &err), UP_USAGE);
    assert_int_equal(up_mqtt_publish(s->m, "t", "x", 1, 2, false, &id, &err), UP_USAGE);
    assert_int_equal(up_mqtt_publish(s->m, "t", "x", 1, -1, false, &id, &err), UP_USAGE);
    for (size_t i = 0; i < sizeof bad_filters / sizeof *bad_filters; i++)
        assert_int_equal(up_mqtt_subscribe(s->m, bad_filters[i], 1, &err), UP_USAGE);
    assert_int_equal(up_mqtt_subscribe(s->m, "t", 2, &err), UP_USAGE);
    assert_int_equal(up_mqtt_subscribe(s->m, "t", -1, &err), UP_USAGE);
    assert_int_equal(id, 77);
    up_mqtt_status(s->m, &status);
    assert_int_equal(status.queued, 0);
    for (int i = 0; i < UP_MQTT_SUBSCRIPTIONS; i++) {
        snprintf(topic, sizeof topic, "t/%d", i);
        assert_int_equal(up_mqtt_subscribe(s->m, topic, 1, &err), 0);
    }
    assert_int_equal(up_mqtt_subscribe(s->m, "one/more", 1, &err), UP_USAGE);
    assert_int_equal(up_mqtt_subscribe(s->m, "t/0", 0, &err), 0); /* is there already */
    assert_int_equal(up_mqtt_unsubscribe(s->m, "t/1", &err), 0);
    assert_int_equal(up_mqtt_subscribe(s->m, "one/more", 1, &err), 0);
    memset(long_host, 'h', sizeof long_host);
    long_host[sizeof long_host - 1] = '\0';
    o.host = long_host;
    reopen(s, &o);
    expect_end(s, UP_NETWORK, "mqtt hhh"); /* the name is longer than a resolver takes */
}

static void put_key(const char *path, EVP_PKEY *key, const char *passphrase)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, key, passphrase ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
                                          (void *)passphrase),
                     1);
    fclose(f);
}

static void put_certificate(const char *path, EVP_PKEY *key)
{
    FILE *f = fopen(path, "w");
    X509 *x = X509_new();

    assert_non_null(f);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(f, x), 1);
    X509_free(x);
    fclose(f);
}

/* Files that TLS cannot use are named at once, not when the broker hangs up;
 * and nobody is asked for a passphrase. */
static void certificates_and_keys_must_fit(void **state)
{
    static const char *const names[] = {"ours.crt", "ours.key", "other.key", "locked.key", "rubbish"};
    enum { CERT, KEY, OTHER, LOCKED, RUBBISH, NONE };
    static const struct {
        int ca, cert, key, code;
        const char *said;
    } cases[] = {
        {CERT, CERT, KEY, 0, ""},
        {CERT, NONE, NONE, 0, ""},
        {NONE, CERT, KEY, 0, ""},
        {CERT, CERT, NONE, UP_USAGE, "needs its key"},
        {CERT, NONE, KEY, UP_USAGE, "needs its key"},
        {CERT, CERT, OTHER, UP_USAGE, "other.key: "},
        {CERT, CERT, LOCKED, UP_USAGE, "locked.key: "},
        {CERT, CERT, RUBBISH, UP_USAGE, "rubbish: "},
        {CERT, RUBBISH, KEY, UP_USAGE, "rubbish: "},
        {RUBBISH, NONE, NONE, UP_USAGE, "certificates "},
    };
    struct set *s = *state;
    char dir[] = "/tmp/moult-check-XXXXXX", path[6][64];
    EVP_PKEY *ours = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    struct up_error err;

    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < NONE; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", dir, names[i]);
    put_certificate(path[CERT], ours);
    put_key(path[KEY], ours, NULL);
    put_key(path[OTHER], other, NULL);
    put_key(path[LOCKED], ours, "secret");
    fclose(fopen(path[RUBBISH], "w"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct up_mqtt_options o = options(s->peer.port);
        struct up_mqtt *m = NULL;
        int rc;

        o.tls = true;
        o.ca = cases[i].ca == NONE ? NULL : path[cases[i].ca];
        o.cert = cases[i].cert == NONE ? NULL : path[cases[i].cert];
        o.key = cases[i].key == NONE ? NULL : path[cases[i].key];
        rc = up_mqtt_open(&m, &s->fake.storage, &o, &err);
        if (rc != cases[i].code || (rc < 0 && !strstr(err.message, cases[i].said)))
            fail_msg("case %zu: %d, %s", i, rc, rc < 0 ? err.message : "");
        up_mqtt_close(m);
    }
    EVP_PKEY_free(ours);
    EVP_PKEY_free(other);
    for (int i = 0; i < NONE; i++)
        assert_int_equal(unlink(path[i]), 0);
    assert_int_equal(rmdir(dir), 0);
}

static int mid_of(const struct up_mqtt_queue *q, uint64_t id)
{
    for (const struct up_mqtt_outgoing *o = q->first; o; o = o->next)
        if (o->id == id)
            return o->mid;
    return -1;
}

static void the_queue_knows_what_became_of_each(void **state)
{
    struct up_mqtt_queue q;
    struct up_mqtt_outgoing *o;
    struct up_error err;

    (void)state;
    up_mqtt_queue_init(&q, 3);
    assert_null(up_mqtt_queue_take(&q));
    assert_null(up_mqtt_queue_oldest(&q));
    for (int qos = 0; qos < 3; qos++)
        assert_int_equal(up_mqtt_queue_add(&q, "t", "x", 1, qos > 0, false, &err), 0);
    assert_int_equal(up_mqtt_queue_add(&q, "t", "x", 1, 0, false, &err), UP_NETWORK);
    assert_int_equal(up_mqtt_queue_in_flight(&q), 0);
    for (o = q.first; o; o = o->next) {
        o->handed = o->id < 3;
        o->mid = (int)o->id + 100;
    }
    assert_int_equal(mid_of(&q, 2), 102);
    assert_int_equal(up_mqtt_queue_in_flight(&q), 1);
    assert_int_equal(up_mqtt_queue_oldest(&q)->id, 2);
    up_mqtt_queue_done(&q, 555); /* of nobody */
    up_mqtt_queue_done(&q, 103); /* of one that was not handed over */
    assert_null(up_mqtt_queue_take(&q));
    up_mqtt_queue_done(&q, 102);
    up_mqtt_queue_done(&q, 102);
    assert_null(up_mqtt_queue_oldest(&q));
    assert_int_equal(up_mqtt_queue_in_flight(&q), 0);
    up_mqtt_queue_lost(&q); /* of QoS 0 one was under way */
    assert_false(q.first->handed);
    assert_true(q.first->next->handed && q.first->next->done);
    up_mqtt_queue_renew(&q);
    assert_true(q.first->next->handed); /* it was done before */
    o = up_mqtt_queue_take(&q);
    assert_int_equal(o->id, 2);
    free(o);
    up_mqtt_queue_drop(&q, 77);
    up_mqtt_queue_drop(&q, 3);
    assert_int_equal(q.count, 1);
    assert_int_equal(up_mqtt_queue_add(&q, "t", "x", 1, 1, false, &err), 0); /* behind the first again */
    assert_int_equal(q.first->next->id, 4);
    up_mqtt_queue_clear(&q);
    assert_int_equal(q.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hours_offline_lose_nothing, set_up_offline, tear_down),
        cmocka_unit_test_setup_teardown(whoever_cannot_wait_is_tried_at_once, set_up_offline, tear_down),
        cmocka_unit_test_setup_teardown(a_fleet_does_not_come_back_as_one, set_up_offline, tear_down),
        cmocka_unit_test_setup_teardown(only_a_connection_that_lasts_makes_the_pauses_short_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_acknowledged_is_sent_again_and_marked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_message_cannot_keep_it_away_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_as_large_do_not_keep_it_away_as_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(subscriptions_are_said_anew_and_may_be_denied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broker_that_says_nothing_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_way_to_the_broker_stops_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_way_delays_tls_until_there_is_a_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broker_that_does_not_read_stops_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_takes_leave_and_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_address_is_tried_before_a_pause, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_name_server_stops_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(options_that_cannot_be_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shortage_of_memory_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(care_ends_with_a_connection_that_lasts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_under_way_at_the_end_is_sent_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_takes_leave_of_a_broker_that_does_not_listen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_said_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(certificates_and_keys_must_fit, set_up, tear_down),
        cmocka_unit_test(the_queue_knows_what_became_of_each),
    };

    sem_init(&answer, 0, 0);
    return cmocka_run_group_tests_name("mqtt", tests, NULL, NULL);
}
