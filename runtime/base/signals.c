#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "error.h"

struct up_signals {
    int fd;
    sigset_t before;
};

int up_signals_open(struct up_signals **out, bool hangup, struct up_error *err)
{
    struct up_signals *s = calloc(1, sizeof *s);
    sigset_t mine;

    if (!s)
        return up_fail(err, UP_INTERNAL, "signals: out of memory");
    sigemptyset(&mine);
    sigaddset(&mine, SIGTERM);
    sigaddset(&mine, SIGINT);
    if (hangup)
        sigaddset(&mine, SIGHUP);
    s->fd = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->fd < 0) {
        free(s);
        return up_fail(err, UP_INTERNAL, "signals: %s", strerror(errno));
    }
    sigprocmask(SIG_BLOCK, &mine, &s->before);
    *out = s;
    return 0;
}

int up_signals_fd(const struct up_signals *s)
{
    return s->fd;
}

int up_signals_next(struct up_signals *s)
{
    struct signalfd_siginfo info;

    return read(s->fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : UP_AGAIN;
}

void up_signals_follow_parent(bool at_once)
{
    prctl(PR_SET_PDEATHSIG, at_once ? SIGKILL : SIGTERM);
}

void up_signals_close(struct up_signals *s)
{
    if (!s)
        return;
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    close(s->fd);
    free(s);
}
