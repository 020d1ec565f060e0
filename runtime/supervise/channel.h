/*
 * channel.h -- lines over Unix sockets: the control socket (listener.h) and the
 * socket pairs between supervisor and children.
 *
 * A line has at most UP_LINE_MAX bytes and ends with '\n'. Nothing here waits:
 * receive returns UP_AGAIN, and what cannot be sent at once is queued, up to a
 * limit.
 */
#ifndef UP_CHANNEL_H
#define UP_CHANNEL_H

#include <stddef.h>

#include "error.h"

#define UP_LINE_MAX 65536
#define UP_CHANNEL_QUEUE (256 * 1024) /* bytes waiting to be sent, at most */

struct up_processes;
struct up_channel;

/* Errors: UP_NOTHING there is no listener; UP_REFUSED this user may not
 * connect; UP_BUSY too many connections are waiting: try again; UP_WRITE. */
UP_MUST_CHECK int up_channel_connect(struct up_channel **out, const char *path, struct up_error *err);
/* Over a link of `processes`, which is closed with the channel, or if this
 * fails. Errors: UP_INTERNAL out of memory. */
UP_MUST_CHECK int up_channel_new(struct up_channel **out, struct up_processes *processes, int link,
                                 struct up_error *err);
/* Take over a connected stream socket, also an inherited one; it is closed with
 * the channel. Errors: UP_USAGE not such a socket, which is left alone;
 * UP_INTERNAL, and it is closed. */
UP_MUST_CHECK int up_channel_from_fd(struct up_channel **out, int fd, struct up_error *err);
int up_channel_fd(const struct up_channel *c);
int up_channel_wants_write(const struct up_channel *c); /* queue not empty: poll for writing too */
size_t up_channel_queued(const struct up_channel *c);   /* bytes in the queue */

/* For these three err may be NULL. */

/* Queue a line (without '\n') and send what is possible at once. Errors:
 * UP_USAGE too long or with '\n'; UP_BUSY queue full; UP_NETWORK the peer is
 * gone. */
UP_MUST_CHECK int up_channel_send(struct up_channel *c, const char *line, size_t len, struct up_error *err);
/* Send what is queued: 0, UP_AGAIN, or UP_NETWORK. */
UP_MUST_CHECK int up_channel_flush(struct up_channel *c, struct up_error *err);
/* The next line without '\n', NUL-terminated, valid until the next receive: its
 * length, UP_AGAIN, UP_NOTHING at the end, UP_CORRUPT line too long. */
UP_MUST_CHECK long up_channel_receive(struct up_channel *c, const char **line, struct up_error *err);
void up_channel_close(struct up_channel *c);

#endif
