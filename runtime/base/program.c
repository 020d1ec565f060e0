#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TURN_MOST_MS 16
#define KILLED_MS 1000 /* the time in which a killed process ends */

int up_program_open_null(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    return null >= 0 ? null : open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Attributes and files of the process; 0 or an error number. */
static int describe(posix_spawnattr_t *attributes, posix_spawn_file_actions_t *files, bool apart, int input)
{
    sigset_t none, all;
    int rc;

    sigemptyset(&none);
    sigfillset(&all);
    rc = posix_spawnattr_setsigmask(attributes, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attributes, &all);
    if (rc == 0)
        rc = posix_spawnattr_setflags(attributes, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                          (apart ? POSIX_SPAWN_SETPGROUP : 0)));
    if (rc != 0 || !apart) /* group 0: a new group */
        return rc;
    return posix_spawn_file_actions_adddup2(files, input, STDIN_FILENO);
}

static mode_t given;
static bool taken;

void up_program_take_umask(void)
{
    mode_t was = umask(S_IWGRP | S_IWOTH);

    if (!taken)
        given = was;
    taken = true;
}

void up_program_give_umask(void)
{
    if (taken)
        umask(given);
}

int up_program_start(pid_t *pid, char *const argv[], bool apart, int input)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int null = apart && input < 0 ? up_program_open_null() : UP_PROGRAM_EMPTY;
    int rc = apart && input < 0 && null < 0 ? errno : posix_spawn_file_actions_init(&files);

    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = describe(&attributes, &files, apart, null < 0 ? input : null);
        if (rc == 0) {
            up_program_give_umask();
            rc = posix_spawnp(pid, argv[0], &files, &attributes, argv, environ);
            if (taken)
                up_program_take_umask();
        }
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    if (null >= 0)
        close(null);
    return rc;
}

void up_program_close_from(int first)
{
    long end;

    /* A container's filter may refuse it with any error. */
    if (close_range((unsigned)first, ~0U, 0) == 0)
        return;
    end = sysconf(_SC_OPEN_MAX);
    if (end < 0 || end > UP_PROGRAM_FDS)
        end = UP_PROGRAM_FDS;
    for (int fd = first; fd < end; fd++)
        close(fd);
}

int up_program_wait(pid_t pid, unsigned ms, int *status)
{
    unsigned waited = 0, turn = 1;

    for (;;) {
        struct timespec pause = {.tv_nsec = turn * 1000000L};
        pid_t ended = waitpid(pid, status, WNOHANG);

        if (ended == pid)
            return 0;
        if (ended < 0 && errno != EINTR)
            return -1;
        if (waited >= ms)
            break;
        nanosleep(&pause, NULL);
        waited += turn;
        if (turn < TURN_MOST_MS) /* most end at once */
            turn *= 2;
    }
    errno = ETIMEDOUT;
    return -1;
}

void up_program_kill(pid_t pid, bool group, int *status)
{
    kill(group ? -pid : pid, SIGKILL);
    (void)!up_program_wait(pid, KILLED_MS, status);
}
