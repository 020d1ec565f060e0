/*
 * fleet.c -- many devices in one process, as the depot's broker sees them.
 *
 *     fleet HOST PORT FIRST COUNT RATE OLD NEW PRODUCT_ALIYUN PRODUCT_TENCENT
 *
 * Devices number FIRST to FIRST+COUNT-1 connect, RATE a second, the even ones
 * as Aliyun's, the odd ones as Tencent's. Each subscribes, reports release OLD,
 * and on the offer fetches the package by its link, tells its progress as the
 * vendor's client does, and reports NEW. It is done when the broker has taken
 * that. A download that fails ends in a new report of OLD, as after a restart.
 * Nothing is verified nor written: it is the depot that is measured.
 *
 * Ends when all are done, and prints
 *
 *     fleet: done N published N received N downloads N bytes N again N seconds S
 *
 * or exits 1 and says why, also when nothing has happened for two minutes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fleet_device.h"

#define PATIENCE 120.0 /* seconds */

struct fleet fleet;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The epoll data tells the device and which of its sockets it is. */
static void watch(const struct device *d, int fd, bool http, uint32_t events)
{
    struct epoll_event e = {.events = events};

    e.data.u64 = (uint64_t)(d - fleet.devices) * 2 + http;
    if (epoll_ctl(fleet.epoll, EPOLL_CTL_ADD, fd, &e) < 0 &&
        epoll_ctl(fleet.epoll, EPOLL_CTL_MOD, fd, &e) < 0)
        die("epoll: %s", strerror(errno));
}

/* The text value of a field, which no escape is expected in; false when there is none. */
static bool find_text(const char *json, const char *name, char *out, size_t len)
{
    char key[32];
    const char *at, *end;

    snprintf(key, sizeof key, "\"%s\":\"", name);
    at = strstr(json, key);
    end = at ? strchr(at + strlen(key), '"') : NULL;
    if (!end || (size_t)(end - at) - strlen(key) >= len)
        return false;
    snprintf(out, len, "%.*s", (int)((size_t)(end - at) - strlen(key)), at + strlen(key));
    return true;
}

/* Begin to fetch; the request goes out once the connection stands. */
static void fetch(struct device *d, const char *url)
{
    struct sockaddr_in server = {.sin_family = AF_INET};
    char host[64];
    unsigned port;
    int path;

    if (sscanf(url, "http://%63[^:/]:%u%n", host, &port, &path) != 2 ||
        inet_pton(AF_INET, host, &server.sin_addr) != 1)
        die("a link that is not http://ADDRESS:PORT/...: %s", url);
    if (asprintf(&d->request, "GET %s HTTP/1.1\r\nHost: %s\r\nRange: bytes=0-\r\nConnection: close\r\n\r\n",
                 url + path, host) < 0)
        die("out of memory");
    server.sin_port = htons((uint16_t)port);
    d->http = dial(&server);
    d->got = d->wanted = 0;
    d->stage = FETCHING;
    watch(d, d->http, true, EPOLLOUT);
}

static void on_publish(struct device *d, unsigned char type, const unsigned char *body, size_t len)
{
    size_t at = 2 + ((size_t)body[0] << 8 | body[1]);
    char payload[INPUT], url[1024];

    if (type & 6 && at + 2 <= len) {
        acknowledge(d, body + at);
        at += 2;
    }
    if (at > len)
        die("a packet that is none");
    snprintf(payload, sizeof payload, "%.*s", (int)(len - at), (const char *)body + at);
    fleet.received++;
    /* Else the answer to a report, or an offer that came twice. */
    if (d->stage == WAITING && find_text(payload, "url", url, sizeof url)) {
        progress(d, 0);
        fetch(d, url);
    }
}

static void on_packet(struct device *d, unsigned char type, const unsigned char *body, size_t len)
{
    fleet.moved = now();
    switch (type >> 4) {
    case 2: /* CONNACK */
        if (len < 2 || body[1])
            die("the broker refuses device %u", d->number);
        subscribe(d);
        d->stage = SUBSCRIBING;
        break;
    case 9: /* SUBACK */
        report(d, fleet.old);
        d->stage = WAITING;
        break;
    case 3:
        on_publish(d, type, body, len);
        break;
    case 4: /* PUBACK */
        if (d->stage == ARRIVING && ((unsigned)body[0] << 8 | body[1]) == d->packet) {
            d->stage = DONE;
            fleet.done++;
        }
        break;
    default:
        die("a packet of type %u from the broker", (unsigned)type >> 4);
    }
}

static void on_mqtt(struct device *d)
{
    ssize_t n = recv(d->mqtt, d->input + d->have, INPUT - d->have, 0);

    if (n <= 0 && (n == 0 || errno != EAGAIN))
        die("device %u lost the broker: %s", d->number, n ? strerror(errno) : "closed");
    d->have += n > 0 ? (size_t)n : 0;
    for (;;) {
        size_t len = 0, at = 1, shift = 0;

        while (at < d->have && at < 5 && d->input[at] & 128) {
            len |= (size_t)(d->input[at++] & 127) << shift;
            shift += 7;
        }
        if (at >= d->have)
            return;
        len |= (size_t)d->input[at++] << shift;
        if (at + len > INPUT)
            die("a packet of %zu bytes", len);
        if (at + len > d->have)
            return;
        on_packet(d, d->input[0], d->input + at, len);
        d->have -= at + len;
        memmove(d->input, d->input + at + len, d->have);
    }
}

static void end_fetch(struct device *d, bool whole)
{
    close(d->http);
    d->http = -1;
    if (!whole) {
        fleet.again++;
        report(d, fleet.old);
        d->stage = WAITING;
        return;
    }
    fleet.downloads++;
    report_done(d);
    report(d, fleet.fresh);
    d->stage = ARRIVING;
}

/* The head of the answer comes in one piece: depot and device share a machine. */
static void on_http(struct device *d, uint32_t events)
{
    char piece[65536];
    const char *head_end, *length;
    ssize_t n;

    fleet.moved = now();
    if (d->request) {
        if (!(events & EPOLLERR))
            put(d->http, d->request, strlen(d->request));
        free(d->request);
        d->request = NULL;
        watch(d, d->http, true, EPOLLIN);
        return;
    }
    n = recv(d->http, piece, sizeof piece - 1, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        end_fetch(d, d->wanted && d->got == d->wanted);
        return;
    }
    piece[n] = '\0';
    if (!d->wanted) {
        head_end = memmem(piece, (size_t)n, "\r\n\r\n", 4);
        length = strcasestr(piece, "\r\nContent-Length:");
        if (strncmp(piece, "HTTP/1.1 206", 12) || !head_end || !length || length > head_end) {
            end_fetch(d, false);
            return;
        }
        d->wanted = strtoull(length + 17, NULL, 10);
        n -= head_end + 4 - piece;
    }
    d->got += (uint64_t)n;
    fleet.bytes += (unsigned long long)n;
}

static void open_devices(void)
{
    unsigned due = (unsigned)((now() - fleet.begun) * fleet.rate);

    for (; fleet.opened < fleet.count && fleet.opened < due; fleet.opened++) {
        struct device *d = &fleet.devices[fleet.opened];

        d->number = fleet.first + fleet.opened;
        d->mqtt = dial(&fleet.broker);
        d->http = -1;
        d->stage = OPENING;
        watch(d, d->mqtt, false, EPOLLOUT);
    }
}

static void serve(const struct epoll_event *e)
{
    struct device *d = &fleet.devices[e->data.u64 / 2];

    if (e->data.u64 % 2) {
        if (d->http >= 0)
            on_http(d, e->events);
    } else if (d->stage == OPENING && e->events & EPOLLOUT) {
        say_hello(d);
        watch(d, d->mqtt, false, EPOLLIN);
    } else {
        on_mqtt(d);
    }
}

static void check_patience(void)
{
    unsigned stages[DONE + 1] = {0};

    if (now() - fleet.moved < PATIENCE)
        return;
    for (unsigned i = 0; i < fleet.count; i++)
        stages[fleet.devices[i].stage]++;
    die("nothing happens any more: %u away, %u opening, %u subscribing, %u waiting, %u fetching, %u "
        "arriving, %u done",
        stages[AWAY], stages[OPENING], stages[SUBSCRIBING], stages[WAITING], stages[FETCHING],
        stages[ARRIVING], stages[DONE]);
}

static void run(void)
{
    struct epoll_event events[256];

    while (fleet.done < fleet.count) {
        int n;

        open_devices();
        n = epoll_wait(fleet.epoll, events, 256, fleet.opened < fleet.count ? 10 : 1000);
        if (n < 0 && errno != EINTR)
            die("epoll: %s", strerror(errno));
        for (int i = 0; i < n; i++)
            serve(&events[i]);
        check_patience();
    }
}

int main(int argc, char **argv)
{
    struct rlimit files;

    if (argc != 10)
        die("usage: fleet HOST PORT FIRST COUNT RATE OLD NEW PRODUCT_ALIYUN PRODUCT_TENCENT");
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    fleet.broker.sin_family = AF_INET;
    fleet.broker.sin_port = htons((uint16_t)atoi(argv[2]));
    if (inet_pton(AF_INET, argv[1], &fleet.broker.sin_addr) != 1)
        die("%s is no address", argv[1]);
    fleet.first = (unsigned)atoi(argv[3]);
    fleet.count = (unsigned)atoi(argv[4]);
    fleet.rate = (unsigned)atoi(argv[5]);
    fleet.old = argv[6];
    fleet.fresh = argv[7];
    fleet.product[0] = argv[8];
    fleet.product[1] = argv[9];
    fleet.devices = calloc(fleet.count ? fleet.count : 1, sizeof *fleet.devices);
    fleet.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!fleet.devices || fleet.epoll < 0)
        die("cannot start: %s", strerror(errno));
    fleet.begun = fleet.moved = now();
    run();
    printf("fleet: done %u published %lu received %lu downloads %lu bytes %llu again %lu seconds %.3f\n",
           fleet.done, fleet.published, fleet.received, fleet.downloads, fleet.bytes, fleet.again,
           now() - fleet.begun);
    return 0;
}
