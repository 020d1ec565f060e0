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
 * not see the reason.
 * not see why. */
static void drain(int fd)
{
    char rest[4096];

    for (int i = 0; i < 16 && recv(fd, rest, sizeof rest, MSG_DONTWAIT) > 0; i++)
        ;
}

static void show_out(int fd)
{
    drain(fd);
    say(fd, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 29\r\n"
            "Connection: close\r\n\r\n{\"error\":\"this is not HTTP\"}\n");
    shutdown(fd, SHUT_WR);
}

/* Do not wait for the rest of a request that is refused anyway. */
static void send_away(int fd)
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

bool up_http_limits_trust(struct up_http_limits *door, const char *address)
{
    unsigned char *out = door->proxies[door->proxy_count];
    struct in_addr old;

    if (door->proxy_count == UP_HTTP_LIMITS_PROXIES)
        return false;
    if (inet_pton(AF_INET, address, &old) == 1)
        map_ipv4(out, &old);
    else if (inet_pton(AF_INET6, address, out) != 1)
        return false;
    door->proxy_count++;
    return true;
}

static void recognise(const struct up_http_limits *door, struct up_visitor *v, const struct sockaddr *from)
{
    if (from && from->sa_family == AF_INET)
        map_ipv4(v->from, &((const struct sockaddr_in *)(const void *)from)->sin_addr);
    else if (from && from->sa_family == AF_INET6)
        memcpy(v->from, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr,
               UP_HTTP_LIMITS_ADDRESS);
    for (unsigned i = 0; i < door->proxy_count; i++)
        v->proxy = v->proxy || memcmp(v->from, door->proxies[i], UP_HTTP_LIMITS_ADDRESS) == 0;
}

unsigned up_http_limits_reserve(const struct up_http_limits *door)
{
    return door->connections / 20;
}

unsigned up_http_limits_share(const struct up_http_limits *door)
{
    return door->connections < 8 ? 1 : door->connections / 4;
}

static bool most_are_taken(const struct up_http_limits *door)
{
    return door->present >= door->connections - door->connections / 5;
}

/* An IPv6 /64 network counts as one address, because one customer has all of it. */
static bool is_same(const struct up_visitor *a, const struct up_visitor *b)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    size_t len = memcmp(a->from, mapped, sizeof mapped) == 0 ? UP_HTTP_LIMITS_ADDRESS : 8;

    return memcmp(a->from, b->from, len) == 0;
}

bool up_http_limits_over_share(const struct up_http_limits *door, const struct up_visitor *v)
{
    unsigned same = 0;

    if (v->proxy || !most_are_taken(door))
        return false;
    for (const struct up_visitor *w = door->first; w; w = w->next)
        same += !w->refused && is_same(v, w);
    return same > up_http_limits_share(door);
}

static bool is_too_many(const struct up_http_limits *door, const struct up_visitor *v)
{
    return door->present >= door->connections ||
           (door->present >= door->connections - up_http_limits_reserve(door) &&
            up_http_limits_over_share(door, v));
}

struct up_visitor *up_http_limits_enter(struct up_http_limits *door, int fd, const struct sockaddr *from,
                                        uint64_t now)
{
    struct up_visitor *v = calloc(1, sizeof *v);
    char first[512];
    ssize_t len;

    if (!v)
        return NULL;
    v->fd = fd;
    v->since = now;
    v->next = door->first;
    if (v->next)
        v->next->prev = v;
    door->first = v;
    recognise(door, v, from);
    v->refused = is_too_many(door, v);
    door->present += !v->refused;

    if (door->encrypted)
        return v;
    len = recv(fd, first, sizeof first, MSG_PEEK | MSG_DONTWAIT);
    if (len > 0 && !up_http_limits_looks_like_http(first, (unsigned)len)) {
        show_out(fd);
        v->known = true;
    } else if (v->refused && (len <= 0 || !memmem(first, (size_t)len, "\r\n\r\n", 4))) {
        send_away(fd);
        v->known = true;
    }
    return v;
}

void up_http_limits_leave(struct up_http_limits *door, struct up_visitor *v)
{
    if (!v)
        return;
    if (v->prev)
        v->prev->next = v->next;
    else
        door->first = v->next;
    if (v->next)
        v->next->prev = v->prev;
    door->present -= !v->refused;
    free(v);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How long a connection may go without a complete request. */
static uint64_t patience(const struct up_http_limits *door, const struct up_visitor *v)
{
    if (v->refused)
        return least(door->limit, REFUSED_MS);
    return v->known && most_are_taken(door) ? least(door->limit, SHORT_MS) : door->limit;
}

void up_http_limits_sweep(struct up_http_limits *door, uint64_t now)
{
    if (now - door->swept < 1000)
        return;
    door->swept = now;
    for (struct up_visitor *v = door->first; v; v = v->next) {
        if (v->served || now - v->since < patience(door, v))
            continue;
        if (!v->known && !door->encrypted)
            say(v->fd,
                "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nContent-Length: 50\r\n"
                "Connection: close\r\n\r\n{\"error\":\"the request was not complete in time\"}\r\n");
        v->known = true;
        shutdown(v->fd, SHUT_RDWR);
    }
}
