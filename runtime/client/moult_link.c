#include "moult_link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "moult.h"

#define QUEUE_MAX_BYTES 262144 /* waiting until the agent reads them */
#define RETRY 500              /* ms between two tries to connect */

int64_t moult_link_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool moult_link_open(struct moult_link *l, const char *path)
{
    struct epoll_event readable = {.events = EPOLLIN};

    l->socket = -1;
    l->path = strdup(path);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    readable.data.fd = l->timer;
    return l->path && l->epoll >= 0 && l->timer >= 0 &&
           epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->timer, &readable) == 0;
}

void moult_link_close(struct moult_link *l)
{
    if (l->socket >= 0)
        close(l->socket);
    if (l->timer >= 0)
        close(l->timer);
    if (l->epoll >= 0)
        close(l->epoll);
    free(l->out);
    free(l->path);
}

/* Try again in `ms`; 0: stop trying. */
static void set_timer(struct moult_link *l, int ms)
{
    struct itimerspec at = {.it_value = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}};

    timerfd_settime(l->timer, 0, &at, NULL);
}

void moult_link_drop(struct moult_link *l, bool again)
{
    if (l->socket >= 0) {
        /* Closing alone would leave it in the epoll set while a child of the program has it open. */
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->socket, NULL);
        close(l->socket);
    }
    l->socket = -1;
    l->begin = l->end = l->out_len = 0;
    set_timer(l, again ? RETRY : 0);
}

/* Watch the socket for reading, and for writing if bytes are waiting. */
static void watch_socket(struct moult_link *l, int op)
{
    struct epoll_event e = {.events = EPOLLIN | (l->out_len > 0 ? (uint32_t)EPOLLOUT : 0),
                            .data.fd = l->socket};

    epoll_ctl(l->epoll, op, l->socket, &e);
}

static void flush(struct moult_link *l)
{
    size_t sent = 0;

    while (sent < l->out_len) {
        ssize_t n = send(l->socket, l->out + sent, l->out_len - sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        sent += (size_t)n;
    }
    /* If the peer is gone, reading reports it, after its last bytes. */
    memmove(l->out, l->out + sent, l->out_len - sent);
    l->out_len -= sent;
    watch_socket(l, EPOLL_CTL_MOD);
}

int moult_link_send(struct moult_link *l, const char *line, size_t len)
{
    char *out;

    if (len > MOULT_LINE_MAX)
        return MOULT_USAGE;
    if (l->out_len > QUEUE_MAX_BYTES)
        return MOULT_BUSY;
    out = realloc(l->out, l->out_len + len + 1);
    if (!out)
        return MOULT_INTERNAL;
    memcpy(out + l->out_len, line, len);
    out[l->out_len + len] = '\n';
    l->out = out;
    l->out_len += len + 1;
    flush(l);
    return 0;
}

/* The address of the path. A long path is reached through a descriptor of its folder, in *folder. */
static bool address_of(const char *path, struct sockaddr_un *out, int *folder)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];
    int n;

    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    *folder = -1;
    if (strlen(path) < sizeof out->sun_path) {
        strcpy(out->sun_path, path);
        return true;
    }
    errno = ENAMETOOLONG;
    if (!slash || slash == path || (size_t)(slash - path) >= sizeof dir)
        return false;
    memcpy(dir, path, (size_t)(slash - path));
    dir[slash - path] = '\0';
    *folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0)
        return false;
    n = snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d%s", *folder, slash);
    errno = ENAMETOOLONG;
    return n > 0 && (size_t)n < sizeof out->sun_path;
}

/* A connected socket; -1 with errno. */
static int connect_to(const char *path)
{
    struct sockaddr_un address;
    int folder, fd = -1, why = 0;

    if (address_of(path, &address, &folder))
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        why = errno;
    if (folder >= 0)
        close(folder);
    if (why == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    errno = why;
    return -1;
}

bool moult_link_connect(struct moult_link *l)
{
    if (l->socket >= 0)
        return true;
    l->socket = connect_to(l->path);
    l->why = l->socket < 0 ? errno : 0;
    set_timer(l, l->socket < 0 ? RETRY : 0);
    if (l->socket >= 0)
        watch_socket(l, EPOLL_CTL_ADD);
    return l->socket >= 0;
}

int moult_link_wait(struct moult_link *l, int64_t till)
{
    struct epoll_event ready[2];
    int64_t left = till - moult_link_now();
    int count, found = 0;

    if (left < 0)
        left = 0;
    count = epoll_wait(l->epoll, ready, 2, left > INT_MAX ? INT_MAX : (int)left);
    if (count < 0)
        return errno == EINTR ? 0 : -1;
    for (int i = 0; i < count; i++) {
        uint64_t ticks;

        if (ready[i].data.fd == l->timer) {
            if (read(l->timer, &ticks, sizeof ticks) > 0 && l->socket < 0 && moult_link_connect(l))
                found |= MOULT_LINK_UP;
        } else if (ready[i].data.fd == l->socket) {
            if (ready[i].events & EPOLLOUT)
                flush(l);
            if (ready[i].events & ~(uint32_t)EPOLLOUT)
                found |= MOULT_LINK_READABLE;
        }
    }
    return found;
}

static const char *line_end(const struct moult_link *l)
{
    return memchr(l->in + l->begin, '\n', l->end - l->begin);
}

bool moult_link_has_line(const struct moult_link *l)
{
    return line_end(l) != NULL;
}

/* Receive more bytes: 1; 0: none yet; or MOULT_NETWORK. */
static int receive(struct moult_link *l)
{
    ssize_t n;

    memmove(l->in, l->in + l->begin, l->end - l->begin);
    l->end -= l->begin;
    l->begin = 0;
    if (l->end == sizeof l->in)
        return MOULT_CORRUPT;
    do
        n = recv(l->socket, l->in + l->end, sizeof l->in - l->end, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        return MOULT_NETWORK;
    l->end += (size_t)n;
    return 1;
}

int moult_link_line(struct moult_link *l, const char **line, size_t *len)
{
    const char *stop = line_end(l);

    while (!stop) {
        int rc = receive(l);

        if (rc <= 0)
            return rc;
        stop = line_end(l);
    }
    *line = l->in + l->begin;
    *len = (size_t)(stop - *line);
    l->begin += *len + 1;
    return 1;
}
