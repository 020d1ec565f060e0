#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define READS_AT_ONCE 16 /* of UP_LOG_LINE bytes: the size of a pipe */

struct stream {
    int fd, to; /* to: 1 or 2; 0: not in use */
    size_t filled;
    char line[UP_LOG_LINE];
};

struct up_relay {
    struct stream streams[UP_RELAY_PIPES]; /* oldest first */
    size_t count;
};

struct up_relay *up_relay_here(void)
{
    static struct up_relay relay;

    return &relay;
}

static void drop(struct up_relay *r, size_t i)
{
    struct stream *s = &r->streams[i];

    if (s->filled > 0) {
        s->line[s->filled++] = '\n'; /* hand_on() leaves room */
        up_log_write(s->to, s->line, s->filled);
    }
    close(s->fd);
    r->count--;
    memmove(s, s + 1, (r->count - i) * sizeof *s);
}

static int add(struct up_relay *r, int to, int *end)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return -1;
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0) {
        close(pair[0]);
        close(pair[1]);
        return -1;
    }
    if (r->count == UP_RELAY_PIPES)
        drop(r, 0);
    r->streams[r->count].fd = pair[0];
    r->streams[r->count].to = to;
    r->streams[r->count++].filled = 0;
    *end = pair[1];
    return 0;
}

int up_relay_open(struct up_relay *r, int ends[2])
{
    if (add(r, STDOUT_FILENO, &ends[0]) < 0)
        return -1;
    if (add(r, STDERR_FILENO, &ends[1]) == 0)
        return 0;
    close(ends[0]);
    drop(r, r->count - 1);
    return -1;
}

size_t up_relay_watch(const struct up_relay *r, struct pollfd *fds)
{
    for (size_t i = 0; i < r->count; i++)
        fds[i] = (struct pollfd){.fd = r->streams[i].fd, .events = POLLIN};
    return r->count;
}

/* Write whole lines; move the rest of the last one to the front. */
static void hand_on(struct stream *s)
{
    char *begin = s->line;
    size_t left = s->filled;

    for (char *end = memchr(begin, '\n', left); end; end = memchr(begin, '\n', left)) {
        size_t len = (size_t)(end - begin) + 1;

        up_log_write(s->to, begin, len);
        begin += len;
        left -= len;
    }
    if (left == UP_LOG_LINE) {
        up_log_write(s->to, begin, left);
        left = 0;
    }
    memmove(s->line, begin, left);
    s->filled = left;
}

/* False: the last writer closed it. */
static bool move(struct stream *s)
{
    for (int i = 0; i < READS_AT_ONCE; i++) {
        ssize_t n = read(s->fd, s->line + s->filled, UP_LOG_LINE - s->filled);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        if (n == 0)
            return false;
        s->filled += (size_t)n;
        hand_on(s);
    }
    return true;
}

void up_relay_move(struct up_relay *r)
{
    for (size_t i = 0; i < r->count;)
        if (move(&r->streams[i]))
            i++;
        else
            drop(r, i);
}
