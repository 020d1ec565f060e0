/*
 * dial.h -- a TCP connection by itself, with TLS or without, for what is no
 * HTTP: names, addresses, certificates and time-outs are those of fetch.h.
 *
 * Nothing waits: while something gives UP_AGAIN, poll the loop, once connected
 * with fd() among its descriptors.
 */
#ifndef UP_DIAL_H
#define UP_DIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

struct up_dial; /* opaque */
struct up_fetch_options;
struct up_loop;

/* Begin to connect. Of the options connect_timeout, ca_file and time_floor
 * count; without `tls` the first alone. Errors: UP_USAGE the host; UP_INTERNAL. */
UP_MUST_CHECK int up_dial_open(struct up_dial **out, struct up_loop *loop, const char *host, unsigned port,
                               bool tls, const struct up_fetch_options *options, struct up_error *err);

/* 0: connected; UP_AGAIN; UP_NETWORK it cannot be, or not within connect_timeout. */
UP_MUST_CHECK int up_dial_step(struct up_dial *d, struct up_error *err);
int up_dial_fd(const struct up_dial *d); /* -1: not connected */

/* Once connected: how many bytes went or came, UP_AGAIN, or UP_NETWORK.
 * receive() gives 0 when the other end has closed. */
UP_MUST_CHECK long up_dial_send(struct up_dial *d, const void *data, size_t len, struct up_error *err);
UP_MUST_CHECK long up_dial_receive(struct up_dial *d, void *buf, size_t len, struct up_error *err);

void up_dial_close(struct up_dial *d); /* NULL is allowed */

#endif
