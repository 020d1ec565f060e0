#include "supervisor_play.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "channel.h"
#include "child.h"

#define FIRST_FD 1000 /* of the descriptors that are played */
#define LINES 128
#define BEAT_MS 2000

struct process {
    const char *name;
    pid_t pid; /* 0: none */
    bool ended, deaf, mute;
    int status;
    char line[LINES][80];
    unsigned said, heard;
};

static struct {
    bool on;
    const struct play_step *step;
    uint64_t until; /* of the wait that goes on; 0: none does */
    struct process process[2];
    enum play_who starting;
    pid_t last_pid;
    unsigned children;
    int fds, signal;
    unsigned long turns;
    char *said, *done;
    size_t said_size, done_size;
    FILE *log, *terminal;
} stage;

struct play_refusal play_refuses;
struct sim *play_sim;

const char *play_said(void)
{
    return stage.said;
}

const char *play_done(void)
{
    return stage.done;
}

unsigned play_count(const char *where, const char *text)
{
    unsigned count = 0;

    while ((where = strstr(where, text))) {
        where += strlen(text);
        count++;
    }
    return count;
}

static uint64_t now(void)
{
    struct up_storage *storage = sim_storage(play_sim);

    return storage->ops->monotonic(storage);
}

/* The play cannot go on. */
__attribute__((format(printf, 1, 2))) static void broken(const char *format, ...)
{
    char text[200];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fflush(stage.log);
    fflush(stderr);
    stderr = stage.terminal;
    stage.on = false;
    fail_msg("%s\n%s\n%s", text, stage.done, stage.said);
}

/*
 * Processes.
 */

static struct process *process_of(pid_t pid)
{
    for (int i = 0; i < 2; i++)
        if (stage.process[i].pid == pid)
            return &stage.process[i];
    broken("there is no process %d", (int)pid);
    return NULL;
}

static void end(struct process *p, int status)
{
    if (p->ended)
        return;
    p->ended = true;
    p->status = status;
    fprintf(stage.log, "%s ended\n", p->name);
}

#define WRAP(type, name, parameters) \
    type __real_##name parameters;   \
    type __wrap_##name parameters;   \
    type __wrap_##name parameters

WRAP(struct up_storage *, up_storage_system, (void))
{
    return stage.on ? sim_storage(play_sim) : __real_up_storage_system();
}

WRAP(int, up_child_new, (struct up_child * *out, const char *name, unsigned heartbeat, struct up_error *err))
{
    if (++stage.children == play_refuses.child)
        return up_fail(err, UP_INTERNAL, "%s: not enough memory", name);
    return __real_up_child_new(out, name, heartbeat, err);
}

WRAP(int, up_child_start, (struct up_child * c, const char *const argv[], uint64_t at, struct up_error *err))
{
    stage.starting = strcmp(argv[1], "--agent") == 0 ? AGENT : SCRIPT;
    return __real_up_child_start(c, argv, at, err);
}

WRAP(pid_t, fork, (void))
{
    struct process *p = &stage.process[stage.starting];

    if (play_refuses.forks > 0) {
        play_refuses.forks--;
        errno = EAGAIN;
        return -1;
    }
    if (p->pid != 0)
        broken("two of the %s", p->name);
    *p = (struct process){.name = p->name, .mute = p->mute, .pid = ++stage.last_pid};
    fprintf(stage.log, "%s started\n", p->name);
    return p->pid;
}

WRAP(int, kill, (pid_t pid, int number))
{
    struct process *p;

    if (!stage.on)
        return __real_kill(pid, number);
    p = process_of(-pid); /* always the group */
    if (number == SIGKILL || (number == SIGTERM && !p->deaf))
        end(p, number);
    return 0;
}

WRAP(int, setpgid, (pid_t pid, pid_t group))
{
    return stage.on ? 0 : __real_setpgid(pid, group);
}

WRAP(int, waitid, (idtype_t type, id_t pid, siginfo_t *info, int options))
{
    (void)type, (void)options;
    if (process_of((pid_t)pid)->ended)
        info->si_pid = (pid_t)pid;
    return 0;
}

WRAP(pid_t, waitpid, (pid_t pid, int *status, int options))
{
    struct process *p;

    if (!stage.on)
        return __real_waitpid(pid, status, options);
    p = process_of(pid);
    if (!p->ended)
        broken("it waits for the %s, which runs", p->name);
    if (status)
        *status = p->status;
    p->pid = 0;
    return pid;
}

WRAP(int, execv, (const char *path, char *const argv[]))
{
    fprintf(stage.log, "execute %s", path);
    for (int i = 1; argv[i]; i++)
        fprintf(stage.log, " %s", argv[i]);
    fprintf(stage.log, "\n");
    errno = ENOENT;
    return -1;
}

/*
 * Signals and descriptors, which are counted.
 */

WRAP(int, sigprocmask, (int how, const sigset_t *set, sigset_t *old))
{
    if (!stage.on)
        return __real_sigprocmask(how, set, old);
    if (how == SIG_BLOCK && play_refuses.mask)
        return -1;
    if (old)
        sigemptyset(old);
    return 0;
}

WRAP(int, signalfd, (int fd, const sigset_t *set, int flags))
{
    (void)fd, (void)set, (void)flags;
    if (play_refuses.signals) {
        errno = EMFILE;
        return -1;
    }
    stage.fds++;
    return FIRST_FD;
}

WRAP(int, socketpair, (int domain, int type, int protocol, int pair[2]))
{
    if (!stage.on)
        return __real_socketpair(domain, type, protocol, pair);
    stage.fds += 2;
    pair[0] = FIRST_FD + 1 + (int)stage.starting;
    pair[1] = FIRST_FD + 3;
    return 0;
}

WRAP(int, close, (int fd))
{
    if (fd < FIRST_FD)
        return __real_close(fd);
    stage.fds--;
    return 0;
}

WRAP(ssize_t, read, (int fd, void *data, size_t len))
{
    struct signalfd_siginfo *info = data;

    if (fd != FIRST_FD)
        return __real_read(fd, data, len);
    if (stage.signal == 0) {
        errno = EAGAIN;
        return -1;
    }
    memset(info, 0, sizeof *info);
    info->ssi_signo = (uint32_t)stage.signal;
    stage.signal = 0;
    return sizeof *info;
}

/*
 * Channels: a process is its own.
 */

WRAP(int, up_channel_from_fd, (struct up_channel * *out, int fd, struct up_error *err))
{
    (void)err;
    *out = (struct up_channel *)&stage.process[fd - FIRST_FD - 1];
    return 0;
}

WRAP(int, up_channel_fd, (const struct up_channel *c))
{
    return FIRST_FD + 1 + (int)((const struct process *)c - stage.process);
}

WRAP(int, up_channel_wants_write, (const struct up_channel *c))
{
    (void)c;
    return 0;
}

WRAP(int, up_channel_send, (struct up_channel * c, const char *line, size_t len, struct up_error *err))
{
    (void)err;
    fprintf(stage.log, "%s < %.*s\n", ((struct process *)c)->name, (int)len, line);
    return 0;
}

WRAP(long, up_channel_receive, (struct up_channel * c, const char **line, struct up_error *err))
{
    struct process *p = (struct process *)c;

    (void)err;
    if (p->heard == p->said)
        return UP_AGAIN;
    *line = p->line[p->heard++ % LINES];
    return (long)strlen(*line);
}

WRAP(void, up_channel_close, (struct up_channel * c))
{
    stage.fds -= c != NULL;
}

/*
 * The play.
 */

static void say(struct process *p, const char *line)
{
    if (p->pid == 0 || p->ended)
        broken("the %s is not there to say %s", p->name, line);
    if (p->said - p->heard >= LINES)
        broken("the %s is not heard", p->name);
    snprintf(p->line[p->said++ % LINES], sizeof p->line[0], "%s", line);
}

/* True: time passed, or the wait is over. */
static bool wait_on(int timeout)
{
    uint64_t left;

    if (stage.until == 0)
        stage.until = now() + (uint64_t)stage.step->number;
    left = stage.until - now();
    if (left == 0) {
        stage.until = 0;
        return false;
    }
    if (left > (uint64_t)timeout)
        left = (uint64_t)timeout;
    if (left > BEAT_MS)
        left = BEAT_MS;
    sim_advance(play_sim, left);
    for (int i = 0; i < 2; i++)
        if (stage.process[i].pid && !stage.process[i].ended && !stage.process[i].mute)
            say(&stage.process[i], "beat");
    return true;
}

static void take(const struct play_step *step)
{
    struct process *p = &stage.process[step->who];
    char line[80];

    switch (step->what) {
    case PLAY_SAY:
        say(p, step->line);
        break;
    case PLAY_FLOOD:
        for (long i = 1; i <= step->number; i++) {
            snprintf(line, sizeof line, "line %ld", i);
            say(p, line);
        }
        break;
    case PLAY_END:
        end(p, (int)step->number << 8);
        stage.signal = SIGCHLD;
        break;
    case PLAY_SIGNAL:
        stage.signal = (int)step->number;
        break;
    case PLAY_DEAF:
        p->deaf = true;
        break;
    case PLAY_MUTE:
        p->mute = true;
        break;
    case PLAY_CALL:
        step->call();
        break;
    default:
        break;
    }
}

/* What is there to be read. */
static int ready(struct pollfd *fds)
{
    int count = 0;

    for (int i = 0; i < 3; i++) {
        bool is = i == 0 ? stage.signal != 0
                         : fds[i].fd >= 0 && stage.process[i - 1].heard != stage.process[i - 1].said;

        fds[i].revents = is ? POLLIN : 0;
        count += is;
    }
    return count;
}

WRAP(int, poll, (struct pollfd * fds, nfds_t count, int timeout))
{
    if (!stage.on)
        return __real_poll(fds, count, timeout);
    fflush(stage.log);
    if (++stage.turns > 200000)
        broken("it goes round and round");
    if (ready(fds) > 0)
        return ready(fds);
    if (stage.step->what == PLAY_WAIT) {
        if (!wait_on(timeout))
            stage.step++;
        return ready(fds);
    }
    if (stage.step->what == PLAY_OVER) {
        if (stage.until == 0)
            stage.signal = SIGTERM;
        else
            sim_advance(play_sim, (uint64_t)timeout);
        stage.until = 1;
        return ready(fds);
    }
    take(stage.step++);
    return ready(fds);
}

int play(const struct up_config *config, enum up_verbosity verbosity, const struct play_step *steps,
         struct up_error *err)
{
    int rc;

    free(stage.said);
    free(stage.done);
    memset(&stage, 0, sizeof stage);
    stage.process[AGENT].name = "agent";
    stage.process[SCRIPT].name = "script";
    stage.last_pid = 1000;
    stage.step = steps;
    stage.terminal = stderr;
    stage.log = open_memstream(&stage.done, &stage.done_size);
    stderr = open_memstream(&stage.said, &stage.said_size);
    stage.on = true;
    rc = up_supervisor_run(config, "/moult", verbosity, err);
    stage.on = false;
    fclose(stderr);
    stderr = stage.terminal;
    fclose(stage.log);
    play_refuses = (struct play_refusal){0};
    assert_int_equal(stage.fds, 0);
    assert_int_equal(stage.process[AGENT].pid, 0);
    assert_int_equal(stage.process[SCRIPT].pid, 0);
    assert_int_equal(sim_open_files(play_sim), 0);
    return rc;
}
