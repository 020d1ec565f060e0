#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "error.h"

#define CHANNEL_FD 3

struct up_child {
    const char *name;
    uint64_t heartbeat; /* ms */
    pid_t pid;          /* 0 when there is none */
    struct up_channel *channel;
    uint64_t started, heard;
    uint64_t kill_at; /* while it is being stopped; else 0 */
    bool killed, beaten;
    unsigned starts;
    char reason[200];
    uint64_t delay, due;
};

int up_child_new(struct up_child **out, const char *name, unsigned heartbeat, struct up_error *err)
{
    struct up_child *c = calloc(1, sizeof *c);

    *out = c;
    if (!c)
        return up_fail(err, UP_INTERNAL, "%s: not enough memory", name);
    c->name = name;
    c->heartbeat = (uint64_t)heartbeat * 1000;
    c->delay = UP_CHILD_DELAY_MS;
    return 0;
}

static void close_channel(struct up_child *c)
{
    up_channel_close(c->channel);
    c->channel = NULL;
}

void up_child_free(struct up_child *c)
{
    if (!c)
        return;
    if (c->pid > 0) {
        kill(-c->pid, SIGKILL);
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    close_channel(c);
    free(c);
}

/* Descriptors 0 to 3 and nothing else. */
static int settle_descriptors(int channel)
{
    int null;

    if (dup2(channel, CHANNEL_FD) < 0)
        return -1;
    if (channel == CHANNEL_FD && fcntl(CHANNEL_FD, F_SETFD, 0) < 0)
        return -1;
    if (close_range(CHANNEL_FD + 1, ~0U, 0) < 0)
        for (long fd = CHANNEL_FD + 1, most = sysconf(_SC_OPEN_MAX); fd < most; fd++)
            close((int)fd);
    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0)
        return -1;
    return dup2(null, STDIN_FILENO) < 0 ? -1 : 0;
}

/* In the child, after fork: nothing of ours must reach the new program. */
_Noreturn static void become(const char *const argv[], int channel, pid_t parent)
{
    sigset_t none;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(127);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    sigemptyset(&none);
    if (settle_descriptors(channel) == 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0)
        execv(argv[0], (char *const *)argv);
    _exit(127);
}

static void plan_next_start(struct up_child *c, uint64_t now)
{
    if (c->started > 0 && now - c->started >= UP_CHILD_STEADY_MS)
        c->delay = UP_CHILD_DELAY_MS;
    c->due = now + c->delay;
    c->delay = c->delay * 2 < UP_CHILD_DELAY_MOST_MS ? c->delay * 2 : UP_CHILD_DELAY_MOST_MS;
}

static int fail_start(struct up_child *c, uint64_t now, struct up_error *err)
{
    int error = errno;

    up_child_postpone(c, now);
    return up_fail(err, UP_INTERNAL, "%s: cannot start: %s", c->name, strerror(error));
}

int up_child_start(struct up_child *c, const char *const argv[], uint64_t now, struct up_error *err)
{
    int pair[2];
    pid_t parent = getpid();

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return fail_start(c, now, err);
    c->pid = fork();
    if (c->pid == 0)
        become(argv, pair[1], parent);
    close(pair[1]);
    if (c->pid < 0) {
        c->pid = 0;
        close(pair[0]);
        return fail_start(c, now, err);
    }
    setpgid(c->pid, c->pid); /* here too, so that it holds before the first kill */
    c->started = c->heard = now;
    c->kill_at = 0;
    c->killed = c->beaten = false;
    c->starts++;
    *c->reason = '\0';
    c->channel = NULL;
    if (up_channel_from_fd(&c->channel, pair[0], err) < 0) { /* it closed the descriptor */
        up_child_kill(c, "had no channel");
        return err->code;
    }
    return 0;
}

bool up_child_running(const struct up_child *c)
{
    return c->pid > 0;
}

bool up_child_stopping(const struct up_child *c)
{
    return c->pid > 0 && (c->kill_at > 0 || c->killed);
}

pid_t up_child_pid(const struct up_child *c)
{
    return c->pid;
}

unsigned up_child_starts(const struct up_child *c)
{
    return c->starts;
}

int up_child_fd(const struct up_child *c)
{
    return c->channel ? up_channel_fd(c->channel) : -1;
}

short up_child_events(const struct up_child *c)
{
    return (short)(POLLIN | (c->channel && up_channel_wants_write(c->channel) ? POLLOUT : 0));
}

const char *up_child_hear(struct up_child *c, uint64_t now)
{
    const char *line = NULL;
    long n;

    if (!c->channel)
        return NULL;
    n = up_channel_receive(c->channel, &line, NULL);
    if (n == UP_AGAIN)
        return NULL;
    if (n < 0) { /* closed or garbage: silence from now on, and the heartbeat will tell */
        close_channel(c);
        return NULL;
    }
    if (strcmp(line, "beat") == 0) {
        c->heard = now;
        c->beaten = true;
    }
    return line;
}

bool up_child_lively(const struct up_child *c, uint64_t now)
{
    return c->pid > 0 && !up_child_stopping(c) && c->beaten && now - c->heard < c->heartbeat / 2;
}

void up_child_tell(struct up_child *c, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    int len;

    if (!c->channel)
        return;
    va_start(arguments, format);
    len = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (len < 0)
        return;
    if ((size_t)len >= sizeof line)
        len = sizeof line - 1;
    for (int i = 0; i < len; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    /* A full queue means that it does not listen: the heartbeat will tell. */
    (void)!up_channel_send(c->channel, line, (size_t)len, NULL);
}

void up_child_stop(struct up_child *c, uint64_t now)
{
    if (c->pid <= 0 || up_child_stopping(c))
        return;
    kill(-c->pid, SIGTERM);
    kill(-c->pid, SIGCONT); /* a stopped process does not see the first */
    c->kill_at = now + UP_CHILD_GRACE_MS;
}

void up_child_kill(struct up_child *c, const char *why)
{
    if (c->pid <= 0 || c->killed)
        return;
    c->killed = true;
    snprintf(c->reason, sizeof c->reason, "%s", why);
    kill(-c->pid, SIGKILL);
}

static bool hears_nothing(const struct up_child *c, uint64_t now)
{
    return now - c->heard >= c->heartbeat;
}

void up_child_tick(struct up_child *c, uint64_t now)
{
    char why[80];

    if (c->pid <= 0)
        return;
    if (c->channel && up_channel_wants_write(c->channel))
        (void)!up_channel_flush(c->channel, NULL);
    if (c->killed)
        return;
    if (c->kill_at > 0 && now >= c->kill_at) {
        up_child_kill(c, "did not stop when asked");
    } else if (c->kill_at == 0 && hears_nothing(c, now)) {
        snprintf(why, sizeof why, "gave no sign of life for %llu s",
                 (unsigned long long)(c->heartbeat / 1000));
        up_child_kill(c, why);
    }
}

uint64_t up_child_next_tick(const struct up_child *c)
{
    if (c->pid <= 0 || c->killed)
        return UINT64_MAX;
    return c->kill_at > 0 ? c->kill_at : c->heard + c->heartbeat;
}

bool up_child_over(const struct up_child *c)
{
    siginfo_t info = {0};

    return c->pid > 0 && waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == c->pid;
}

static void describe(struct up_child *c, int status)
{
    if (*c->reason) /* we killed it and know better */
        return;
    if (c->kill_at > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)
        snprintf(c->reason, sizeof c->reason, "stopped when asked");
    else if (WIFEXITED(status))
        snprintf(c->reason, sizeof c->reason, "exited with code %d", WEXITSTATUS(status));
    else
        snprintf(c->reason, sizeof c->reason, "was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
}

void up_child_reap(struct up_child *c, uint64_t now)
{
    int status = 0;

    /* While it is not reaped its number cannot become another group's. */
    kill(-c->pid, SIGKILL);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    describe(c, status);
    close_channel(c);
    c->pid = 0;
    c->kill_at = 0;
    plan_next_start(c, now);
}

const char *up_child_reason(const struct up_child *c)
{
    return c->reason;
}

uint64_t up_child_due(const struct up_child *c)
{
    return c->due;
}

void up_child_postpone(struct up_child *c, uint64_t now)
{
    c->started = 0;
    plan_next_start(c, now);
}

void up_child_hurry(struct up_child *c)
{
    c->due = 0;
    c->delay = UP_CHILD_DELAY_MS;
}
