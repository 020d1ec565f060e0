/*
 * files_plan_check.c -- plans of files: which are taken, how many of each there may be, and that they read as
 * they were written.
 */
#include "files_plan.h"
#include "files_tree_fixture.h"
#include "storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bytes.h"

static const struct files_flow flow = {.name = "check"};

/* A plan that keeps nothing, and one that does. */
static const char *const keeps[] = {"", "hotfix/0123456789abcdef/kept"};

static void reads_as_it_was_written(const char *keep)
{
    struct up_files_plan plan, again;
    struct up_error err;
    uint8_t *bytes, *other;
    size_t len, other_len;

    tree_plan(&flow, &plan);
    plan.keep = keep;
    assert_int_equal(up_files_plan_encode(&plan, &bytes, &len, &err), 0);
    assert_int_equal(up_files_plan_decode(&again, bytes, len, &err), 0);
    assert_int_equal(again.op_count, plan.op_count);
    assert_string_equal(again.op[8].dir, "deep");
    assert_int_equal(again.program_count, 2);
    assert_true(again.program[0].stop && again.program[0].start && !again.program[1].stop);
    assert_string_equal(again.program[0].dir, "bin");
    assert_string_equal(again.program[1].name, "fresh");
    assert_string_equal(again.keep, keep);
    assert_int_equal(again.op[0].size, plan.op[0].size);
    assert_int_equal(up_files_plan_encode(&again, &other, &other_len, &err), 0);
    assert_int_equal(other_len, len);
    assert_memory_equal(other, bytes, len);
    up_files_plan_free(&again);
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(up_files_plan_decode(&again, bytes, cut, &err), UP_INCOMPATIBLE);
        assert_non_null(strstr(err.message, "cannot be read"));
    }
    free(bytes);
    free(other);
}

static void a_plan_reads_as_it_was_written(void **state)
{
    (void)state;
    for (int kept = 0; kept < 2; kept++)
        reads_as_it_was_written(keeps[kept]);
}

/* A release is staged by one Moult and switched by the next: that form does not change. */
static void a_plan_is_written_as_ever(void **state)
{
    char hex[2 * UP_SHA256_SIZE + 1];
    uint8_t digest[UP_SHA256_SIZE];

    (void)state;
    tree_plan_digest(&flow, digest);
    up_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "ac1ecfd59851381c168d1341e78ec105c49b0fc6196b1bdd1be78c6a30180686");
}

/* Bytes of a stranger: what is taken is written as it was read. */
static void a_changed_byte_is_refused_or_the_same(const char *keep)
{
    struct up_files_plan plan, again;
    struct up_error err;
    uint8_t *bytes, *other;
    size_t len, other_len;
    unsigned taken = 0;

    tree_plan(&flow, &plan);
    plan.keep = keep;
    assert_int_equal(up_files_plan_encode(&plan, &bytes, &len, &err), 0);
    for (size_t i = 0; i < len * 3; i++) {
        uint8_t was = bytes[i / 3];

        bytes[i / 3] ^= (uint8_t)(i % 3 ? 0xff >> (i % 3 - 1) : 1);
        if (up_files_plan_decode(&again, bytes, len, &err) == 0) {
            assert_int_equal(up_files_plan_encode(&again, &other, &other_len, &err), 0);
            assert_int_equal(other_len, len);
            assert_memory_equal(other, bytes, len);
            free(other);
            up_files_plan_free(&again);
            taken++;
        }
        bytes[i / 3] = was;
    }
    assert_true(taken > 0 && taken < len * 3);
    free(bytes);
}

static void a_plan_with_a_changed_byte_is_refused_or_the_same(void **state)
{
    (void)state;
    for (int kept = 0; kept < 2; kept++)
        a_changed_byte_is_refused_or_the_same(keeps[kept]);
}

static const struct {
    const char *what, *said;
    struct up_files_op op[2];
} wrong[] = {
    {"a name that leads up", "no place", {{.kind = UP_FILES_PUT, .dir = "", .name = ".."}}},
    {"a name that is a path", "no place", {{.kind = UP_FILES_PUT, .dir = "", .name = "a/b"}}},
    {"no name", "no place", {{.kind = UP_FILES_PUT, .dir = "", .name = ""}}},
    {"a name of ours", "no place", {{.kind = UP_FILES_PUT, .dir = "", .name = ".moult-1.new"}}},
    {"a folder that leads up", "no place", {{.kind = UP_FILES_PUT, .dir = "a/../..", .name = "b"}}},
    {"a folder with two slashes", "no place", {{.kind = UP_FILES_PUT, .dir = "a//b", .name = "c"}}},
    {"a folder of ours", "no place", {{.kind = UP_FILES_PUT, .dir = "a/.moult-", .name = "c"}}},
    {"a name that is one dot", "no place", {{.kind = UP_FILES_PUT, .dir = "", .name = "."}}},
    {"an absolute folder", "no place", {{.kind = UP_FILES_PUT, .dir = "/etc", .name = "b"}}},
    {"a folder with a slash at its end", "no place", {{.kind = UP_FILES_PUT, .dir = "a/", .name = "b"}}},
    {"no such root", "no place", {{.kind = UP_FILES_PUT, .root = 1, .dir = "", .name = "b"}}},
    {"no known kind", "no known kind", {{.kind = 6, .dir = "", .name = "b"}}},
    {"content of a folder", "has not", {{.kind = UP_FILES_MAKE_DIR, .content = 1, .dir = "", .name = "b"}}},
    {"a parent", "a parent", {{.kind = UP_FILES_PUT, .parent = 1, .dir = "", .name = "b"}}},
    {"content of what is deleted", "has not", {{.kind = UP_FILES_DELETE, .size = 1, .dir = "", .name = "b"}}},
    {"a mode of more bits", "has not", {{.kind = UP_FILES_PUT, .mode = 010000, .dir = "", .name = "b"}}},
    {"the same target twice",
     "meet",
     {{.kind = UP_FILES_PUT, .dir = "a", .name = "b"}, {.kind = UP_FILES_DELETE, .dir = "a", .name = "b"}}},
    {"a target below a deleted folder",
     "meet",
     {{.kind = UP_FILES_DELETE, .dir = "", .name = "a"}, {.kind = UP_FILES_PUT, .dir = "a/c", .name = "b"}}},
    {"inside of what comes later",
     "comes before",
     {{.kind = UP_FILES_INSIDE, .dir = "", .name = "a"},
      {.kind = UP_FILES_MAKE_DIR, .dir = "", .name = "d"}}},
    {"inside of a file",
     "no new directory",
     {{.kind = UP_FILES_PUT, .dir = "", .name = "a"}, {.kind = UP_FILES_INSIDE, .dir = "", .name = "b"}}},
};

static void a_plan_that_breaks_a_rule_is_refused(void **state)
{
    struct up_error err;
    uint8_t *bytes;
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct up_files_op op[2] = {wrong[i].op[0], wrong[i].op[1]};
        struct up_files_plan plan = {.root_count = 1, .root = {{.path = "/app"}}, .op = op};

        plan.op_count = op[1].kind ? 2 : 1;
        if (up_files_plan_encode(&plan, &bytes, &len, &err) != UP_INCOMPATIBLE)
            fail_msg("%s was taken", wrong[i].what);
        if (!strstr(err.message, wrong[i].said))
            fail_msg("%s: %s", wrong[i].what, err.message);
    }
}

static const struct {
    const char *said;
    struct up_files_program program[2];
} wrong_programs[] = {
    {"no name below a root", {{.root = 1, .dir = "", .name = "b", .stop = true}}},
    {"no name below a root", {{.dir = "..", .name = "b", .stop = true}}},
    {"no name below a root", {{.dir = "", .name = "-b", .stop = true}}},
    {"no name below a root", {{.dir = "", .name = "b c", .stop = true}}},
    {"no name below a root", {{.dir = "", .name = "", .stop = true}}},
    {"neither stopped nor started", {{.dir = "", .name = "b"}}},
    {"two programs are the same",
     {{.dir = "a", .name = "b", .stop = true}, {.dir = "a", .name = "b", .start = true}}},
};

static void a_plan_names_programs_below_its_roots(void **state)
{
    struct up_files_op op = {.kind = UP_FILES_DELETE, .dir = "", .name = "a"};
    struct up_error err;
    uint8_t *bytes;
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof wrong_programs / sizeof wrong_programs[0]; i++) {
        struct up_files_program p[2] = {wrong_programs[i].program[0], wrong_programs[i].program[1]};
        struct up_files_plan plan = {
            .root_count = 1, .root = {{.path = "/app"}}, .op = &op, .op_count = 1, .program = p};

        plan.program_count = p[1].name ? 2 : 1;
        assert_int_equal(up_files_plan_encode(&plan, &bytes, &len, &err), UP_INCOMPATIBLE);
        if (!strstr(err.message, wrong_programs[i].said))
            fail_msg("%s", err.message);
    }
}

static void names_that_only_begin_alike_do_not_meet(void **state)
{
    struct up_files_op op[] = {{.kind = UP_FILES_DELETE, .dir = "", .name = "a"},
                               {.kind = UP_FILES_PUT, .dir = "ab", .name = "c"},
                               {.kind = UP_FILES_PUT, .dir = "b", .name = "a"},
                               {.kind = UP_FILES_DELETE, .root = 1, .dir = "", .name = "a"}};
    const struct up_files_plan plan = {
        .root_count = 2, .root = {{.path = "/app"}, {.path = "/card"}}, .op = op, .op_count = 4};
    struct up_error err;
    uint8_t *bytes;
    size_t len;

    (void)state;
    assert_int_equal(up_files_plan_encode(&plan, &bytes, &len, &err), 0);
    free(bytes);
}

/* How many there may be. */

static char names[UP_FILES_OPS + 1][8];
static struct up_files_op ops[UP_FILES_OPS + 1];
static struct up_files_program programs[UP_FILES_PROGRAMS + 1];

static struct up_files_plan counted(uint32_t roots, uint32_t op_count, uint32_t program_count)
{
    static const char *const paths[UP_FILES_ROOTS] = {"/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h"};
    struct up_files_plan plan = {.root_count = roots, .op_count = op_count, .program_count = program_count};

    for (int i = 0; i < UP_FILES_ROOTS; i++)
        plan.root[i] = (struct up_files_root){.path = paths[i], .weak = i & 1, .plain = i & 2};
    for (unsigned i = 0; i <= UP_FILES_OPS; i++) {
        snprintf(names[i], sizeof names[i], "%u", i);
        ops[i] = (struct up_files_op){.kind = UP_FILES_DELETE, .dir = "", .name = names[i]};
    }
    for (unsigned i = 0; i <= UP_FILES_PROGRAMS; i++)
        programs[i] = (struct up_files_program){.dir = "", .name = names[i], .stop = true};
    plan.op = ops;
    plan.program = programs;
    return plan;
}

static void it_may_have_so_many_of_each(void **state)
{
    static const struct {
        uint32_t roots, ops, programs;
        bool fits;
    } cases[] = {{1, 1, 0, true},
                 {0, 1, 0, false},
                 {1, 0, 0, false},
                 {UP_FILES_ROOTS, 1, 0, true},
                 {UP_FILES_ROOTS + 1, 1, 0, false},
                 {1, UP_FILES_OPS, 0, true},
                 {1, UP_FILES_OPS + 1, 0, false},
                 {1, 1, UP_FILES_PROGRAMS, true},
                 {1, 1, UP_FILES_PROGRAMS + 1, false}};
    struct up_files_plan again;
    struct up_error err;
    uint8_t *bytes;
    size_t len;
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct up_files_plan plan = counted(cases[i].roots, cases[i].ops, cases[i].programs);
        int rc = up_files_plan_encode(&plan, &bytes, &len, &err);

        if (rc != (cases[i].fits ? 0 : UP_INCOMPATIBLE))
            fail_msg("case %zu: %d", i, rc);
        if (rc < 0)
            continue;
        assert_int_equal(up_files_plan_decode(&again, bytes, len, &err), 0);
        assert_int_equal(again.root_count, cases[i].roots);
        for (uint32_t n = 0; n < again.root_count; n++)
            assert_true(again.root[n].weak == plan.root[n].weak && again.root[n].plain == plan.root[n].plain);
        assert_int_equal(again.op_count, cases[i].ops);
        assert_int_equal(again.program_count, cases[i].programs);
        up_files_plan_free(&again);
        free(bytes);
    }
}

/* What is read into has room for so many, and no more. */
static void more_of_them_are_not_read(void **state)
{
    static const uint32_t most[] = {UP_FILES_ROOTS, UP_FILES_OPS, UP_FILES_PROGRAMS};
    const struct up_files_plan plan = counted(1, 1, 1);
    struct up_files_plan again;
    struct up_error err;
    uint8_t *bytes;
    size_t len;

    (void)state;
    assert_int_equal(up_files_plan_encode(&plan, &bytes, &len, &err), 0);
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        uint8_t *count = bytes + 8 + UP_FILES_ID_SIZE + 4 * i;

        up_put32(count, most[i] + 1);
        assert_int_equal(up_files_plan_decode(&again, bytes, len, &err), UP_INCOMPATIBLE);
        assert_non_null(strstr(err.message, "cannot be read"));
        up_put32(count, 1);
    }
    assert_int_equal(up_files_plan_decode(&again, bytes, len, &err), 0);
    up_files_plan_free(&again);
    free(bytes);
}

static char *of_length(size_t len)
{
    char *text = calloc(1, len + 1);

    assert_non_null(text);
    memset(text, 'n', len);
    return text;
}

static void must_take(struct up_files_op op, const char *keep, bool is, const char *what)
{
    struct up_files_plan plan = {
        .keep = keep, .root_count = 1, .root = {{.path = "/app"}}, .op_count = 1, .op = &op};
    struct up_error err;
    uint8_t *bytes;
    size_t len;
    int rc = up_files_plan_encode(&plan, &bytes, &len, &err);

    if (rc != (is ? 0 : UP_INCOMPATIBLE))
        fail_msg("%s: %d", what, rc);
    if (rc == 0)
        free(bytes);
}

static void names_may_be_so_long(void **state)
{
    char *longest = of_length(UP_FILES_NAME_SIZE - 1), *longer = of_length(UP_FILES_NAME_SIZE);
    char *deep = of_length(UP_PATH_SIZE);
    (void)state;

    must_take((struct up_files_op){.kind = UP_FILES_PUT, .dir = "", .name = longest}, "", true, "name");
    must_take((struct up_files_op){.kind = UP_FILES_PUT, .dir = "", .name = longer}, "", false, "name");
    must_take((struct up_files_op){.kind = UP_FILES_PUT, .dir = longest, .name = "a"}, "", true, "folder");
    must_take((struct up_files_op){.kind = UP_FILES_PUT, .dir = longer, .name = "a"}, "", false, "folder");
    for (size_t i = 1; i < UP_PATH_SIZE; i += 2)
        deep[i] = '/';
    deep[UP_PATH_SIZE - 1] = '\0';
    must_take((struct up_files_op){.kind = UP_FILES_PUT, .dir = deep, .name = "a"}, "", true, "path");
    deep[UP_PATH_SIZE - 1] = 'n';
    deep[UP_PATH_SIZE - 2] = 'n';
    must_take((struct up_files_op){.kind = UP_FILES_PUT, .dir = deep, .name = "a"}, "", false, "path");
    must_take((struct up_files_op){.kind = UP_FILES_PUT, .mode = 07777, .dir = "", .name = "a"}, "", true,
              "mode");
    must_take((struct up_files_op){.kind = UP_FILES_DELETE, .dir = "", .name = ".moult"}, "", true,
              "begins alike");
    must_take((struct up_files_op){.kind = UP_FILES_DELETE, .dir = "", .name = "..."}, "", true, "dots");
    must_take((struct up_files_op){.kind = UP_FILES_DELETE, .dir = "", .name = "a"}, "hotfix/x", true,
              "keep");
    must_take((struct up_files_op){.kind = UP_FILES_DELETE, .dir = "", .name = "a"}, "../x", false, "keep");
    must_take((struct up_files_op){.kind = UP_FILES_DELETE, .dir = "", .name = "a"}, "/x", false, "keep");
    free(longest);
    free(longer);
    free(deep);
}

/* At its greatest size, and more. */
static void it_may_be_so_large(void **state)
{
    char *folder = of_length(UP_PATH_SIZE - 1);
    struct up_files_plan plan = counted(1, UP_FILES_OPS, 0), again;
    struct up_error err;
    size_t len, left;
    uint8_t *bytes;
    (void)state;

    for (size_t i = 1; i < UP_PATH_SIZE - 2; i += 2)
        folder[i] = '/';
    assert_int_equal(up_files_plan_encode(&plan, &bytes, &len, &err), 0);
    free(bytes);
    left = UP_FILES_PLAN_LIMIT - len;
    for (uint32_t i = 0; left > 0; i++) { /* every odd length is a folder */
        size_t take = left < UP_PATH_SIZE ? left : UP_PATH_SIZE - 1;

        take -= take % 2 == 0;
        ops[i].dir = folder + strlen(folder) - take;
        left -= take;
    }
    assert_int_equal(up_files_plan_encode(&plan, &bytes, &len, &err), 0);
    assert_int_equal(len, UP_FILES_PLAN_LIMIT);
    assert_int_equal(up_files_plan_decode(&again, bytes, len, &err), 0);
    up_files_plan_free(&again);
    memset(&again, 0xff, sizeof again);
    assert_int_equal(up_files_plan_decode(&again, bytes, len + 1, &err), UP_INCOMPATIBLE);
    assert_null(again.op);
    assert_non_null(strstr(err.message, "too large"));
    free(bytes);
    plan.root[0].path = "/ab";
    assert_int_equal(up_files_plan_encode(&plan, &bytes, &len, &err), UP_NOSPACE);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_reads_as_it_was_written),
        cmocka_unit_test(a_plan_is_written_as_ever),
        cmocka_unit_test(a_plan_with_a_changed_byte_is_refused_or_the_same),
        cmocka_unit_test(a_plan_that_breaks_a_rule_is_refused),
        cmocka_unit_test(names_that_only_begin_alike_do_not_meet),
        cmocka_unit_test(a_plan_names_programs_below_its_roots),
        cmocka_unit_test(it_may_have_so_many_of_each),
        cmocka_unit_test(more_of_them_are_not_read),
        cmocka_unit_test(names_may_be_so_long),
        cmocka_unit_test(it_may_be_so_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
