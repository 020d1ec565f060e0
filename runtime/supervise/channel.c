#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "error.h"
#include "processes.h"

#define BACKLOG 128
#define QUEUE_KEPT 16384 /* bytes of an empty queue */

struct up_listener {
    int fd;
    int folder; /* see address_of() */
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    dev_t device; /* of the socket file we created: another one is not ours to unlink */
    ino_t inode;
};

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

/*
 * The address of a path. A path that is too long is reached through a
 * descriptor of its folder, which the caller closes when the address is no
 * longer needed; -1: there is none.
 */
static int address_of(struct sockaddr_un *out, const char *path, int *folder, struct up_error *err)
{
    size_t len = strlen(path);
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];
    int n;

    *folder = -1;
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    if (len > 0 && len < sizeof out->sun_path) {
        memcpy(out->sun_path, path, len + 1);
        return 0;
    }
    if (!slash || len >= sizeof dir)
        return up_fail(err, UP_USAGE, "socket %s: path empty or too long", path);
    snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
    *folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0)
        return up_fail(err, errno == ENOENT ? UP_NOTHING : UP_WRITE, "socket %s: %s", path, strerror(errno));
    n = snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d%s", *folder, slash);
    if (n < 0 || (size_t)n >= sizeof out->sun_path)
        return up_fail(err, UP_USAGE, "socket %s: its name is too long", path);
    return 0;
}

static void close_folder(int folder)
{
    if (folder >= 0)
        close(folder);
}

static int socket_new(const char *path, struct up_error *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? up_fail(err, UP_INTERNAL, "socket %s: %s", path, strerror(errno)) : fd;
}

/* Remove a socket file without a listener; UP_BUSY if there is one. */
static int clear_stale(const struct sockaddr_un *address, struct up_error *err)
{
    const char *path = address->sun_path;
    struct stat st;
    int fd, rc;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : up_fail(err, UP_WRITE, "socket %s: %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return up_fail(err, UP_WRITE, "socket %s: the path is taken by something else", path);
    fd = socket_new(path, err);
    if (fd < 0)
        return fd;
    rc = connect(fd, (const struct sockaddr *)address, sizeof *address);
    if (rc < 0 && errno == ECONNREFUSED)
        rc = unlink(path) < 0 ? up_fail(err, UP_WRITE, "socket %s: %s", path, strerror(errno)) : 0;
    else
        rc = up_fail(err, UP_BUSY, "socket %s: another process listens there", path);
    close(fd);
    return rc;
}

/* Before anybody can connect: listen() was not called yet. */
static int let_in(const struct up_listener *l, const struct up_access *access, struct up_error *err)
{
    uid_t user = access->has_user ? access->user : (uid_t)-1;
    gid_t group = access->has_group ? access->group : (gid_t)-1;

    if (access->has_group && chmod(l->path, 0660) < 0)
        return up_fail(err, UP_WRITE, "socket %s: mode: %s", l->path, strerror(errno));
    if (chown(l->path, user, group) < 0)
        return up_fail(err, UP_WRITE, "socket %s: hand it to user %ld, group %ld: %s", l->path,
                       access->has_user ? (long)user : -1L, access->has_group ? (long)group : -1L,
                       strerror(errno));
    return 0;
}

static int listen_at(struct up_listener *l, const struct sockaddr_un *address, const struct up_access *access,
                     struct up_error *err)
{
    struct stat st;
    mode_t mask;
    int rc;

    /* Create it with mode 0600: bind() obeys the umask, and a chmod afterwards would leave a gap. */
    mask = umask(0177);
    rc = bind(l->fd, (const struct sockaddr *)address, sizeof *address);
    umask(mask);
    if (rc < 0)
        return up_fail(err, errno == EADDRINUSE ? UP_BUSY : up_code_of_errno(errno, UP_WRITE),
                       "socket %s: %s", l->path, strerror(errno));
    if (lstat(l->path, &st) == 0) {
        l->device = st.st_dev;
        l->inode = st.st_ino;
    }
    if (access && let_in(l, access, err) < 0)
        return err->code;
    if (listen(l->fd, BACKLOG) < 0)
        return up_fail(err, UP_INTERNAL, "socket %s: %s", l->path, strerror(errno));
    return 0;
}

int up_listener_open(struct up_listener **out, const char *path, const struct up_access *access,
                     struct up_error *err)
{
    struct sockaddr_un address;
    struct up_listener *l = calloc(1, sizeof *l);
    int rc;

    if (!l)
        return up_fail(err, UP_INTERNAL, "socket %s: out of memory", path);
    l->fd = -1;
    rc = address_of(&address, path, &l->folder, err);
    if (rc == 0)
        rc = clear_stale(&address, err);
    if (rc == 0) {
        memcpy(l->path, address.sun_path, sizeof l->path);
        rc = l->fd = socket_new(path, err);
    }
    if (rc >= 0)
        rc = listen_at(l, &address, access, err);
    if (rc < 0) {
        up_listener_close(l);
        return rc;
    }
    *out = l;
    return 0;
}

int up_listener_fd(const struct up_listener *l)
{
    return l->fd;
}

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

int up_listener_accept(struct up_listener *l, struct up_channel **out, struct up_error *err)
{
    for (;;) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0 && errno == EAGAIN)
            return UP_AGAIN;
        if (fd < 0)
            return up_fail(err, UP_INTERNAL, "socket %s: accept: %s", l->path, strerror(errno));
        return up_channel_new(out, up_processes_system(), fd, err);
    }
}

void up_listener_close(struct up_listener *l)
{
    struct stat st;

    if (!l)
        return;
    if (l->inode && lstat(l->path, &st) == 0 && st.st_ino == l->inode && st.st_dev == l->device)
        unlink(l->path);
    if (l->fd >= 0)
        close(l->fd);
    close_folder(l->folder);
    free(l);
}

int up_channel_connect(struct up_channel **out, const char *path, struct up_error *err)
{
    struct sockaddr_un address;
    int folder, fd, rc = address_of(&address, path, &folder, err);

    fd = rc < 0 ? rc : socket_new(path, err);
    if (fd < 0) {
        close_folder(folder);
        return fd;
    }
    do
        rc = connect(fd, (struct sockaddr *)&address, sizeof address);
    while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        int cause = errno;

        close(fd);
        close_folder(folder);
        if (cause == ENOENT || cause == ECONNREFUSED)
            return up_fail(err, UP_NOTHING, "socket %s: no process listens there", path);
        if (cause == EAGAIN)
            return up_fail(err, UP_BUSY, "socket %s: too many connections are waiting", path);
        if (cause == EACCES)
            return up_fail(err, UP_REFUSED, "socket %s: this user may not ask the agent", path);
        return up_fail(err, UP_WRITE, "socket %s: %s", path, strerror(cause));
    }
    close_folder(folder);
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
