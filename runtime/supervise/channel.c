#include "channel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "error.h"
#include "local_socket.h"
#include "processes.h"

#define QUEUE_KEPT 16384 /* bytes of an empty queue */

struct up_channel {
    struct up_processes *processes;
    int link;
    bool ended;  /* the peer will not send anything more */
    bool broken; /* the framing is lost: nothing more is received */
    char *queue; /* bytes to be sent: [sent, queued) */
    size_t sent, queued, room;
    size_t begin, filled; /* received and not yet handed out: [begin, filled) */
    size_t scanned;       /* bytes from begin on known to hold no '\n' */
    char in[UP_LINE_MAX + 1];
};

int up_channel_new(struct up_channel **out, struct up_processes *processes, int link, struct up_error *err)
{
    struct up_channel *c = malloc(sizeof *c);

    if (!c) {
        processes->ops->close(processes, link);
        return up_fail(err, UP_INTERNAL, "descriptor %d: out of memory", link);
    }
    memset(c, 0, offsetof(struct up_channel, in));
    c->processes = processes;
    c->link = link;
    *out = c;
    return 0;
}

int up_channel_connect(struct up_channel **out, const char *path, struct up_error *err)
{
    struct sockaddr_un address;
    int folder, fd, rc = up_local_socket_address(&address, path, &folder, err);

    fd = rc < 0 ? rc : up_local_socket_new(path, err);
    if (fd < 0) {
        up_local_socket_close_folder(folder);
        return fd;
    }
    do
        rc = connect(fd, (struct sockaddr *)&address, sizeof address);
    while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        int cause = errno;

        close(fd);
        up_local_socket_close_folder(folder);
        if (cause == ENOENT || cause == ECONNREFUSED)
            return up_fail(err, UP_NOTHING, "socket %s: no process listens there", path);
        if (cause == EAGAIN)
            return up_fail(err, UP_BUSY, "socket %s: too many connections are waiting", path);
        if (cause == EACCES)
            return up_fail(err, UP_REFUSED, "socket %s: this user may not ask the agent", path);
        return up_fail(err, UP_WRITE, "socket %s: %s", path, strerror(cause));
    }
    up_local_socket_close_folder(folder);
    return up_channel_new(out, up_processes_system(), fd, err);
}

int up_channel_from_fd(struct up_channel **out, int fd, struct up_error *err)
{
    struct up_processes *processes = up_processes_system();

    if (processes->ops->adopt(processes, fd) < 0) {
        int cause = errno;

        if (cause == ENOTSOCK)
            return up_fail(err, UP_USAGE, "descriptor %d is not a connected socket", fd);
        processes->ops->close(processes, fd);
        return up_fail(err, UP_INTERNAL, "descriptor %d: %s", fd, strerror(cause));
    }
    return up_channel_new(out, processes, fd, err);
}

int up_channel_fd(const struct up_channel *c)
{
    return c->link;
}

int up_channel_wants_write(const struct up_channel *c)
{
    return c->queued > c->sent;
}

size_t up_channel_queued(const struct up_channel *c)
{
    return c->queued - c->sent;
}

/* Make room for `more` bytes at the end of the queue. */
static int make_room(struct up_channel *c, size_t more, struct up_error *err)
{
    size_t waiting = c->queued - c->sent, room;
    char *queue;

    if (waiting + more > UP_CHANNEL_QUEUE)
        return up_fail(err, UP_BUSY, "channel: the peer does not read, %zu bytes wait", waiting);
    if (c->sent > 0) {
        memmove(c->queue, c->queue + c->sent, waiting);
        c->sent = 0;
        c->queued = waiting;
    }
    if (waiting + more <= c->room)
        return 0;
    room = waiting + more < 4096 ? 4096 : waiting + more;
    queue = realloc(c->queue, room);
    if (!queue)
        return up_fail(err, UP_INTERNAL, "channel: out of memory");
    c->queue = queue;
    c->room = room;
    return 0;
}

int up_channel_send(struct up_channel *c, const char *line, size_t len, struct up_error *err)
{
    int rc;

    if (len >= UP_LINE_MAX)
        return up_fail(err, UP_USAGE, "channel: a line of %zu bytes, at most %d are sent", len,
                       UP_LINE_MAX - 1);
    if (memchr(line, '\n', len))
        return up_fail(err, UP_USAGE, "channel: a line must not contain a line feed");
    rc = make_room(c, len + 1, err);
    if (rc < 0)
        return rc;
    memcpy(c->queue + c->queued, line, len);
    c->queue[c->queued + len] = '\n';
    c->queued += len + 1;
    rc = up_channel_flush(c, err);
    return rc == UP_AGAIN ? 0 : rc;
}

int up_channel_flush(struct up_channel *c, struct up_error *err)
{
    while (c->sent < c->queued) {
        ssize_t n = c->processes->ops->send(c->processes, c->link, c->queue + c->sent, c->queued - c->sent);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return UP_AGAIN;
        if (n < 0) {
            c->sent = c->queued = 0;
            return up_fail(err, UP_NETWORK, "channel: the peer is gone: %s", strerror(errno));
        }
        c->sent += (size_t)n;
    }
    c->sent = c->queued = 0;
    if (c->room > QUEUE_KEPT) { /* release what a slow moment needed */
        free(c->queue);
        c->queue = NULL;
        c->room = 0;
    }
    return 0;
}

/* One read from the socket: bytes, 0 at the end, UP_AGAIN or an error. */
static long fill(struct up_channel *c, struct up_error *err)
{
    ssize_t n;

    if (c->begin > 0) {
        memmove(c->in, c->in + c->begin, c->filled - c->begin);
        c->filled -= c->begin;
        c->begin = 0;
    }
    do
        n = c->processes->ops->receive(c->processes, c->link, c->in + c->filled, UP_LINE_MAX - c->filled);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return UP_AGAIN;
    /* A peer that died with unread bytes of ours resets the connection; for a
     * reader that is an ordinary end. */
    if (n < 0 && errno != ECONNRESET)
        return up_fail(err, UP_NETWORK, "channel: %s", strerror(errno));
    if (n <= 0)
        return 0;
    c->filled += (size_t)n;
    return n;
}

long up_channel_receive(struct up_channel *c, const char **line, struct up_error *err)
{
    while (!c->broken) {
        char *start = c->in + c->begin, *end = NULL;
        size_t waiting = c->filled - c->begin;
        long n;

        if (waiting > c->scanned)
            end = memchr(start + c->scanned, '\n', waiting - c->scanned);
        if (end) {
            *end = '\0';
            *line = start;
            c->begin += (size_t)(end - start) + 1;
            c->scanned = 0;
            return end - start;
        }
        c->scanned = waiting;
        if (waiting == UP_LINE_MAX) {
            c->broken = true;
            break;
        }
        n = c->ended ? 0 : fill(c, err);
        if (n == 0) {
            c->ended = true;
            return up_fail(err, UP_NOTHING,
                           waiting ? "channel: the peer went away in the middle of a line"
                                   : "channel: the peer is gone");
        }
        if (n < 0)
            return n;
    }
    return up_fail(err, UP_CORRUPT, "channel: a line longer than %d bytes", UP_LINE_MAX - 1);
}

void up_channel_close(struct up_channel *c)
{
    if (!c)
        return;
    c->processes->ops->close(c->processes, c->link);
    free(c->queue);
    free(c);
}
