/*
 * relay_check.c -- the pipes of children: whichever ends, the others are still
 * read; of too many the oldest are given up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"
#include "relay.h"

#define PAIRS (UP_RELAY_PIPES / 2)

static int ends[PAIRS + 1][2]; /* of which we write; the other ends are the relay's */

static void open_pairs(int from, int to)
{
    for (int i = from; i < to; i++)
        assert_int_equal(up_relay_open(up_relay_here(), ends[i]), 0);
}

static void close_pair(int i)
{
    close(ends[i][0]);
    close(ends[i][1]);
}

/* What the relay reads belongs to these pairs, in this order. */
static void assert_watched(const int *pairs, size_t count)
{
    struct pollfd fds[UP_RELAY_PIPES];

    assert_int_equal(up_relay_watch(up_relay_here(), fds), 2 * count);
    for (size_t i = 0; i < 2 * count; i++) {
        assert_int_equal(fcntl(fds[i].fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
        assert_int_equal(poll(&fds[i], 1, 0), 0);
        assert_int_equal(write(ends[pairs[i / 2]][i % 2], ".\n", 2), 2);
        assert_int_equal(poll(&fds[i], 1, 0), 1);
        up_relay_move(up_relay_here());
        assert_int_equal(poll(&fds[i], 1, 0), 0);
    }
}

static void whichever_ends_the_others_are_read(void **state)
{
    (void)state;
    for (int gone = 0; gone < PAIRS; gone++) {
        int left[PAIRS];
        size_t n = 0;

        open_pairs(0, PAIRS);
        for (int i = 0; i < PAIRS; i++)
            if (i != gone)
                left[n++] = i;
        close_pair(gone);
        up_relay_move(up_relay_here());
        assert_watched(left, n);
        for (size_t i = 0; i < n; i++)
            close_pair(left[i]);
        up_relay_move(up_relay_here());
        assert_watched(NULL, 0);
    }
}

static char handed_on[3 * UP_LOG_LINE];
static size_t handed;
static bool collects;

void __real_up_log_write(int fd, const char *data, size_t len);
void __wrap_up_log_write(int fd, const char *data, size_t len);
void __wrap_up_log_write(int fd, const char *data, size_t len)
{
    if (!collects) {
        __real_up_log_write(fd, data, len);
        return;
    }
    assert_in_range(len, 1, UP_LOG_LINE);
    assert_true(handed + len <= sizeof handed_on);
    memcpy(handed_on + handed, data, len);
    handed += len;
}

/* Lines of every length about the longest: nothing of one is lost, and none is kept back. */
static void a_line_that_is_too_long_comes_in_parts(void **state)
{
    static char line[UP_LOG_LINE + 8];

    (void)state;
    memset(line, 'x', sizeof line);
    memcpy(line + UP_LOG_LINE - 4, "and more", 8);
    collects = true;
    for (size_t len = UP_LOG_LINE - 2; len < sizeof line; len++) {
        handed = 0;
        open_pairs(0, 1);
        assert_int_equal(write(ends[0][0], line, len), len);
        up_relay_move(up_relay_here());
        assert_int_equal(handed, len < UP_LOG_LINE ? 0 : UP_LOG_LINE);
        assert_int_equal(write(ends[0][0], "\nshort\n", 7), 7);
        up_relay_move(up_relay_here());
        assert_int_equal(handed, len + 7);
        assert_memory_equal(handed_on, line, len);
        assert_memory_equal(handed_on + len, "\nshort\n", 7);
        close_pair(0);
        up_relay_move(up_relay_here());
    }
    collects = false;
}

static void of_too_many_the_oldest_are_given_up(void **state)
{
    int left[PAIRS];

    (void)state;
    open_pairs(0, PAIRS + 1);
    for (int i = 0; i < PAIRS; i++)
        left[i] = i + 1;
    assert_watched(left, PAIRS);
    for (int i = 0; i <= PAIRS; i++)
        close_pair(i);
    up_relay_move(up_relay_here());
    assert_watched(NULL, 0);
}

/* Of four descriptors none is there, or some are: nothing is half opened, and nothing stays. */
static void without_descriptors_there_is_no_pipe(void **state)
{
    struct rlimit before, few;
    int first = dup(STDIN_FILENO);

    (void)state;
    close(first); /* the lowest that is free */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int room = 0; room < 4; room++) {
        int end[2];

        few = (struct rlimit){(rlim_t)(first + room), before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        assert_int_equal(up_relay_open(up_relay_here(), end), -1);
        assert_int_equal(errno, EMFILE);
        assert_watched(NULL, 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(fcntl(first, F_GETFD), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whichever_ends_the_others_are_read),
        cmocka_unit_test(without_descriptors_there_is_no_pipe),
        cmocka_unit_test(a_line_that_is_too_long_comes_in_parts),
        cmocka_unit_test(of_too_many_the_oldest_are_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
