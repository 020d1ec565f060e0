/*
 * trouble_check.c -- a device of which something cannot be read or written: what
 * runs all the same, what is said, and that it goes on once it can.
 *
 * How often, and in which order, is not this check's matter: the enumeration of
 * faults and cuts (spec/crash/faults.c) tries every call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"
#include "device.h"
#include "error.h"
#include "world.h"

#define STATE "/device/state"
#define SCRIPT "/packages/script.upd"
#define CORE "/packages/core.upd"

static const struct world_plan by_file = {.name = "file", .provisioned = true, .package = WORLD_BOTH};
static const struct world_plan by_uboot = {
    .name = "uboot", .provisioned = true, .package = WORLD_BOTH, .loader = WORLD_UBOOT};

struct stand {
    struct sim *sim;
    struct up_storage *storage;
    struct up_config config;
    struct up_device *device;
    enum up_start_action action;
    struct up_trouble trouble;
    struct up_error err;
    bool uboot;
    const char *second; /* journal_dir, or NULL */
};

static void configure(struct stand *s, char slot)
{
    char path[64];

    world_configure(&s->config);
    s->config.journal_dir = s->second ? strdup(s->second) : NULL;
    if (!s->uboot)
        return;
    snprintf(path, sizeof path, "/proc/cmdline-%c", slot);
    s->config.boot = UP_BOOT_UBOOT;
    s->config.fw_env = strdup("/etc/fw_env.config");
    s->config.cmdline = strdup(path);
}

/* The power comes; with U-Boot, `slot` is what it started. */
static void power_on(struct stand *s, char slot)
{
    configure(s, slot);
    if (up_device_come_up(&s->device, s->storage, &s->config, NULL, &s->action, &s->trouble, &s->err) < 0)
        fail_msg("%s", s->err.message);
}

static void end_process(struct stand *s)
{
    up_device_close(s->device);
    s->device = NULL;
    up_config_free(&s->config);
}

static void power_off(struct stand *s)
{
    end_process(s);
    sim_shutdown(s->sim);
}

/* The service manager starts the program again. */
static void next_process(struct stand *s, char slot)
{
    end_process(s);
    power_on(s, slot);
}

static void stand_up(struct stand *s, const struct world_plan *plan)
{
    *s = (struct stand){.uboot = plan->loader == WORLD_UBOOT};
    s->sim = world_new(plan);
    s->storage = sim_storage(s->sim);
    power_on(s, 'a');
    assert_int_equal(s->trouble.cause.code, UP_OK);
}

static void stand_free(struct stand *s)
{
    power_off(s);
    assert_int_equal(sim_open_files(s->sim), 0);
    sim_free(s->sim);
}

static void break_state(struct stand *s)
{
    sim_reset_counters(s->sim);
    sim_fail(s->sim, SIM_CHANGES, 1, EROFS, true);
    sim_fail_below(s->sim, STATE);
}

static void break_all(struct stand *s, enum sim_op op, int error)
{
    sim_reset_counters(s->sim);
    sim_fail(s->sim, op, 1, error, true);
}

static void mend(struct stand *s)
{
    sim_fail(s->sim, SIM_OPS, 0, 0, false);
}

static enum up_phase phase_of(const struct stand *s)
{
    return up_device_state(s->device)->phase;
}

static void install(struct stand *s, const char *path)
{
    if (world_install(s->device, s->storage, path, &s->err) < 0)
        fail_msg("%s", s->err.message);
}

/* A new core is to start, by a loader that can be told. */
static void arm_core(struct stand *s)
{
    stand_up(s, &by_uboot);
    install(s, CORE);
}

/* What would be started. */
static void runs(const struct stand *s, int slot, uint32_t generation)
{
    assert_int_equal(s->action, UP_START_RUN);
    assert_int_equal(up_device_running(s->device), slot);
    assert_int_equal(up_device_generation(s->device), generation);
}

static void without_updates(const struct stand *s, const char *part)
{
    const struct up_trouble *t = up_device_trouble(s->device);

    assert_false(t->updates);
    if (!strstr(t->cause.message, part))
        fail_msg("\"%s\" is not in: %s", part, t->cause.message);
}

static int retry(struct stand *s)
{
    return up_device_retry(s->device, &s->action, &s->err);
}

static void heals(struct stand *s)
{
    mend(s);
    assert_true(up_device_unfinished(s->device));
    if (retry(s) < 0)
        fail_msg("%s", s->err.message);
    assert_int_equal(up_device_trouble(s->device)->cause.code, UP_OK);
    assert_false(up_device_unfinished(s->device));
}

static void variable(struct stand *s, const char *name, const char *value)
{
    char found[UP_BOOT_VALUE_SIZE];

    sim_variable(s->sim, name, found);
    assert_string_equal(found, value);
}

/*
 * Idle.
 */

static void a_state_that_takes_no_write_runs_what_is_confirmed(void **state)
{
    static const int errors[] = {EROFS, ENOSPC, EIO};
    struct stand s;

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        stand_up(&s, &by_file);
        power_off(&s);
        break_all(&s, SIM_CHANGES, errors[i]);
        power_on(&s, 'a');
        runs(&s, 0, 1);
        without_updates(&s, "/device/state/boot.");
        assert_int_equal(world_install(s.device, s.storage, SCRIPT, &s.err),
                         errors[i] == ENOSPC ? UP_NOSPACE : UP_WRITE);
        heals(&s);
        runs(&s, 0, 1);
        install(&s, SCRIPT);
        stand_free(&s);
    }
}

static void a_lock_that_cannot_be_made_is_waited_for(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, &by_uboot);
    power_off(&s);
    s.storage->ops->unlink(s.storage, STATE "/lock");
    break_state(&s);
    power_on(&s, 'a');
    runs(&s, 0, 1);
    without_updates(&s, "/device/state/lock: Read-only file system");
    mend(&s);
    /* Nobody may write who does not hold it. */
    assert_int_equal(world_install(s.device, s.storage, SCRIPT, &s.err), UP_WRITE);
    assert_int_equal(phase_of(&s), UP_IDLE);
    heals(&s);
    install(&s, SCRIPT);
    stand_free(&s);
}

static void whatever_lies_in_the_place_of_the_lock_is_locked(void **state)
{
    struct up_device *second;
    struct stand s;

    (void)state;
    stand_up(&s, &by_uboot);
    power_off(&s);
    s.storage->ops->unlink(s.storage, STATE "/lock");
    s.storage->ops->mkdir(s.storage, STATE "/lock", 0700);
    power_on(&s, 'a');
    assert_int_equal(s.trouble.cause.code, UP_OK);
    assert_int_equal(up_device_open(&second, s.storage, &s.config, UP_DEVICE_LOCK, &s.err), UP_BUSY);
    stand_free(&s);
}

/* What lies there would be older and older, and count after the loss of the
 * other file: nothing is installed, and whoever looks is told why. */
static void a_second_directory_that_takes_no_write_stops_updates_alone(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, &by_file);
    power_off(&s);
    sim_settle(s.sim);
    sim_put_dir(s.sim, "/second", 0700);
    s.second = "/second";
    power_on(&s, 'a');
    assert_int_equal(up_device_try_write(s.storage, &s.config, &s.err), 0);
    install(&s, SCRIPT);
    assert_int_equal(up_device_abandon(s.device, UP_OK, "another", &s.err), UP_NOTHING);
    assert_int_equal(up_device_rollback(s.device, false, "another", &s.action, &s.err), 0);
    assert_true(sim_exists(s.sim, "/second/journal.1"));
    sim_reset_counters(s.sim);
    sim_fail(s.sim, SIM_CHANGES, 1, EROFS, true);
    sim_fail_below(s.sim, "/second");
    assert_int_equal(world_install(s.device, s.storage, SCRIPT, &s.err), UP_WRITE);
    assert_non_null(strstr(s.err.message, "/second/journal.1: "));
    assert_int_equal(phase_of(&s), UP_IDLE);
    assert_int_equal(up_device_try_write(s.storage, &s.config, &s.err), UP_WRITE);
    assert_non_null(strstr(s.err.message, "/second/write-test"));
    mend(&s);
    assert_int_equal(s.storage->ops->rename(s.storage, "/second", "/away"), 0);
    assert_int_equal(up_device_try_write(s.storage, &s.config, &s.err), 0); /* done without */
    assert_int_equal(s.storage->ops->rename(s.storage, "/away", "/second"), 0);
    install(&s, SCRIPT);
    stand_free(&s);
}

static void a_try_to_write_leaves_nothing_behind(void **state)
{
    static const enum sim_op ops[] = {SIM_PWRITE, SIM_SYNC, SIM_RENAME, SIM_SYNC_DIR};
    struct stand s;

    (void)state;
    stand_up(&s, &by_file);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        break_all(&s, ops[i], EIO);
        assert_int_equal(up_device_try_write(s.storage, &s.config, &s.err), UP_WRITE);
        mend(&s);
        assert_false(sim_exists(s.sim, STATE "/write-test"));
        assert_false(sim_exists(s.sim, STATE "/write-test.new"));
    }
    assert_int_equal(up_device_try_write(s.storage, &s.config, &s.err), 0);
    assert_false(sim_exists(s.sim, STATE "/write-test"));
    stand_free(&s);
}

/* Whatever it would do next: a state that it cannot look at is not in order. */
static void a_state_that_cannot_be_looked_at_is_trouble_at_the_next_look(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, &by_file);
    break_all(&s, SIM_PREAD, EIO);
    assert_true(retry(&s) < 0);
    assert_false(up_device_trouble(s.device)->updates);
    mend(&s);
    assert_int_equal(retry(&s), 0);
    assert_true(up_device_trouble(s.device)->updates);
    stand_free(&s);
}

/* The mark of the factory, and files that were being made anew. */
static void what_a_cut_left_behind_goes_at_the_next_start(void **state)
{
    static const char *const left[] = {STATE "/provisioning", STATE "/history.new", STATE "/journal.0.new",
                                       STATE "/boot.1.new"};
    struct stand s;

    (void)state;
    stand_up(&s, &by_file);
    power_off(&s);
    sim_settle(s.sim);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        sim_put_text(s.sim, left[i], "begun");
    power_on(&s, 'a');
    runs(&s, 0, 1);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        assert_false(sim_exists(s.sim, left[i]));
    stand_free(&s);
}

/* The other file of each record, and what people read. */
static void what_was_lost_is_made_anew_at_the_next_start(void **state)
{
    static const char *const lost[] = {STATE "/boot.1", STATE "/history", "/second/journal.1", "/second"};
    struct stand s;

    (void)state;
    stand_up(&s, &by_file);
    power_off(&s);
    s.second = "/second";
    sim_settle(s.sim);
    sim_put_dir(s.sim, "/second", 0700);
    power_on(&s, 'a');
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        power_off(&s);
        assert_true(sim_exists(s.sim, lost[i]));
        assert_int_equal(up_storage_remove_tree(s.storage, lost[i], &s.err), 0);
        power_on(&s, 'a');
        runs(&s, 0, 1);
        assert_true(sim_exists(s.sim, lost[i]));
    }
    stand_free(&s);
}

static void what_cannot_be_removed_is_in_nobodys_way(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, &by_uboot);
    power_off(&s);
    sim_settle(s.sim);
    sim_put_text(s.sim, STATE "/script/9/junk", "");
    break_all(&s, SIM_CHANGES, EIO);
    sim_fail_below(s.sim, STATE "/script");
    power_on(&s, 'a');
    runs(&s, 0, 1);
    assert_true(s.trouble.updates);
    assert_non_null(strstr(s.trouble.cause.message, "junk: remove: "));
    mend(&s);
    install(&s, SCRIPT);
    assert_int_equal(up_device_begin_trial(s.device, &s.err), 0);
    assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), 0);
    break_all(&s, SIM_CHANGES, EIO);
    sim_fail_below(s.sim, STATE "/script");
    assert_int_equal(up_device_confirm(s.device, &s.err), 0);
    assert_int_equal(phase_of(&s), UP_IDLE);
    assert_true(up_device_trouble(s.device)->updates);
    heals(&s);
    assert_false(sim_exists(s.sim, STATE "/script/9"));
    assert_false(sim_exists(s.sim, STATE "/script/1"));
    stand_free(&s);
}

static void a_journal_that_cannot_be_read_leaves_the_script(void **state)
{
    struct stand s;
    char dir[256];

    (void)state;
    stand_up(&s, &by_file);
    power_off(&s);
    break_all(&s, SIM_PREAD, EIO);
    power_on(&s, 'a');
    assert_null(s.device);
    assert_false(s.trouble.updates);
    mend(&s);
    assert_int_equal(up_device_last_resort(s.storage, &s.config, dir, sizeof dir, &s.err), 0);
    assert_string_equal(dir, STATE "/script/1");
    up_config_free(&s.config);
    power_on(&s, 'a');
    runs(&s, 0, 1);
    stand_free(&s);
}

static void only_a_device_that_never_was_or_is_taken_ends(void **state)
{
    struct sim *sim = sim_new();
    struct stand s;
    struct up_device *second;

    (void)state;
    s = (struct stand){.storage = sim_storage(sim)};
    configure(&s, 'a');
    assert_int_equal(up_device_come_up(&s.device, s.storage, &s.config, NULL, &s.action, &s.trouble, &s.err),
                     UP_USAGE);
    sim_put_dir(sim, STATE, 0700);
    assert_int_equal(up_device_come_up(&s.device, s.storage, &s.config, NULL, &s.action, &s.trouble, &s.err),
                     UP_USAGE);
    assert_non_null(strstr(s.err.message, "run moult provision"));
    up_config_free(&s.config);
    sim_free(sim);

    stand_up(&s, &by_file);
    assert_int_equal(up_device_come_up(&second, s.storage, &s.config, NULL, &s.action, &s.trouble, &s.err),
                     UP_BUSY);
    stand_free(&s);
}

/* A factory that was interrupted goes on only where nothing may hold a device: a
 * file of the journal that could not be opened may. */
static void what_could_not_be_looked_at_may_hold_a_device(void **state)
{
    unsigned hits = 0;
    struct stand s;

    (void)state;
    stand_up(&s, &by_file);
    power_off(&s);
    sim_settle(s.sim);
    sim_put_text(s.sim, STATE "/provisioning", "begun");
    sim_put_text(s.sim, STATE "/journal.0", "rubbish");
    sim_put_text(s.sim, STATE "/journal.1", "rubbish");
    for (unsigned n = 1; n == 1 || hits > 0; n++) {
        sim_reset_counters(s.sim);
        sim_fail(s.sim, SIM_OPEN, n, EMFILE, false);
        configure(&s, 'a');
        assert_int_not_equal(up_device_open(&s.device, s.storage, &s.config, UP_DEVICE_READ, &s.err), 0);
        hits = sim_fault_hits(s.sim);
        if (s.err.code != (hits > 0 ? UP_WRITE : UP_USAGE))
            fail_msg("open %u: %d: %s", n, s.err.code, s.err.message);
        up_config_free(&s.config);
    }
    sim_free(s.sim);
}

/*
 * Boot variables.
 */

/* Neither of its files is whole, or none is there. */
static void lose_boot_record(struct stand *s, bool gone)
{
    static const char *const paths[] = {STATE "/boot.0", STATE "/boot.1"};

    sim_settle(s->sim);
    for (size_t i = 0; i < 2; i++)
        if (!gone)
            sim_put_text(s->sim, paths[i], "rubbish");
        else
            assert_int_equal(s->storage->ops->unlink(s->storage, paths[i]), 0);
}

static void a_lost_boot_record_is_made_anew_for_the_confirmed_slot(void **state)
{
    struct stand s;

    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        stand_up(&s, &by_file);
        install(&s, CORE);
        power_off(&s);
        lose_boot_record(&s, gone);
        power_on(&s, 'a');
        /* Armed, and the loader that is played anew knows nothing of it: it is told again. */
        assert_int_equal(s.trouble.cause.code, UP_OK);
        assert_int_equal(s.action, UP_START_RESTART);
        power_off(&s);
        power_on(&s, 'a');
        assert_int_equal(phase_of(&s), UP_TRIAL);
        runs(&s, 1, 1);
        stand_free(&s);
    }
}

/* From the other slot, too, which then comes first in the order. */
static void a_lost_boot_record_names_the_slot_that_runs(void **state)
{
    static const struct world_plan second = {
        .name = "second", .provisioned = true, .package = WORLD_BOTH, .second = true};
    struct up_boot_state boot;
    struct up_boot *loader;
    struct stand s;

    (void)state;
    stand_up(&s, &second);
    runs(&s, 1, 1);
    power_off(&s);
    lose_boot_record(&s, false);
    power_on(&s, 'a');
    assert_int_equal(s.trouble.cause.code, UP_OK);
    runs(&s, 1, 1);
    assert_int_equal(
        up_boot_open(&loader, s.storage, (struct up_boot_place){UP_BOOT_FILE, STATE, NULL, NULL}, &s.err), 0);
    assert_int_equal(up_boot_read(loader, &boot, &s.err), 0);
    up_boot_close(loader);
    assert_int_equal(boot.count, 1);
    assert_int_equal(boot.order[0], 1);
    assert_true(boot.good[1]);
    assert_false(boot.good[0]);
    stand_free(&s);
}

/* And when it cannot be: without updates, until it can. */
static void a_boot_record_that_cannot_be_made_stops_updates_alone(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, &by_file);
    power_off(&s);
    lose_boot_record(&s, false);
    break_all(&s, SIM_CHANGES, EIO);
    sim_fail_below(s.sim, STATE "/boot");
    power_on(&s, 'a');
    runs(&s, 0, 1);
    without_updates(&s, STATE "/boot");
    heals(&s);
    assert_true(up_device_trouble(s.device)->updates);
    stand_free(&s);
}

/* One that may not be read is not lost: nothing is written over it. */
static void a_boot_record_that_may_not_be_read_is_not_made_anew(void **state)
{
    static const char *const paths[] = {STATE "/boot.0", STATE "/boot.1"};
    bool met = false;

    (void)state;
    for (unsigned n = 1; n < 60 && !met; n++) { /* reads of the journal come first */
        char *before[2], *now;
        struct stand s;
        size_t size;

        stand_up(&s, &by_file);
        power_off(&s);
        for (int i = 0; i < 2; i++)
            before[i] = sim_get(s.sim, paths[i], &size);
        sim_reset_counters(s.sim);
        sim_fail(s.sim, SIM_PREAD, n, EACCES, true);
        power_on(&s, 'a');
        met = strstr(s.trouble.cause.message, STATE "/boot") != NULL;
        for (int i = 0; i < 2; i++) {
            now = sim_get(s.sim, paths[i], &size);
            assert_true(!met || memcmp(now, before[i], size) == 0);
            free(now);
            free(before[i]);
        }
        stand_free(&s);
    }
    assert_true(met);
}

static void an_environment_that_cannot_be_read_changes_nothing(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, &by_uboot);
    power_off(&s);
    break_all(&s, SIM_BOOT_GET, EIO);
    power_on(&s, 'a');
    runs(&s, 0, 1);
    without_updates(&s, "U-Boot environment");
    assert_int_equal(world_install(s.device, s.storage, CORE, &s.err), UP_WRITE);
    assert_int_equal(phase_of(&s), UP_IDLE);
    heals(&s);
    install(&s, CORE);
    stand_free(&s);
}

static void a_loader_that_does_not_name_its_slot_runs_the_confirmed_one(void **state)
{
    struct stand s;
    char before[UP_BOOT_VALUE_SIZE];

    (void)state;
    arm_core(&s);
    power_off(&s);
    power_on(&s, 'b');
    assert_int_equal(phase_of(&s), UP_TRIAL);
    power_off(&s);
    sim_variable(s.sim, "BOOT_ORDER", before);
    sim_settle(s.sim);
    sim_put_text(s.sim, "/proc/cmdline-x", "console=ttyS0\n");
    power_on(&s, 'x');
    runs(&s, 0, 1);
    without_updates(&s, "has no moult.slot=");
    /* It may be the new core that runs: no verdict by guess. */
    assert_int_equal(phase_of(&s), UP_TRIAL);
    assert_true(up_device_trial_start(s.device, &s.action, &s.err) < 0);
    assert_int_equal(up_device_state(s.device)->tx.starts, 0);
    assert_true(up_device_confirm(s.device, &s.err) < 0);
    variable(&s, "BOOT_ORDER", before);
    stand_free(&s);
}

/*
 * On trial.
 */

static void enter_trial(struct stand *s, const char *path, char slot)
{
    install(s, path);
    if (strcmp(path, SCRIPT) == 0) {
        assert_int_equal(up_device_begin_trial(s->device, &s->err), 0);
    } else {
        power_off(s);
        power_on(s, slot);
    }
    assert_int_equal(phase_of(s), UP_TRIAL);
}

/* Whichever copy is lost, the other one does not count the starts of what was confirmed. */
static void what_was_confirmed_is_in_both_copies(void **state)
{
    static const char *const copies[] = {STATE "/boot.0", STATE "/boot.1"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct up_boot_state boot;
        struct up_boot *loader;
        struct stand s;

        stand_up(&s, &by_file);
        enter_trial(&s, CORE, 'a');
        assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), 0);
        assert_int_equal(up_device_confirm(s.device, &s.err), 0);
        power_off(&s);
        sim_settle(s.sim);
        sim_put_text(s.sim, copies[i], "rubbish");
        assert_int_equal(
            up_boot_open(&loader, s.storage, (struct up_boot_place){UP_BOOT_FILE, STATE, NULL, NULL}, &s.err),
            0);
        assert_int_equal(up_boot_read(loader, &boot, &s.err), 0);
        up_boot_close(loader);
        assert_int_equal(boot.order[0], 1);
        assert_true(boot.good[1]);
        power_on(&s, 'a');
        runs(&s, 1, 1);
        stand_free(&s);
    }
}

static void a_script_on_trial_that_cannot_be_counted_is_left_alone(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, &by_file);
    enter_trial(&s, SCRIPT, 'a');
    break_state(&s);
    assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), UP_WRITE);
    runs(&s, 0, 1);
    without_updates(&s, "its start on trial cannot be counted");
    assert_int_equal(up_device_confirm(s.device, &s.err), UP_DEFERRED);
    assert_true(retry(&s) < 0);
    runs(&s, 0, 1);
    heals(&s);
    assert_false(up_device_uncounted(s.device));
    runs(&s, 0, 2);
    assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), 0);
    assert_int_equal(up_device_state(s.device)->tx.starts, 1);
    assert_int_equal(up_device_confirm(s.device, &s.err), 0);
    stand_free(&s);
}

/* Armed or on trial: a script has no slot of its own, and the one that runs stays first. */
/* Its starts are spent, and that it goes back cannot be written: the confirmed one runs. */
static void a_trial_that_is_over_and_cannot_be_ended_is_left_alone(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, &by_file);
    enter_trial(&s, SCRIPT, 'a');
    for (unsigned i = 0; i < UP_TRIAL_STARTS; i++)
        assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), 0);
    assert_false(up_device_uncounted(s.device));
    break_state(&s);
    assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), UP_WRITE);
    assert_true(up_device_uncounted(s.device));
    runs(&s, 0, 1);
    without_updates(&s, "its start on trial cannot be counted");
    heals(&s);
    assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), UP_ROLLEDBACK);
    assert_int_equal(phase_of(&s), UP_IDLE);
    runs(&s, 0, 1);
    stand_free(&s);
}

static void a_script_that_cannot_be_counted_leaves_the_loader_alone(void **state)
{
    char before[UP_BOOT_VALUE_SIZE];

    (void)state;
    for (int trial = 0; trial < 2; trial++) {
        struct stand s;

        stand_up(&s, &by_uboot);
        sim_variable(s.sim, "BOOT_ORDER", before);
        install(&s, SCRIPT);
        if (trial)
            assert_int_equal(up_device_begin_trial(s.device, &s.err), 0);
        break_state(&s);
        if (trial)
            assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), UP_WRITE);
        variable(&s, "BOOT_ORDER", before);
        power_off(&s);
        power_on(&s, 'a');
        if (trial)
            assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), UP_WRITE);
        runs(&s, 0, 1);
        variable(&s, "BOOT_ORDER", before);
        stand_free(&s);
    }
}

static void a_script_that_could_not_be_counted_goes_back_and_leaves_no_trace(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, &by_file);
    enter_trial(&s, SCRIPT, 'a');
    break_state(&s);
    assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), UP_WRITE);
    assert_true(up_device_uncounted(s.device));
    mend(&s);
    assert_int_equal(up_device_rollback(s.device, false, "another", &s.action, &s.err), 0);
    assert_false(up_device_uncounted(s.device));
    stand_free(&s);
}

static void a_core_on_trial_that_cannot_be_counted_is_left_by_one_write(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, &by_uboot);
    enter_trial(&s, CORE, 'b');
    break_state(&s);
    assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), UP_WRITE);
    assert_int_equal(s.action, UP_START_RESTART);
    variable(&s, "BOOT_ORDER", "a");
    power_off(&s);
    power_on(&s, 'a');
    runs(&s, 0, 1);
    assert_false(s.trouble.updates);
    assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err) < 0, 1);
    runs(&s, 0, 1);
    heals(&s);
    assert_int_equal(phase_of(&s), UP_IDLE);
    assert_int_equal(up_device_state(s.device)->last.code, UP_ROLLEDBACK);
    stand_free(&s);
}

/* What is armed starts, and the state takes no write. */
static void leave_what_cannot_be_noted(struct stand *s)
{
    arm_core(s);
    power_off(s);
    break_state(s);
    power_on(s, 'b');
    assert_int_equal(s->action, UP_START_RESTART);
    variable(s, "BOOT_ORDER", "a");
}

/* The restart does not happen, and the state takes writes again: what is then
 * confirmed is also what the loader starts. */
static void a_core_that_was_left_and_is_confirmed_all_the_same_starts_again(void **state)
{
    struct stand s;

    (void)state;
    leave_what_cannot_be_noted(&s);
    heals(&s);
    assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), 0);
    assert_int_equal(up_device_confirm(s.device, &s.err), 0);
    variable(&s, "BOOT_ORDER", "b a");
    variable(&s, "BOOT_b_LEFT", "");
    stand_free(&s);
}

/* Armed, and the restart finds a state that takes no write: as above, once. */
static void what_is_armed_and_cannot_be_noted_is_left_by_one_write(void **state)
{
    struct stand s;

    (void)state;
    leave_what_cannot_be_noted(&s);
    for (int i = 0; i < 3; i++) {
        power_off(&s);
        power_on(&s, 'a');
        runs(&s, 0, 1);
        variable(&s, "BOOT_ORDER", "a");
    }
    stand_free(&s);
}

static void a_loader_that_cannot_be_told_either_runs_what_it_started(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, &by_uboot);
    enter_trial(&s, CORE, 'b');
    break_all(&s, SIM_CHANGES, EIO);
    assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), UP_WRITE);
    runs(&s, 1, 1);
    assert_int_equal(up_device_confirm(s.device, &s.err), UP_DEFERRED);
    assert_int_equal(phase_of(&s), UP_TRIAL);
    heals(&s);
    assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), 0);
    assert_int_equal(up_device_confirm(s.device, &s.err), 0);
    stand_free(&s);
}

static void by_file_the_last_good_slot_counts_as_running(void **state)
{
    struct up_device *other;
    struct stand s;

    (void)state;
    stand_up(&s, &by_file);
    enter_trial(&s, CORE, 'b');
    runs(&s, 1, 1);
    break_state(&s);
    assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), UP_WRITE);
    runs(&s, 0, 1);
    assert_int_equal(up_device_reload(s.device, &s.err), 0);
    runs(&s, 0, 1);
    power_off(&s);
    power_on(&s, 'a');
    runs(&s, 0, 1);
    heals(&s);
    assert_int_equal(up_device_open(&other, s.storage, &s.config, UP_DEVICE_READ, &s.err), 0);
    up_device_close(other);
    stand_free(&s);
}

/*
 * Arming, and back.
 */

static void arm_fails(struct stand *s)
{
    assert_int_equal(world_install(s->device, s->storage, CORE, &s->err), UP_WRITE);
    assert_int_equal(phase_of(s), UP_ARMING);
}

static void a_loader_that_cannot_be_told_ends_the_transaction(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, &by_uboot);
    for (int round = 0; round < 2; round++) {
        break_all(&s, SIM_BOOT_SET, EROFS);
        /* In the second round the slot cannot be forgotten for sure, so nothing begins. */
        if (round == 0) {
            arm_fails(&s);
            assert_int_equal(up_device_abandon(s.device, UP_WRITE, "worn", &s.err), 0);
        } else {
            assert_int_equal(world_install(s.device, s.storage, CORE, &s.err), UP_WRITE);
        }
        assert_int_equal(phase_of(&s), UP_IDLE);
        assert_int_equal(up_device_state(s.device)->last.code, UP_WRITE);
        variable(&s, "BOOT_ORDER", "a");
    }
    mend(&s);
    install(&s, CORE);
    assert_int_equal(phase_of(&s), UP_ARMED);
    variable(&s, "BOOT_ORDER", "b a");
    stand_free(&s);
}

/* Cut off while arming: the next start finds the same. */
static void a_loader_that_cannot_be_told_after_a_restart_either(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, &by_uboot);
    break_all(&s, SIM_BOOT_SET, EROFS);
    arm_fails(&s);
    power_off(&s);
    power_on(&s, 'a');
    runs(&s, 0, 1);
    assert_int_equal(phase_of(&s), UP_IDLE);
    assert_int_equal(up_device_state(s.device)->last.code, UP_WRITE);
    assert_int_equal(s.trouble.cause.code, UP_OK);
    stand_free(&s);
}

static void disarm_in_vain(struct stand *s)
{
    arm_core(s);
    break_all(s, SIM_BOOT_SET, EIO);
    assert_int_equal(up_device_rollback(s->device, false, "by hand", &s->action, &s->err), UP_WRITE);
}

/* What is there starts the new slot first, and cannot be taken back. */
static void a_loader_that_was_told_and_cannot_be_told_otherwise(void **state)
{
    struct stand s;

    (void)state;
    disarm_in_vain(&s);
    assert_int_equal(phase_of(&s), UP_ROLLING_BACK);
    runs(&s, 0, 1);
    assert_int_equal(world_install(s.device, s.storage, SCRIPT, &s.err), UP_BUSY);
    /* The loader does as it was told: restarts spend the tries of the slot. */
    for (int i = 0; i < 3; i++) {
        power_off(&s);
        power_on(&s, 'b');
        assert_int_equal(s.action, UP_START_RESTART);
    }
    power_off(&s);
    power_on(&s, 'b'); /* it does not even count: run what there is */
    runs(&s, 1, 1);
    assert_int_equal(phase_of(&s), UP_ROLLING_BACK);
    power_off(&s);
    power_on(&s, 'a');
    runs(&s, 0, 1);
    without_updates(&s, "U-Boot environment");
    assert_int_equal(phase_of(&s), UP_ROLLING_BACK);
    heals(&s);
    assert_int_equal(phase_of(&s), UP_IDLE);
    variable(&s, "BOOT_ORDER", "a");
    install(&s, CORE);
    stand_free(&s);
}

static void assert_restarts(const struct stand *s, unsigned counted, enum up_start_action action)
{
    assert_int_equal(s->action, action);
    assert_int_equal(up_device_state(s->device)->tx.restarts, counted);
}

/* It ends before the device goes down: what the loader would have done nobody knows. */
static void ends_of_the_program_use_up_no_restarts(void **state)
{
    struct stand s;

    (void)state;
    disarm_in_vain(&s);
    for (unsigned boot = 1; boot <= 3; boot++) {
        power_off(&s);
        power_on(&s, 'b');
        assert_restarts(&s, boot, UP_START_RESTART);
        for (int i = 0; i < 5; i++) { /* not for ever: what there is has to run */
            next_process(&s, 'b');
            assert_restarts(&s, boot, i < 2 ? UP_START_RESTART : UP_START_RUN);
        }
    }
    power_off(&s);
    power_on(&s, 'b'); /* it does not even count */
    assert_restarts(&s, 3, UP_START_RUN);
    mend(&s);
    power_off(&s);
    power_on(&s, 'a');
    assert_int_equal(phase_of(&s), UP_IDLE);
    assert_false(sim_exists(s.sim, STATE "/restarts"));
    stand_free(&s);
}

/* Nor are they a verdict on what is armed: it starts with the restart that comes. */
static void ends_of_the_program_leave_what_is_armed(void **state)
{
    struct stand s;

    (void)state;
    for (int known = 0; known < 2; known++) {
        arm_core(&s);
        if (!known)
            break_all(&s, SIM_BOOT_ID, EIO);
        for (int i = 0; i < 5; i++) {
            next_process(&s, 'a');
            if (known || i < 3) {
                assert_restarts(&s, known ? 1 : (unsigned)i + 1, i < 3 ? UP_START_RESTART : UP_START_RUN);
                assert_int_equal(phase_of(&s), UP_ARMED);
            } else {
                assert_int_equal(phase_of(&s), UP_IDLE); /* each counts, where one boot is like another */
            }
        }
        power_off(&s);
        power_on(&s, known ? 'b' : 'a');
        assert_int_equal(phase_of(&s), known ? UP_TRIAL : UP_IDLE);
        stand_free(&s);
    }
}

/* What cannot be noted is counted as before. */
static void restarts_that_cannot_be_noted_are_counted(void **state)
{
    struct stand s;

    (void)state;
    arm_core(&s);
    sim_settle(s.sim);
    sim_put_dir(s.sim, STATE "/restarts.new", 0755);
    for (unsigned i = 1; i <= 3; i++) {
        next_process(&s, 'a');
        assert_restarts(&s, i, UP_START_RESTART);
    }
    next_process(&s, 'a');
    assert_int_equal(phase_of(&s), UP_IDLE);
    stand_free(&s);
}

static void there_is_no_way_back_from_confirming(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s, &by_uboot);
    enter_trial(&s, CORE, 'b');
    assert_int_equal(up_device_trial_start(s.device, &s.action, &s.err), 0);
    break_all(&s, SIM_BOOT_SET, EIO);
    assert_int_equal(up_device_confirm(s.device, &s.err), UP_WRITE);
    assert_int_equal(phase_of(&s), UP_CONFIRMING);
    assert_int_equal(up_device_rollback(s.device, true, "no", &s.action, &s.err), UP_REFUSED);
    assert_non_null(strstr(s.err.message, "it is being confirmed"));
    assert_true(retry(&s) < 0);
    runs(&s, 1, 1);
    heals(&s);
    assert_int_equal(phase_of(&s), UP_IDLE);
    assert_int_equal(up_device_state(s.device)->last.code, UP_OK);
    stand_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_that_takes_no_write_runs_what_is_confirmed),
        cmocka_unit_test(a_lock_that_cannot_be_made_is_waited_for),
        cmocka_unit_test(whatever_lies_in_the_place_of_the_lock_is_locked),
        cmocka_unit_test(a_second_directory_that_takes_no_write_stops_updates_alone),
        cmocka_unit_test(a_try_to_write_leaves_nothing_behind),
        cmocka_unit_test(a_state_that_cannot_be_looked_at_is_trouble_at_the_next_look),
        cmocka_unit_test(what_a_cut_left_behind_goes_at_the_next_start),
        cmocka_unit_test(what_was_lost_is_made_anew_at_the_next_start),
        cmocka_unit_test(what_cannot_be_removed_is_in_nobodys_way),
        cmocka_unit_test(a_journal_that_cannot_be_read_leaves_the_script),
        cmocka_unit_test(only_a_device_that_never_was_or_is_taken_ends),
        cmocka_unit_test(what_could_not_be_looked_at_may_hold_a_device),
        cmocka_unit_test(a_lost_boot_record_is_made_anew_for_the_confirmed_slot),
        cmocka_unit_test(a_lost_boot_record_names_the_slot_that_runs),
        cmocka_unit_test(what_was_confirmed_is_in_both_copies),
        cmocka_unit_test(a_boot_record_that_cannot_be_made_stops_updates_alone),
        cmocka_unit_test(a_boot_record_that_may_not_be_read_is_not_made_anew),
        cmocka_unit_test(an_environment_that_cannot_be_read_changes_nothing),
        cmocka_unit_test(a_loader_that_does_not_name_its_slot_runs_the_confirmed_one),
        cmocka_unit_test(a_script_on_trial_that_cannot_be_counted_is_left_alone),
        cmocka_unit_test(a_trial_that_is_over_and_cannot_be_ended_is_left_alone),
        cmocka_unit_test(a_script_that_cannot_be_counted_leaves_the_loader_alone),
        cmocka_unit_test(a_script_that_could_not_be_counted_goes_back_and_leaves_no_trace),
        cmocka_unit_test(a_core_on_trial_that_cannot_be_counted_is_left_by_one_write),
        cmocka_unit_test(a_core_that_was_left_and_is_confirmed_all_the_same_starts_again),
        cmocka_unit_test(what_is_armed_and_cannot_be_noted_is_left_by_one_write),
        cmocka_unit_test(a_loader_that_cannot_be_told_either_runs_what_it_started),
        cmocka_unit_test(by_file_the_last_good_slot_counts_as_running),
        cmocka_unit_test(a_loader_that_cannot_be_told_ends_the_transaction),
        cmocka_unit_test(a_loader_that_cannot_be_told_after_a_restart_either),
        cmocka_unit_test(a_loader_that_was_told_and_cannot_be_told_otherwise),
        cmocka_unit_test(ends_of_the_program_use_up_no_restarts),
        cmocka_unit_test(ends_of_the_program_leave_what_is_armed),
        cmocka_unit_test(restarts_that_cannot_be_noted_are_counted),
        cmocka_unit_test(there_is_no_way_back_from_confirming),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
