/*
 * fleet_device.h -- one device of fleet.c, and what it says on the wire as the vendors' clients do.
 */
#ifndef FLEET_DEVICE_H
#define FLEET_DEVICE_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define INPUT 2048 /* bytes; an offer has some 500 */

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

struct fleet {
    struct sockaddr_in broker;
    const char *old, *fresh, *product[2];
    unsigned first, count, rate, opened, done;
    unsigned long published, received, downloads, again;
    unsigned long long bytes;
    struct device *devices;
    double begun, moved;
    int epoll;
};

extern struct fleet fleet;

/* Say why on stderr, and exit 1. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* A socket that begins to connect. */
int dial(const struct sockaddr_in *to);
/* A device has little to say: it always fits the socket's buffer. */
void put(int fd, const void *bytes, size_t len);

void say_hello(struct device *d);
void subscribe(struct device *d);
void acknowledge(struct device *d, const unsigned char *packet_id);
void report(struct device *d, const char *release);
void progress(struct device *d, int percent);
/* The package is fetched: what the vendor's client says before it reports the release. */
void report_done(struct device *d);

#endif
