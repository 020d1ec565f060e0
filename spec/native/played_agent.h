/*
 * played_agent.h -- an agent for checks of libmoult: a process that serves one connection after the other.
 */
#ifndef UP_PLAYED_AGENT_H
#define UP_PLAYED_AGENT_H

#include "scratch.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char socket_path[128];

static inline void say(int fd, const char *text)
{
    size_t len = strlen(text);

    if (write(fd, text, len) != (ssize_t)len)
        _exit(0);
}

/* The next line of the client, without its end; the process ends with the connection. */
static inline char *hear(int fd)
{
    static char line[70000];
    size_t len = 0;

    while (read(fd, line + len, 1) == 1)
        if (line[len++] == '\n') {
            line[len - 1] = '\0';
            return line;
        }
    return NULL;
}

static inline int listen_here(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, socket_path);
    unlink(socket_path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0)
        abort();
    return fd;
}

typedef void agent_fn(int listener);

static inline pid_t start(agent_fn *agent)
{
    int fd = listen_here();
    pid_t pid = fork();

    if (pid == 0) {
        alarm(60);
        agent(fd);
        _exit(0);
    }
    close(fd);
    return pid;
}

static inline void stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static inline int greeted(int listener)
{
    int fd = accept(listener, NULL, NULL);
    char *hello = hear(fd);

    if (!hello || !strstr(hello, "\"hello\"") || !strstr(hello, "\"protocol\":1"))
        abort();
    say(fd, "{\"id\":0,\"ok\":true,\"result\":{\"protocol\":1}}\n");
    return fd;
}

#endif
