/*
 * dial.h -- a plain TCP or TLS connection, for protocols other than HTTP. Names,
 * addresses, certificates and time-outs are handled as in fetch.h.
 *
 * Nothing waits: while a function returns UP_AGAIN, poll the loop; once connected
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

/* Begin to connect. The options connect_timeout, ca_file and time_floor apply;
 * without `tls` only the first. Errors: UP_USAGE invalid host; UP_INTERNAL. */
UP_MUST_CHECK int up_dial_open(struct up_dial **out, struct up_loop *loop, const char *host, unsigned port,
                               bool tls, const struct up_fetch_options *options, struct up_error *err);

/* 0: connected; UP_AGAIN; UP_NETWORK it failed, or took longer than connect_timeout. */
UP_MUST_CHECK int up_dial_step(struct up_dial *d, struct up_error *err);
int up_dial_fd(const struct up_dial *d); /* -1: not connected */

/* Once connected: the number of bytes sent or received, UP_AGAIN, or UP_NETWORK.
 * receive() returns 0 if the peer has closed. */
UP_MUST_CHECK long up_dial_send(struct up_dial *d, const void *data, size_t len, struct up_error *err);
UP_MUST_CHECK long up_dial_receive(struct up_dial *d, void *buf, size_t len, struct up_error *err);

void up_dial_close(struct up_dial *d); /* NULL is allowed */

#endif
