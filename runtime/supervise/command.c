#include "command.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "program.h"

struct up_command {
    pid_t pid;
    bool ended;
    int status;
};

static int start(struct up_command **out, char *const argv[], int input, struct up_error *err)
{
    struct up_command *c = calloc(1, sizeof *c);
    int rc;

    if (!c)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", argv[0]);
    rc = up_program_start(&c->pid, argv, true, input);
    if (rc != 0) {
        free(c);
        return up_fail(err, UP_WRITE, "%s: %s", argv[0], strerror(rc));
    }
    *out = c;
    return 0;
}

int up_command_start(struct up_command **out, char *const argv[], struct up_error *err)
{
    return start(out, argv, UP_PROGRAM_EMPTY, err);
}

int up_command_start_linked(struct up_command **out, char *const argv[], int *link, struct up_error *err)
{
    int ends[2], rc;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return up_fail(err, UP_INTERNAL, "%s: no socket for it: %s", argv[0], strerror(errno));
    rc = start(out, argv, ends[1], err);
    close(ends[1]);
    if (rc < 0)
        close(ends[0]);
    else
        *link = ends[0];
    return rc;
}

int up_command_poll(struct up_command *c, int *status, struct up_error *err)
{
    int raw;
    pid_t pid;

    if (!c->ended) {
        do
            pid = waitpid(c->pid, &raw, WNOHANG);
        while (pid < 0 && errno == EINTR);
        if (pid == 0)
            return UP_AGAIN;
        if (pid < 0)
            return up_fail(err, UP_INTERNAL, "process %ld: %s", (long)c->pid, strerror(errno));
        c->ended = true;
        c->status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
    }
    *status = c->status;
    return 0;
}

void up_command_hang_up(struct up_command *c)
{
    if (!c->ended)
        kill(c->pid, SIGHUP);
}

void up_command_close(struct up_command *c)
{
    int raw;

    if (!c)
        return;
    /* Once a process is reaped, its group's number belongs to whoever is still in the group. */
    if (c->ended)
        kill(-c->pid, SIGKILL);
    else
        up_program_kill(c->pid, true, &raw);
    free(c);
}
