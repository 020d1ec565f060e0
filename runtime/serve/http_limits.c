#include "http_limits.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define METHOD_MAX 15
#define REFUSED_MS 2000 /* for refused connections, which take room from others */
#define SHORT_MS 5000   /* between two requests while most connections are in use */

static bool is_method_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

bool up_http_limits_looks_like_http(const char *bytes, unsigned len)
{
    unsigned i = 0, start;

    while (i < len && (bytes[i] == '\r' || bytes[i] == '\n')) /* blank lines before a request are tolerated */
        i++;
    for (start = i; i < len && is_method_char(bytes[i]); i++)
        if (i - start >= METHOD_MAX)
            return false;
    if (i == len)
        return true; /* so far */
    if (i == start || bytes[i] != ' ')
        return false;
    for (; i < len && bytes[i] != '\n'; i++)
        if (((unsigned char)bytes[i] < 0x20 && bytes[i] != '\r') || bytes[i] == 0x7f)
            return false;
    return true;
}

/* Best effort: the connection is closed whether the client reads it or not. */
static void say(int fd, const char *text)
{
    ssize_t sent = send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);

    (void)sent;
}

/* Closing with unread input would reset the connection, and the client would
 * not see the reason. */
static void drain(int fd)
{
    char rest[4096];

    for (int i = 0; i < 16 && recv(fd, rest, sizeof rest, MSG_DONTWAIT) > 0; i++)
        ;
}

static void refuse_not_http(int fd)
{
    drain(fd);
    say(fd, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 29\r\n"
            "Connection: close\r\n\r\n{\"error\":\"this is not HTTP\"}\n");
    shutdown(fd, SHUT_WR);
}

/* Do not wait for the rest of a request that is refused anyway. */
static void refuse_too_many(int fd)
{
    drain(fd);
    say(fd, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 42\r\n"
            "Retry-After: 30\r\nConnection: close\r\n\r\n{\"error\":\"too many connections as it is\"}\n");
    shutdown(fd, SHUT_RDWR);
}

static void map_ipv4(unsigned char out[UP_HTTP_LIMITS_ADDRESS], const struct in_addr *a)
{
    memset(out, 0, 10);
    memset(out + 10, 0xff, 2);
    memcpy(out + 12, a, 4);
}

bool up_http_limits_trust(struct up_http_limits *limits, const char *address)
{
    unsigned char *out = limits->proxies[limits->proxy_count];
    struct in_addr old;

    if (limits->proxy_count == UP_HTTP_LIMITS_PROXIES)
        return false;
    if (inet_pton(AF_INET, address, &old) == 1)
        map_ipv4(out, &old);
    else if (inet_pton(AF_INET6, address, out) != 1)
        return false;
    limits->proxy_count++;
    return true;
}

static void set_address(const struct up_http_limits *limits, struct up_http_connection *c,
                        const struct sockaddr *from)
{
    if (from && from->sa_family == AF_INET)
        map_ipv4(c->from, &((const struct sockaddr_in *)(const void *)from)->sin_addr);
    else if (from && from->sa_family == AF_INET6)
        memcpy(c->from, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr,
               UP_HTTP_LIMITS_ADDRESS);
    for (unsigned i = 0; i < limits->proxy_count; i++)
        c->proxy = c->proxy || memcmp(c->from, limits->proxies[i], UP_HTTP_LIMITS_ADDRESS) == 0;
}

unsigned up_http_limits_reserve(const struct up_http_limits *limits)
{
    return limits->connections / 20;
}

unsigned up_http_limits_share(const struct up_http_limits *limits)
{
    return limits->connections < 8 ? 1 : limits->connections / 4;
}

static bool most_are_taken(const struct up_http_limits *limits)
{
    return limits->present >= limits->connections - limits->connections / 5;
}

/* An IPv6 /64 network counts as one address, because one customer has all of it. */
static bool is_same(const struct up_http_connection *a, const struct up_http_connection *b)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    size_t len = memcmp(a->from, mapped, sizeof mapped) == 0 ? UP_HTTP_LIMITS_ADDRESS : 8;

    return memcmp(a->from, b->from, len) == 0;
}

bool up_http_limits_over_share(const struct up_http_limits *limits, const struct up_http_connection *c)
{
    unsigned same = 0;

    if (c->proxy || !most_are_taken(limits))
        return false;
    for (const struct up_http_connection *w = limits->first; w; w = w->next)
        same += !w->refused && is_same(c, w);
    return same > up_http_limits_share(limits);
}

static bool is_too_many(const struct up_http_limits *limits, const struct up_http_connection *c)
{
    return limits->present >= limits->connections ||
           (limits->present >= limits->connections - up_http_limits_reserve(limits) &&
            up_http_limits_over_share(limits, c));
}

struct up_http_connection *up_http_limits_enter(struct up_http_limits *limits, int fd,
                                                const struct sockaddr *from, uint64_t now)
{
    struct up_http_connection *c = calloc(1, sizeof *c);
    char first[512];
    ssize_t len;

    if (!c)
        return NULL;
    c->fd = fd;
    c->since = now;
    c->next = limits->first;
    if (c->next)
        c->next->prev = c;
    limits->first = c;
    set_address(limits, c, from);
    c->refused = is_too_many(limits, c);
    limits->present += !c->refused;

    if (limits->encrypted)
        return c;
    len = recv(fd, first, sizeof first, MSG_PEEK | MSG_DONTWAIT);
    if (len > 0 && !up_http_limits_looks_like_http(first, (unsigned)len)) {
        refuse_not_http(fd);
        c->known = true;
    } else if (c->refused && (len <= 0 || !memmem(first, (size_t)len, "\r\n\r\n", 4))) {
        refuse_too_many(fd);
        c->known = true;
    }
    return c;
}

void up_http_limits_leave(struct up_http_limits *limits, struct up_http_connection *c)
{
    if (!c)
        return;
    if (c->prev)
        c->prev->next = c->next;
    else
        limits->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    limits->present -= !c->refused;
    free(c);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How long a connection may go without a complete request. */
static uint64_t allowed_ms(const struct up_http_limits *limits, const struct up_http_connection *c)
{
    if (c->refused)
        return least(limits->request_ms, REFUSED_MS);
    return c->known && most_are_taken(limits) ? least(limits->request_ms, SHORT_MS) : limits->request_ms;
}

void up_http_limits_sweep(struct up_http_limits *limits, uint64_t now)
{
    if (now - limits->swept < 1000)
        return;
    limits->swept = now;
    for (struct up_http_connection *c = limits->first; c; c = c->next) {
        if (c->served || now - c->since < allowed_ms(limits, c))
            continue;
        if (!c->known && !limits->encrypted)
            say(c->fd,
                "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nContent-Length: 50\r\n"
                "Connection: close\r\n\r\n{\"error\":\"the request was not complete in time\"}\r\n");
        c->known = true;
        shutdown(c->fd, SHUT_RDWR);
    }
}
