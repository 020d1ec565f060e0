/*
 * What a script leaves behind: real processes, made of the shell, which lose
 * their parent and become children of this check.
 */
#include <errno.h>
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

#include "error.h"
#include "orphans.h"

#define PATIENCE_MS 20000

/* A shell that says the number of the process it leaves behind; -1: none said. 0: without a mark. */
static pid_t leave_behind(const char *script, enum up_orphans_of of)
{
    char text[32] = "";
    int ends[2], status;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        if (of && up_orphans_mark(of, NULL) < 0)
            _exit(77);
        dup2(ends[1], 1);
        execl("/bin/sh", "sh", "-c", script, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    for (size_t n = 0; n < sizeof text - 1 && !strchr(text, '\n');) {
        ssize_t got = read(ends[0], text + n, sizeof text - 1 - n);

        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("this kernel takes no mark\n");
        skip();
    }
    return *text ? (pid_t)strtol(text, NULL, 10) : -1;
}

#define SLEEPER "setsid sleep 1000 >/dev/null 2>&1 & echo $!"

static bool runs(pid_t pid)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void wait_until_none(pid_t script)
{
    for (int i = 0; up_orphans_kill(UP_ORPHANS_OF_SCRIPT, script, 0) > 0; i++) {
        assert_true(i < PATIENCE_MS);
        poll(NULL, 0, 1);
    }
}

static void what_the_script_left_is_killed_and_nothing_else(void **state)
{
    pid_t other = leave_behind(SLEEPER, 0), orphan = leave_behind(SLEEPER, UP_ORPHANS_OF_SCRIPT);

    (void)state;
    assert_true(runs(orphan) && runs(other));
    assert_int_equal(up_orphans_kill(UP_ORPHANS_OF_SCRIPT, 0, 0), 1);
    wait_until_none(0);
    assert_true(runs(other));
    up_orphans_forget(0, 0, 0);
    assert_int_equal(waitpid(orphan, NULL, 0), -1); /* forgotten */
    assert_true(runs(other));
    end(other);
}

/* What outlives the supervisor, too: another one finds it by its state, and nothing of other states. */
static void what_is_left_of_a_killed_supervisor_is_found_by_its_state(void **state)
{
    pid_t other, ours;

    (void)state;
    assert_int_equal(up_orphans_name("/device/other"), 0);
    other = leave_behind(SLEEPER, 0);
    assert_int_equal(up_orphans_name("/device/state"), 0);
    ours = leave_behind(SLEEPER, 0);
    assert_int_equal(up_orphans_kill_left("/device/sta"), 0);
    assert_int_equal(up_orphans_kill_left("/device/state"), 1);
    assert_int_equal(waitpid(ours, NULL, 0), ours);
    assert_int_equal(up_orphans_kill_left("/device/state"), 0);
    assert_true(runs(other));
    end(other);
    unsetenv("MOULT_SCRIPT_OF");
}

/* The script runs on beside it, with what it started. */
static void what_a_test_left_is_killed_alone(void **state)
{
    pid_t script = leave_behind(SLEEPER, UP_ORPHANS_OF_SCRIPT),
          test = leave_behind(SLEEPER, UP_ORPHANS_OF_TEST);

    (void)state;
    assert_int_equal(up_orphans_kill(UP_ORPHANS_OF_TEST, 0, 0), 1);
    assert_int_equal(waitpid(test, NULL, 0), test);
    assert_true(runs(script));
    test = leave_behind(SLEEPER, UP_ORPHANS_OF_TEST);
    assert_int_equal(up_orphans_kill(UP_ORPHANS_OF_SCRIPT, script, 0), 1); /* with the script's */
    assert_int_equal(waitpid(test, NULL, 0), test);
    end(script);
}

static void the_script_itself_is_not_an_orphan(void **state)
{
    pid_t script = leave_behind(SLEEPER, UP_ORPHANS_OF_SCRIPT);

    (void)state;
    assert_int_equal(up_orphans_kill(UP_ORPHANS_OF_SCRIPT, script, 0), 0);
    assert_int_equal(up_orphans_kill(UP_ORPHANS_OF_SCRIPT, 0, script), 0); /* nor is what runs a test */
    assert_true(runs(script));
    end(script);
}

/* Each that dies hands its own children on. */
static void a_chain_is_killed_link_by_link(void **state)
{
    /* Told by the last of them, so that all are there. */
    pid_t last = leave_behind(
        "setsid sh -c 'setsid sh -c \"echo \\$\\$; sleep 1000 >/dev/null; true\"; true' 2>/dev/null &", true);

    (void)state;
    assert_true(last > 0);
    wait_until_none(0);
    up_orphans_forget(0, 0, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void those_who_are_waited_for_elsewhere_stay(void **state)
{
    pid_t agent = fork();

    (void)state;
    if (agent == 0)
        _exit(5);
    for (int i = 0; runs(agent); i++) {
        assert_true(i < PATIENCE_MS);
        poll(NULL, 0, 1);
    }
    up_orphans_forget(agent, 0, 0);
    up_orphans_forget(0, agent, 0);
    up_orphans_forget(0, 0, agent);
    assert_int_equal(waitpid(agent, NULL, 0), agent);
}

static long score(void)
{
    long found = 0;
    FILE *file = fopen("/proc/self/oom_score_adj", "r");

    if (!file || fscanf(file, "%ld", &found) != 1)
        found = -2000;
    if (file)
        fclose(file);
    return found;
}

/* Of the children of one supervisor the script's are the first to go. */
static void who_is_marked_goes_first_when_memory_ends(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    if (child == 0) {
        struct up_error err;
        long before = score();

        _exit(up_orphans_mark(UP_ORPHANS_OF_SCRIPT, &err) == 0 && score() == before + UP_ORPHAN_STEP ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Whoever is marked already, and has no higher score left. */
static void a_mark_that_is_not_taken_is_told(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    if (child == 0) {
        struct up_error err;
        char said[100];
        long before;

        do
            before = score();
        while (up_orphans_mark(UP_ORPHANS_OF_SCRIPT, &err) == 0 && score() > before);
        snprintf(said, sizeof said, "/proc/self/oom_score_adj: %ld is not taken: %s", before + UP_ORPHAN_STEP,
                 strerror(EINVAL));
        _exit(score() == before && err.code == UP_INTERNAL && strcmp(err.message, said) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_test_left_is_killed_alone),
        cmocka_unit_test(who_is_marked_goes_first_when_memory_ends),
        cmocka_unit_test(a_mark_that_is_not_taken_is_told),
        cmocka_unit_test(what_the_script_left_is_killed_and_nothing_else),
        cmocka_unit_test(what_is_left_of_a_killed_supervisor_is_found_by_its_state),
        cmocka_unit_test(the_script_itself_is_not_an_orphan),
        cmocka_unit_test(a_chain_is_killed_link_by_link),
        cmocka_unit_test(those_who_are_waited_for_elsewhere_stay),
    };

    if (up_orphans_adopt() < 0)
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
