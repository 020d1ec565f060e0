#include "fleet_device.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define KEEPALIVE 3600

void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "fleet: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    exit(1);
}

int dial(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0)
        die("socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) < 0 && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    return fd;
}

void put(int fd, const void *bytes, size_t len)
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

void say_hello(struct device *d)
{
    unsigned char body[256] = {0, 4, 'M', 'Q', 'T', 'T', 4, 2, KEEPALIVE >> 8, KEEPALIVE & 255};
    char id[64];

    snprintf(id, sizeof id, "bench-dev%u", d->number);
    put_packet(d, 0x10, body, 10 + add_string(body + 10, id));
}

void subscribe(struct device *d)
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

void report(struct device *d, const char *release)
{
    if (is_tencent(d))
        publish(d, "", 1, "{\"type\": \"report_version\", \"report\":{\"version\":\"%s\"}}", release);
    else
        publish(d, "inform", 1, "{\"id\":\"0\",\"params\":{\"version\":\"%s\"}}", release);
}

void progress(struct device *d, int percent)
{
    if (is_tencent(d))
        publish(d, "", 0,
                "{\"type\": \"report_progress\", \"report\": {\"progress\": {\"state\":\"downloading\", "
                "\"percent\":\"%d\", \"result_code\":\"0\", \"result_msg\":\"\"}, \"version\": \"%s\"}}",
                percent, fleet.fresh);
    else
        publish(d, "progress", 0, "{\"id\":0,\"params\":{\"step\":\"%d\",\"desc\":\"\"}}", percent);
}

void acknowledge(struct device *d, const unsigned char *packet_id)
{
    put_packet(d, 0x40, packet_id, 2);
}

void report_done(struct device *d)
{
    progress(d, 50);
    progress(d, 100);
    if (is_tencent(d))
        publish(d, "", 1,
                "{\"type\": \"report_progress\", \"report\":{\"progress\":{\"state\":\"done\", "
                "\"result_code\":\"0\", "
                "\"result_msg\":\"\"}, \"version\":\"%s\"}}",
                fleet.fresh);
}
