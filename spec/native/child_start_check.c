/*
 * child_start_check.c -- what a child does between fork and its program, on a
 * kernel that the check plays: fork() answers 0 here, and what would be the end
 * of the child comes back to the check. And waiting for one that is interrupted.
 *
 * With real processes: child_check.c.
 */
#include "child.h"

#include "error.h"
#include "processes.h"
#include "waits.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "asked.h"

#define OURS 1001
#define THEIRS 1002
#define STDOUT_END 1003
#define STDERR_END 1004
#define NULL_FD 5
#define WAITS 1005

static struct {
    bool on;
    unsigned outputs; /* pipes that were made */
    int theirs;       /* descriptor of the child's end of the channel */
    bool orphan, no_range, no_waits, no_null,
        many; /* many: descriptors are allowed, and closing them is only counted */
    unsigned closed;
    unsigned interrupts; /* of waitpid(), to come */
    jmp_buf end;
} kernel;

#define WRAP(type, name, parameters) \
    type __real_##name parameters;   \
    type __wrap_##name parameters;   \
    type __wrap_##name parameters

WRAP(int, socketpair, (int domain, int type, int protocol, int pair[2]))
{
    if (!kernel.on)
        return __real_socketpair(domain, type, protocol, pair);
    pair[0] = OURS;
    pair[1] = kernel.theirs;
    return 0;
}

WRAP(int, pipe2, (int pair[2], int flags))
{
    if (!kernel.on)
        return __real_pipe2(pair, flags);
    pair[0] = OURS;
    pair[1] = kernel.outputs++ % 2 ? STDERR_END : STDOUT_END;
    return 0;
}

WRAP(int, up_waits_new, (struct up_waits_page * *page))
{
    if (!kernel.on)
        return __real_up_waits_new(page);
    *page = NULL;
    return kernel.no_waits ? -1 : WAITS;
}

WRAP(pid_t, fork, (void))
{
    return kernel.on ? 0 : __real_fork();
}

WRAP(int, setpgid, (pid_t pid, pid_t group))
{
    return kernel.on ? ask("group %d %d", (int)pid, (int)group) : __real_setpgid(pid, group);
}

WRAP(int, prctl, (int what, ...))
{
    va_list more;
    long value;

    va_start(more, what);
    value = va_arg(more, long);
    va_end(more);
    if (!kernel.on)
        return __real_prctl(what, value);
    return what == PR_SET_PDEATHSIG ? ask("die with parent %ld", value) : ask("prctl %d", what);
}

WRAP(pid_t, getppid, (void))
{
    return kernel.on ? getpid() + kernel.orphan : __real_getppid();
}

WRAP(int, dup2, (int from, int to))
{
    if (!kernel.on)
        return __real_dup2(from, to);
    return ask("dup2 %d %d", from, to) < 0 ? -1 : to;
}

WRAP(int, fcntl, (int fd, int command, ...))
{
    va_list more;
    long value;

    va_start(more, command);
    value = va_arg(more, long);
    va_end(more);
    if (kernel.on && fd == OURS)
        return 0;
    return kernel.on ? ask("fcntl %d %d %ld", fd, command, value) : __real_fcntl(fd, command, value);
}

WRAP(int, close_range, (unsigned first, unsigned last, int flags))
{
    if (!kernel.on)
        return __real_close_range(first, last, flags);
    return kernel.no_range ? -1 : ask("close from %u", first);
}

WRAP(int, close, (int fd))
{
    if (!kernel.on)
        return __real_close(fd);
    kernel.closed++;
    return kernel.many ? 0 : ask("close %d", fd);
}

WRAP(long, sysconf, (int name))
{
    if (!kernel.on)
        return __real_sysconf(name);
    return kernel.many ? 1L << 30 : 7;
}

WRAP(int, open, (const char *path, int flags, ...))
{
    va_list more;
    unsigned mode;

    va_start(more, flags);
    mode = flags & O_CREAT ? va_arg(more, unsigned) : 0;
    va_end(more);
    if (!kernel.on)
        return __real_open(path, flags, mode);
    return ask("open %s", path) < 0 || (kernel.no_null && strcmp(path, "/dev/null") == 0) ? -1 : NULL_FD;
}

WRAP(int, sigprocmask, (int how, const sigset_t *set, sigset_t *old))
{
    if (!kernel.on)
        return __real_sigprocmask(how, set, old);
    assert_int_equal(how, SIG_SETMASK);
    return ask("mask %d", sigismember(set, SIGTERM));
}

WRAP(int, execv, (const char *path, char *const argv[]))
{
    if (!kernel.on)
        return __real_execv(path, argv);
    if (ask("execute %s %s", path, argv[1]) < 0)
        return -1;
    longjmp(kernel.end, 1);
}

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
    if (!kernel.on)
        __real__exit(status);
    (void)ask("exit %d", status);
    longjmp(kernel.end, 1);
}

WRAP(pid_t, waitpid, (pid_t pid, int *status, int options))
{
    if (kernel.interrupts > 0) {
        kernel.interrupts--;
        errno = EINTR;
        return -1;
    }
    return __real_waitpid(pid, status, options);
}

static struct up_child *child;

static int set_up(void **state)
{
    (void)state;
    memset(&kernel, 0, sizeof kernel);
    memset(&asked, 0, sizeof asked);
    kernel.theirs = THEIRS;
    setenv("NOTIFY_SOCKET", "/run/notify", 1);
    setenv("WATCHDOG_USEC", "1", 1);
    setenv("WATCHDOG_PID", "1", 1);
    return up_child_new(&child, up_processes_system(), "child", 60, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    up_child_free(child);
    return 0;
}

/* Be the child, until its end. */
static void be_born(void)
{
    static const char *const argv[] = {"/program", "--agent", NULL};

    kernel.on = true;
    if (setjmp(kernel.end) == 0) {
        (void)!up_child_start(child, argv, 1, NULL);
        kernel.on = false;
        fail_msg("the child came back from its start:\n%s", asked.lines);
    }
    kernel.on = false;
}

static void it_takes_along_five_descriptors_and_no_word_for_the_manager(void **state)
{
    (void)state;
    be_born();
    assert_string_equal(
        asked.lines,
        "group 0 0\ndie with parent 9\ndup2 1003 1\ndup2 1004 2\ndup2 1002 3\ndup2 1005 4\nclose from 5\n"
        "open /dev/null\ndup2 5 0\nmask 0\nexecute /program --agent\n");
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
}

/* dup2() onto itself would leave it to be closed by the program's start. */
static void a_channel_that_lies_there_already_is_kept_open(void **state)
{
    (void)state;
    kernel.theirs = 3;
    be_born();
    assert_non_null(strstr(asked.lines, "dup2 3 3\nfcntl 3 2 0\ndup2 1005 4\nclose from 5\n"));
    assert_non_null(strstr(asked.lines, "execute /program"));
}

static void descriptors_are_closed_one_by_one_where_they_must_be(void **state)
{
    (void)state;
    kernel.no_range = true;
    be_born();
    assert_non_null(strstr(asked.lines, "dup2 1005 4\nclose 5\nclose 6\nopen /dev/null\n"));
}

/* A container may allow a billion: closing each would take minutes. */
static void not_all_that_are_allowed_are_closed_one_by_one(void **state)
{
    (void)state;
    kernel.no_range = kernel.many = true;
    be_born();
    assert_in_range(kernel.closed, 1000, 70000);
    assert_non_null(strstr(asked.lines, "execute /program"));
}

static void without_a_page_of_its_waits_it_starts_all_the_same(void **state)
{
    (void)state;
    kernel.no_waits = true;
    be_born();
    assert_non_null(strstr(asked.lines, "dup2 1002 3\nclose from 4\nopen /dev/null\n"));
    assert_non_null(strstr(asked.lines, "execute /program"));
}

/* A system whose /dev is not filled. */
static void without_a_null_device_it_starts_all_the_same(void **state)
{
    (void)state;
    kernel.no_null = true;
    be_born();
    assert_non_null(strstr(asked.lines, "open /dev/null\nopen /\ndup2 5 0\n"));
    assert_non_null(strstr(asked.lines, "execute /program"));
}

static void one_whose_parent_is_gone_ends_at_once(void **state)
{
    (void)state;
    kernel.orphan = true;
    be_born();
    assert_string_equal(asked.lines, "group 0 0\ndie with parent 9\nexit 127\n");
}

/* Half of what it needs is nothing to run a program with. */
static void what_it_cannot_have_ends_it_before_its_program(void **state)
{
    static const char *const calls[] = {"dup2 1003 1", "dup2 1004 2", "dup2 3 3", "fcntl",  "dup2 1005 4",
                                        "open",        "dup2 5 0",    "mask",     "execute"};

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        size_t len;

        tear_down(state);
        set_up(state);
        kernel.theirs = 3;
        asked.refused = calls[i];
        be_born();
        len = strlen(asked.lines);
        if (len < 9 || strcmp(asked.lines + len - 9, "exit 127\n") != 0)
            fail_msg("%s failed, and it went on:\n%s", calls[i], asked.lines);
        if (strcmp(calls[i], "execute") != 0)
            assert_null(strstr(asked.lines, "execute"));
    }
}

static void an_interrupted_wait_goes_on(void **state)
{
    static const char *const argv[] = {"/bin/sleep", "1000", NULL};
    struct up_error err;
    pid_t pid;

    (void)state;
    assert_int_equal(up_child_start(child, argv, 1, &err), 0);
    up_child_kill(child, "enough");
    kernel.interrupts = 2;
    up_child_reap(child, 1);
    assert_int_equal(kernel.interrupts, 0);
    assert_string_equal(up_child_reason(child), "enough");
    assert_int_equal(up_child_start(child, argv, 1, &err), 0);
    pid = up_child_pid(child);
    kernel.interrupts = 2;
    up_child_free(child);
    child = NULL;
    assert_int_equal(kill(pid, 0), -1); /* neither alive nor a zombie */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_takes_along_five_descriptors_and_no_word_for_the_manager, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_channel_that_lies_there_already_is_kept_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(descriptors_are_closed_one_by_one_where_they_must_be, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_whose_parent_is_gone_ends_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_it_cannot_have_ends_it_before_its_program, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_all_that_are_allowed_are_closed_one_by_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_page_of_its_waits_it_starts_all_the_same, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_a_null_device_it_starts_all_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_interrupted_wait_goes_on, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
