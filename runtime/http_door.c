#include "http_door.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define METHOD_MAX 15

static bool is_method_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

bool up_looks_like_http(const char *bytes, unsigned len)
{
    unsigned i = 0, start;

    while (i < len && (bytes[i] == '\r' || bytes[i] == '\n')) /* blank lines before a request are forgiven */
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

/* Best effort: whoever does not read it is closed all the same. */
static void say(int fd, const char *text)
{
    ssize_t sent = send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);

    (void)sent;
}

static void show_out(int fd)
{
    char rest[4096];

    /* Closing with unread input would reset the connection, and the client
     * would not see why. */
    for (int i = 0; i < 16 && recv(fd, rest, sizeof rest, MSG_DONTWAIT) > 0; i++)
        ;
    say(fd, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 29\r\n"
            "Connection: close\r\n\r\n{\"error\":\"this is not HTTP\"}\n");
    shutdown(fd, SHUT_WR);
}

struct up_visitor *up_door_enter(struct up_door *door, int fd, uint64_t now)
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

    if (door->encrypted)
        return v;
    len = recv(fd, first, sizeof first, MSG_PEEK | MSG_DONTWAIT);
    if (len > 0 && !up_looks_like_http(first, (unsigned)len)) {
        show_out(fd);
        v->known = true;
    }
    return v;
}

void up_door_leave(struct up_door *door, struct up_visitor *v)
{
    if (!v)
        return;
    if (v->prev)
        v->prev->next = v->next;
    else
        door->first = v->next;
    if (v->next)
        v->next->prev = v->prev;
    free(v);
}

void up_door_sweep(struct up_door *door, uint64_t now)
{
    if (now - door->swept < 1000)
        return;
    door->swept = now;
    for (struct up_visitor *v = door->first; v; v = v->next) {
        if (v->served || now - v->since < door->limit)
            continue;
        if (!v->known && !door->encrypted)
            say(v->fd,
                "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nContent-Length: 50\r\n"
                "Connection: close\r\n\r\n{\"error\":\"the request was not complete in time\"}\r\n");
        v->known = true;
        shutdown(v->fd, SHUT_RDWR);
    }
}
