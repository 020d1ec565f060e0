/*
 * Links between players: two buffers each; and the control socket.
 */
#include "stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "listener.h"
#include "peer.h"
#include "processes.h"

#define ROOM ((size_t)256 * 1024)
#define BACKLOG 16

struct end {
    struct player *owner; /* NULL: not in use */
    int peer;             /* -1: gone */
    char *data;           /* that came for it: [begin, len) */
    size_t begin, len, room;
};

static struct {
    struct end end[LINKS];
    struct player *listener; /* NULL: nobody listens */
    int waiting[BACKLOG];
    unsigned count;
} net;

static struct end *end_of(int link)
{
    if (link == INHERITED)
        link = stage.current->link;
    if (link < FIRST_LINK || link >= FIRST_LINK + LINKS || !net.end[link - FIRST_LINK].owner)
        return NULL;
    return &net.end[link - FIRST_LINK];
}

void links_reset(void)
{
    for (int i = 0; i < LINKS; i++)
        if (net.end[i].owner)
            link_close(FIRST_LINK + i);
    net.listener = NULL;
    net.count = 0;
}

static int new_end(struct player *owner)
{
    for (int i = 0; i < LINKS; i++)
        if (!net.end[i].owner) {
            net.end[i] =
                (struct end){.owner = owner, .peer = -1, .data = net.end[i].data, .room = net.end[i].room};
            return i;
        }
    bad("more than %d links are open", LINKS);
    abort();
}

void link_pair(struct player *a, struct player *b, int out[2])
{
    int one = new_end(a), two = new_end(b);

    net.end[one].peer = two;
    net.end[two].peer = one;
    out[0] = FIRST_LINK + one;
    out[1] = FIRST_LINK + two;
}

ssize_t link_send(int link, const void *data, size_t len)
{
    struct end *e = end_of(link), *to;

    errno = EPIPE;
    if (!e || e->peer < 0)
        return -1;
    to = &net.end[e->peer];
    if (to->len - to->begin + len > ROOM) {
        errno = EAGAIN;
        return -1;
    }
    if (to->begin > 0) {
        memmove(to->data, to->data + to->begin, to->len - to->begin);
        to->len -= to->begin;
        to->begin = 0;
    }
    if (to->len + len > to->room) {
        to->room = 2 * (to->len + len);
        to->data = realloc(to->data, to->room);
        if (!to->data)
            abort();
    }
    memcpy(to->data + to->len, data, len);
    to->len += len;
    return (ssize_t)len;
}

ssize_t link_receive(int link, void *buf, size_t len)
{
    struct end *e = end_of(link);

    errno = EBADF;
    if (!e)
        return -1;
    if (len > e->len - e->begin)
        len = e->len - e->begin;
    if (len == 0 && e->peer >= 0) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(buf, e->data ? e->data + e->begin : "", len);
    e->begin += len;
    return (ssize_t)len;
}

void link_close(int link)
{
    struct end *e = end_of(link);

    if (!e)
        return;
    if (e->peer >= 0)
        net.end[e->peer].peer = -1;
    e->owner = NULL;
}

bool link_ready(int link)
{
    const struct end *e = end_of(link);

    if (link == LISTENER)
        return net.count > 0;
    return e && (e->len > e->begin || e->peer < 0);
}

bool links_ready(const struct player *p)
{
    for (int i = 0; i < LINKS; i++)
        if (net.end[i].owner == p && link_ready(FIRST_LINK + i))
            return true;
    return false;
}

void links_drop(const struct player *p)
{
    for (int i = 0; i < LINKS; i++)
        if (net.end[i].owner == p)
            link_close(FIRST_LINK + i);
    if (net.listener != p)
        return;
    net.listener = NULL;
    net.count = 0;
}

int link_connect(void)
{
    int pair[2];

    if (!net.listener || net.count == BACKLOG)
        return -1;
    link_pair(stage.current, net.listener, pair);
    net.waiting[net.count++] = pair[1];
    return pair[0];
}

/*
 * The control socket, below channel.h.
 */

/* Of the header's own type, so that neither can change alone. */
#define WRAP(type, name, parameters) \
    __typeof__(name) __wrap_##name;  \
    type __wrap_##name parameters

WRAP(int, up_listener_open,
     (struct up_listener * *out, const char *path, const struct up_access *access, struct up_error *err))
{
    (void)access;
    if (stage.current->dead)
        return up_fail(err, UP_WRITE, "socket %s: killed", path);
    if (net.listener)
        return up_fail(err, UP_BUSY, "socket %s: another process listens there", path);
    net.listener = stage.current;
    net.count = 0;
    *out = (struct up_listener *)&net;
    return 0;
}

WRAP(int, up_listener_fd, (const struct up_listener *l))
{
    (void)l;
    return LISTENER;
}

WRAP(int, up_listener_accept, (struct up_listener * l, struct up_channel **out, struct up_error *err))
{
    int link;

    (void)l;
    if (net.count == 0)
        return UP_AGAIN;
    link = net.waiting[0];
    memmove(net.waiting, net.waiting + 1, --net.count * sizeof *net.waiting);
    return up_channel_new(out, stage_processes(), link, err);
}

WRAP(void, up_listener_close, (struct up_listener * l))
{
    if (l && net.listener == stage.current)
        net.listener = NULL;
}

/* Everybody here is root. */
WRAP(int, up_peer_of, (int fd, struct up_peer *out, struct up_error *err))
{
    struct end *e = end_of(fd);

    if (!e || e->peer < 0)
        return up_fail(err, UP_INTERNAL, "the peer is gone");
    *out = (struct up_peer){.pid = net.end[e->peer].owner->pid};
    return 0;
}

WRAP(bool, up_peer_descends, (pid_t pid, pid_t ancestor))
{
    return pid == ancestor;
}
