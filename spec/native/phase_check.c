/*
 * phase_check.c -- what does not fit the phase of a device is refused in words
 * and changes nothing; phases that a caller finds half done go on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"
#include "device.h"
#include "error.h"
#include "journal.h"
#include "world.h"

#define SCRIPT "/packages/script.upd"
#define CORE "/packages/core.upd"

static const struct world_plan by_script = {.name = "script", .provisioned = true, .package = WORLD_SCRIPT};

struct stand {
    struct sim *sim;
    struct up_storage *storage;
    struct up_config config;
    struct up_device *device;
    struct up_error err;
};

static void power_on(struct stand *s)
{
    enum up_start_action action;

    world_configure(&s->config);
    if (up_device_open(&s->device, s->storage, &s->config, UP_DEVICE_LOCK, &s->err) < 0 ||
        up_device_start(s->device, &action, &s->err) < 0)
        fail_msg("%s", s->err.message);
}

static void power_off(struct stand *s)
{
    up_device_close(s->device);
    up_config_free(&s->config);
}

static void stand_up(struct stand *s, const struct world_plan *plan)
{
    s->sim = world_new(plan);
    s->storage = sim_storage(s->sim);
    power_on(s);
}

static void stand_free(struct stand *s)
{
    power_off(s);
    assert_int_equal(sim_open_files(s->sim), 0);
    sim_free(s->sim);
}

static struct up_manifest manifest_of(struct sim *sim, const char *path)
{
    struct up_manifest m;
    struct up_error err;
    char *bytes = sim_get(sim, path, NULL);

    if (up_manifest_parse(&m, bytes + 512, strtoul(bytes + 124, NULL, 8), &err) < 0)
        fail_msg("%s", err.message);
    free(bytes);
    return m;
}

static enum up_phase phase_of(const struct stand *s)
{
    return up_device_state(s->device)->phase;
}

/* A call that is refused with this code and words, and writes nothing. */
#define assert_refused(s, call, wanted, fragment)                   \
    do {                                                            \
        enum up_phase before_ = phase_of(s);                        \
        unsigned ops_ = sim_ops((s)->sim);                          \
        int rc_ = (call);                                           \
        if (rc_ != (wanted) || !strstr((s)->err.message, fragment)) \
            fail_msg("%s: %d: %s", #call, rc_, (s)->err.message);   \
        assert_int_equal(phase_of(s), before_);                     \
        assert_int_equal(sim_ops((s)->sim), ops_);                  \
    } while (0)

static void nothing_can_be_done_to_an_idle_device(void **state)
{
    struct stand s;
    struct up_manifest m;
    enum up_start_action action;

    (void)state;
    stand_up(&s, &by_script);
    m = manifest_of(s.sim, SCRIPT);
    assert_refused(&s, up_device_begin_trial(s.device, &s.err), UP_NOTHING,
                   "nothing is armed: the device is idle");
    assert_refused(&s, up_device_trial_start(s.device, &action, &s.err), UP_NOTHING, "no trial");
    assert_refused(&s, up_device_trial_failed(s.device, "x", &s.err), UP_NOTHING, "no trial");
    assert_refused(&s, up_device_confirm(s.device, &s.err), UP_NOTHING, "idle");
    assert_refused(&s, up_device_rollback(s.device, true, "x", &action, &s.err), UP_NOTHING, "idle");
    assert_refused(&s, up_device_abandon(s.device, UP_REFUSED, "x", &s.err), UP_NOTHING, "idle");
    assert_refused(&s, up_device_finish(s.device, &m, &s.err), UP_NOTHING, "no transaction of it");
    stand_free(&s);
}

static void an_open_transaction_is_dropped_and_remembered(void **state)
{
    struct stand s;
    struct up_manifest script, core;
    const struct up_journal_state *j;

    (void)state;
    stand_up(&s, &by_script);
    script = manifest_of(s.sim, SCRIPT);
    core = manifest_of(s.sim, CORE);
    assert_int_equal(up_device_begin(s.device, &script, &s.err), 0);
    assert_int_equal(phase_of(&s), UP_FETCHING);
    assert_refused(&s, up_device_confirm(s.device, &s.err), UP_NOTHING, "fetching");
    assert_refused(&s, up_device_finish(s.device, &core, &s.err), UP_NOTHING, "no transaction of it");
    assert_int_equal(up_device_abandon(s.device, UP_REFUSED, "told to", &s.err), 0);
    j = up_device_state(s.device);
    assert_int_equal(j->phase, UP_IDLE);
    assert_int_equal(j->last.code, UP_REFUSED);
    assert_string_equal(j->last.message, "told to");
    /* Another one takes its place at any time before it is armed. */
    assert_int_equal(up_device_begin(s.device, &script, &s.err), 0);
    assert_int_equal(up_device_begin(s.device, &core, &s.err), 0);
    assert_memory_equal(up_device_state(s.device)->tx.pair.digest, core.digest, sizeof core.digest);
    power_off(&s);
    power_on(&s);
    assert_memory_equal(up_device_state(s.device)->tx.pair.digest, core.digest, sizeof core.digest);
    stand_free(&s);
}

static void what_is_armed_stays_until_it_is_decided(void **state)
{
    struct stand s;
    struct up_manifest script;
    enum up_start_action action;

    (void)state;
    stand_up(&s, &(struct world_plan){.name = "core", .provisioned = true, .package = WORLD_CORE});
    script = manifest_of(s.sim, SCRIPT);
    if (world_install(s.device, s.storage, CORE, &s.err) < 0)
        fail_msg("%s", s.err.message);
    assert_int_equal(phase_of(&s), UP_ARMED);
    assert_refused(&s, up_device_begin(s.device, &script, &s.err), UP_BUSY, "confirm it or roll it back");
    assert_refused(&s, up_device_begin_trial(s.device, &s.err), UP_RESTART, "starts with the next restart");
    assert_refused(&s, up_device_confirm(s.device, &s.err), UP_NOTHING, "armed");
    assert_refused(&s, up_device_abandon(s.device, UP_REFUSED, "x", &s.err), UP_NOTHING, "armed");
    assert_int_equal(up_device_rollback(s.device, false, "by hand", &action, &s.err), 0);
    assert_int_equal(action, UP_START_RUN);
    assert_int_equal(phase_of(&s), UP_IDLE);
    stand_free(&s);
}

/* The first package makes the whole device. */
static void a_factory_package_has_all_parts(void **state)
{
    struct sim *sim = world_new(&(struct world_plan){.name = "factory"});
    static const struct {
        const char *path, *fragment;
    } cases[] = {{CORE, "has no script"}, {SCRIPT, "has no core"}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct up_manifest m = manifest_of(sim, cases[i].path);
        struct up_config config;
        struct up_device *d;
        struct up_error err;

        world_configure(&config);
        assert_int_equal(up_device_provision(&d, sim_storage(sim), &config, &err), 0);
        assert_int_equal(up_device_begin(d, &m, &err), UP_INCOMPATIBLE);
        assert_non_null(strstr(err.message, cases[i].fragment));
        up_device_close(d);
        up_config_free(&config);
        assert_false(sim_exists(sim, "/device/state/journal.0"));
    }
    sim_free(sim);
}

static void a_state_with_too_long_a_path_is_refused(void **state)
{
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_journal *j;
    struct up_device *d;
    struct up_error err;
    char path[4200];

    (void)state;
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    world_configure(&config);
    free(config.state);
    config.state = strdup(path);
    assert_int_equal(up_device_open(&d, sim_storage(sim), &config, UP_DEVICE_LOCK, &err), UP_USAGE);
    assert_int_equal(up_device_provision(&d, sim_storage(sim), &config, &err), UP_USAGE);
    assert_int_equal(up_journal_open(&j, sim_storage(sim), path, &err), UP_USAGE);
    up_config_free(&config);
    sim_free(sim);
}

/* The loader prefers a slot of which the journal knows nothing: disarmed, and
 * the other one started. */
static void a_slot_without_a_pair_is_not_run(void **state)
{
    struct stand s;
    enum up_start_action action;
    struct up_boot_state b;
    struct up_boot *boot;

    (void)state;
    stand_up(&s, &by_script);
    assert_int_equal(up_boot_open(&boot, s.storage, &s.config, &s.err), 0);
    assert_int_equal(up_boot_read(boot, &b, &s.err), 0);
    b.order[0] = 1;
    b.order[1] = 0;
    b.count = 2;
    b.good[1] = 0;
    b.tries[1] = 3;
    assert_int_equal(up_boot_write(boot, &b, &s.err), 0);
    up_boot_close(boot);
    up_device_close(s.device);
    assert_int_equal(up_device_open(&s.device, s.storage, &s.config, UP_DEVICE_LOCK, &s.err), 0);
    assert_int_equal(up_device_start(s.device, &action, &s.err), 0);
    assert_int_equal(action, UP_START_RESTART);
    up_device_close(s.device);
    assert_int_equal(up_device_open(&s.device, s.storage, &s.config, UP_DEVICE_LOCK, &s.err), 0);
    assert_int_equal(up_device_start(s.device, &action, &s.err), 0);
    assert_int_equal(action, UP_START_RUN);
    assert_int_equal(up_device_running(s.device), 0);
    stand_free(&s);
}

/* Power lost at each start of a trial: nobody saw it fail. */
static void spent_starts_that_nobody_saw_fail_roll_back(void **state)
{
    struct stand s;
    enum up_start_action action;

    (void)state;
    stand_up(&s, &by_script);
    if (world_install(s.device, s.storage, SCRIPT, &s.err) < 0 || up_device_begin_trial(s.device, &s.err) < 0)
        fail_msg("%s", s.err.message);
    for (int i = 0; i < UP_TRIAL_STARTS; i++) {
        assert_int_equal(up_device_trial_start(s.device, &action, &s.err), 0);
        power_off(&s);
        power_on(&s);
    }
    assert_int_equal(up_device_trial_start(s.device, &action, &s.err), UP_ROLLEDBACK);
    assert_non_null(strstr(s.err.message, "power was lost, or the core hung"));
    assert_int_equal(action, UP_START_RUN);
    assert_int_equal(phase_of(&s), UP_IDLE);
    stand_free(&s);
}

/* One that was cut while it rolled back, and is told to again. */
static void a_rollback_goes_on_when_it_is_asked_for_again(void **state)
{
    struct stand s;
    struct up_journal_state *j = malloc(sizeof *j);
    struct up_journal *journal;
    enum up_start_action action;

    (void)state;
    stand_up(&s, &by_script);
    if (world_install(s.device, s.storage, SCRIPT, &s.err) < 0 || up_device_begin_trial(s.device, &s.err) < 0)
        fail_msg("%s", s.err.message);
    *j = *up_device_state(s.device);
    j->phase = UP_ROLLING_BACK;
    assert_int_equal(up_journal_open(&journal, s.storage, s.config.state, &s.err), 0);
    assert_int_equal(up_journal_write(journal, j, &s.err), 0);
    up_journal_close(journal);
    free(j);
    assert_int_equal(up_device_reload(s.device, &s.err), 0);
    assert_refused(&s, up_device_confirm(s.device, &s.err), UP_NOTHING, "rolling_back");
    assert_int_equal(up_device_rollback(s.device, true, "again", &action, &s.err), 0);
    assert_int_equal(phase_of(&s), UP_IDLE);
    stand_free(&s);
}

/* A permit that comes when the transaction is open already takes the place of
 * the one that it began with. */
static void a_permit_may_be_given_again(void **state)
{
    struct stand s;
    struct up_manifest m;

    (void)state;
    stand_up(&s, &(struct world_plan){
                     .name = "permit", .provisioned = true, .package = WORLD_SCRIPT, .permit = true});
    m = manifest_of(s.sim, SCRIPT);
    assert_int_equal(up_device_begin(s.device, &m, &s.err), UP_INCOMPATIBLE);
    assert_int_equal(up_device_permit(s.device, WORLD_PERMIT, &s.err), 0);
    assert_int_equal(up_device_begin(s.device, &m, &s.err), 0);
    assert_int_equal(up_device_state(s.device)->tx.permit.not_after, 4000000000u);
    assert_int_equal(up_device_begin(s.device, &m, &s.err), 0);
    assert_int_equal(phase_of(&s), UP_FETCHING);
    power_off(&s);
    power_on(&s);
    assert_int_equal(up_device_begin(s.device, &m, &s.err), 0);
    stand_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_can_be_done_to_an_idle_device),
        cmocka_unit_test(an_open_transaction_is_dropped_and_remembered),
        cmocka_unit_test(what_is_armed_stays_until_it_is_decided),
        cmocka_unit_test(a_factory_package_has_all_parts),
        cmocka_unit_test(a_state_with_too_long_a_path_is_refused),
        cmocka_unit_test(a_slot_without_a_pair_is_not_run),
        cmocka_unit_test(spent_starts_that_nobody_saw_fail_roll_back),
        cmocka_unit_test(a_rollback_goes_on_when_it_is_asked_for_again),
        cmocka_unit_test(a_permit_may_be_given_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
