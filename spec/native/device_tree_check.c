/*
 * device_tree_check.c -- which script belongs to the tree of files when the boot loader falls
 * back, after the verdict and before it; and a tree that cannot be put back. The flows with files
 * of spec/crash show the rest.
 */
#include "config.h"
#include "device.h"
#include "device_private.h"
#include "device_settle.h"
#include "files.h"
#include "sim.h"
#include "variants.h"
#include "world.h"
#include "world_files.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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

static struct up_device *installed(const char *path)
{
    struct up_device *d;

    assert_int_equal(up_device_open(&d, sim_storage(sim), &config, UP_DEVICE_LOCK, &err), 0);
    if (world_install(d, sim_storage(sim), path, &err) < 0)
        fail_msg("%s", err.message);
    return d;
}

static int enter_files(void **state)
{
    static const struct world_plan files = {.name = "files", .provisioned = true, .package = WORLD_FILES};

    (void)state;
    sim = world_new(&files);
    world_configure(&config);
    world_files_configure(&config, false);
    return 0;
}

/* The release went back half, and what the rest was is lost. */
static int enter_mixed(void **state)
{
    enum up_start_action action;
    struct up_device *d;

    enter_files(state);
    d = installed("/packages/files.upd");
    assert_int_equal(up_device_begin_trial(d, &err), 0);
    assert_int_equal(up_device_trial_start(d, &action, &err), 0);
    sim_reset_counters(sim);
    sim_fail(sim, SIM_RENAME, 3, EIO, true);
    sim_fail_below(sim, "/app");
    assert_int_equal(up_device_rollback(d, true, "bad", &action, &err), UP_WRITE);
    sim_fail(sim, SIM_RENAME, 0, 0, false);
    up_device_close(d);
    assert_int_equal(world_files_lose_found(sim), 0);
    assert_int_equal(world_files_tree(sim, false), WORLD_TREE_NEITHER);
    return 0;
}

/* The cause, and not that something waits. */
static void what_cannot_be_made_whole_says_why(void **state)
{
    enum up_settled settled;

    (void)state;
    assert_int_equal(up_device_settle(&settled, sim_storage(sim), &config, &err), UP_STATELOST);
    assert_non_null(strstr(err.message, "both copies of what an update found are unreadable"));
}

static void put_next(void)
{
    size_t len;
    void *package = variant_files(3, 0, 0, world_files_ini, &len);

    sim_put(sim, "/packages/next.upd", package, len, 0644);
    free(package);
}

/* It could not even begin to go back: what runs is the new script, which knows these files. */
static void a_tree_that_stays_new_keeps_its_release(void **state)
{
    struct up_device *d = installed("/packages/files.upd");
    enum up_start_action action;

    (void)state;
    assert_int_equal(up_device_begin_trial(d, &err), 0);
    assert_int_equal(up_device_trial_start(d, &action, &err), 0);
    sim_reset_counters(sim);
    sim_fail(sim, SIM_CHANGES, 1, EROFS, true);
    sim_fail_below(sim, "/device/state/files");
    assert_int_equal(up_device_rollback(d, true, "bad", &action, &err), UP_WRITE);
    assert_int_equal(d->state.phase, UP_ROLLING_BACK);
    assert_int_equal(world_files_tree(sim, false), WORLD_TREE_NEW);
    assert_false(up_device_mixed(d));
    assert_ptr_equal(up_device_pair(d), &d->state.tx.pair);
    sim_fail(sim, SIM_OPS, 0, 0, false);
    assert_int_equal(up_device_retry(d, &action, &err), 0);
    assert_int_equal(d->state.phase, UP_IDLE);
    assert_int_equal(world_files_tree(sim, true), WORLD_TREE_OLD);
    up_device_close(d);
}

/* A root that is lost meanwhile may hold anything: whose files they are, nobody knows. */
static void a_tree_that_is_not_there_has_no_release(void **state)
{
    struct up_device *d = installed("/packages/files.upd");
    enum up_start_action action;

    (void)state;
    assert_int_equal(up_device_begin_trial(d, &err), 0);
    assert_int_equal(up_device_trial_start(d, &action, &err), 0);
    world_files_move_here(sim, "/card", false);
    assert_int_equal(up_device_rollback(d, true, "bad", &action, &err), UP_MISSING);
    assert_int_equal(d->state.phase, UP_IDLE);
    assert_true(up_device_mixed(d));
    world_files_move_here(sim, "/card", true);
    assert_int_equal(up_device_retry(d, &action, &err), 0);
    assert_false(up_device_mixed(d));
    assert_int_equal(world_files_tree(sim, true), WORLD_TREE_OLD);
    up_device_close(d);
}

/* A helper of a supervisor that was killed is at it still. */
static void nothing_is_done_to_a_tree_that_another_has(void **state)
{
    struct up_device *d = installed("/packages/files.upd");
    enum up_start_action action;
    int claim;

    (void)state;
    assert_int_equal(up_device_begin_trial(d, &err), 0);
    assert_int_equal(up_files_claim(&claim, sim_storage(sim), "/device/state", &err), 0);
    assert_int_equal(up_device_work_tree(d, UP_FILES_ON, &(enum up_files_outcome){0}, &err), UP_BUSY);
    assert_int_equal(world_files_tree(sim, false), WORLD_TREE_OLD);
    up_files_let_go(sim_storage(sim), claim);
    assert_int_equal(up_device_trial_start(d, &action, &err), 0);
    assert_int_equal(world_files_tree(sim, false), WORLD_TREE_NEW);
    up_device_close(d);
}

static int (*rename_at)(struct up_storage *s, int dir, const char *from, const char *to);

/* One file cannot be put back. */
static int rename_but_conf(struct up_storage *s, int dir, const char *from, const char *to)
{
    if (strcmp(to, "conf") != 0)
        return rename_at(s, dir, from, to);
    errno = EIO;
    return -1;
}

/* A release was to replace a mixture, and is not wanted any more when the way back is free: it is gone at once. */
static void below_a_release_that_goes_the_old_tree_is_made_whole(void **state)
{
    struct up_storage *s = sim_storage(sim);
    const struct up_storage_ops *all = s->ops;
    struct up_storage_ops ops;
    enum up_start_action action;
    struct up_device *d;

    (void)state;
    put_next();
    d = installed("/packages/files.upd");
    assert_int_equal(up_device_begin_trial(d, &err), 0);
    assert_int_equal(up_device_trial_start(d, &action, &err), 0);
    ops = *s->ops;
    rename_at = ops.rename_at;
    ops.rename_at = rename_but_conf;
    s->ops = &ops;
    assert_int_equal(up_device_rollback(d, true, "bad", &action, &err), UP_WRITE);
    assert_true(up_device_mixed(d));
    if (world_install(d, sim_storage(sim), "/packages/next.upd", &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(d->state.phase, UP_ARMED);
    s->ops = all;
    assert_int_equal(up_device_rollback(d, false, "no", &action, &err), 0);
    assert_int_equal(d->state.phase, UP_IDLE);
    assert_int_equal(world_files_tree(sim, true), WORLD_TREE_OLD);
    assert_false(up_device_mixed(d));
    up_device_close(d);
}

/* The owner may take the files as they are, but not while a release that replaces them is about to be tried. */
static void a_release_that_replaces_a_mixture_is_not_given_up(void **state)
{
    static const enum up_phase phases[] = {UP_ARMED, UP_ARMING};
    struct up_journal_state next;
    struct up_device *d;
    enum up_settled settled;

    (void)state;
    put_next();
    d = installed("/packages/next.upd");
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        next = d->state;
        next.phase = phases[i];
        assert_int_equal(up_device_save(d, &next, &err), 0);
        up_device_close(d);
        assert_int_equal(up_device_settle_accepting(&settled, sim_storage(sim), &config, &err), UP_STATELOST);
        assert_non_null(strstr(err.message, "waits to be tried"));
        assert_int_equal(up_device_open(&d, sim_storage(sim), &config, UP_DEVICE_LOCK, &err), 0);
        assert_int_equal(d->state.phase, phases[i]);
    }
    up_device_close(d);
}

/* There is one tree for both slots, so the other pair has these files, too, and their script; its core stays. */
static void the_other_pair_has_the_confirmed_tree(void **state)
{
    const struct up_pair old = {.present = true,
                                .release = "1",
                                .core_name = "core",
                                .core_version = 1,
                                .script_version = "1",
                                .files_version = "1",
                                .generation = 1};
    const struct up_pair new = {.present = true,
                                .release = "2",
                                .core_name = "core",
                                .core_version = 2,
                                .script_version = "2",
                                .files_version = "2",
                                .generation = 2,
                                .script = {true, {2}},
                                .files = {true, {2}}};
    struct up_pair both = new;

    (void)state;
    strcpy(both.release, old.release);
    both.core_version = old.core_version;
    for (int files = 0; files < 2; files++)
        for (int present = 0; present < 2; present++) {
            struct up_journal_state next = {.tx = {.target = 1, .pair = new}};
            struct up_pair *other = &next.slot[0];

            next.tx.pair.files.known = files;
            *other = old;
            other->present = present;
            up_device_confirm_tree(&next);
            assert_int_equal(next.tree, files ? 2 : 0);
            assert_string_equal(other->release, "1");
            assert_int_equal(other->core_version, 1);
            if (files && present)
                assert_memory_equal(other, &both, sizeof both);
            else
                assert_string_equal(other->files_version, "1");
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_other_pair_has_the_confirmed_tree),
        cmocka_unit_test_setup_teardown(after_the_verdict_only_the_core_falls_back, enter, leave),
        cmocka_unit_test_setup_teardown(a_fall_back_on_trial_is_settled_with_its_tree, enter_uboot, leave),
        cmocka_unit_test_setup_teardown(what_cannot_be_made_whole_says_why, enter_mixed, leave),
        cmocka_unit_test_setup_teardown(a_tree_that_stays_new_keeps_its_release, enter_files, leave),
        cmocka_unit_test_setup_teardown(a_tree_that_is_not_there_has_no_release, enter_files, leave),
        cmocka_unit_test_setup_teardown(nothing_is_done_to_a_tree_that_another_has, enter_files, leave),
        cmocka_unit_test_setup_teardown(below_a_release_that_goes_the_old_tree_is_made_whole, enter_files,
                                        leave),
        cmocka_unit_test_setup_teardown(a_release_that_replaces_a_mixture_is_not_given_up, enter_mixed,
                                        leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
