/*
 * source_pushed_check.c -- a source that is fed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "error.h"
#include "source.h"
#include "source_pushed.h"

static struct up_source *source;
static struct up_error err;

static int open_one(void **state)
{
    (void)state;
    return up_source_pushed(&source, 10, &err);
}

static int close_one(void **state)
{
    (void)state;
    source->ops->close(source);
    return 0;
}

static long read_at(uint64_t offset, char *out, size_t len)
{
    return source->ops->read(source, offset, out, len, &err);
}

static void gives_what_was_pushed_and_waits_for_more(void **state)
{
    char got[8];

    (void)state;
    assert_true(source->size == 10 && source->remote);
    assert_int_equal(read_at(0, got, sizeof got), UP_AGAIN);
    assert_true(up_source_pushed_starves(source));
    assert_int_equal(up_source_pushed_put(source, "abcd", 4, &err), 0);
    assert_false(up_source_pushed_starves(source));
    assert_int_equal(read_at(0, got, 3), 3);
    assert_memory_equal(got, "abc", 3);
    assert_int_equal(read_at(1, got, sizeof got), 3);
    assert_memory_equal(got, "bcd", 3);
    assert_false(up_source_pushed_starves(source));
    assert_int_equal(read_at(4, got, sizeof got), UP_AGAIN);
    assert_true(up_source_pushed_starves(source));
    assert_int_equal(source->received, 4);
}

/* Nobody who reads again what is in memory has used it up. */
static void starves_only_at_the_end_of_the_piece(void **state)
{
    char got[8];

    (void)state;
    assert_int_equal(up_source_pushed_put(source, "abcd", 4, &err), 0);
    assert_int_equal(read_at(4, got, 1), UP_AGAIN);
    assert_true(up_source_pushed_starves(source));
    assert_int_equal(read_at(2, got, 1), 1);
    assert_false(up_source_pushed_starves(source));
    assert_int_equal(up_source_pushed_put(source, "", 0, &err), 0);
    assert_int_equal(read_at(3, got, 1), 1);
    assert_int_equal(got[0], 'd');
}

static void takes_a_piece_before_anybody_reads_and_no_second(void **state)
{
    char got[8];

    (void)state;
    assert_int_equal(up_source_pushed_put(source, "abcd", 4, &err), 0);
    assert_int_equal(up_source_pushed_put(source, "efgh", 4, &err), UP_BUSY);
    assert_int_equal(read_at(0, got, 4), 4);
    assert_int_equal(up_source_pushed_put(source, "efgh", 4, &err), UP_BUSY);
    assert_int_equal(read_at(4, got, 4), UP_AGAIN);
    assert_int_equal(up_source_pushed_put(source, "efgh", 4, &err), 0);
    assert_int_equal(read_at(4, got, 4), 4);
    assert_memory_equal(got, "efgh", 4);
}

static void passes_over_what_nobody_wants(void **state)
{
    char got[8];

    (void)state;
    assert_int_equal(read_at(7, got, 1), UP_AGAIN);
    assert_int_equal(up_source_pushed_put(source, "abcd", 4, &err), 0);
    assert_true(up_source_pushed_starves(source));
    assert_int_equal(up_source_pushed_put(source, "efgh", 4, &err), 0);
    assert_false(up_source_pushed_starves(source));
    assert_int_equal(read_at(7, got, sizeof got), 1);
    assert_int_equal(got[0], 'h');
}

static void does_not_go_back(void **state)
{
    char got[8];

    (void)state;
    assert_int_equal(read_at(4, got, 1), UP_AGAIN);
    assert_int_equal(up_source_pushed_put(source, "abcd", 4, &err), 0);
    assert_int_equal(up_source_pushed_put(source, "efgh", 4, &err), 0);
    assert_int_equal(read_at(3, got, 1), UP_CORRUPT);
    assert_non_null(strstr(err.message, "byte 3"));
}

static void ends_at_its_size(void **state)
{
    char got[16];

    (void)state;
    assert_int_equal(up_source_pushed_put(source, "abcdefghijk", 11, &err), UP_CORRUPT);
    assert_non_null(strstr(err.message, "announced 10"));
    assert_int_equal(up_source_pushed_put(source, "abcdefghij", 10, &err), 0);
    assert_int_equal(read_at(0, got, sizeof got), 10);
    assert_int_equal(read_at(10, got, sizeof got), 0);
    assert_false(up_source_pushed_starves(source));
    up_source_pushed_end(source, UP_NETWORK, "gone");
    assert_int_equal(read_at(10, got, sizeof got), 0);
}

static void fails_as_told_once_it_is_used_up(void **state)
{
    char got[8];

    (void)state;
    assert_int_equal(up_source_pushed_put(source, "abcd", 4, &err), 0);
    up_source_pushed_end(source, UP_NETWORK, "the cloud went away");
    assert_int_equal(read_at(0, got, 4), 4);
    assert_int_equal(read_at(4, got, 4), UP_NETWORK);
    assert_string_equal(err.message, "the cloud went away");
}

#define CHECK(test) cmocka_unit_test_setup_teardown(test, open_one, close_one)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(gives_what_was_pushed_and_waits_for_more),
        CHECK(starves_only_at_the_end_of_the_piece),
        CHECK(takes_a_piece_before_anybody_reads_and_no_second),
        CHECK(passes_over_what_nobody_wants),
        CHECK(does_not_go_back),
        CHECK(ends_at_its_size),
        CHECK(fails_as_told_once_it_is_used_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
