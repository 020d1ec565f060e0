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
#include <netinet/tcp.h>
#include <stdarg.h>
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

#define INPUT 2048 /* bytes; an offer has some 500 */
#define PATIENCE 120.0
#define KEEPALIVE 3600

enum stage { AWAY, OPENING, SUBSCRIBING, WAITING, FETCHING, ARRIVING, DONE };

struct device {
    enum stage stage;
    unsigned number;
    int mqtt, http;
    uint16_t packet; /* id of the last message that it sent with QoS 1 */
    size_t have;
    uint64_t wanted, got; /* bytes of the download; wanted is 0 before the head has come */
    char *request;        /* not sent yet; NULL: sent */
    unsigned char input[INPUT];
};

static struct {
    struct sockaddr_in broker;
    const char *old, *fresh, *product[2];
    unsigned first, count, rate, opened, done;
    unsigned long published, received, downloads, again;
    unsigned long long bytes;
    struct device *devices;
    double begun, moved;
    int epoll;
} fleet;

static void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "fleet: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    exit(1);
}

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

static int dial(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0)
        die("socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) < 0 && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    return fd;
}

/* A device has little to say: it always fits the socket's buffer. */
static void put(int fd, const void *bytes, size_t len)
{
    if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        die("a peer does not take %zu bytes: %s", len, strerror(errno));
}

/* One MQTT packet: fixed header, remaining length, body. */
static void put_packet(const struct device *d, unsigned char type, const unsigned char *body, size_t len)
{
    unsigned char packet[INPUT];
    size_t at = 0, rest = len;

    packet[at++] = type;
    do {
        packet[at++] = (unsigned char)(rest % 128 | (rest >= 128 ? 128 : 0));
        rest /= 128;
    } while (rest);
    memcpy(packet + at, body, len);
    put(d->mqtt, packet, at + len);
}

static size_t add_string(unsigned char *at, const char *text)
{
    size_t len = strlen(text);

    at[0] = (unsigned char)(len >> 8);
    at[1] = (unsigned char)len;
    memcpy(at + 2, text, len);
    return len + 2;
}

static bool is_tencent(const struct device *d)
{
    return d->number % 2;
}

static void topic_of(const struct device *d, const char *kind, char *out, size_t len)
{
    if (is_tencent(d))
        snprintf(out, len, "$ota/%s/%s/dev%u", kind, fleet.product[1], d->number);
    else
        snprintf(out, len, "/ota/device/%s/%s/dev%u", kind, fleet.product[0], d->number);
}

static void say_hello(struct device *d)
{
    unsigned char body[256] = {0, 4, 'M', 'Q', 'T', 'T', 4, 2, KEEPALIVE >> 8, KEEPALIVE & 255};
    char id[64];

    snprintf(id, sizeof id, "bench-dev%u", d->number);
    put_packet(d, 0x10, body, 10 + add_string(body + 10, id));
}

static void subscribe(struct device *d)
{
    unsigned char body[256];
    char topic[128];
    size_t len;

    topic_of(d, is_tencent(d) ? "update" : "upgrade", topic, sizeof topic);
    body[0] = 0;
    body[1] = (unsigned char)++d->packet;
    len = 2 + add_string(body + 2, topic);
    body[len++] = 1; /* QoS */
    put_packet(d, 0x82, body, len);
}

static void publish(struct device *d, const char *kind, int qos, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void publish(struct device *d, const char *kind, int qos, const char *format, ...)
{
    unsigned char body[1024];
    char topic[128];
    va_list args;
    size_t len;

    topic_of(d, is_tencent(d) ? "report" : kind, topic, sizeof topic);
    len = add_string(body, topic);
    if (qos) {
        d->packet++;
        body[len++] = (unsigned char)(d->packet >> 8);
        body[len++] = (unsigned char)d->packet;
    }
    va_start(args, format);
    len += (size_t)vsnprintf((char *)body + len, sizeof body - len, format, args);
    va_end(args);
    put_packet(d, qos ? 0x32 : 0x30, body, len);
    fleet.published++;
}

static void report(struct device *d, const char *release)
{
    if (is_tencent(d))
        publish(d, "", 1, "{\"type\": \"report_version\", \"report\":{\"version\":\"%s\"}}", release);
    else
        publish(d, "inform", 1, "{\"id\":\"0\",\"params\":{\"version\":\"%s\"}}", release);
}

static void progress(struct device *d, int percent)
{
    if (is_tencent(d))
        publish(d, "", 0,
                "{\"type\": \"report_progress\", \"report\": {\"progress\": {\"state\":\"downloading\", "
                "\"percent\":\"%d\", \"result_code\":\"0\", \"result_msg\":\"\"}, \"version\": \"%s\"}}",
                percent, fleet.fresh);
    else
        publish(d, "progress", 0, "{\"id\":0,\"params\":{\"step\":\"%d\",\"desc\":\"\"}}", percent);
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
        put_packet(d, 0x40, body + at, 2);
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
    progress(d, 50);
    progress(d, 100);
    if (is_tencent(d))
        publish(d, "", 1,
                "{\"type\": \"report_progress\", \"report\":{\"progress\":{\"state\":\"done\", "
                "\"result_code\":\"0\", "
                "\"result_msg\":\"\"}, \"version\":\"%s\"}}",
                fleet.fresh);
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
