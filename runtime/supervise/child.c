#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "channel.h"
#include "error.h"
#include "printable.h"
#include "processes.h"

struct up_child {
    struct up_processes *processes;
    const char *name, *advice;
    uint64_t heartbeat; /* ms */
    pid_t pid;          /* 0: not running */
    struct up_channel *channel;
    uint64_t started, heard;
    uint64_t silent_from; /* start of the silence: the last line, or later if we were late or it waited */
    uint64_t waited;      /* ms that it has waited in all, as far as already accounted */
    uint64_t excused;     /* of these, since its last heartbeat */
    uint64_t kill_at;     /* while it is being stopped; else 0 */
    uint64_t leave_at;    /* since it was killed, if it may be left; else 0 */
    bool killed, beaten, forgiven, waits;
    bool may_be_left, left;
    uint64_t stuck; /* ms that the next one has to end when killed; 0: the shortest time */
    unsigned starts;
    char reason[200];
    bool succeeded;
    uint64_t delay, due;
};

int up_child_new(struct up_child **out, struct up_processes *processes, const char *name, unsigned heartbeat,
                 struct up_error *err)
{
    struct up_child *c = calloc(1, sizeof *c);

    *out = c;
    if (!c)
        return up_fail(err, UP_INTERNAL, "%s: not enough memory", name);
    c->processes = processes;
    c->name = name;
    c->advice = "";
    c->heartbeat = (uint64_t)heartbeat * 1000;
    c->delay = UP_CHILD_DELAY_MS;
    return 0;
}

void up_child_advise(struct up_child *c, const char *text)
{
    c->advice = text;
}

void up_child_may_be_left(struct up_child *c, bool may)
{
    c->may_be_left = may;
}

static void send_signal(const struct up_child *c, int number)
{
    c->processes->ops->signal(c->processes, c->pid, number);
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
        send_signal(c, SIGKILL);
        (void)c->processes->ops->reap(c->processes, c->pid);
    }
    close_channel(c);
    free(c);
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
    int link;
    pid_t pid = c->processes->ops->start(c->processes, argv, &link);

    if (pid < 0)
        return fail_start(c, now, err);
    c->pid = pid;
    c->started = c->heard = c->silent_from = now;
    c->kill_at = c->leave_at = 0;
    c->killed = c->beaten = c->forgiven = c->left = false;
    c->waited = c->excused = 0;
    c->waits = false;
    c->starts++;
    *c->reason = '\0';
    c->channel = NULL;
    if (up_channel_new(&c->channel, c->processes, link, err) < 0) { /* it closed the link */
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

int up_child_link(const struct up_child *c)
{
    return c->channel ? up_channel_fd(c->channel) : -1;
}

bool up_child_wants_write(const struct up_child *c)
{
    return c->channel && up_channel_wants_write(c->channel);
}

/* Past waits excuse no silence from now on. */
static void count_waits(struct up_child *c)
{
    c->waited = c->processes->ops->waited(c->processes, c->pid);
}

/* Waits since the last look are no silence. The child reports them itself, so they are limited. */
static void excuse_waits(struct up_child *c, uint64_t now)
{
    uint64_t before = c->waited, more, most = UP_CHILD_WAIT_MS - c->excused;

    count_waits(c);
    more = c->waited > before ? c->waited - before : 0;
    if (more > most)
        more = most;
    c->waits = more > 0;
    c->excused += more;
    c->silent_from = c->silent_from + more < now ? c->silent_from + more : now;
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
    if (n < 0) { /* closed or garbage: it counts as silent from now on, and the heartbeat decides */
        close_channel(c);
        return NULL;
    }
    if (strcmp(line, "beat") == 0) {
        c->heard = c->silent_from = now;
        c->beaten = true;
        c->forgiven = false;
        c->excused = 0;
        count_waits(c);
    }
    return line;
}

bool up_child_lively(const struct up_child *c, uint64_t now)
{
    return c->pid > 0 && !up_child_stopping(c) && c->beaten && now - c->heard < c->heartbeat / 2 &&
           !up_child_over(c);
}

bool up_child_waits(const struct up_child *c)
{
    return c->pid > 0 && !c->killed && c->waits;
}

bool up_child_beaten(const struct up_child *c)
{
    return c->pid > 0 && c->beaten;
}

void up_child_doubt(struct up_child *c)
{
    c->beaten = false;
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
    /* A full queue means that it does not read: the heartbeat decides. */
    (void)!up_channel_send(c->channel, line, (size_t)len, NULL);
}

void up_child_stop(struct up_child *c, uint64_t now)
{
    if (c->pid <= 0 || up_child_stopping(c))
        return;
    send_signal(c, SIGTERM);
    send_signal(c, SIGCONT); /* a stopped process does not see the first signal */
    c->kill_at = now + UP_CHILD_GRACE_MS;
}

void up_child_kill(struct up_child *c, const char *why)
{
    if (c->pid <= 0 || c->killed)
        return;
    c->killed = true;
    up_printable_copy(c->reason, sizeof c->reason, why);
    send_signal(c, SIGKILL);
}

void up_child_forgive(struct up_child *c, uint64_t late, uint64_t now)
{
    c->silent_from = c->forgiven && c->silent_from + late < now ? c->silent_from + late : now;
    c->forgiven = true;
    count_waits(c);
}

static bool hears_nothing(const struct up_child *c, uint64_t now)
{
    return now >= c->silent_from + c->heartbeat;
}

/* It was killed and has not ended. */
static void wait_for_end(struct up_child *c, uint64_t now)
{
    char why[sizeof c->reason];

    if (!c->may_be_left || c->left)
        return;
    if (c->stuck == 0)
        c->stuck = UP_CHILD_STUCK_MS;
    if (c->leave_at == 0)
        c->leave_at = now + c->stuck;
    if (now < c->leave_at)
        return;
    c->left = true;
    c->stuck = c->stuck * 2 < UP_CHILD_STUCK_MOST_MS ? c->stuck * 2 : UP_CHILD_STUCK_MOST_MS;
    up_printable_copy(why, sizeof why, c->reason);
    snprintf(c->reason, sizeof c->reason, "%.120s; process %d does not end when killed and is left", why,
             (int)c->pid);
}

void up_child_tick(struct up_child *c, uint64_t now)
{
    char why[sizeof c->reason];

    if (c->pid <= 0)
        return;
    if (up_child_wants_write(c))
        (void)!up_channel_flush(c->channel, NULL);
    if (c->killed) {
        wait_for_end(c, now);
        return;
    }
    excuse_waits(c, now);
    if (c->kill_at > 0 && now >= c->kill_at) {
        up_child_kill(c, "did not stop when asked");
    } else if (c->kill_at == 0 && hears_nothing(c, now)) {
        snprintf(why, sizeof why, "gave no sign of life for %llu s%s",
                 (unsigned long long)(c->heartbeat / 1000), c->advice);
        up_child_kill(c, why);
    }
    if (c->killed)
        wait_for_end(c, now);
}

uint64_t up_child_next_tick(const struct up_child *c)
{
    if (c->pid <= 0)
        return UINT64_MAX;
    if (c->left) /* it is to be reaped */
        return 0;
    if (c->killed)
        return c->may_be_left ? c->leave_at : UINT64_MAX;
    return c->kill_at > 0 ? c->kill_at : c->silent_from + c->heartbeat;
}

bool up_child_over(const struct up_child *c)
{
    return c->pid > 0 && (c->left || c->processes->ops->over(c->processes, c->pid));
}

static void describe(struct up_child *c, int status)
{
    c->succeeded = false;
    if (*c->reason) /* we killed it and know the reason */
        return;
    if (c->kill_at > 0 && (status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM))) {
        snprintf(c->reason, sizeof c->reason, "stopped when asked");
    } else if (WIFEXITED(status)) {
        c->succeeded = WEXITSTATUS(status) == 0;
        snprintf(c->reason, sizeof c->reason, "exited with code %d", WEXITSTATUS(status));
    } else {
        snprintf(c->reason, sizeof c->reason, "was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    }
}

void up_child_reap(struct up_child *c, uint64_t now)
{
    /* Until it is reaped, its number cannot become another group's. */
    send_signal(c, SIGKILL);
    if (!c->left)
        c->stuck = 0;
    describe(c, c->processes->ops->reap(c->processes, c->pid));
    close_channel(c);
    c->pid = 0;
    c->kill_at = 0;
    plan_next_start(c, now);
}

bool up_child_succeeded(const struct up_child *c)
{
    return c->succeeded;
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
