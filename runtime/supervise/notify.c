#include "notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void up_notify_open(struct up_notify *n)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path ? strlen(path) : 0;

    memset(n, 0, sizeof *n);
    n->fd = -1;
    n->watchdog = getenv("WATCHDOG_USEC") != NULL;
    if (len < 2 || len >= sizeof n->address.sun_path || (*path != '/' && *path != '@'))
        return;
    n->address.sun_family = AF_UNIX;
    memcpy(n->address.sun_path, path, len);
    if (*path == '@') /* the abstract namespace */
        n->address.sun_path[0] = '\0';
    n->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void up_notify_send(const struct up_notify *n, const char *format, ...)
{
    char text[512];
    va_list arguments;
    int len;

    if (n->fd < 0)
        return;
    va_start(arguments, format);
    len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (len <= 0)
        return;
    if ((size_t)len >= sizeof text)
        len = sizeof text - 1;
    /* A manager that is gone or busy is no reason to stop supervising. */
    (void)!sendto(n->fd, text, (size_t)len, MSG_NOSIGNAL, (const struct sockaddr *)&n->address,
                  n->address_len);
}

void up_notify_close(struct up_notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}
