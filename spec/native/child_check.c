/*
 * The processes under the supervisor: real ones, made of the shell. Time is an
 * argument of child.h, so nothing here waits for longer than a process takes
 * to start or to end.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"
#include "emulated.h"
#include "error.h"
#include "notify.h"
#include "processes.h"
#include "waits.h"

#define HEARTBEAT 10
#define PATIENCE_MS 20000 /* after which a process is broken, not slow */

static struct up_child *child;

static int setup(void **state)
{
    (void)state;
    return up_child_new(&child, up_processes_system(), "child", HEARTBEAT, NULL);
}

static int teardown(void **state)
{
    (void)state;
    up_child_free(child);
    return 0;
}

static void start(const char *script, uint64_t now)
{
    const char *argv[] = {"/bin/sh", "-c", script, NULL};

    assert_int_equal(up_child_start(child, argv, now, NULL), 0);
}

/* The next line that the child says. */
static const char *hear(uint64_t now)
{
    const char *line;

    for (line = up_child_hear(child, now); !line; line = up_child_hear(child, now)) {
        struct pollfd fd = {.fd = up_child_link(child), .events = POLLIN};

        assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    }
    return line;
}

static void wait_over(void)
{
    for (int i = 0; !up_child_over(child); i++) {
        assert_true(i < PATIENCE_MS);
        poll(NULL, 0, 1);
    }
}

/* Of several links each one, though children have pipes that are looked at, too. */
static void a_link_that_is_ready_ends_the_wait(void **state)
{
    struct up_processes *p = up_processes_system();
    int pair[3][2];

    (void)state;
    start("read x <&3", 1);
    for (int ready = 0; ready < 3; ready++) {
        struct up_link_watch watches[3];

        for (int i = 0; i < 3; i++) {
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair[i]), 0);
            watches[i] = (struct up_link_watch){.link = pair[i][0]};
        }
        assert_int_equal(write(pair[ready][1], "x", 1), 1);
        alarm(60);
        p->ops->wait(p, watches, 3, 1000 * PATIENCE_MS);
        alarm(0);
        for (int i = 0; i < 3; i++) {
            close(pair[i][0]);
            close(pair[i][1]);
        }
    }
    up_child_kill(child, "enough");
    wait_over();
    up_child_reap(child, 1);
}

/* As many as there may be. What ends the wait comes later, as far as the machine is not very busy. */
static void seven_links_are_waited_for(void **state)
{
    struct up_processes *p = up_processes_system();
    struct up_link_watch watches[7];
    struct pollfd ready;
    int pair[2], status;
    pid_t writer;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    for (int i = 0; i < 7; i++)
        watches[i] = (struct up_link_watch){.link = i == 6 ? pair[0] : -1};
    writer = fork();
    if (writer == 0) {
        poll(NULL, 0, 100);
        _exit(write(pair[1], "x", 1) == 1 ? 0 : 1);
    }
    ready = (struct pollfd){.fd = pair[0], .events = POLLIN};
    alarm(60);
    p->ops->wait(p, watches, 7, 1000 * PATIENCE_MS);
    alarm(0);
    assert_int_equal(poll(&ready, 1, 0), 1);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    close(pair[0]);
    close(pair[1]);
}

/* This program, once it waits and its page says so. */
static pid_t start_waiting(struct up_processes *p, int *link)
{
    const char *argv[] = {"/proc/self/exe", "wait", NULL};
    pid_t pid = p->ops->start(p, argv, link);

    assert_true(pid > 0);
    for (int i = 0; p->ops->waited(p, pid) == 0; i++) {
        assert_true(i < PATIENCE_MS);
        poll(NULL, 0, 1);
    }
    return pid;
}

static void end_waiting(struct up_processes *p, pid_t pid, int link)
{
    p->ops->signal(p, pid, SIGKILL);
    for (int i = 0; !p->ops->over(p, pid); i++) {
        assert_true(i < PATIENCE_MS);
        poll(NULL, 0, 1);
    }
    p->ops->reap(p, pid);
    p->ops->close(p, link);
}

/* Each has its own page; whose child is gone, that place is free again. */
static void waits_are_read_from_each_until_it_ends(void **state)
{
    struct up_processes *p = up_processes_system();
    int first_link, link;
    pid_t first;

    (void)state;
    if (is_emulated())
        skip();
    first = start_waiting(p, &first_link);
    for (int i = 0; i < 5; i++) {
        pid_t pid = start_waiting(p, &link);

        end_waiting(p, pid, link);
        assert_int_equal(p->ops->waited(p, pid), 0);
        assert_true(p->ops->waited(p, first) > 0);
    }
    end_waiting(p, first, first_link);
}

/* Only who was asked to stop has stopped when asked. */
static void ends_by_itself(void **state)
{
    (void)state;
    start("exit 0", 1);
    wait_over();
    up_child_reap(child, 1);
    assert_string_equal(up_child_reason(child), "exited with code 0");
    start("kill -TERM $$", 1);
    wait_over();
    up_child_reap(child, 1);
    assert_string_equal(up_child_reason(child), "was killed by signal 15 (Terminated)");
}

static void runs_with_a_channel_and_nothing_else(void **state)
{
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0); /* would be inherited */
    start("echo \"fds\" $(cd /proc/self/fd && ls -d 0 1 2 3 4 5 6 7 8 9 2>/dev/null) >&3;"
          "readlink /proc/self/fd/0 >&3; exit 3",
          1);
    assert_string_equal(hear(1), "fds 0 1 2 3 4");
    assert_string_equal(hear(1), "/dev/null");
    wait_over();
    up_child_reap(child, 1);
    assert_string_equal(up_child_reason(child), "exited with code 3");
    assert_false(up_child_running(child));
    close(pair[0]);
    close(pair[1]);
}

/* The service manager talks to us, and only we may answer for the device; a
 * signal that we ignore or block is the child's own again. */
static void what_is_between_us_and_the_manager_is_not_handed_on(void **state)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    static const int of_a_shell[] = {SIGHUP, SIGINT, SIGQUIT}; /* a background one has us ignore them */
    sigset_t some, before;

    (void)state;
    for (size_t i = 0; i < sizeof of_a_shell / sizeof *of_a_shell; i++)
        signal(of_a_shell[i], SIG_DFL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        setenv(names[i], "1", 1);
    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    sigprocmask(SIG_BLOCK, &some, &before);
    signal(SIGPIPE, SIG_IGN);
    start("echo \"got $NOTIFY_SOCKET$WATCHDOG_USEC$WATCHDOG_PID\""
          " $(sed -n 's/^Sig\\(Blk\\|Ign\\):.*000\\(....\\)$/\\2/p' /proc/self/status) >&3",
          1);
    sigprocmask(SIG_SETMASK, &before, NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    assert_string_equal(hear(1), "got  0000 0000");
    wait_over();
    up_child_reap(child, 1);
}

static void hears_and_is_heard(void **state)
{
    (void)state;
    start("read line <&3; echo \"got $line\" >&3; read line <&3; echo \"got $line\" >&3", 1);
    up_child_tell(child, "phase %s", "idle");
    assert_string_equal(hear(1), "got phase idle");
    up_child_tell(child, "two\nlines");
    assert_string_equal(hear(1), "got two lines");
    wait_over();
    up_child_tell(child, "nobody there"); /* must not raise SIGPIPE */
    up_child_reap(child, 1);
    up_child_tell(child, "nobody at all");
    assert_int_equal(up_child_link(child), -1);
}

static void a_long_line_is_cut(void **state)
{
    char text[2000];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    start("read line <&3; echo ${#line} >&3", 1);
    up_child_tell(child, "%s", text);
    assert_string_equal(hear(1), "1023");
    wait_over();
    up_child_reap(child, 1);
}

/* Nothing of what is done to a process is done when there is none, or twice. */
static void what_does_not_run_is_left_alone(void **state)
{
    (void)state;
    assert_false(up_child_over(child) || up_child_stopping(child) || up_child_lively(child, 1));
    up_child_stop(child, 1);
    up_child_kill(child, "nobody");
    up_child_tick(child, 1);
    assert_string_equal(up_child_reason(child), "");
    assert_int_equal(up_child_next_tick(child), UINT64_MAX);
    start("sleep 1000", 1);
    up_child_kill(child, "first");
    up_child_kill(child, "second");
    assert_false(up_child_lively(child, 1));
    wait_over();
    up_child_reap(child, 1);
    assert_string_equal(up_child_reason(child), "first");
}

/* Another signal than the one we sent is a crash, also while it is being stopped. */
static void a_crash_while_it_is_stopped_is_named(void **state)
{
    (void)state;
    start("exec 2>/dev/null; trap 'kill -SEGV $$' TERM; echo up >&3; while :; do sleep 0.01; done", 1);
    hear(1);
    up_child_stop(child, 1);
    wait_over();
    up_child_reap(child, 2);
    assert_non_null(strstr(up_child_reason(child), "was killed by signal 11"));
    start("exec 2>/dev/null; trap 'exit 4' TERM; echo up >&3; while :; do sleep 0.01; done", 3);
    hear(3);
    up_child_stop(child, 3);
    wait_over();
    up_child_reap(child, 4);
    assert_string_equal(up_child_reason(child), "exited with code 4");
}

/* One that does not read: lines wait, and go when it does. */
static void what_a_child_does_not_read_yet_is_kept_for_it(void **state)
{
    static char text[1000];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    start("kill -STOP $$; while read line <&3; do test \"$line\" = end && break; done; echo \"$line\" >&3",
          1);
    while (!up_child_wants_write(child))
        up_child_tell(child, "%s", text);
    up_child_tell(child, "end");
    kill(up_child_pid(child), SIGCONT);
    for (int i = 0; up_child_wants_write(child); i++) {
        struct pollfd fd = {.fd = up_child_link(child), .events = POLLOUT};

        assert_true(i < PATIENCE_MS);
        kill(up_child_pid(child), SIGCONT); /* it may have stopped only now */
        poll(&fd, 1, 1);
        up_child_tick(child, 1);
    }
    for (int i = 0; !up_child_over(child); i++) {
        assert_true(i < PATIENCE_MS);
        kill(up_child_pid(child), SIGCONT);
        poll(NULL, 0, 1);
    }
    assert_string_equal(hear(1), "end");
    up_child_reap(child, 1);
}

/* Nobody has noticed yet, and what it said last is a beat. */
static void one_that_has_ended_is_not_lively(void **state)
{
    (void)state;
    start("echo beat >&3; read line <&3", 1);
    assert_string_equal(hear(1), "beat");
    assert_true(up_child_lively(child, 1));
    up_child_tell(child, "end");
    wait_over();
    assert_false(up_child_lively(child, 1));
    up_child_reap(child, 1);
}

static void last_words_are_heard_after_the_end(void **state)
{
    (void)state;
    start("echo beat >&3; echo 'restart why not' >&3", 1);
    wait_over();
    assert_string_equal(hear(1), "beat");
    assert_string_equal(hear(1), "restart why not");
    assert_null(up_child_hear(child, 1));
    up_child_reap(child, 1);
}

static void silence_is_killed_and_a_beat_is_not(void **state)
{
    (void)state;
    start("echo beat >&3; sleep 1000", 1000);
    assert_false(up_child_lively(child, 1000)); /* started is not alive */
    assert_int_equal(up_child_next_tick(child), 1000 + HEARTBEAT * 1000);
    hear(5000);
    assert_true(up_child_lively(child, 5000 + HEARTBEAT * 500 - 1));
    assert_false(up_child_lively(child, 5000 + HEARTBEAT * 500));
    up_child_tick(child, 1000 + HEARTBEAT * 1000);
    assert_false(up_child_stopping(child));
    up_child_tick(child, 5000 + HEARTBEAT * 1000 - 1);
    assert_false(up_child_stopping(child));
    up_child_tick(child, 5000 + HEARTBEAT * 1000);
    assert_true(up_child_stopping(child));
    assert_false(up_child_lively(child, 5000));
    wait_over();
    up_child_reap(child, 20000);
    assert_string_equal(up_child_reason(child), "gave no sign of life for 10 s");
}

static void a_closed_or_broken_channel_is_silence(void **state)
{
    char flood[200];

    (void)state;
    snprintf(flood, sizeof flood,
             "head -c 200000 /dev/zero | tr '\\0' x 2>/dev/null >&3; exec 3>&-; sleep 1000");
    start(flood, 1);
    for (int i = 0; up_child_link(child) >= 0; i++) {
        assert_true(i < PATIENCE_MS);
        assert_null(up_child_hear(child, 1));
        poll(NULL, 0, 1);
    }
    assert_true(up_child_running(child));
    up_child_tick(child, HEARTBEAT * 1000 + 1);
    wait_over();
    up_child_reap(child, 1);
}

static void stop_asks_first_and_kills_later(void **state)
{
    (void)state;
    start("trap 'echo asked >&3' TERM; echo up >&3; while :; do sleep 0.05; done", 1);
    assert_string_equal(hear(1), "up");
    up_child_stop(child, 100);
    assert_string_equal(hear(100), "asked");
    assert_int_equal(up_child_next_tick(child), 100 + UP_CHILD_GRACE_MS);
    up_child_tick(child, 100 + UP_CHILD_GRACE_MS - 1);
    assert_false(up_child_over(child));
    up_child_tick(child, 100 + UP_CHILD_GRACE_MS);
    wait_over();
    up_child_reap(child, 6000);
    assert_string_equal(up_child_reason(child), "did not stop when asked");
}

static void a_signal_of_somebody_else_is_named(void **state)
{
    (void)state;
    start("kill -SEGV $$", 1);
    wait_over();
    up_child_reap(child, 1);
    assert_non_null(strstr(up_child_reason(child), "was killed by signal 11"));
}

static void a_stop_reaches_a_stopped_process_too(void **state)
{
    (void)state;
    start("echo up >&3; kill -STOP $$; sleep 1000", 1);
    hear(1);
    up_child_stop(child, 1);
    up_child_stop(child, 2);
    assert_int_equal(up_child_next_tick(child), 1 + UP_CHILD_GRACE_MS); /* no longer than once */
    wait_over();
    up_child_reap(child, 2);
    assert_string_equal(up_child_reason(child), "stopped when asked");
}

static void its_own_children_go_with_it(void **state)
{
    pid_t grandchild;

    (void)state;
    start("sleep 1000 & echo $! >&3; exit 0", 1);
    grandchild = (pid_t)atoi(hear(1));
    assert_true(grandchild > 1);
    wait_over();
    up_child_reap(child, 1);
    for (int i = 0; kill(grandchild, 0) == 0; i++) {
        char path[64], state_letter = 'Z';
        FILE *file;

        /* Where nobody reaps orphans it stays as a zombie. */
        snprintf(path, sizeof path, "/proc/%d/stat", (int)grandchild);
        file = fopen(path, "r");
        if (file) {
            if (fscanf(file, "%*d %*s %c", &state_letter) != 1)
                state_letter = 'Z';
            fclose(file);
        }
        if (state_letter == 'Z')
            break;
        assert_true(i < PATIENCE_MS);
        poll(NULL, 0, 1);
    }
}

/* Ends at once at `now`; the pause until it may start again. */
static uint64_t pause_after(uint64_t started, uint64_t ended)
{
    start("exit 1", started);
    wait_over();
    up_child_reap(child, ended);
    return up_child_due(child) - ended;
}

static void pauses_double_up_to_a_limit_and_begin_anew(void **state)
{
    uint64_t expected = UP_CHILD_DELAY_MS;

    (void)state;
    for (int i = 0; i < 12; i++) {
        assert_int_equal(pause_after(1000, 1001), expected);
        expected = expected * 2 < UP_CHILD_DELAY_MOST_MS ? expected * 2 : UP_CHILD_DELAY_MOST_MS;
    }
    assert_int_equal(expected, UP_CHILD_DELAY_MOST_MS);
    assert_int_equal(pause_after(1000, 1000 + UP_CHILD_STEADY_MS - 1), UP_CHILD_DELAY_MOST_MS);
    assert_int_equal(pause_after(1000, 1000 + UP_CHILD_STEADY_MS), UP_CHILD_DELAY_MS);
    assert_int_equal(pause_after(1000, 1001), 2 * UP_CHILD_DELAY_MS);
    up_child_hurry(child);
    assert_int_equal(up_child_due(child), 0);
    assert_int_equal(pause_after(1000, 1001), UP_CHILD_DELAY_MS);
    up_child_postpone(child, 5000);
    assert_int_equal(up_child_due(child), 5000 + 2 * UP_CHILD_DELAY_MS);
}

static void a_program_that_is_not_there_ends_by_itself(void **state)
{
    const char *argv[] = {"/nowhere/program", NULL};

    (void)state;
    assert_int_equal(up_child_start(child, argv, 1, NULL), 0);
    wait_over();
    up_child_reap(child, 1);
    assert_string_equal(up_child_reason(child), "exited with code 127");
    assert_int_equal(up_child_starts(child), 1);
}

static void free_ends_a_running_child(void **state)
{
    struct up_child *other;
    const char *argv[] = {"/bin/sh", "-c", "trap '' TERM; sleep 1000", NULL};
    pid_t pid;

    (void)state;
    assert_int_equal(up_child_new(&other, up_processes_system(), "other", HEARTBEAT, NULL), 0);
    assert_int_equal(up_child_start(other, argv, 1, NULL), 0);
    pid = up_child_pid(other);
    up_child_free(other);
    assert_int_equal(kill(pid, 0), -1);
}

/* The end of a child wakes up, and is no order. */
static void an_order_is_heard_behind_the_end_of_a_child(void **state)
{
    static const int orders[] = {SIGTERM, SIGINT, SIGHUP};
    struct up_processes *p = up_processes_system();
    sigset_t blocked;
    int ends[2];

    (void)state;
    assert_int_equal(p->ops->catch_signals(p), 0);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        raise(SIGCHLD);
        raise(orders[i]);
        assert_int_equal(p->ops->next_signal(p), orders[i]);
        assert_int_equal(p->ops->next_signal(p), 0);
    }
    p->ops->release_signals(p);
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &blocked), 0);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        assert_int_equal(sigismember(&blocked, orders[i]), 0);
    /* Once: its descriptor is somebody else's now. */
    assert_int_equal(pipe(ends), 0);
    p->ops->release_signals(p);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
}

static void the_manager_hears_datagrams(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct up_notify n;
    char text[64] = "", far[200];
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    (void)state;
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "moult-check-%d", (int)getpid());
    assert_int_equal(
        bind(fd, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address.sun_path + 1))),
        0);
    address.sun_path[0] = '@';
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    setenv("WATCHDOG_USEC", "1000", 1);
    up_notify_open(&n);
    assert_true(n.watchdog);
    up_notify_send(&n, "READY=%d", 1);
    assert_int_equal(recv(fd, text, sizeof text, 0), 7);
    assert_string_equal(text, "READY=1");
    up_notify_send(&n, "%s", ""); /* nothing to tell: nothing is sent */
    up_notify_send(&n, "STATUS=%0600d", 1);
    assert_int_equal(recv(fd, text, sizeof text, MSG_TRUNC), 511); /* and what is long is cut */
    assert_memory_equal(text, "STATUS=0000", 11);
    close(fd);
    up_notify_send(&n, "WATCHDOG=1"); /* nobody listens: no harm */
    up_notify_close(&n);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    up_notify_open(&n);
    assert_int_equal(n.fd, -1);
    up_notify_send(&n, "READY=1");
    up_notify_close(&n);
    setenv("NOTIFY_SOCKET", "relative", 1);
    up_notify_open(&n);
    assert_int_equal(n.fd, -1);
    memset(far, '/', sizeof far - 1);
    far[sizeof far - 1] = '\0';
    setenv("NOTIFY_SOCKET", far, 1); /* longer than an address */
    up_notify_open(&n);
    assert_int_equal(n.fd, -1);
    unsetenv("NOTIFY_SOCKET");
}

/* The supervisor of a new release begins as its service manager would start it. */
static void what_takes_its_place_hears_signals(void **state)
{
    static const char *const argv[] = {"/bin/grep", "-q", "^SigBlk:[[:space:]]*0*$", "/proc/self/status",
                                       NULL};
    struct up_processes *p = up_processes_system();
    pid_t pid = fork();
    int status;

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        if (p->ops->catch_signals(p) == 0)
            p->ops->become(p, argv);
        _exit(2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(waits_are_read_from_each_until_it_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_that_is_ready_ends_the_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(seven_links_are_waited_for, setup, teardown),
        cmocka_unit_test(what_takes_its_place_hears_signals),
        cmocka_unit_test_setup_teardown(ends_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(runs_with_a_channel_and_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_between_us_and_the_manager_is_not_handed_on, setup, teardown),
        cmocka_unit_test_setup_teardown(hears_and_is_heard, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_line_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_run_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_crash_while_it_is_stopped_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_child_does_not_read_yet_is_kept_for_it, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_has_ended_is_not_lively, setup, teardown),
        cmocka_unit_test_setup_teardown(last_words_are_heard_after_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_is_killed_and_a_beat_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(a_closed_or_broken_channel_is_silence, setup, teardown),
        cmocka_unit_test_setup_teardown(stop_asks_first_and_kills_later, setup, teardown),
        cmocka_unit_test_setup_teardown(a_signal_of_somebody_else_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stop_reaches_a_stopped_process_too, setup, teardown),
        cmocka_unit_test_setup_teardown(its_own_children_go_with_it, setup, teardown),
        cmocka_unit_test_setup_teardown(pauses_double_up_to_a_limit_and_begin_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_program_that_is_not_there_ends_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(free_ends_a_running_child, setup, teardown),
        cmocka_unit_test(the_manager_hears_datagrams),
        cmocka_unit_test(an_order_is_heard_behind_the_end_of_a_child),
    };

    if (argc > 1 && strcmp(argv[1], "wait") == 0) {
        up_waits_adopt();
        up_waits_begin();
        pause();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
