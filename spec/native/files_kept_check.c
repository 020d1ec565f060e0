/*
 * files_kept_check.c -- whether two plans of files touch each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "files_kept.h"

struct row {
    struct up_files_op one;
    const char *root;
    struct up_files_op other;
    bool touch;
};

#define PUT(folder, file)                                     \
    {                                                         \
        .kind = UP_FILES_PUT, .dir = (folder), .name = (file) \
    }

static const struct row rows[] = {
    {PUT("", "a"), "/app", PUT("", "a"), true},
    {PUT("", "a"), "/app", PUT("", "ab"), false},
    {PUT("", "a"), "/app", PUT("", "b"), false},
    {PUT("", "a"), "/app", PUT("a", "b"), true},
    {PUT("", "a"), "/app", PUT("a/b", "c"), true},
    {PUT("", "a"), "/app", PUT("ab", "c"), false},
    {PUT("a", "b"), "/app", PUT("a", "b"), true},
    {PUT("a", "b"), "/app", PUT("a", "c"), false},
    {PUT("a", "b"), "/app/a", PUT("", "b"), true},
    {PUT("", "a"), "/card", PUT("", "a"), false},
    {PUT("", "a"), "/", PUT("app", "a"), true},
    {PUT("", "a"), "/", PUT("", "app"), true},
    {{.kind = UP_FILES_DELETE, .dir = "", .name = "a"}, "/app", PUT("a", "b"), true},
    {{.kind = UP_FILES_INSIDE, .dir = "", .name = "a"}, "/app", PUT("", "a"), false},
};

static void plans_touch_by_name_and_by_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct row row = rows[i];
        struct up_files_plan one = {
            .root_count = 1, .root = {{.path = "/app"}}, .op_count = 1, .op = &row.one};
        struct up_files_plan other = {
            .root_count = 1, .root = {{.path = row.root}}, .op_count = 1, .op = &row.other};

        if (up_files_kept_touches(&one, &other) != row.touch ||
            up_files_kept_touches(&other, &one) != row.touch)
            fail_msg("row %zu: %s/%s and %s/%s", i, row.one.dir, row.one.name, row.other.dir, row.other.name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans_touch_by_name_and_by_folder)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
