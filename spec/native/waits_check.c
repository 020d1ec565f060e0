/*
 * waits_check.c -- the time in which a process cannot beat, told over a page of
 * memory: by a real child that was given one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "storage.h"
#include "waits.h"

#define PATIENCE_MS 20000

static struct up_waits_page *page;
static int fd;

static int set_up(void **state)
{
    (void)state;
    fd = up_waits_new(&page);
    return fd < 0 || !page ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    up_waits_free(page);
    close(fd);
    return 0;
}

static pid_t child(void (*run)(void))
{
    pid_t pid = fork();

    if (pid == 0) {
        if (dup2(fd, UP_WAITS_FD) < 0)
            _exit(1);
        up_waits_adopt();
        run();
        _exit(0);
    }
    return pid;
}

static void end(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void wait_20_ms_twice(void)
{
    for (int i = 0; i < 2; i++) {
        up_waits_begin();
        up_waits_begin(); /* one in another is one */
        poll(NULL, 0, 20);
        up_waits_end();
        errno = EIO;
        up_waits_end();
        if (errno != EIO)
            _exit(1);
    }
    poll(NULL, 0, 20); /* and this is none */
}

static void what_a_child_waited_is_read_by_its_parent(void **state)
{
    uint64_t waited;

    (void)state;
    assert_int_equal(up_waits_read(page), 0);
    end(child(wait_20_ms_twice));
    waited = up_waits_read(page);
    assert_true(waited >= 40);
    poll(NULL, 0, 5);
    assert_int_equal(up_waits_read(page), waited);
}

static void wait_for_ever(void)
{
    up_waits_begin();
    pause();
}

static void a_wait_that_goes_on_counts(void **state)
{
    pid_t pid = child(wait_for_ever);
    uint64_t waited;

    (void)state;
    for (int i = 0; up_waits_read(page) == 0; i++) {
        assert_true(i < PATIENCE_MS);
        poll(NULL, 0, 1);
    }
    waited = up_waits_read(page);
    poll(NULL, 0, 20);
    assert_true(up_waits_read(page) >= waited + 20);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void restart_and_read(void)
{
    char sleep_word[] = "sleep", seconds[] = "0.05", *argv[] = {sleep_word, seconds, NULL};
    struct up_storage *s = up_storage_system();
    char byte;
    int file = s->ops->open(s, "/proc/self/stat", UP_READ, 0);

    if (s->ops->restart(s, argv) < 0 || s->ops->pread(s, file, &byte, 1, 0) != 1)
        _exit(1);
    if (s->ops->sync(s, -1) != -1 || errno != EBADF)
        _exit(1);
}

static void calls_of_the_storage_are_waits(void **state)
{
    uint64_t waited;

    (void)state;
    end(child(restart_and_read));
    waited = up_waits_read(page);
    assert_true(waited >= 50);
    poll(NULL, 0, 5);
    assert_int_equal(up_waits_read(page), waited); /* each came to its end */
}

static void take_another_descriptor(void)
{
    int pair[2];

    if (pipe(pair) < 0 || dup2(pair[0], UP_WAITS_FD) < 0)
        _exit(1);
    up_waits_adopt();
    if (fcntl(UP_WAITS_FD, F_GETFD) < 0) /* left alone: it is somebody's */
        _exit(1);
}

static void only_a_page_is_taken_for_one(void **state)
{
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        take_another_descriptor();
        up_waits_begin();
        up_waits_end();
        _exit(0);
    }
    end(pid);
    assert_int_equal(up_waits_read(page), 0);
    assert_int_equal(up_waits_read(NULL), 0);
    up_waits_free(NULL);
}

/* Else a child could end the supervisor by making it shorter. */
static void its_size_is_fixed(void **state)
{
    (void)state;
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_true(fd > UP_WAITS_FD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_child_waited_is_read_by_its_parent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wait_that_goes_on_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(calls_of_the_storage_are_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_a_page_is_taken_for_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_size_is_fixed, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
