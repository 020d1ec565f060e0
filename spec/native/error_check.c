/*
 * error_check.c -- the table of code words, and how a failure is filled in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "error.h"

static void every_word_and_exit_code_stands_once(void **state)
{
    (void)state;
    for (size_t i = 0; up_code_row(i); i++) {
        const struct up_code_info *row = up_code_row(i);

        assert_int_equal(row->exit, -row->code);
        assert_ptr_equal(up_code_info(row->code), row);
        assert_ptr_equal(up_code_find(row->word), row);
        assert_true(strlen(row->meaning) > 5 && strlen(row->advice) > 5);
    }
    assert_null(up_code_info(UP_AGAIN));
    assert_null(up_code_find("again"));
    assert_string_equal(up_code_word(UP_AGAIN), "internal");
}

static void a_message_is_one_line_and_fits(void **state)
{
    char long_text[2000];
    struct up_error err;

    (void)state;
    assert_int_equal(up_fail(&err, UP_WRITE, "name\n%s\x1b[31m\x7f", "a\tb"), UP_WRITE);
    assert_string_equal(err.message, "name\\x0Aa\\x09b\\x1B[31m\\x7F");
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    up_fail(&err, UP_USAGE, "%s", long_text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_int_equal(up_fail(NULL, UP_BUSY, "nobody listens"), UP_BUSY);
}

static void a_stage_puts_its_name_before(void **state)
{
    struct up_error err;

    (void)state;
    up_fail(&err, UP_CORRUPT, "block 3");
    assert_int_equal(up_fail_in(&err, "core"), UP_CORRUPT);
    assert_string_equal(err.message, "core: block 3");
}

static void a_full_disk_is_told_from_a_broken_one(void **state)
{
    (void)state;
    assert_int_equal(up_code_of_errno(ENOSPC, UP_WRITE), UP_NOSPACE);
    assert_int_equal(up_code_of_errno(EDQUOT, UP_WRITE), UP_NOSPACE);
    assert_int_equal(up_code_of_errno(EIO, UP_WRITE), UP_WRITE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_and_exit_code_stands_once),
        cmocka_unit_test(a_message_is_one_line_and_fits),
        cmocka_unit_test(a_stage_puts_its_name_before),
        cmocka_unit_test(a_full_disk_is_told_from_a_broken_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
