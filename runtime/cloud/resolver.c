#include "resolver.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"

#define STACK_SIZE (256 * 1024)

struct up_resolver {
    atomic_int holders; /* the caller and the thread; the last one frees */
    atomic_bool done;
    int fd;
    int failure; /* of getaddrinfo() */
    struct up_addresses found;
    char host[256];
};

bool up_resolver_numeric(const char *host)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list;

    if (getaddrinfo(host, NULL, &hints, &list) != 0)
        return false;
    freeaddrinfo(list);
    return true;
}

static void let_go(struct up_resolver *r)
{
    if (atomic_fetch_sub(&r->holders, 1) > 1)
        return;
    close(r->fd);
    free(r);
}

static void collect(struct up_addresses *found, const struct addrinfo *list)
{
    for (; list && found->count < UP_ADDRESSES_MAX; list = list->ai_next)
        if (getnameinfo(list->ai_addr, list->ai_addrlen, found->text[found->count], sizeof found->text[0],
                        NULL, 0, NI_NUMERICHOST) == 0)
            found->count++;
}

static void *look_up(void *user)
{
    const struct addrinfo hints = {.ai_flags = AI_ADDRCONFIG, .ai_socktype = SOCK_STREAM};
    struct up_resolver *r = user;
    struct addrinfo *list = NULL;
    const uint64_t one = 1;

    r->failure = getaddrinfo(r->host, NULL, &hints, &list);
    /* A device with nothing but its loopback interface may still ask for localhost. */
    if (r->failure == EAI_NONAME || r->failure == EAI_ADDRFAMILY)
        r->failure = getaddrinfo(r->host, NULL, &(struct addrinfo){.ai_socktype = SOCK_STREAM}, &list);
    if (r->failure == 0) {
        collect(&r->found, list);
        freeaddrinfo(list);
    }
    atomic_store(&r->done, true);
    /* The counter cannot overflow, so this neither fails nor waits. */
    while (write(r->fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    let_go(r);
    return NULL;
}

/* Signals are handled by the caller's threads. */
static int start_thread(struct up_resolver *r)
{
    pthread_attr_t attr;
    sigset_t all, before;
    pthread_t thread;
    int rc = pthread_attr_init(&attr);

    if (rc != 0)
        return rc;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    rc = pthread_create(&thread, &attr, look_up, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return rc;
}

int up_resolver_start(struct up_resolver **out, const char *host, struct up_error *err)
{
    struct up_resolver *r = calloc(1, sizeof *r);
    int rc;

    if (!r)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", host);
    if (strlen(host) >= sizeof r->host) {
        free(r);
        return up_fail(err, UP_NETWORK, "a host name of more than %zu characters", sizeof r->host - 1);
    }
    strcpy(r->host, host);
    r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->fd < 0) {
        free(r);
        return up_fail(err, UP_INTERNAL, "%s: %s", host, strerror(errno));
    }
    atomic_store(&r->holders, 2);
    rc = start_thread(r);
    if (rc != 0) {
        close(r->fd);
        free(r);
        return up_fail(err, UP_INTERNAL, "%s: cannot start a thread to look it up: %s", host, strerror(rc));
    }
    *out = r;
    return 0;
}

int up_resolver_fd(const struct up_resolver *r)
{
    return r->fd;
}

int up_resolver_result(struct up_resolver *r, struct up_addresses *out, struct up_error *err)
{
    if (!atomic_load(&r->done))
        return UP_AGAIN;
    if (r->failure != 0)
        return up_fail(err, UP_NETWORK, "%s: %s", r->host, gai_strerror(r->failure));
    if (r->found.count == 0)
        return up_fail(err, UP_NETWORK, "%s has no address", r->host);
    *out = r->found;
    return 0;
}

void up_resolver_free(struct up_resolver *r)
{
    if (r)
        let_go(r);
}
