/*
 * settle_check.c -- `moult settle`: when programs may start, what it counts, and that
 * `run` uses its count. That it holds wherever the power goes is shown by spec/crash, whose
 * flows "... settled" begin each start with it.
 */
#include "config.h"
#include "device.h"
#include "device_private.h"
#include "device_settle.h"
#include "files.h"
#include "files_programs.h"
#include "sim.h"
#include "world.h"
#include "world_files.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct world_plan plan = {.name = "files", .provisioned = true, .package = WORLD_FILES};

static struct sim *sim;
static struct up_config config;
static struct up_device *device;
static struct up_error err;

static int enter(void **state)
{
    (void)state;
    sim = world_new(&plan);
    world_configure(&config);
    world_files_configure(&config, false);
    return 0;
}

static int leave(void **state)
{
    int open = (int)sim_open_files(sim);

    (void)state;
    up_config_free(&config);
    sim_free(sim);
    return open;
}

static void open_device(void)
{
    if (up_device_open(&device, sim_storage(sim), &config, UP_DEVICE_LOCK, &err) < 0)
        fail_msg("%s", err.message);
}

static void arm(bool restart)
{
    struct up_journal_state next;

    open_device();
    if (world_install(device, sim_storage(sim), "/packages/files.upd", &err) < 0)
        fail_msg("%s", err.message);
    next = *up_device_state(device);
    next.tx.restart = restart;
    assert_int_equal(up_device_save(device, &next, &err), 0);
    up_device_close(device);
}

/* The power fails and comes back. */
static void boot(void)
{
    const struct sim_choice all = {SIM_ORDERED, SIM_ALL, 0, SIM_HARMLESS};
    struct sim *next = sim_reboot(sim, &all);

    sim_free(sim);
    sim = next;
}

static const char *settle(void)
{
    enum up_settled settled;

    if (up_device_settle(&settled, sim_storage(sim), &config, &err) < 0)
        return up_code_word(err.code);
    return up_device_settled_name(settled);
}

static unsigned starts(void)
{
    unsigned found;

    open_device();
    found = up_device_state(device)->tx.starts;
    up_device_close(device);
    return found;
}

static enum up_phase phase(void)
{
    enum up_phase found;

    open_device();
    found = up_device_state(device)->phase;
    up_device_close(device);
    return found;
}

/* What `run` does: a boot of the device, then a start on trial. The result of that. */
static int run(unsigned times)
{
    enum up_start_action action;
    int rc;

    open_device();
    rc = up_device_start(device, &action, &err);
    if (rc == 0 && up_device_state(device)->phase == UP_ARMED)
        rc = up_device_begin_trial(device, &err);
    for (unsigned i = 0; rc == 0 && i < times; i++)
        rc = up_device_trial_start(device, &action, &err);
    up_device_close(device);
    return rc;
}

static void assert_tree(enum world_tree tree)
{
    assert_int_equal(world_files_tree(sim, false), tree);
}

static void nothing_is_to_be_done(void **state)
{
    (void)state;
    assert_string_equal(settle(), "whole");
    arm(false);
    assert_string_equal(settle(), "waits");
    boot();
    assert_string_equal(settle(), "waits"); /* without restart it begins no trial */
    assert_int_equal(phase(), UP_ARMED);
    assert_tree(WORLD_TREE_OLD);
}

/* What no plan names any more goes; not while a release comes, which may be staging its own. */
static void records_of_no_plan_go(void **state)
{
    static const char left[] =
        "/device/state/files/00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    struct up_journal_state next;

    (void)state;
    sim_put_text(sim, left, "left");
    open_device();
    next = *up_device_state(device);
    next.phase = UP_FETCHING;
    assert_int_equal(up_device_save(device, &next, &err), 0);
    up_device_close(device);
    assert_string_equal(settle(), "whole");
    assert_true(sim_exists(sim, left));
    open_device();
    next.phase = UP_IDLE;
    assert_int_equal(up_device_save(device, &next, &err), 0);
    up_device_close(device);
    assert_string_equal(settle(), "whole");
    assert_false(sim_exists(sim, left));
}

static void it_begins_a_trial_that_waits_for_a_restart(void **state)
{
    (void)state;
    arm(true);
    assert_string_equal(settle(), "waits"); /* that is not another boot yet */
    assert_int_equal(starts(), 0);
    boot();
    assert_string_equal(settle(), "trial");
    assert_tree(WORLD_TREE_NEW);
    assert_int_equal(phase(), UP_TRIAL);
    assert_int_equal(starts(), 1);
    assert_string_equal(settle(), "trial"); /* one start for a boot */
    assert_int_equal(starts(), 1);
}

static void the_first_start_of_run_uses_the_count(void **state)
{
    (void)state;
    arm(true);
    boot();
    assert_string_equal(settle(), "trial");
    assert_int_equal(run(1), 0);
    assert_int_equal(starts(), 1);
    assert_int_equal(run(1), 0); /* the next one counts */
    assert_int_equal(starts(), 2);
    boot();
    assert_string_equal(settle(), "trial");
    assert_int_equal(starts(), 3);
    assert_int_equal(run(1), 0); /* the third start may be made */
    assert_int_equal(starts(), 3);
    assert_tree(WORLD_TREE_NEW);
}

/* Works on the tree, and when it is to go on, `failing` went wrong. */
static enum up_files_outcome failing;

static int work(void *user, enum up_files_task task, const uint8_t *of, enum up_files_outcome *outcome,
                struct up_error *e)
{
    struct up_files f;
    int rc;

    (void)user;
    (void)of;
    *outcome = failing;
    if (task == UP_FILES_ON && failing != UP_FILES_NOT_STARTED)
        return up_fail(e, UP_WRITE, "a program does not stop");
    rc = up_files_open(&f, sim_storage(sim), "/device/state", e);
    if (rc == 0) {
        rc = up_files_program_do(&f, task, NULL, outcome, e);
        up_files_close(&f);
    }
    if (rc < 0 || task != UP_FILES_ON)
        return rc;
    *outcome = UP_FILES_NOT_STARTED;
    return up_fail(e, UP_WRITE, "a program does not start");
}

/* A new program that does not start is a failed start of the trial; that an old one does not stop is not the
 * fault of the release. */
static void what_fails_on_the_way_to_trial(void **state)
{
    static const struct up_files_worker worker = {work, NULL};
    static const struct {
        enum up_files_outcome failing;
        unsigned strikes;
        const char *why;
    } cases[] = {{UP_FILES_NOT_STARTED, UP_STRIKE_FAILED, "does not start"},
                 {UP_FILES_NOT_STOPPED, 0, "does not stop"}};
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        enum up_start_action action;

        failing = cases[i].failing;
        arm(false);
        open_device();
        device->worker = &worker;
        assert_int_equal(up_device_start(device, &action, &err), 0);
        if (up_device_state(device)->phase == UP_ARMED)
            assert_int_equal(up_device_begin_trial(device, &err), 0);
        assert_int_equal(up_device_state(device)->phase, UP_TRIAL);
        if (up_device_trial_start(device, &action, &err) != UP_ROLLEDBACK)
            fail_msg("%s", err.message);
        assert_non_null(strstr(err.message, cases[i].why));
        assert_int_equal(up_device_state(device)->phase, UP_IDLE);
        assert_int_equal(up_device_state(device)->quarantine[0].strikes, cases[i].strikes);
        up_device_close(device);
        assert_tree(WORLD_TREE_OLD);
        leave(NULL);
        enter(NULL);
    }
}

/* Without the device, too, only who holds its lock works on the tree. */
static void it_is_not_put_back_beside_another(void **state)
{
    enum up_files_step step;

    (void)state;
    open_device();
    assert_int_equal(up_device_put_back_alone(sim_storage(sim), &config, NULL, &step, &err), UP_BUSY);
    up_device_close(device);
    assert_int_equal(up_device_put_back_alone(sim_storage(sim), &config, NULL, &step, &err), 0);
}

/* A count of another boot is none. */
static void a_count_is_for_its_boot(void **state)
{
    (void)state;
    arm(true);
    boot();
    assert_string_equal(settle(), "trial");
    boot();
    assert_int_equal(run(1), 0);
    assert_int_equal(starts(), 2);
}

/* Nobody knows whether it is another boot. */
static void without_a_boot_id_each_start_counts(void **state)
{
    char *counted, *now;

    (void)state;
    arm(true);
    boot();
    assert_string_equal(settle(), "trial");
    counted = sim_get(sim, "/device/state/settled", NULL);
    sim_fail(sim, SIM_BOOT_ID, 1, EIO, true);
    for (unsigned i = 2; i <= UP_TRIAL_STARTS; i++) {
        assert_string_equal(settle(), "trial");
        assert_int_equal(starts(), i);
        now = sim_get(sim, "/device/state/settled", NULL);
        assert_string_equal(now, counted); /* of no boot nothing is written */
        free(now);
    }
    free(counted);
    assert_string_equal(settle(), "old");
    assert_tree(WORLD_TREE_OLD);
}

/* A program that resets the board each time before `run` gets its turn. */
static void it_goes_back_when_starts_are_spent(void **state)
{
    (void)state;
    arm(true);
    for (unsigned i = 1; i <= UP_TRIAL_STARTS; i++) {
        boot();
        assert_string_equal(settle(), "trial");
        assert_int_equal(starts(), i);
    }
    boot();
    assert_string_equal(settle(), "old");
    assert_tree(WORLD_TREE_OLD);
    assert_int_equal(phase(), UP_IDLE);
    assert_string_equal(settle(), "whole");
    open_device();
    assert_int_equal(up_device_state(device)->last.code, UP_ROLLEDBACK);
    assert_false(up_device_has_file(device, "settled"));
    up_device_close(device);
}

static void on_trial_it_leaves_the_first_switch_to_run(void **state)
{
    (void)state;
    arm(false);
    open_device();
    assert_int_equal(up_device_begin_trial(device, &err), 0);
    up_device_close(device);
    assert_string_equal(settle(), "waits");
    assert_int_equal(starts(), 1);
    assert_tree(WORLD_TREE_OLD);
    assert_int_equal(run(1), 0);
    assert_int_equal(starts(), 1);
    assert_tree(WORLD_TREE_NEW);
    boot();
    assert_string_equal(settle(), "trial");
    assert_int_equal(starts(), 2);
}

static void what_is_confirmed_stays(void **state)
{
    enum up_start_action action;

    (void)state;
    arm(false);
    open_device();
    assert_int_equal(up_device_begin_trial(device, &err), 0);
    assert_int_equal(up_device_trial_start(device, &action, &err), 0);
    assert_int_equal(up_device_confirm(device, &err), 0);
    up_device_close(device);
    assert_string_equal(settle(), "whole");
    assert_tree(WORLD_TREE_NEW);
}

static int remove_here(void *user, const char *name, enum up_node_kind kind)
{
    struct up_storage *s = user;
    char path[256];

    (void)kind;
    if (!strstr(name, ".here"))
        return 0;
    snprintf(path, sizeof path, "/card/%s", name);
    return s->ops->unlink(s, path);
}

/* A partition that is mounted late. */
/* Changes of names fail, one or two: the release is tried, or the old files are there for programs to start. */
static void a_switch_that_fails_goes_back(void **state)
{
    unsigned old = 0;
    (void)state;

    for (unsigned more = 0; more < 2; more++)
        for (unsigned n = 1, hits = 1; hits > 0; n++) {
            const char *said;

            arm(true);
            boot();
            sim_fail(sim, SIM_RENAME, n, EIO, false);
            sim_fail_more(sim, more);
            said = settle();
            hits = sim_fault_hits(sim);
            if (strcmp(said, "trial") != 0) {
                old++;
                assert_string_equal(said, "old");
                assert_int_equal(phase(), UP_IDLE);
            }
            assert_tree(strcmp(said, "trial") == 0 ? WORLD_TREE_NEW : WORLD_TREE_OLD);
            leave(state);
            enter(state);
        }
    assert_true(old > 0);
}

static void without_a_root_nothing_is_decided(void **state)
{
    struct up_storage *s = sim_storage(sim);

    (void)state;
    arm(false);
    assert_int_equal(run(1), 0);
    assert_int_equal(s->ops->list(s, "/card", remove_here, s), 0);
    assert_string_equal(settle(), "missing");
    assert_string_equal(
        err.message,
        "root /card is not there: mount it, or, if it was made anew, order `moult settle --accept`");
    assert_int_equal(starts(), 1);
}

/* Which call of a kind fails once; whether there was one. The tree is whole, and its way back is not given up. */
static bool accepts_nothing(enum sim_op op, unsigned n)
{
    struct sim *plain = sim;
    enum up_settled settled;
    bool met;

    sim = sim_clone(plain);
    sim_reset_counters(sim);
    sim_fail(sim, op, n, EIO, false);
    if (up_device_settle_accepting(&settled, sim_storage(sim), &config, &err) == 0 &&
        settled == UP_SETTLED_ACCEPTED)
        fail_msg("%s %u failed, and the tree was taken as it is", sim_op_name(op), n);
    met = sim_fault_hits(sim) > 0;
    sim_free(sim);
    sim = plain;
    return met;
}

static void what_cannot_be_read_now_is_not_accepted(void **state)
{
    static const enum sim_op ops[] = {SIM_OPEN, SIM_OPEN_DIR, SIM_PREAD, SIM_STAT, SIM_LIST};

    (void)state;
    arm(false);
    assert_int_equal(run(1), 0);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        for (unsigned n = 1; accepts_nothing(ops[i], n);)
            n++;
}

static void what_cannot_be_put_back_is_told(void **state)
{
    (void)state;
    arm(false);
    assert_int_equal(run(UP_TRIAL_STARTS), 0);
    boot();
    sim_fail(sim, SIM_RENAME, 1, EIO, true);
    sim_fail_below(sim, "/app");
    assert_string_equal(settle(), "write");
    sim_fail(sim, SIM_RENAME, 0, 0, false);
    assert_string_equal(settle(), "old");
    assert_tree(WORLD_TREE_OLD);
}

static void lose_the_journal(void)
{
    struct up_storage *s = sim_storage(sim);

    for (int i = 0; i < 2; i++) {
        const char *path = i ? "/device/state/journal.1" : "/device/state/journal.0";
        int file = s->ops->open(s, path, UP_UPDATE, 0);

        assert_true(file >= 0);
        assert_int_equal(s->ops->pwrite(s, file, "damaged in its middle", 21, 0), 0);
        s->ops->close(s, file);
    }
}

/* The old pair does not run with the new files; a package that replaces them may come. */
static void a_tree_that_did_not_go_back_is_put_back_while_idle(void **state)
{
    enum up_start_action action;

    (void)state;
    arm(false);
    assert_int_equal(run(1), 0);
    open_device();
    sim_fail(sim, SIM_RENAME, 1, EIO, true);
    sim_fail_below(sim, "/app");
    assert_int_equal(up_device_rollback(device, false, "by hand", &action, &err), UP_WRITE);
    assert_int_equal(up_device_state(device)->phase, UP_IDLE);
    assert_true(up_device_mixed(device));
    assert_true(up_device_trouble(device)->updates);
    sim_fail(sim, SIM_RENAME, 0, 0, false);
    assert_int_equal(up_device_retry(device, &action, &err), 0);
    assert_int_equal(up_device_state(device)->phase, UP_IDLE);
    up_device_close(device);
    assert_tree(WORLD_TREE_OLD);
}

/* The same by `moult settle`, which says that it is old when it is. */
static void a_tree_that_did_not_go_back_is_settled_while_idle(void **state)
{
    enum up_start_action action;

    (void)state;
    arm(false);
    assert_int_equal(run(1), 0);
    open_device();
    sim_fail(sim, SIM_RENAME, 1, EIO, true);
    sim_fail_below(sim, "/app");
    assert_int_equal(up_device_rollback(device, false, "by hand", &action, &err), UP_WRITE);
    up_device_close(device);
    for (int i = 0; i < 2; i++)
        assert_string_equal(settle(), "write");
    sim_fail(sim, SIM_RENAME, 0, 0, false);
    assert_string_equal(settle(), "old");
    assert_tree(WORLD_TREE_OLD);
    assert_int_equal(phase(), UP_IDLE);
    assert_string_equal(settle(), "whole");
}

/* Names that cannot be removed keep no program from starting. */
static void what_is_confirmed_stays_with_its_leftovers(void **state)
{
    enum up_start_action action;

    (void)state;
    arm(false);
    open_device();
    assert_int_equal(up_device_begin_trial(device, &err), 0);
    assert_int_equal(up_device_trial_start(device, &action, &err), 0);
    sim_fail(sim, SIM_UNLINK, 1, EIO, true);
    sim_fail_below(sim, "/app");
    assert_int_equal(up_device_confirm(device, &err), 0);
    up_device_close(device);
    for (int i = 0; i < 2; i++)
        assert_string_equal(settle(), "new");
    sim_fail(sim, SIM_UNLINK, 0, 0, false);
    assert_string_equal(settle(), "new");
    assert_string_equal(settle(), "whole");
    assert_tree(WORLD_TREE_NEW);
}

static void without_a_journal_the_plan_tells(void **state)
{
    (void)state;
    arm(false);
    assert_int_equal(run(1), 0);
    boot();
    lose_the_journal();
    assert_string_equal(settle(), "old");
    assert_tree(WORLD_TREE_OLD);
}

/* What a start of the device does; whether it finds a script that may run. */
static int come_up(void)
{
    enum up_start_action action;
    struct up_trouble trouble;
    char dir[256];

    assert_int_equal(up_device_come_up(&device, sim_storage(sim), &config, NULL, &action, &trouble, &err), 0);
    assert_null(device);
    assert_int_equal(trouble.cause.code, UP_STATELOST);
    return up_device_last_resort(sim_storage(sim), &config, dir, sizeof dir, &err);
}

static void without_a_journal_run_puts_the_tree_back(void **state)
{
    unsigned calls;

    (void)state;
    arm(false);
    assert_int_equal(run(1), 0);
    boot();
    lose_the_journal();
    assert_int_equal(come_up(), 0);
    assert_tree(WORLD_TREE_OLD);
    calls = sim_calls(sim, SIM_RENAME);
    assert_int_equal(come_up(), 0);
    assert_int_equal(sim_calls(sim, SIM_RENAME), calls); /* it is done */
}

static void without_a_journal_nothing_runs_on_a_mixture(void **state)
{
    (void)state;
    arm(false);
    assert_int_equal(run(1), 0);
    boot();
    lose_the_journal();
    sim_fail(sim, SIM_RENAME, 1, EIO, true);
    sim_fail_below(sim, "/app");
    assert_int_equal(come_up(), UP_STATELOST);
    assert_non_null(strstr(err.message, "neither the old nor the new"));
    config.files.run_mixed = true;
    assert_int_equal(come_up(), 0);
    config.files.run_mixed = false;
    sim_fail(sim, SIM_RENAME, 0, 0, false);
    assert_int_equal(come_up(), 0);
    assert_tree(WORLD_TREE_OLD);
}

static const char *const ours[] = {
    "/app/.moult-0123456789abcdef.here", "/app/etc/.moult-0123456789abcdef-0.new/x",
    "/app/etc/.moult-0123456789abcdef-12.old", "/card/.moult-0123456789abcdef-3.old.part",
    "/app/.moult-0123456789abcdef-3.try"};
static const char *const others[] = {
    "/app/.moult-0123456789abcdef-1.foreign", "/app/.moult-0123456789abcde-1.new",
    "/app/etc/.moult-0123456789abcdef-.new", "/app/moult-0123456789abcdef-1.new",
    "/app/other/mount/.moult-0123456789abcdef-1.new"};

static unsigned count_of(const char *const *paths, size_t count)
{
    struct up_storage *s = sim_storage(sim);
    struct up_stat st;
    unsigned there = 0;

    for (size_t i = 0; i < count; i++)
        there += s->ops->stat(s, paths[i], &st) == 0;
    return there;
}

static void names_of_no_plan_go_on_order(void **state)
{
    struct up_files_strays strays;

    (void)state;
    sim_put_dir(sim, "/app/other", 0755);
    sim_put_mount(sim, "/app/other/mount", 1, false);
    sim_put_dir(sim, "/app/etc/.moult-0123456789abcdef-0.new", 0700);
    for (size_t i = 0; i < 5; i++)
        sim_put_text(sim, ours[i], "ours");
    for (size_t i = 0; i < 5; i++)
        sim_put_text(sim, others[i], "not ours");
    assert_string_equal(settle(), "whole");
    assert_int_equal(count_of(ours, 5), 5);
    assert_int_equal(up_device_settle_files(false, &strays, sim_storage(sim), &config, &err), 0);
    assert_int_equal(strays.count, 5);
    assert_int_equal(count_of(ours, 5), 5);
    assert_true(count_of((const char *const[]){strays.first}, 1) && strstr(strays.first, "/.moult-0123"));
    assert_int_equal(up_device_settle_files(true, &strays, sim_storage(sim), &config, &err), 0);
    assert_int_equal(strays.count, 5);
    assert_int_equal(count_of(ours, 5), 0);
    assert_int_equal(count_of(others, 5), 5);
    assert_int_equal(up_device_settle_files(true, &strays, sim_storage(sim), &config, &err), 0);
    assert_int_equal(strays.count, 0);
    assert_string_equal(strays.first, "");
}

/* As many folders below one another as may be open at once are looked into. */
static void what_lies_too_deep_stays(void **state)
{
    struct up_files_strays strays;

    (void)state;
    for (unsigned deep = 32; deep <= 33; deep++) {
        char path[256] = "/app";

        for (unsigned i = 0; i < deep; i++)
            strcat(path, "/d");
        sim_settle(sim);
        sim_put_dir(sim, path, 0755);
        strcat(path, "/.moult-0123456789abcdef-0.new");
        sim_put_text(sim, path, "ours");
        assert_int_equal(up_device_settle_files(true, &strays, sim_storage(sim), &config, &err), 0);
        assert_int_equal(strays.count, deep == 32);
    }
}

static void without_files_nothing_is_to_be_done(void **state)
{
    uint32_t count = config.files.root_count;

    (void)state;
    config.files.root_count = 0;
    assert_string_equal(settle(), "whole");
    config.files.root_count = count;
}

/* Call `n` of one kind fails. Whether there was one. */
static bool is_said(enum sim_op op, unsigned n)
{
    struct sim *whole = sim;
    struct up_files_strays strays;
    bool met;

    sim = sim_clone(whole);
    sim_fail(sim, op, n, EIO, false);
    if (up_device_settle_files(true, &strays, sim_storage(sim), &config, &err) == 0 &&
        sim_fault_hits(sim) > 0)
        fail_msg("%s %u failed unsaid", sim_op_name(op), n);
    met = sim_fault_hits(sim) > 0;
    sim_free(sim);
    sim = whole;
    return met;
}

static void an_order_that_was_not_carried_out_is_told(void **state)
{
    static const enum sim_op ops[] = {SIM_LIST, SIM_OPEN_DIR, SIM_UNLINK, SIM_RMDIR, SIM_SYNC};

    (void)state;
    sim_put_dir(sim, "/app/etc/.moult-0123456789abcdef-0.new", 0700);
    for (size_t i = 0; i < 4; i++)
        sim_put_text(sim, ours[i], "ours");
    sim_reset_counters(sim);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        /* The record is read twice, and if it cannot be made durable, again from the medium. */
        unsigned first = ops[i] == SIM_SYNC ? 3 : 1, n = first;

        while (is_said(ops[i], n))
            n++;
        if (n == first)
            fail_msg("no %s", sim_op_name(ops[i]));
    }
}

static void names_of_a_plan_stay(void **state)
{
    struct up_files_strays strays;

    (void)state;
    arm(false);
    assert_int_equal(up_device_settle_files(true, &strays, sim_storage(sim), &config, &err), UP_BUSY);
    assert_string_equal(settle(), "waits");
    assert_int_equal(run(1), 0);
    assert_tree(WORLD_TREE_NEW);
}

static void whoever_holds_the_state_is_waited_for_by_others(void **state)
{
    (void)state;
    open_device();
    assert_string_equal(settle(), "busy");
    up_device_close(device);
    free(config.state);
    config.state = strdup("/device/none");
    assert_string_equal(settle(), "usage");
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(nothing_is_to_be_done),
        IN_WORLD(records_of_no_plan_go),
        IN_WORLD(it_begins_a_trial_that_waits_for_a_restart),
        IN_WORLD(the_first_start_of_run_uses_the_count),
        IN_WORLD(what_fails_on_the_way_to_trial),
        IN_WORLD(it_is_not_put_back_beside_another),
        IN_WORLD(a_count_is_for_its_boot),
        IN_WORLD(without_a_boot_id_each_start_counts),
        IN_WORLD(it_goes_back_when_starts_are_spent),
        IN_WORLD(on_trial_it_leaves_the_first_switch_to_run),
        IN_WORLD(what_is_confirmed_stays),
        IN_WORLD(a_switch_that_fails_goes_back),
        IN_WORLD(without_a_root_nothing_is_decided),
        IN_WORLD(what_cannot_be_read_now_is_not_accepted),
        IN_WORLD(what_cannot_be_put_back_is_told),
        IN_WORLD(a_tree_that_did_not_go_back_is_put_back_while_idle),
        IN_WORLD(a_tree_that_did_not_go_back_is_settled_while_idle),
        IN_WORLD(what_is_confirmed_stays_with_its_leftovers),
        IN_WORLD(without_a_journal_the_plan_tells),
        IN_WORLD(without_a_journal_run_puts_the_tree_back),
        IN_WORLD(without_a_journal_nothing_runs_on_a_mixture),
        IN_WORLD(names_of_no_plan_go_on_order),
        IN_WORLD(what_lies_too_deep_stays),
        IN_WORLD(without_files_nothing_is_to_be_done),
        IN_WORLD(an_order_that_was_not_carried_out_is_told),
        IN_WORLD(names_of_a_plan_stay),
        IN_WORLD(whoever_holds_the_state_is_waited_for_by_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
