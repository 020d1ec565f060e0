/* Programs that are started: apart, or with what is ours. */
#include "scratch.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emulated.h"
#include "program.h"

/* The exit status of a shell command, started with a standard input that has a line. */
static int status_of(const char *command, bool apart)
{
    char shell[] = "sh", option[] = "-c", text[256];
    char *argv[] = {shell, option, text, NULL};
    int ends[2], kept = dup(STDIN_FILENO), status;
    pid_t pid;

    snprintf(text, sizeof text, "%s", command);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "line\n", 5), 5);
    close(ends[1]);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    assert_int_equal(up_program_start(&pid, argv, apart, UP_PROGRAM_EMPTY), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (kept >= 0)
        dup2(kept, STDIN_FILENO);
    else
        close(STDIN_FILENO);
    close(kept);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const char own_group[] = "set -- $(cat /proc/$$/stat) && [ \"$5\" = $$ ]";
static const char has_input[] = "read -r word && [ \"$word\" = line ]";

static void test_apart(void **state)
{
    (void)state;
    assert_int_equal(status_of(own_group, true), 0);
    assert_int_not_equal(status_of(has_input, true), 0);
}

/* In a process whose /dev is empty: 0, or 77 where such a process cannot be made. */
static int start_without_dev(void)
{
    char yes[] = "true", *argv[] = {yes, NULL};
    int status;
    pid_t pid;

    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/dev", "tmpfs", 0, NULL) < 0)
        return 77;
    if (up_program_start(&pid, argv, true, UP_PROGRAM_EMPTY) != 0 || waitpid(pid, &status, 0) != pid)
        return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void test_without_dev(void **state)
{
    int status;
    pid_t child = fork();

    (void)state;
    if (child == 0)
        _exit(start_without_dev());
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

/* What is to be its standard input is, also when it is apart. */
static void test_input(void **state)
{
    char shell[] = "sh", option[] = "-c", text[] = "read -r word && [ \"$word\" = given ]";
    char *argv[] = {shell, option, text, NULL};
    int ends[2], status;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "given\n", 6), 6);
    close(ends[1]);
    assert_int_equal(up_program_start(&pid, argv, true, ends[0]), 0);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_with_ours(void **state)
{
    (void)state;
    assert_int_not_equal(status_of(own_group, false), 0);
    assert_int_equal(status_of(has_input, false), 0);
}

/* What we ignore and block does not go on to it. */
static void test_signals(void **state)
{
    sigset_t set, before;

    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    signal(SIGTERM, SIG_IGN);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, &before), 0);
    for (int apart = 0; apart < 2; apart++)
        assert_int_equal(status_of("kill -TERM $$", apart), 128 + SIGTERM);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    signal(SIGTERM, SIG_DFL);
}

/* One that goes on is not waited for, and is gone after that. */
static void test_wait(void **state)
{
    char shell[] = "sh", option[] = "-c", ends[] = "exit 3", stays[] = "sleep 1000 & wait";
    char *quick[] = {shell, option, ends, NULL}, *slow[] = {shell, option, stays, NULL};
    int status = 0;
    pid_t pid;

    (void)state;
    assert_int_equal(up_program_start(&pid, quick, false, UP_PROGRAM_EMPTY), 0);
    assert_int_equal(up_program_wait(pid, 60000, &status), 0);
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_int_equal(up_program_wait(pid, 60000, &status), -1);
    assert_int_equal(errno, ECHILD);
    for (int group = 0; group < 2; group++) {
        assert_int_equal(up_program_start(&pid, slow, true, UP_PROGRAM_EMPTY), 0);
        assert_int_equal(up_program_wait(pid, 50, &status), -1);
        assert_int_equal(errno, ETIMEDOUT);
        up_program_kill(pid, group, &status);
        assert_int_equal(WTERMSIG(status), SIGKILL);
        assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
        if (!group) /* what it started is there */
            assert_int_equal(kill(-pid, SIGKILL), 0);
    }
}

static void test_none(void **state)
{
    char path[] = "/nowhere/program", *argv[] = {path, NULL};
    pid_t pid;

    (void)state;
    if (is_emulated())
        skip();
    assert_int_equal(up_program_start(&pid, argv, true, UP_PROGRAM_EMPTY), ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apart),       cmocka_unit_test(test_with_ours), cmocka_unit_test(test_signals),
        cmocka_unit_test(test_wait),        cmocka_unit_test(test_none),      cmocka_unit_test(test_input),
        cmocka_unit_test(test_without_dev),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
