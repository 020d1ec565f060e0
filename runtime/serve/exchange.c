#include "exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"
#include "exchange_tls.h"
#include "http_listen.h"

#define ADDRESS_SIZE 128
#define LISTENER UP_EXCHANGE_CONNECTIONS /* its number in epoll; connections have lower ones */

struct connection {
    int fd; /* -1: free */
    SSL *tls;
    bool is_known; /* whether it uses TLS */
    unsigned long long since;
    size_t len;
    char question[UP_EXCHANGE_QUESTION + 1];
};

struct up_exchange {
    int listener, poll;
    int spare;    /* given up to send a client away when there is no other descriptor; -1: none */
    SSL_CTX *tls; /* NULL: plain text only */
    unsigned long long accepted; /* counts connections: the lowest is the oldest */
    char address[ADDRESS_SIZE];
    struct connection connection[UP_EXCHANGE_CONNECTIONS];
};

static void drop(struct connection *c)
{
    SSL_free(c->tls);
    c->tls = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static int watch(struct up_exchange *x, int fd, unsigned which)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = which};

    return epoll_ctl(x->poll, EPOLL_CTL_ADD, fd, &e);
}

static int begin(struct up_exchange *x, const char *listen, const char *cert, const char *key,
                 struct up_error *err)
{
    if (cert && key && up_exchange_tls_open(&x->tls, cert, key, err) < 0)
        return err->code;
    x->listener = up_http_listen(listen, x->address, sizeof x->address, err);
    if (x->listener < 0)
        return err->code;
    x->poll = epoll_create1(EPOLL_CLOEXEC);
    x->spare = fcntl(x->listener, F_DUPFD_CLOEXEC, 0);
    if (x->poll < 0 || x->spare < 0 || watch(x, x->listener, LISTENER) < 0)
        return up_fail(err, UP_INTERNAL, "%s: %s", listen, strerror(errno));
    return 0;
}

int up_exchange_open(struct up_exchange **out, const char *listen, const char *cert, const char *key,
                     struct up_error *err)
{
    struct up_exchange *x = calloc(1, sizeof *x);

    if (!x)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", listen);
    x->listener = x->poll = x->spare = -1;
    for (size_t i = 0; i < UP_EXCHANGE_CONNECTIONS; i++)
        x->connection[i].fd = -1;
    if (begin(x, listen, cert, key, err) < 0) {
        up_exchange_close(x);
        return err->code;
    }
    *out = x;
    return 0;
}

int up_exchange_fd(const struct up_exchange *x)
{
    return x->poll;
}

const char *up_exchange_address(const struct up_exchange *x)
{
    return x->address;
}

/* A free place, or the place of the oldest connection, which is closed. */
static unsigned place(struct up_exchange *x)
{
    unsigned oldest = 0;

    for (unsigned i = 0; i < UP_EXCHANGE_CONNECTIONS; i++) {
        if (x->connection[i].fd < 0)
            return i;
        if (x->connection[i].since < x->connection[oldest].since)
            oldest = i;
    }
    drop(&x->connection[oldest]);
    return oldest;
}

static int accept_next(const struct up_exchange *x)
{
    return accept4(x->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* There is no descriptor for a client. One that stayed in the queue would wake us for ever. */
static void send_away(struct up_exchange *x)
{
    int fd;

    if (x->spare >= 0)
        close(x->spare);
    fd = accept_next(x);
    if (fd >= 0)
        close(fd);
    x->spare = fcntl(x->listener, F_DUPFD_CLOEXEC, 0);
}

/* False: nobody could be let in. */
static bool take(struct up_exchange *x)
{
    int fd = accept_next(x);
    struct connection *c;
    unsigned i;

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE)
            send_away(x);
        return false;
    }
    i = place(x);
    c = &x->connection[i];
    c->fd = fd;
    c->since = x->accepted++;
    c->len = 0;
    c->is_known = false;
    if (watch(x, fd, i) < 0)
        drop(c);
    return true;
}

/* See by the first byte whether the client uses TLS. false: it does, and that cannot be. */
static bool know(const struct up_exchange *x, struct connection *c)
{
    if (c->is_known || !x->tls)
        return true;
    c->is_known = true;
    if (!up_exchange_tls_is_wanted(c->fd))
        return true;
    c->tls = up_exchange_tls_accept(x->tls, c->fd);
    return c->tls != NULL;
}

/* Receive: whether there are new bytes, and room for them. */
static bool hear(const struct up_exchange *x, struct connection *c)
{
    size_t room = sizeof c->question - c->len;
    ssize_t n = -1;

    errno = EPROTO;
    if (know(x, c))
        n = c->tls ? up_exchange_tls_receive(c->tls, c->question + c->len, room)
                   : recv(c->fd, c->question + c->len, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n > 0)
        c->len += (size_t)n;
    if (n > 0 && c->len <= UP_EXCHANGE_QUESTION)
        return true;
    drop(c);
    return false;
}

size_t up_exchange_next(struct up_exchange *x, int *id, const char **question)
{
    struct epoll_event e;
    struct connection *c;

    while (epoll_wait(x->poll, &e, 1, 0) == 1) {
        if (e.data.u32 == LISTENER) {
            if (!take(x))
                return 0;
            continue;
        }
        c = &x->connection[e.data.u32];
        if (c->fd < 0 || !hear(x, c))
            continue;
        *id = (int)e.data.u32;
        *question = c->question;
        return c->len;
    }
    return 0;
}

void up_exchange_answer(struct up_exchange *x, int id, const void *answer, size_t len)
{
    struct connection *c = id >= 0 && id < UP_EXCHANGE_CONNECTIONS ? &x->connection[id] : NULL;

    if (!c || c->fd < 0)
        return;
    /* It fits into any socket's buffer. A client that misses it asks again. */
    if (c->tls)
        (void)up_exchange_tls_finish(c->tls, answer, len);
    else if (len > 0)
        (void)!send(c->fd, answer, len, MSG_NOSIGNAL);
    drop(c);
}

void up_exchange_close(struct up_exchange *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < UP_EXCHANGE_CONNECTIONS; i++)
        drop(&x->connection[i]);
    if (x->listener >= 0)
        close(x->listener);
    if (x->poll >= 0)
        close(x->poll);
    if (x->spare >= 0)
        close(x->spare);
    SSL_CTX_free(x->tls);
    free(x);
}
