/*
 * The operating system's processes: fork, execv, socket pairs, a signalfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "orphans.h"
#include "processes.h"
#include "program.h"
#include "relay.h"
#include "waits.h"

#define LINK_FD 3
#define WATCHES 7
#define CHILDREN 4   /* whose waits are known at a time */
#define END_MS 1000u /* in which a killed process ends */

struct system {
    struct up_processes base; /* first: the operations are handed this */
    int signals;              /* -1: they are not caught */
    sigset_t old_mask;
    struct {
        pid_t pid;
        struct up_waits_page *page; /* NULL: this entry is free */
    } waits[CHILDREN];
};

/* Set descriptors 0 to 4, or 3 without a page of waits, and close all others. */
static int settle_descriptors(int link, int waits, const int outputs[2])
{
    int null, next = waits < 0 ? LINK_FD + 1 : UP_WAITS_FD + 1;

    if (dup2(outputs[0], STDOUT_FILENO) < 0 || dup2(outputs[1], STDERR_FILENO) < 0 || dup2(link, LINK_FD) < 0)
        return -1;
    if (link == LINK_FD && fcntl(LINK_FD, F_SETFD, 0) < 0)
        return -1;
    if (waits >= 0 && dup2(waits, UP_WAITS_FD) < 0)
        return -1;
    up_program_close_from(next);
    null = up_program_open_null();
    return null < 0 || dup2(null, STDIN_FILENO) < 0 ? -1 : 0;
}

/* In the child, after fork: nothing of ours may reach the new program. */
_Noreturn static void be_child(const char *const argv[], int link, int waits, const int outputs[2],
                               pid_t parent)
{
    sigset_t none;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* the parent died before prctl() */
        _exit(127);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    /* Also what whoever started us had ignored: a script that SIGTERM does not reach would hold up each trial. */
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    up_program_give_umask();
    sigemptyset(&none);
    if (settle_descriptors(link, waits, outputs) == 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0)
        execv(argv[0], (char *const *)argv);
    _exit(127);
}

/* Close our copies; without a child that ends both pipes. Keeps errno. */
static void close_outputs(const int outputs[2])
{
    int cause = errno;

    close(outputs[0]);
    close(outputs[1]);
    up_relay_move(up_relay_here());
    errno = cause;
}

/* Remember the page of a child, or release it: without it every silence counts. */
static void keep_waits(struct system *system, pid_t pid, struct up_waits_page *page)
{
    for (size_t i = 0; i < CHILDREN && pid > 0; i++)
        if (!system->waits[i].page) {
            system->waits[i].pid = pid;
            system->waits[i].page = page;
            return;
        }
    up_waits_free(page);
}

static uint64_t s_waited(struct up_processes *p, pid_t pid)
{
    struct system *system = (struct system *)p;

    for (size_t i = 0; i < CHILDREN; i++)
        if (system->waits[i].page && system->waits[i].pid == pid)
            return up_waits_read(system->waits[i].page);
    return 0;
}

static void forget_waits(struct system *system, pid_t pid)
{
    for (size_t i = 0; i < CHILDREN; i++)
        if (system->waits[i].page && system->waits[i].pid == pid) {
            up_waits_free(system->waits[i].page);
            system->waits[i].page = NULL;
        }
}

static pid_t s_start(struct up_processes *p, const char *const argv[], int *link)
{
    struct up_waits_page *page;
    int pair[2], outputs[2], waits, cause;
    pid_t pid, parent = getpid();

    if (up_relay_open(up_relay_here(), outputs) < 0)
        return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        close_outputs(outputs);
        return -1;
    }
    waits = up_waits_new(&page);
    pid = fork();
    if (pid == 0)
        be_child(argv, pair[1], waits, outputs, parent);
    cause = errno;
    keep_waits((struct system *)p, pid, page);
    if (waits >= 0)
        close(waits);
    close(pair[1]);
    close_outputs(outputs);
    if (pid < 0) {
        close(pair[0]);
        errno = cause;
        return -1;
    }
    setpgid(pid, pid); /* also here, so that it applies before the first signal */
    *link = pair[0];
    return pid;
}

static void s_signal(struct up_processes *p, pid_t pid, int number)
{
    (void)p;
    kill(-pid, number);
}

static bool s_over(struct up_processes *p, pid_t pid)
{
    siginfo_t info = {0};

    (void)p;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

static int s_reap(struct up_processes *p, pid_t pid)
{
    int status = 0;

    forget_waits((struct system *)p, pid);
    (void)!up_program_wait(pid, END_MS, &status);
    up_relay_move(up_relay_here()); /* its last output */
    return status;
}

static int s_become(struct up_processes *p, const char *const argv[])
{
    struct system *system = (struct system *)p;

    fflush(NULL);
    if (system->signals >= 0)
        sigprocmask(SIG_SETMASK, &system->old_mask, NULL);
    return execv(argv[0], (char *const *)argv);
}

static int s_adopt_orphans(struct up_processes *p)
{
    (void)p;
    return up_orphans_adopt();
}

static unsigned s_kill_orphans(struct up_processes *p, enum up_orphans_of of, pid_t script, pid_t tester)
{
    (void)p;
    return up_orphans_kill(of, script, tester);
}

static unsigned s_kill_left(struct up_processes *p, const char *state)
{
    (void)p;
    return up_orphans_kill_left(state);
}

static void s_forget_orphans(struct up_processes *p, pid_t agent, pid_t script, pid_t tester)
{
    (void)p;
    up_orphans_forget(agent, script, tester);
}

static int s_catch_signals(struct up_processes *p)
{
    struct system *system = (struct system *)p;
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &mask, &system->old_mask) < 0)
        return -1;
    signal(SIGPIPE, SIG_IGN); /* a log whose reader is gone */
    system->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (system->signals < 0) {
        int cause = errno;

        sigprocmask(SIG_SETMASK, &system->old_mask, NULL);
        errno = cause;
        return -1;
    }
    return 0;
}

static int s_next_signal(struct up_processes *p)
{
    struct system *system = (struct system *)p;
    struct signalfd_siginfo info;

    while (system->signals >= 0 && read(system->signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD)
            return (int)info.ssi_signo;
    return 0;
}

static void s_release_signals(struct up_processes *p)
{
    struct system *system = (struct system *)p;

    if (system->signals < 0)
        return;
    close(system->signals);
    system->signals = -1;
    sigprocmask(SIG_SETMASK, &system->old_mask, NULL);
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Output of children is copied meanwhile, and is no reason to return. */
static void s_wait(struct up_processes *p, const struct up_link_watch *watches, size_t count, int timeout)
{
    struct system *system = (struct system *)p;
    struct pollfd fds[1 + WATCHES + UP_RELAY_PIPES] = {{.fd = system->signals, .events = POLLIN}};
    uint64_t now = now_ms(), till = now + (timeout > 0 ? (uint64_t)timeout : 0);
    bool ours = false;

    if (count > WATCHES) { /* nobody has so many; all are looked at when this returns */
        count = WATCHES;
        till = now;
    }
    for (size_t i = 0; i < count; i++)
        fds[i + 1] = (struct pollfd){.fd = watches[i].link,
                                     .events = (short)(POLLIN | (watches[i].write ? POLLOUT : 0))};
    for (;;) {
        size_t pipes = up_relay_watch(up_relay_here(), fds + 1 + count);

        if (poll(fds, 1 + count + pipes, (int)(till - now)) <= 0)
            return;
        for (size_t i = 0; i <= count; i++)
            ours = ours || fds[i].revents != 0;
        up_relay_move(up_relay_here());
        now = now_ms();
        if (ours || now >= till)
            return;
    }
}

static int s_adopt(struct up_processes *p, int link)
{
    int type, flags;
    socklen_t len = sizeof type;

    (void)p;
    if (getsockopt(link, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM) {
        errno = ENOTSOCK;
        return -1;
    }
    flags = fcntl(link, F_GETFL);
    if (flags < 0 || fcntl(link, F_SETFL, flags | O_NONBLOCK) < 0)
        return -1;
    return fcntl(link, F_SETFD, FD_CLOEXEC);
}

static ssize_t s_send(struct up_processes *p, int link, const void *data, size_t len)
{
    (void)p;
    return send(link, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t s_receive(struct up_processes *p, int link, void *buf, size_t len)
{
    (void)p;
    return recv(link, buf, len, MSG_DONTWAIT);
}

static void s_close(struct up_processes *p, int link)
{
    (void)p;
    close(link);
}

struct up_processes *up_processes_system(void)
{
    static const struct up_processes_ops ops = {
        s_start,           s_signal,       s_over,      s_waited,         s_reap,          s_become,
        s_adopt_orphans,   s_kill_orphans, s_kill_left, s_forget_orphans, s_catch_signals, s_next_signal,
        s_release_signals, s_wait,         s_adopt,     s_send,           s_receive,       s_close,
    };
    static struct system system = {.base = {.ops = &ops}, .signals = -1};

    return &system.base;
}
