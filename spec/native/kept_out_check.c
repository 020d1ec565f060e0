/*
 * kept_out_check.c -- days on which the policy of a release kept packages out:
 * counted once each, whatever the clock does, over restarts; and when the count
 * begins anew.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "fixture.h"
#include "stand.h"

#define SCRIPT "/packages/script.upd"
#define NOW 4102444800ull /* midnight, after any build of this program for years */
#define HOUR 3600ull
#define DAY 86400ull

static const struct world_plan by_script = {.name = "script", .provisioned = true, .package = WORLD_SCRIPT};
static const struct world_plan by_core = {.name = "core", .provisioned = true, .package = WORLD_CORE};

static void begin(struct stand *s, const struct world_plan *plan, uint64_t now)
{
    struct sim *sim = world_new(plan);

    sim_set_now(sim, now);
    stand_up(s, sim);
}

/* Another boot of the system, by the same clock. */
static void restart(struct stand *s)
{
    struct sim_choice nothing_lost = {.model = SIM_ORDERED};
    struct sim *next;

    power_off(s);
    sim_settle(s->sim);
    next = sim_reboot(s->sim, &nothing_lost);
    sim_free(s->sim);
    stand_up(s, next);
}

/* The system sleeps, and its clock is none when it wakes. */
static void suspend(struct stand *s, uint64_t seconds)
{
    sim_suspend(s->sim, seconds * 1000);
    sim_set_now(s->sim, 0);
}

static void set_clock(struct stand *s, uint64_t now)
{
    sim_set_now(s->sim, now);
}

static void pass(struct stand *s, uint64_t seconds)
{
    sim_advance(s->sim, seconds * 1000);
}

/* A package was kept out; the count, as it is on record. */
static unsigned keep_out(struct stand *s)
{
    unsigned writes;
    bool due = up_device_kept_out_due(s->device);

    sim_reset_counters(s->sim);
    assert_int_equal(up_device_count_kept_out(s->device, &s->err), 0);
    writes = sim_calls(s->sim, SIM_PWRITE);
    assert_true(due ? writes > 0 : writes == 0);
    assert_false(up_device_kept_out_due(s->device));
    assert_int_equal(up_device_reload(s->device, &s->err), 0);
    return up_device_state(s->device)->kept_out.days;
}

static void a_day_of_the_calendar_counts_once(void **state)
{
    struct stand s;

    (void)state;
    begin(&s, &by_script, NOW);
    for (unsigned day = 1; day <= 9; day++) {
        assert_int_equal(keep_out(&s), day);
        pass(&s, DAY - 1);
        assert_int_equal(keep_out(&s), day);
        restart(&s);
        assert_int_equal(keep_out(&s), day);
        pass(&s, 1);
    }
    /* Set back, it is another day; not once more. */
    set_clock(&s, NOW);
    assert_int_equal(keep_out(&s), 10);
    assert_int_equal(keep_out(&s), 10);
    stand_free(&s);
}

static void without_a_clock_starts_and_hours_count(void **state)
{
    struct stand s;

    (void)state;
    begin(&s, &by_script, 0);
    assert_int_equal(keep_out(&s), 1);
    pass(&s, DAY - 1);
    assert_int_equal(keep_out(&s), 1);
    pass(&s, 1);
    assert_int_equal(keep_out(&s), 2);
    suspend(&s, DAY - 1);
    assert_int_equal(keep_out(&s), 2);
    pass(&s, 1);
    assert_int_equal(keep_out(&s), 3);
    set_clock(&s, 0);
    restart(&s);
    assert_int_equal(keep_out(&s), 4);
    assert_int_equal(keep_out(&s), 4);
    restart(&s);
    assert_int_equal(keep_out(&s), 5);
    stand_free(&s);
}

/* The usual device: 1970 at each start, and the time some seconds later. */
static void a_clock_that_is_set_after_each_start_counts_days(void **state)
{
    struct stand s;

    (void)state;
    begin(&s, &by_script, 0);
    assert_int_equal(keep_out(&s), 1);
    set_clock(&s, NOW);
    assert_int_equal(keep_out(&s), 1);
    for (unsigned start = 0; start < 5; start++) {
        set_clock(&s, 0);
        restart(&s);
        assert_int_equal(keep_out(&s), 1);
        set_clock(&s, NOW + start);
        assert_int_equal(keep_out(&s), 1);
    }
    set_clock(&s, NOW + DAY);
    assert_int_equal(keep_out(&s), 2);
    /* Nobody sets it any more: that must not be the end of the count. */
    set_clock(&s, 0);
    restart(&s);
    assert_int_equal(keep_out(&s), 2);
    pass(&s, HOUR - sim_storage(s.sim)->ops->monotonic(sim_storage(s.sim)) / 1000 - 1);
    assert_int_equal(keep_out(&s), 2);
    pass(&s, 1);
    assert_int_equal(keep_out(&s), 3);
    stand_free(&s);
}

/* Install, by the release's own policy or not; as far as armed. */
static void take(struct stand *s, const char *path, bool by_release)
{
    up_device_let_in(s->device, by_release);
    install(s, path);
}

static void the_count_begins_anew_when_something_gets_in(void **state)
{
    struct stand s;
    enum up_start_action action;

    (void)state;
    for (int core = 0; core < 2; core++) {
        const char *path = core ? "/packages/core.upd" : SCRIPT;

        begin(&s, core ? &by_core : &by_script, NOW);
        assert_int_equal(keep_out(&s), 1);
        take(&s, path, true);
        assert_false(up_device_kept_out_due(s.device)); /* the supervisor owns the state */
        assert_int_equal(up_device_rollback(s.device, false, "by hand", &action, &s.err), 0);
        assert_int_equal(up_device_state(s.device)->kept_out.days, 1); /* it did not get in after all */
        assert_int_equal(keep_out(&s), 1);

        /* Past that policy: only what is confirmed counts. */
        take(&s, path, false);
        assert_int_equal(up_device_state(s.device)->kept_out.days, 1);
        assert_false(up_device_kept_out_due(s.device));
        assert_int_equal(up_device_rollback(s.device, false, "by hand", &action, &s.err), 0);
        assert_int_equal(up_device_state(s.device)->kept_out.days, 1);
        stand_free(&s);
    }
    begin(&s, &by_script, NOW);
    assert_int_equal(keep_out(&s), 1);
    take(&s, SCRIPT, true);
    assert_int_equal(up_device_begin_trial(s.device, &s.err), 0);
    assert_int_equal(up_device_state(s.device)->kept_out.days, 0);
    stand_free(&s);
    begin(&s, &by_script, NOW);
    assert_int_equal(keep_out(&s), 1);
    take(&s, SCRIPT, false);
    assert_int_equal(up_device_begin_trial(s.device, &s.err), 0);
    assert_int_equal(up_device_trial_start(s.device, &action, &s.err), 0);
    assert_int_equal(up_device_state(s.device)->kept_out.days, 1);
    assert_int_equal(up_device_confirm(s.device, &s.err), 0);
    assert_int_equal(up_device_state(s.device)->kept_out.days, 0);
    stand_free(&s);
}

static void what_is_armed_is_kept_out_no_more(void **state)
{
    struct stand s;
    enum up_start_action action;

    (void)state;
    begin(&s, &by_script, NOW);
    assert_int_equal(keep_out(&s), 1);
    take(&s, SCRIPT, false);
    pass(&s, DAY);
    assert_false(up_device_kept_out_due(s.device));
    assert_int_equal(up_device_rollback(s.device, false, "by hand", &action, &s.err), 0);
    assert_int_equal(keep_out(&s), 2);
    stand_free(&s);
}

static void a_count_that_cannot_be_written_is_not_taken_for_written(void **state)
{
    struct stand s;

    (void)state;
    begin(&s, &by_script, NOW);
    sim_reset_counters(s.sim);
    sim_fail(s.sim, SIM_PWRITE, 1, EIO, true);
    assert_int_equal(up_device_count_kept_out(s.device, &s.err), UP_WRITE);
    assert_int_equal(up_device_state(s.device)->kept_out.days, 0);
    sim_fail(s.sim, SIM_PWRITE, 0, 0, false);
    assert_int_equal(keep_out(&s), 1);
    stand_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_of_the_calendar_counts_once),
        cmocka_unit_test(without_a_clock_starts_and_hours_count),
        cmocka_unit_test(a_clock_that_is_set_after_each_start_counts_days),
        cmocka_unit_test(the_count_begins_anew_when_something_gets_in),
        cmocka_unit_test(what_is_armed_is_kept_out_no_more),
        cmocka_unit_test(a_count_that_cannot_be_written_is_not_taken_for_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
