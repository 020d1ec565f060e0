/*
 * version_check.c -- the order of versions, by the table that the Lua side is
 * checked with, too.
 */
#include "version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *text_of(const char *word)
{
    return strcmp(word, "\"\"") == 0 ? "" : word;
}

static void test_table(void **state)
{
    FILE *file = fopen(VERSIONS, "r");
    char line[256], left[64], right[64], op;
    unsigned count = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        const char *a = text_of(left), *b = text_of(right);

        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%63s %c %63s", left, &op, right), 3);
        a = text_of(left);
        b = text_of(right);
        count++;
        if (up_version_compare(a, b) != (op == '<' ? -1 : 0) ||
            up_version_compare(b, a) != (op == '<' ? 1 : 0) || up_version_same(a, b) != (op == '=') ||
            up_version_same(b, a) != (op == '='))
            fail_msg("%s", line);
    }
    fclose(file);
    assert_true(count > 50);
}

/* Whatever is compared, the order is one. */
static void test_one_order(void **state)
{
    static const char *const all[] = {"",      "0",       "1",       "1.0",   "1.0-rc2", "1.0-rc10", "1.0-2",
                                      "1.0-a", "1.0-a.1", "1.0-a-1", "1.0+b", "v1.0",    "1.a",      "1.1",
                                      "a",     "12a",     "1.0-",    "-",     "+",       "."};
    enum { COUNT = sizeof all / sizeof *all };

    (void)state;
    for (size_t a = 0; a < COUNT; a++)
        for (size_t b = 0; b < COUNT; b++)
            for (size_t c = 0; c < COUNT; c++) {
                int order = up_version_compare(all[a], all[b]);

                assert_int_equal(order, -up_version_compare(all[b], all[a]));
                if (order <= 0 && up_version_compare(all[b], all[c]) <= 0 &&
                    up_version_compare(all[a], all[c]) > 0)
                    fail_msg("\"%s\", \"%s\", \"%s\"", all[a], all[b], all[c]);
            }
}

static void test_ranges(void **state)
{
    static const struct {
        const char *range, *inside, *outside;
    } rows[] = {
        {"1.0", "1.0.0", "1.0.1"},      {"1.0", "v1.0", "1.0+b1"},      {">=1.0", "1.0", "1.0-rc1"},
        {">=1.0", "9", "0.9"},          {"<2.0", "1.99", "2.0"},        {"<2.0", "2.0-rc1", "2.0.1"},
        {">=1.9 <1.11", "1.9", "1.11"}, {">=1.9 <1.11", "1.10", "1.8"}, {"0.5", "v0.5", "0.6"},
    };
    static const char *const none[] = {"",       " ",     ">1",      "<=1",     ">=",        "<",    "1 2",
                                       "<2 >=1", ">=1 <", ">=1  <2", ">=1 <2 ", ">=1 <2 <3", "1 <2", "=1"};
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(up_version_is_range(rows[i].range));
        assert_true(up_version_in(rows[i].inside, rows[i].range));
        assert_false(up_version_in(rows[i].outside, rows[i].range));
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_false(up_version_is_range(none[i]));
        assert_false(up_version_in("1", none[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_one_order),
        cmocka_unit_test(test_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
