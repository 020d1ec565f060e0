#include "confined.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <unistd.h>

int up_confined_pipe(int ends[2])
{
    int low[2];

    ends[0] = ends[1] = -1;
    if (pipe2(low, O_CLOEXEC) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        ends[i] = low[i] > 2 ? low[i] : fcntl(low[i], F_DUPFD_CLOEXEC, 3);
        if (ends[i] != low[i])
            close(low[i]);
    }
    return ends[0] < 0 || ends[1] < 0 ? -1 : 0;
}

int up_confined_start(pid_t *pid, const char *program, const char *mode, const char *user, int in, int out)
{
    char *const argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)mode, (char *)(uintptr_t)user, NULL};
    char *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int rc;

    /* The caller may block or ignore signals that the child's limits need. */
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    rc = posix_spawn_file_actions_adddup2(&actions, in, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, out, 1);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    /* With other C libraries the process closes them itself, before it reads anything. */
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
#endif
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(&attributes, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(&attributes, &all);
    if (rc == 0)
        rc = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (rc == 0)
        rc = posix_spawn(pid, program, &actions, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}
