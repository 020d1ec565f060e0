#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"

struct up_command {
    pid_t pid;
    bool ended;
    int status;
};

/* The attributes of a fresh process; 0 or an error number. */
static int describe(posix_spawnattr_t *attributes, posix_spawn_file_actions_t *files)
{
    sigset_t none, all;
    int rc;

    sigemptyset(&none);
    sigfillset(&all);
    rc = posix_spawnattr_setflags(attributes,
                                  POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    if (rc == 0)
        rc = posix_spawnattr_setpgroup(attributes, 0);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attributes, &all);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(attributes, &none);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    return rc;
}

static int spawn(pid_t *pid, char *const argv[])
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&files);

    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = describe(&attributes, &files);
        if (rc == 0)
            rc = posix_spawnp(pid, argv[0], &files, &attributes, argv, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

int up_command_start(struct up_command **out, char *const argv[], struct up_error *err)
{
    struct up_command *c = calloc(1, sizeof *c);
    int rc;

    if (!c)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", argv[0]);
    rc = spawn(&c->pid, argv);
    if (rc != 0) {
        free(c);
        return up_fail(err, UP_WRITE, "%s: %s", argv[0], strerror(rc));
    }
    *out = c;
    return 0;
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

void up_command_close(struct up_command *c)
{
    int raw;

    if (!c)
        return;
    /* A process that was waited for leaves its group's number to whoever is still in it. */
    kill(-c->pid, SIGKILL);
    if (!c->ended)
        while (waitpid(c->pid, &raw, 0) < 0 && errno == EINTR)
            continue;
    free(c);
}
