/*
 * device_tree_check.c -- which script belongs to the tree of files when the boot loader falls
 * back, after the verdict and before it. The flows with files of spec/crash show the rest.
 */
#include "config.h"
#include "device.h"
#include "device_private.h"
#include "device_settle.h"
#include "sim.h"
#include "variants.h"
#include "world.h"
#include "world_files.h"

#include <errno.h>
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
    world_files_configure(&config, false);
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

/* Slot 'a' runs the old release. */
static int enter_uboot(void **state)
{
    static const struct world_plan uboot = {.name = "uboot both with files",
                                            .provisioned = true,
                                            .package = WORLD_BOTH,
                                            .files = true,
                                            .loader = WORLD_UBOOT};

    (void)state;
    sim = world_new(&uboot);
    world_configure(&config);
    world_files_configure(&config, false);
    config.boot = UP_BOOT_UBOOT;
    config.fw_env = strdup("/etc/fw_env.config");
    config.cmdline = strdup("/proc/cmdline-a");
    return 0;
}

/* The boot loader starts `slot`. */
static struct up_device *boot(char slot, enum up_start_action *action)
{
    struct up_device *d;

    config.cmdline[strlen(config.cmdline) - 1] = slot;
    if (up_device_open(&d, sim_storage(sim), &config, UP_DEVICE_LOCK, &err) < 0 ||
        up_device_start(d, action, &err) < 0)
        fail_msg("%s", err.message);
    return d;
}

static void a_fall_back_on_trial_is_settled_with_its_tree(void **state)
{
    enum up_start_action action;
    enum up_settled settled;
    struct up_device *d = boot('a', &action);

    (void)state;
    assert_int_equal(world_install(d, sim_storage(sim), "/packages/both.upd", &err), 0);
    up_device_close(d);
    d = boot('b', &action);
    assert_int_equal(up_device_trial_start(d, &action, &err), 0);
    assert_int_equal(world_files_tree(sim, false), WORLD_TREE_NEW);
    up_device_close(d);
    config.cmdline[strlen(config.cmdline) - 1] = 'a';
    sim_fail(sim, SIM_RENAME, 1, EIO, true);
    sim_fail_below(sim, "/app");
    assert_int_equal(up_device_settle(&settled, sim_storage(sim), &config, &err), UP_WRITE);
    sim_fail(sim, SIM_RENAME, 0, 0, false);
    assert_int_equal(up_device_settle(&settled, sim_storage(sim), &config, &err), 0);
    assert_int_equal(settled, UP_SETTLED_OLD);
    assert_int_equal(world_files_tree(sim, false), WORLD_TREE_OLD);
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
        cmocka_unit_test_setup_teardown(a_fall_back_on_trial_is_settled_with_its_tree, enter_uboot, leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
