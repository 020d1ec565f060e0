#include "log.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct sink {
    bool open, socket;
    int fd;             /* its own open file description, so that O_NONBLOCK affects nobody else */
    bool torn;          /* a line was begun but not finished */
    unsigned long lost; /* lines dropped since one was written */
};

static void open_sink(struct sink *k, int descriptor)
{
    char path[40];
    struct stat st;
    int fd;

    k->open = true;
    k->fd = descriptor;
    if (fstat(descriptor, &st) < 0)
        return;
    k->socket = S_ISSOCK(st.st_mode);
    if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        k->fd = fd;
}

/* If the file description is shared, another process may fill the room that poll() saw. */
static ssize_t put(const struct sink *k, const char *data, size_t len)
{
    struct pollfd room = {.fd = k->fd, .events = POLLOUT};

    if (k->socket)
        return send(k->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (poll(&room, 1, 0) <= 0 || !(room.revents & POLLOUT))
        return -1;
    return write(k->fd, data, len);
}

static bool write_line(struct sink *k, const char *line, size_t len)
{
    ssize_t n;

    if (k->torn && put(k, "\n", 1) != 1)
        return false;
    k->torn = false;
    n = put(k, line, len);
    k->torn = n > 0 && (size_t)n < len;
    return n == (ssize_t)len;
}

static struct sink *sink_of(int descriptor)
{
    static struct sink sinks[2];
    struct sink *k = &sinks[descriptor == STDOUT_FILENO ? 0 : 1];

    if (!k->open)
        open_sink(k, descriptor);
    return k;
}

/* Always on stderr: stdout may be read by a program. */
static void say_lost(struct sink *k)
{
    char line[100];
    int n = snprintf(line, sizeof line,
                     "moult: %lu lines of the log were dropped because nothing read them\n", k->lost);

    if (write_line(sink_of(STDERR_FILENO), line, (size_t)n))
        k->lost = 0;
}

void up_log_write(int descriptor, const char *line, size_t len)
{
    struct sink *k = sink_of(descriptor);

    if (k->lost > 0)
        say_lost(k);
    if (len > UP_LOG_LINE)
        len = UP_LOG_LINE;
    if (!write_line(k, line, len))
        k->lost++;
}

void up_log(const char *format, ...)
{
    char line[UP_LOG_LINE];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (n < 0)
        return;
    if ((size_t)n > sizeof line - 2)
        n = (int)sizeof line - 2;
    line[n] = '\n';
    if (fileno(stderr) == STDERR_FILENO)
        up_log_write(STDERR_FILENO, line, (size_t)n + 1);
    else /* a descriptor that was pointed elsewhere, into memory for example, is left alone */
        fwrite(line, 1, (size_t)n + 1, stderr);
}
