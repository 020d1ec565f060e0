/*
 * peer.h -- who is at the other end of a Unix socket, as the kernel tells it.
 */
#ifndef UP_PEER_H
#define UP_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

/* Who they were when they connected. A number of a process that has ended may
 * be another's by now, so it proves nothing without the user. */
struct up_peer {
    pid_t pid; /* 0: of another pid namespace */
    uid_t uid;
    gid_t gid;
};

/* Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_peer_of(int fd, struct up_peer *out, struct up_error *err);
/* Whether they are root, or the user that we are. */
bool up_peer_is_own(const struct up_peer *peer);
/* Whether group is among the groups that they had. */
bool up_peer_in_group(int fd, const struct up_peer *peer, gid_t group);
/* Whether `pid` is `ancestor`, or was started by it or below it, and its parents live. */
bool up_peer_descends(pid_t pid, pid_t ancestor);

#endif
