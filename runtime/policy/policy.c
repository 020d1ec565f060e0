/*
 * policy.c -- ask the policy process one question.
 *
 * The child gets one pipe as descriptor 0 and another as 1, and an empty
 * environment; it closes everything else it inherits before it reads the
 * question. It outlives neither its deadline, except until the caller's next
 * step, nor the struct.
 */
#include "policy.h"

#include "confined.h"
#include "error.h"
#include "program.h"
#include "storage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

    if (up_confined_pipe(question) < 0) {
        rc = errno;
        close_end(&question[0]);
        close_end(&question[1]);
        return up_fail(err, UP_INTERNAL, "policy process: pipe: %s", strerror(rc));
    }
    p->to = question[1];
    if (up_confined_pipe(answer) < 0 || set_nonblocking(question[1]) < 0 || set_nonblocking(answer[0]) < 0)
        rc = errno;
    p->from = answer[0];
    if (rc == 0)
        rc = up_confined_start(&p->pid, program, "--policy", user, question[0], answer[1]);
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
    up_program_kill(p->pid, false, &p->status);
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
