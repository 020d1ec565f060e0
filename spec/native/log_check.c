/*
 * A log that nobody reads: neither we nor a child that talks a lot waits for
 * its reader, and what was dropped is counted. The stderr of this process is
 * the pipe that is looked at; cmocka's own lines go to stdout.
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "processes.h"

#define TURNS 2000 /* of at most 10 ms */

static int reader; /* of our stderr */
static char text[1 << 20];

static size_t most = SIZE_MAX; /* bytes that a write takes */

ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    return __real_write(fd, data, len < most ? len : most);
}

static bool stolen; /* somebody else takes what room there is */

int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    static const char line[UP_LOG_LINE] = "another\n";
    int rc = __real_poll(fds, count, timeout), other;

    if (!stolen)
        return rc;
    other = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(other >= 0);
    while (__real_write(other, line, sizeof line) > 0)
        ;
    close(other);
    return rc;
}

/* All that is there, as a string. */
static const char *read_log(void)
{
    size_t filled = 0;
    ssize_t n;

    for (n = read(reader, text + filled, sizeof text - 1 - filled); n > 0;
         n = read(reader, text + filled, sizeof text - 1 - filled))
        filled += (size_t)n;
    text[filled] = '\0';
    return text;
}

static void fill_log(void)
{
    for (int i = 0; i < 4000; i++)
        up_log("%0*d", 100, i);
}

static void drops_what_nobody_reads_and_says_how_many(void **state)
{
    unsigned long lost = 0;
    int whole = 0;

    (void)state;
    fill_log();
    for (const char *c = strchr(read_log(), '\n'); c; c = strchr(c + 1, '\n'))
        whole++;
    up_log("again");
    assert_int_equal(sscanf(read_log(), "moult: %lu lines of the log were dropped", &lost), 1);
    assert_int_equal(whole + lost, 4000);
    assert_non_null(strstr(text, "\nagain\n"));
    up_log("once");
    assert_string_equal(read_log(), "once\n");
}

/* Between the look and the write; our own stderr may be waited for, as that of most programs. */
static void room_that_another_takes_is_not_waited_for(void **state)
{
    (void)state;
    stolen = true;
    alarm(60);
    up_log("late");
    alarm(0);
    stolen = false;
    read_log();
    up_log("next");
    assert_string_equal(read_log(),
                        "moult: 1 lines of the log were dropped because nothing read them\nnext\n");
}

/* As terminals do: what follows begins a line of its own, and the torn one counts as dropped. */
static void a_line_that_was_taken_in_part_is_ended_first(void **state)
{
    (void)state;
    most = 3;
    up_log("abcdef");
    most = 0;
    up_log("not begun");
    most = SIZE_MAX;
    assert_string_equal(read_log(), "abc");
    up_log("next");
    assert_string_equal(read_log(),
                        "\nmoult: 2 lines of the log were dropped because nothing read them\nnext\n");
    up_log("more");
    assert_string_equal(read_log(), "more\n");
}

/* Run a shell to its end as the supervisor does; its status. */
static int run(const char *script)
{
    struct up_processes *p = up_processes_system();
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    int link;
    pid_t pid = p->ops->start(p, argv, &link);

    assert_true(pid > 0);
    for (int i = 0; !p->ops->over(p, pid); i++) {
        assert_true(i < TURNS);
        p->ops->wait(p, NULL, 0, 10);
    }
    p->ops->close(p, link);
    return p->ops->reap(p, pid);
}

static void a_child_that_talks_ends_though_nobody_reads(void **state)
{
    int status;

    (void)state;
    fill_log();
    status = run("i=0; while [ $i -lt 3000 ]; do echo 'a line of this child that is quite long' >&2; "
                 "i=$((i+1)); done; exit 3");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    read_log();
    up_log("after");
    assert_non_null(strstr(read_log(), "lines of the log were dropped"));
}

/* As much at once as a pipe holds is not all that comes. */
static void a_child_that_says_much_at_once_is_heard_to_its_end(void **state)
{
    int status;

    (void)state;
    status = run("dd if=/dev/zero bs=262144 count=1 status=none >&2 && exit 5");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 5);
    read_log();
    up_log("after");
    assert_non_null(strstr(read_log(), "after\n"));
}

static void hands_on_lines_and_the_last_words_of_a_child(void **state)
{
    (void)state;
    run("printf 'one\\ntw' >&2; printf 'o\\nno end of line' >&2");
    assert_string_equal(read_log(), "one\ntwo\nno end of line\n");
}

/* What a child prints goes where our own would. */
static void what_a_child_prints_is_kept_apart_from_its_errors(void **state)
{
    int pair[2], kept = dup(STDOUT_FILENO);
    char got[100] = "";

    (void)state;
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_true(dup2(pair[1], STDOUT_FILENO) >= 0);
    run("echo said; echo wrong >&2");
    dup2(kept, STDOUT_FILENO);
    close(kept);
    close(pair[1]);
    assert_int_equal(read(pair[0], got, sizeof got - 1), 5);
    close(pair[0]);
    assert_string_equal(got, "said\n");
    assert_string_equal(read_log(), "wrong\n");
}

/* Whoever points stderr elsewhere has whole lines there. */
static void a_line_in_memory_is_a_whole_line(void **state)
{
    FILE *kept = stderr;
    char *written;
    size_t len;

    (void)state;
    stderr = open_memstream(&written, &len);
    assert_non_null(stderr);
    up_log("one %d", 1);
    up_log("two");
    fclose(stderr);
    stderr = kept;
    assert_string_equal(written, "one 1\ntwo\n");
    free(written);
}

/* Last: nothing can be read any more. */
static void a_reader_that_is_gone_ends_nobody(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    close(reader);
    up_log("into the void");
    assert_int_equal(run("echo lost >&2; kill -0 $$; exit 4") >> 8, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drops_what_nobody_reads_and_says_how_many),
        cmocka_unit_test(room_that_another_takes_is_not_waited_for),
        cmocka_unit_test(a_line_that_was_taken_in_part_is_ended_first),
        cmocka_unit_test(a_child_that_talks_ends_though_nobody_reads),
        cmocka_unit_test(a_child_that_says_much_at_once_is_heard_to_its_end),
        cmocka_unit_test(hands_on_lines_and_the_last_words_of_a_child),
        cmocka_unit_test(what_a_child_prints_is_kept_apart_from_its_errors),
        cmocka_unit_test(a_line_in_memory_is_a_whole_line),
        cmocka_unit_test(a_reader_that_is_gone_ends_nobody),
    };
    int pair[2], kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10), failed;

    if (pipe2(pair, O_CLOEXEC) < 0 || fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 || kept < 0 ||
        dup2(pair[1], STDERR_FILENO) < 0)
        return 77;
    close(pair[1]);
    reader = pair[0];
    cmocka_set_message_output(CM_OUTPUT_TAP);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    dup2(kept, STDERR_FILENO);
    return failed;
}
