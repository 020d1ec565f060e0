/*
 * config_kept_check.c -- the copy of a configuration with which the device came
 * up: when it is written, what is in it, and what failures and cuts leave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_kept.h"
#include "error.h"
#include "sim.h"
#include "storage.h"

#define PATH "/etc/config.lua"
#define KEPT PATH ".good"

static struct sim *sim;

static int begin(void **state)
{
    (void)state;
    sim = sim_new();
    sim_put_dir(sim, "/etc", 0755);
    sim_put(sim, PATH, "return 1", 8, 0640);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sim_free(sim);
    return 0;
}

static void put(const char *text)
{
    sim_settle(sim);
    assert_int_equal(sim_storage(sim)->ops->unlink(sim_storage(sim), PATH), 0);
    sim_settle(sim);
    sim_put(sim, PATH, text, strlen(text), 0640);
}

/* What the device came up with is kept. */
static int keep(struct up_error *err)
{
    struct up_config_text t;
    int n;

    up_config_kept_read(&t, sim_storage(sim), PATH);
    n = up_config_kept_write(sim_storage(sim), PATH, &t, err);
    up_config_kept_free(&t);
    return n;
}

static bool differs(void)
{
    struct up_config_text t;
    bool yes;

    up_config_kept_read(&t, sim_storage(sim), PATH);
    yes = up_config_kept_differs(sim_storage(sim), PATH, &t);
    up_config_kept_free(&t);
    return yes;
}

static void assert_kept(const char *text)
{
    size_t len = 0;
    char *kept = sim_get(sim, KEPT, &len);

    assert_non_null(kept);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(kept, text, len);
    free(kept);
}

static void it_is_kept_with_the_mode_of_the_file(void **state)
{
    struct up_error err;
    struct up_stat st;

    (void)state;
    assert_false(differs()); /* without a copy there is nothing to go on with */
    assert_int_equal(keep(&err), 0);
    assert_kept("return 1");
    assert_int_equal(sim_storage(sim)->ops->stat(sim_storage(sim), KEPT, &st), 0);
    assert_int_equal(st.mode & 0777, 0640);
    assert_false(differs());
}

static void an_equal_one_is_not_written_again(void **state)
{
    struct up_error err;
    unsigned before;

    (void)state;
    assert_int_equal(keep(&err), 0);
    before = sim_ops(sim);
    assert_int_equal(keep(&err), 0);
    assert_int_equal(sim_ops(sim), before);
}

static void another_one_is_seen_and_replaces_it(void **state)
{
    static const char *const texts[] = {"return 2", "return 12", "return", "", "return 1"};
    struct up_error err;

    (void)state;
    assert_int_equal(keep(&err), 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put(texts[i]);
        assert_true(differs());
        assert_int_equal(keep(&err), 0);
        assert_kept(texts[i]);
        assert_false(differs());
    }
}

static void a_file_that_is_gone_differs_and_keeps_nothing(void **state)
{
    struct up_error err;

    (void)state;
    assert_int_equal(keep(&err), 0);
    assert_int_equal(sim_storage(sim)->ops->unlink(sim_storage(sim), PATH), 0);
    assert_true(differs());
    assert_int_equal(keep(&err), 0);
    assert_kept("return 1");
}

static void what_is_tried_is_kept_and_not_what_came_meanwhile(void **state)
{
    struct up_config_text t;
    struct up_error err;

    (void)state;
    up_config_kept_read(&t, sim_storage(sim), PATH);
    put("broken");
    assert_int_equal(up_config_kept_write(sim_storage(sim), PATH, &t, &err), 0);
    up_config_kept_free(&t);
    assert_kept("return 1");
    assert_true(differs());
}

static void a_file_that_goes_meanwhile_has_no_mode(void **state)
{
    struct up_config_text t;
    struct up_error err;

    (void)state;
    up_config_kept_read(&t, sim_storage(sim), PATH);
    assert_int_equal(sim_storage(sim)->ops->unlink(sim_storage(sim), PATH), 0);
    assert_int_equal(up_config_kept_write(sim_storage(sim), PATH, &t, &err), UP_WRITE);
    up_config_kept_free(&t);
    assert_null(sim_get(sim, KEPT, NULL));
}

/* In a folder that cannot be written: an error, and the copy is as it was. */
static void a_write_that_fails_leaves_the_old_copy(void **state)
{
    static const enum sim_op ops[] = {SIM_OPEN, SIM_PWRITE, SIM_SYNC, SIM_RENAME};

    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        struct up_config_text t;
        struct up_error err;

        assert_int_equal(keep(&err), 0);
        put("return 2");
        up_config_kept_read(&t, sim_storage(sim), PATH);
        sim_reset_counters(sim);
        /* The copy is read first. */
        sim_fail(sim, ops[i], ops[i] == SIM_OPEN ? 2 : 1, EROFS, true);
        assert_true(up_config_kept_write(sim_storage(sim), PATH, &t, &err) < 0);
        assert_non_null(strstr(err.message, KEPT));
        sim_fail(sim, ops[i], 0, 0, false);
        up_config_kept_free(&t);
        assert_kept("return 1");
        assert_true(differs());
        put("return 1");
    }
}

static void a_long_name_is_refused(void **state)
{
    char path[UP_PATH_SIZE], out[UP_PATH_SIZE];
    struct up_error err;
    size_t most = sizeof path - sizeof ".good";

    (void)state;
    memset(path, 'a', sizeof path);
    path[most] = '\0';
    assert_int_equal(up_config_kept_path(path, out, sizeof out, &err), 0);
    assert_int_equal(strlen(out), most + 5);
    path[most] = 'a';
    path[most + 1] = '\0';
    assert_int_equal(up_config_kept_path(path, out, sizeof out, &err), UP_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_kept_with_the_mode_of_the_file, begin, end),
        cmocka_unit_test_setup_teardown(an_equal_one_is_not_written_again, begin, end),
        cmocka_unit_test_setup_teardown(another_one_is_seen_and_replaces_it, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_is_gone_differs_and_keeps_nothing, begin, end),
        cmocka_unit_test_setup_teardown(what_is_tried_is_kept_and_not_what_came_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_goes_meanwhile_has_no_mode, begin, end),
        cmocka_unit_test_setup_teardown(a_write_that_fails_leaves_the_old_copy, begin, end),
        cmocka_unit_test_setup_teardown(a_long_name_is_refused, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
