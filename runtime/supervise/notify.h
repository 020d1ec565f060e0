/*
 * notify.h -- report to the service manager (sd_notify), without its library.
 *
 * Nothing here fails: it does not matter whether there is a manager and whether
 * it listens.
 */
#ifndef UP_NOTIFY_H
#define UP_NOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>

struct up_notify {
    int fd;       /* -1: no manager asked */
    int watchdog; /* whether the manager expects WATCHDOG=1 */
    struct sockaddr_un address;
    socklen_t address_len;
};

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC. Release with up_notify_close(). */
void up_notify_open(struct up_notify *n);
/* Send one datagram of "KEY=value" lines, formatted as by printf. Never waits. */
void up_notify_send(const struct up_notify *n, const char *format, ...) __attribute__((format(printf, 2, 3)));
void up_notify_close(struct up_notify *n);

#endif
