/*
 * policy.c -- ask the policy process one question.
 *
 * The child gets one pipe as descriptor 0 and another as 1, and an empty
 * environment; it closes everything else it inherits before it reads the
 * question. It outlives neither its deadline, except until the caller's next
 * step, nor the struct.
 */
#include "policy.h"

#include "error.h"
#include "storage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct up_policy {
    pid_t pid; /* 0 once reaped */
    int status;
    int to, from;   /* our ends; -1 once closed */
    char *question; /* still to be written; NULL: all is */
    size_t len, written;
    size_t received;
    uint64_t deadline; /* monotonic milliseconds */
    char answer[UP_POLICY_ANSWER_MAX + 1];
};

static uint64_t now_ms(void)
{
    struct up_storage *s = up_storage_system();

    return s->ops->monotonic(s);
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Keep both ends above 2, so that duplicating one to 0 or 1 in the child cannot overwrite the other. */
static int open_pipe(int ends[2])
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

static int spawn(pid_t *pid, const char *program, const char *user, int in, int out)
{
    char *const argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "--policy", (char *)(uintptr_t)user,
                          NULL};
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
    /* With other C libraries the policy process does it, before it reads the question. */
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

static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Connect and start; on failure p still owns what it has. */
static int start(struct up_policy *p, const char *program, const char *user, struct up_error *err)
{
    int question[2], answer[2];
    int rc = 0;

    if (open_pipe(question) < 0) {
        rc = errno;
        close_end(&question[0]);
        close_end(&question[1]);
        return up_fail(err, UP_INTERNAL, "policy process: pipe: %s", strerror(rc));
    }
    p->to = question[1];
    if (open_pipe(answer) < 0 || set_nonblocking(question[1]) < 0 || set_nonblocking(answer[0]) < 0)
        rc = errno;
    p->from = answer[0];
    if (rc == 0)
        rc = spawn(&p->pid, program, user, question[0], answer[1]);
    if (rc != 0)
        p->pid = 0;
    close_end(&question[0]);
    close_end(&answer[1]);
    return rc == 0 ? 0 : up_fail(err, UP_INTERNAL, "policy process: %s: %s", program, strerror(rc));
}

int up_policy_start(struct up_policy **out, const char *program, const char *user, const char *question,
                    size_t len, struct up_error *err)
{
    struct up_policy *p;
    int rc;

    *out = NULL;
    if (len > UP_POLICY_QUESTION_MAX)
        return up_fail(err, UP_USAGE, "policy question of %zu bytes: at most %u", len,
                       UP_POLICY_QUESTION_MAX);
    p = calloc(1, sizeof *p);
    if (!p)
        return up_fail(err, UP_INTERNAL, "policy process: out of memory");
    p->to = p->from = -1;
    p->question = malloc(len + 1);
    if (!p->question) {
        up_policy_close(p);
        return up_fail(err, UP_INTERNAL, "policy process: out of memory");
    }
    memcpy(p->question, question, len);
    p->len = len;
    p->deadline = now_ms() + UP_POLICY_WALL_MS;
    rc = start(p, program, user, err);
    if (rc < 0) {
        up_policy_close(p);
        return rc;
    }
    *out = p;
    return 0;
}

int up_policy_fd(const struct up_policy *p)
{
    return p->from;
}

int up_policy_wants_write(const struct up_policy *p, int *fd)
{
    *fd = p->to;
    return p->to >= 0;
}

int up_policy_remaining(const struct up_policy *p)
{
    uint64_t now = now_ms();

    return now >= p->deadline ? 0 : (int)(p->deadline - now);
}

long up_policy_pid(const struct up_policy *p)
{
    return p->pid;
}

/* Kill the process if it has not ended, and reap it. A process that is ending
 * already keeps its own status. */
static void reap(struct up_policy *p)
{
    if (p->pid == 0)
        return;
    kill(p->pid, SIGKILL);
    while (waitpid(p->pid, &p->status, 0) < 0 && errno == EINTR)
        ;
    p->pid = 0;
}

static int refuse(struct up_policy *p, struct up_error *err, const char *why)
{
    reap(p);
    close_end(&p->to);
    close_end(&p->from);
    return up_fail(err, UP_REFUSED, "policy process: %s", why);
}

/* The answer has ended: how did the process end? */
static long finish(struct up_policy *p, const char **answer, struct up_error *err)
{
    reap(p);
    if (WIFSIGNALED(p->status)) {
        int number = WTERMSIG(p->status);

        if (number == SIGSYS)
            return refuse(p, err, "killed by the system call filter");
        if (number == SIGXCPU || number == SIGKILL)
            return refuse(p, err, "killed for its use of processor time or memory");
        return refuse(p, err, strsignal(number));
    }
    if (p->received == 0 || WEXITSTATUS(p->status) != 0)
        return refuse(p, err, "it ended without an answer");
    p->answer[p->received] = '\0';
    close_end(&p->to);
    close_end(&p->from);
    *answer = p->answer;
    return (long)p->received;
}

static void write_some(struct up_policy *p)
{
    while (p->to >= 0 && p->written < p->len) {
        ssize_t n = write(p->to, p->question + p->written, p->len - p->written);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            break; /* it does not read on: then its answer says why */
        p->written += (size_t)n;
    }
    close_end(&p->to); /* end of file is the end of the question */
}

long up_policy_step(struct up_policy *p, const char **answer, struct up_error *err)
{
    if (p->from < 0)
        return up_fail(err, UP_USAGE, "policy process: it has answered already");
    write_some(p);
    for (;;) {
        size_t room = sizeof p->answer - p->received;
        ssize_t n = read(p->from, p->answer + p->received, room);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            return refuse(p, err, strerror(errno));
        if (n == 0)
            return finish(p, answer, err);
        p->received += (size_t)n;
        if (p->received > UP_POLICY_ANSWER_MAX)
            return refuse(p, err, "its answer is longer than 64 KiB");
    }
    if (up_policy_remaining(p) == 0)
        return refuse(p, err, "no answer in 2 s");
    return up_fail(err, UP_AGAIN, "policy process: no answer yet");
}

void up_policy_close(struct up_policy *p)
{
    if (!p)
        return;
    reap(p);
    close_end(&p->to);
    close_end(&p->from);
    free(p->question);
    free(p);
}
