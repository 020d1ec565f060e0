#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#define GROUPS_MAX 256
#define DEPTH_MAX 64 /* generations of processes */

int up_peer_of(int fd, struct up_peer *out, struct up_error *err)
{
    struct ucred credentials;
    socklen_t len = sizeof credentials;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) < 0)
        return up_fail(err, UP_INTERNAL, "descriptor %d: cannot tell who is at the other end: %s", fd,
                       strerror(errno));
    out->pid = credentials.pid;
    out->uid = credentials.uid;
    out->gid = credentials.gid;
    return 0;
}

bool up_peer_is_own(const struct up_peer *peer)
{
    return peer->uid == 0 || peer->uid == geteuid();
}

bool up_peer_in_group(int fd, const struct up_peer *peer, gid_t group)
{
    gid_t groups[GROUPS_MAX];
    socklen_t len = sizeof groups;

    if (peer->gid == group)
        return true;
    /* Kernels before 4.13 do not tell all groups: use the first one. */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
        return false;
    for (size_t i = 0; i < len / sizeof *groups; i++)
        if (groups[i] == group)
            return true;
    return false;
}

/* 0: none, or not known. */
static pid_t parent_of(pid_t pid)
{
    char path[40], line[256];
    const char *rest = NULL;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    if (fgets(line, sizeof line, file))
        rest = strrchr(line, ')'); /* the name before it may contain anything */
    fclose(file);
    return rest && strlen(rest) > 4 ? (pid_t)strtol(rest + 3, NULL, 10) : 0;
}

bool up_peer_descends(pid_t pid, pid_t ancestor)
{
    for (int i = 0; i < DEPTH_MAX && pid > 1 && ancestor > 1; i++) {
        if (pid == ancestor)
            return true;
        pid = parent_of(pid);
    }
    return false;
}
