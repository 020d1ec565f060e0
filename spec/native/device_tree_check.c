/*
 * device_tree_check.c -- which script belongs to the tree of files. The flows with files of
 * spec/crash show the way to a verdict; here is what comes after it.
 */
#include "config.h"
#include "device.h"
#include "device_private.h"
#include "sim.h"
#include "variants.h"
#include "world.h"
#include "world_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct world_plan plan = {
    .name = "both with files", .provisioned = true, .package = WORLD_BOTH, .files = true};

static struct sim *sim;
static struct up_config config;
static struct up_error err;

static int enter(void **state)
{
    struct world_log log = {0};

    (void)state;
    sim = world_new(&plan);
    world_configure(&config);
    world_files_configure(&config);
    return world_live(sim, &plan, true, &log) != WORLD_SETTLED || !log.confirmed;
}

static int leave(void **state)
{
    int open = (int)sim_open_files(sim);

    (void)state;
    up_config_free(&config);
    sim_free(sim);
    return open;
}

static struct up_device *start(void)
{
    struct up_device *d;
    enum up_start_action action;

    if (up_device_open(&d, sim_storage(sim), &config, UP_DEVICE_LOCK, &err) < 0 ||
        up_device_start(d, &action, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(action, UP_START_RUN);
    return d;
}

static void choose(struct up_device *d, unsigned slot)
{
    struct up_boot_state boot = d->boot_state;

    boot.order[0] = slot;
    boot.order[1] = !slot;
    boot.good[slot] = true;
    assert_int_equal(up_device_set_boot(d, &boot, &err), 0);
}

static void assert_runs(const struct up_device *d, unsigned script, unsigned core)
{
    char dir[256];
    int slot = up_device_running(d);

    up_device_generation_path(d, up_device_generation(d), dir, sizeof dir);
    assert_true(variant_is_script(sim, dir, script));
    assert_true(variant_is_core(sim, config.slot[slot], core));
}

/* The tree is one for both slots, so script and files stay. */
static void after_the_verdict_only_the_core_falls_back(void **state)
{
    struct up_device *d = start();
    unsigned slot = (unsigned)up_device_running(d);

    (void)state;
    assert_runs(d, 2, 2);
    choose(d, !slot);
    up_device_close(d);
    d = start();
    assert_int_equal(up_device_running(d), !slot);
    assert_runs(d, 2, 1);
    assert_int_equal(world_files_tree(sim, true), WORLD_TREE_NEW);
    assert_int_equal(up_device_state(d)->phase, UP_IDLE);
    choose(d, slot);
    up_device_close(d);
    d = start();
    assert_runs(d, 2, 2);
    up_device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(after_the_verdict_only_the_core_falls_back, enter, leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
