#include "http_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "error.h"

#define OTHER_FILES 96 /* descriptors for other things, 32 of them for refused connections */

/* Split HOST:PORT into *host (NULL: every address) and *port, inside `copy`. */
static int split_listen(const char *text, char *copy, size_t len, char **host, char **port,
                        struct up_error *err)
{
    char *colon = strlen(text) < len ? strrchr(strcpy(copy, text), ':') : NULL;

    if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strtoul(colon + 1, NULL, 10) > 65535)
        return up_fail(err, UP_USAGE, "listen address '%s': expected HOST:PORT, for example 127.0.0.1:8080",
                       text);
    *colon = '\0';
    *port = colon + 1;
    *host = copy;
    if (*copy == '[' && colon > copy + 1 && colon[-1] == ']') {
        colon[-1] = '\0';
        (*host)++;
    } else if (!*copy) {
        *host = NULL;
    } else if (strchr(copy, ':')) {
        return up_fail(err, UP_USAGE, "listen address '%s': write an IPv6 address as [ADDRESS]:PORT", text);
    }
    return 0;
}

static int bind_to(const struct addrinfo *where)
{
    int on = 1, unsent = 131072, patience = 5; /* bytes; seconds */
    int saved;
    int fd = socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, where->ai_protocol);

    if (fd < 0)
        return -1;
    /* So that a depot that restarts gets its port again. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* Data for a slow client should stay in the file and not take megabytes of
     * the system's memory. Accepted sockets inherit this. */
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    /* A connection is reported together with its first bytes (http_limits.h). */
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &patience, sizeof patience);
    if (bind(fd, where->ai_addr, where->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0) {
        saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int name_address(int fd, char *address, size_t len, struct up_error *err)
{
    struct sockaddr_storage real;
    socklen_t real_len = sizeof real;
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (getsockname(fd, (struct sockaddr *)&real, &real_len) < 0 ||
        getnameinfo((struct sockaddr *)&real, real_len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return up_fail(err, UP_INTERNAL, "cannot tell which address is listened on: %s", strerror(errno));
    snprintf(address, len, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    return 0;
}

int up_http_listen(const char *text, char *address, size_t len, struct up_error *err)
{
    struct addrinfo hints, *found = NULL;
    char copy[NI_MAXHOST], *host = NULL, *port = NULL;
    int fd, rc;

    if (split_listen(text, copy, sizeof copy, &host, &port, err) < 0)
        return err->code;
    memset(&hints, 0, sizeof hints);
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    rc = getaddrinfo(host, port, &hints, &found);
    if (rc != 0)
        return up_fail(err, UP_NETWORK, "cannot listen on %s: %s", text, gai_strerror(rc));
    fd = -1;
    for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
        fd = bind_to(a);
    if (fd < 0)
        rc = up_fail(err, UP_NETWORK, "cannot listen on %s: %s", text, strerror(errno));
    else
        rc = name_address(fd, address, len, err);
    freeaddrinfo(found);
    if (rc < 0 && fd >= 0)
        close(fd);
    return rc < 0 ? rc : fd;
}

unsigned up_http_listen_fit(unsigned wanted)
{
    rlim_t needed = (rlim_t)wanted * 2 + OTHER_FILES; /* socket and file */
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return wanted;
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && getrlimit(RLIMIT_NOFILE, &limit) < 0)
            return wanted;
    }
    if (limit.rlim_cur >= needed)
        return wanted;
    return limit.rlim_cur > OTHER_FILES + 2 ? (unsigned)((limit.rlim_cur - OTHER_FILES) / 2) : 1;
}

bool up_http_listen_hold_sigpipe(sigset_t *before)
{
    sigset_t pipe_only, pending;

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_only, before);
    return sigismember(&pending, SIGPIPE);
}

void up_http_listen_release_sigpipe(const sigset_t *before, bool was_pending)
{
    static const struct timespec at_once;
    sigset_t pipe_only;

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if (!was_pending)
        while (sigtimedwait(&pipe_only, NULL, &at_once) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, before, NULL);
}
