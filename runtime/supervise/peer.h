/*
 * peer.h -- the process at the other end of a Unix socket, according to the
 * kernel.
 */
#ifndef UP_PEER_H
#define UP_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

/* The peer when it connected. The number of a process that has ended may be
 * reused, so it proves nothing without the user. */
struct up_peer {
    pid_t pid; /* 0: of another pid namespace */
    uid_t uid;
    gid_t gid;
};

/* Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_peer_of(int fd, struct up_peer *out, struct up_error *err);
/* Whether the peer is root, or our own user. */
bool up_peer_is_own(const struct up_peer *peer);
/* Whether group is among the peer's groups. */
bool up_peer_in_group(int fd, const struct up_peer *peer, gid_t group);
/* Whether `pid` is `ancestor`, or a living descendant whose parents live. */
bool up_peer_descends(pid_t pid, pid_t ancestor);

#endif
