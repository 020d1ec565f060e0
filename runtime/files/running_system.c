/*
 * running_system.c -- the programs that run on this system: /proc, signals, fork.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "program.h"
#include "running.h"
#include "waits.h"

#define SEARCHED "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static bool executes(long pid, const struct up_stat *file)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof path, "/proc/%ld/exe", pid);
    return stat(path, &st) == 0 && st.st_dev == file->device && st.st_ino == file->inode;
}

/* The effective user and groups of a process, its parent, and its folder. */
static bool describe(long pid, struct up_running *out)
{
    char path[64], line[4096], *at, *end;
    FILE *status;
    ssize_t len;

    memset(out, 0, sizeof *out);
    out->pid = pid;
    snprintf(path, sizeof path, "/proc/%ld/status", pid);
    status = fopen(path, "re");
    if (!status)
        return false;
    while (fgets(line, sizeof line, status)) {
        if (strncmp(line, "PPid:", 5) == 0)
            out->parent = strtol(line + 5, NULL, 10);
        else if (strncmp(line, "Uid:", 4) == 0)
            (void)!sscanf(line + 4, "%*u %u", &out->owner);
        else if (strncmp(line, "Gid:", 4) == 0)
            (void)!sscanf(line + 4, "%*u %u", &out->group);
        if (strncmp(line, "Groups:", 7) != 0)
            continue;
        for (at = line + 7; out->group_count < UP_RUNNING_GROUPS; at = end) {
            unsigned long group = strtoul(at, &end, 10);

            if (end == at)
                break;
            out->groups[out->group_count++] = (uint32_t)group;
        }
    }
    fclose(status);
    snprintf(path, sizeof path, "/proc/%ld/cwd", pid);
    len = readlink(path, out->folder, sizeof out->folder - 1);
    out->folder[len > 0 ? len : 0] = '\0';
    return true;
}

static int r_each(struct up_running_table *t, const struct up_stat *file,
                  int (*fn)(void *user, const struct up_running *p), void *user)
{
    DIR *processes = opendir("/proc");
    struct up_running found;
    struct dirent *entry;

    (void)t;
    if (!processes)
        return -1;
    if (executes(getpid(), file)) { /* our own program: its processes are the supervisor's matter */
        closedir(processes);
        return 0;
    }
    for (entry = readdir(processes); entry; entry = readdir(processes)) {
        long pid = strtol(entry->d_name, NULL, 10);

        if (pid > 1 && executes(pid, file) && describe(pid, &found) && fn(user, &found) != 0)
            break;
    }
    closedir(processes);
    return 0;
}

static void r_signal(struct up_running_table *t, long pid, const struct up_stat *file, int number)
{
    (void)t;
    if (executes(pid, file))
        kill((pid_t)pid, number);
}

static void r_pause(struct up_running_table *t, unsigned ms)
{
    struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};

    (void)t;
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
}

/* A process that has these groups already need not be allowed to change them. */
static bool become(const struct up_running *as)
{
    gid_t groups[UP_RUNNING_GROUPS];

    for (uint32_t i = 0; i < as->group_count; i++)
        groups[i] = as->groups[i];
    if (setgroups(as->group_count, groups) < 0 && (errno != EPERM || geteuid() != as->owner))
        return false;
    return setresgid(as->group, as->group, as->group) == 0 && setresuid(as->owner, as->owner, as->owner) == 0;
}

static bool leave_ours(void)
{
    int null = up_program_open_null();
    sigset_t none;

    up_program_give_umask();
    sigemptyset(&none);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    return null >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 && dup2(null, 2) >= 0 && setsid() >= 0 &&
           sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

_Noreturn static void be_program(const char *path, const struct up_running *as, int report)
{
    char *argv[] = {(char *)path, NULL}, *environment[] = {(char *)SEARCHED, NULL};
    int why;

    /* No descriptor of ours stays open; `report` is closed when the program runs. */
    if (leave_ours() && fcntl(report, F_SETFD, FD_CLOEXEC) == 0 && dup2(report, 3) == 3 &&
        fcntl(3, F_SETFD, FD_CLOEXEC) == 0) {
        report = 3;
        up_program_close_from(4);
        if (become(as) && (chdir(as->folder) == 0 || chdir("/") == 0)) /* it may be gone */
            execve(path, argv, environment);
    }
    why = errno;
    (void)!write(report, &why, sizeof why);
    _exit(127);
}

/* Why it does not run: an error number that it reports, 0 when it closes `report` without one. */
static int hear_why(int report)
{
    struct pollfd heard = {.fd = report, .events = POLLIN};
    int n, why = 0;
    ssize_t got;

    do
        n = poll(&heard, 1, UP_COMMAND_SECONDS * 1000);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n == 0 ? ETIMEDOUT : errno;
    do
        got = read(report, &why, sizeof why);
    while (got < 0 && errno == EINTR);
    return got < 0 ? errno : why;
}

/* The program or its folder may be on a medium or a server that hangs. */
static int r_start(struct up_running_table *t, const char *path, const struct up_running *as)
{
    int report[2], why, status;
    pid_t pid;

    (void)t;
    if (pipe2(report, O_CLOEXEC) < 0)
        return -1;
    pid = fork();
    if (pid == 0)
        be_program(path, as, report[1]);
    why = errno;
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        errno = why;
        return -1;
    }
    up_waits_begin();
    why = hear_why(report[0]);
    if (why != 0)
        up_program_kill(pid, false, &status);
    up_waits_end();
    close(report[0]);
    errno = why;
    return why == 0 ? 0 : -1;
}

/* Wait for it to end in time; else kill it and what it started. */
static int await(pid_t pid)
{
    int status = 0;

    if (up_program_wait(pid, UP_COMMAND_SECONDS * 1000u, &status) == 0)
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (errno != ETIMEDOUT)
        return -1;
    up_program_kill(pid, true, &status);
    errno = ETIMEDOUT;
    return -1;
}

static int r_run(struct up_running_table *t, char *const argv[])
{
    pid_t pid;
    int rc = up_program_start(&pid, argv, true, UP_PROGRAM_EMPTY);

    (void)t;
    if (rc != 0) {
        errno = rc;
        return -1;
    }
    up_waits_begin();
    rc = await(pid);
    up_waits_end();
    return rc;
}

struct up_running_table *up_running_system(void)
{
    static const struct up_running_ops ops = {r_each, r_signal, r_pause, r_start, r_run};
    static struct up_running_table table = {&ops};

    return &table;
}
