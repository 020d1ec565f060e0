/*
 * listener.h -- the control socket, which gives a channel for each connection.
 */
#ifndef UP_LISTENER_H
#define UP_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

struct up_channel;
struct up_listener;

/* Who besides root and our user may connect to a listener. */
struct up_access {
    bool has_user, has_group;
    uid_t user;  /* the socket becomes theirs */
    gid_t group; /* mode 0660 instead of 0600 */
};

/* Listen at path; access NULL: nobody else, mode 0600. A stale socket file is
 * replaced; a live one is UP_BUSY. close() unlinks the path. All descriptors
 * are close-on-exec. */
UP_MUST_CHECK int up_listener_open(struct up_listener **out, const char *path, const struct up_access *access,
                                   struct up_error *err);
int up_listener_fd(const struct up_listener *l);
/* UP_AGAIN if nobody is waiting. Checking the peer and its rights is up to the caller (peer.h). */
UP_MUST_CHECK int up_listener_accept(struct up_listener *l, struct up_channel **out, struct up_error *err);
void up_listener_close(struct up_listener *l);

#endif
