/*
 * time_check.c -- clocks that are right, wrong, or were never set, and releases
 * that are dated wrongly: none of them takes the way to the next release.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "stand.h"
#include "variants.h"

#define NEXT "/packages/next.upd"
#define DAY 86400ull
#define YEAR (366 * DAY)
#define FAR 4102444800ull /* the year 2100 */

static const struct world_plan by_script = {.name = "script", .provisioned = true, .package = WORLD_SCRIPT};
static const struct world_plan factory = {.name = "factory", .package = WORLD_SCRIPT};

static uint64_t newest; /* release on the stand */

static void begin(struct stand *s)
{
    newest = 1;
    stand_up(s, world_new(&by_script));
}

/* What a clock that was never set comes to: when this program was built. */
static uint64_t built(struct stand *s)
{
    uint64_t now = s->storage->ops->now(s->storage), time;
    bool synchronised = s->storage->ops->synchronised(s->storage);

    sim_set_now(s->sim, 0);
    sim_set_synchronised(s->sim, true); /* a synchronised clock that shows 1970 is none */
    time = up_device_time_floor(s->device);
    assert_false(up_device_time_trusted(s->device));
    sim_set_now(s->sim, now);
    sim_set_synchronised(s->sim, synchronised);
    return time;
}

/* The second in which this program was built is the first that a clock can show. */
static void a_clock_is_right_from_the_build_on(void **state)
{
    struct stand s;
    uint64_t first;

    (void)state;
    begin(&s);
    first = built(&s);
    sim_set_synchronised(s.sim, true);
    sim_set_now(s.sim, first);
    assert_true(up_device_time_trusted(s.device));
    sim_set_now(s.sim, first - 1);
    assert_false(up_device_time_trusted(s.device));
    stand_free(&s);
}

static void put_next(struct stand *s, uint64_t sequence, uint64_t issued, uint64_t not_after)
{
    char version[UP_VERSION_SIZE];
    struct up_fixture f = {
        .script = true, .sequence = sequence, .version = version, .issued = issued, .not_after = not_after};

    snprintf(version, sizeof version, "1.0.%llu", (unsigned long long)++newest);
    if (up_fixture_pack(s->storage, NEXT, "/packages", &f, &s->err) < 0)
        fail_msg("%s", s->err.message);
}

/* Install what lies at NEXT, and confirm it. */
static int take_next(struct stand *s)
{
    enum up_start_action action;

    if (world_install(s->device, s->storage, NEXT, &s->err) < 0)
        return s->err.code;
    assert_int_equal(up_device_begin_trial(s->device, &s->err), 0);
    assert_int_equal(up_device_trial_start(s->device, &action, &s->err), 0);
    assert_int_equal(up_device_confirm(s->device, &s->err), 0);
    return 0;
}

static int take(struct stand *s, uint64_t issued, uint64_t not_after)
{
    put_next(s, newest + 1, issued, not_after);
    return take_next(s);
}

static uint64_t floor_of(const struct stand *s)
{
    return up_device_state(s->device)->issued;
}

/* Whatever a release says, a trusted clock is what the time is, before and after. */
static void a_trusted_clock_is_not_moved_by_a_release(void **state)
{
    struct stand s;
    uint64_t now;

    (void)state;
    begin(&s);
    now = built(&s) + 5 * YEAR;
    sim_set_now(s.sim, now);
    sim_set_synchronised(s.sim, true);
    assert_int_equal(take(&s, FAR, 0), 0);
    assert_int_equal(floor_of(&s), now);
    assert_int_equal(up_device_time(s.device), now);
    assert_int_equal(up_device_time_floor(s.device), 0);
    /* A package that is valid until tomorrow, twice; one until yesterday is late. */
    assert_int_equal(take(&s, now - DAY, now + DAY), 0);
    assert_int_equal(floor_of(&s), now);
    assert_int_equal(take(&s, FAR, now + DAY), 0);
    assert_int_equal(take(&s, FAR, now - DAY), UP_INCOMPATIBLE);
    stand_free(&s);
}

/* It shows the right time, and nobody says so: the same goes for it. */
static void a_clock_that_runs_right_unasked_keeps_its_time(void **state)
{
    struct stand s;
    uint64_t now;

    (void)state;
    begin(&s);
    now = built(&s) + 100 * DAY;
    sim_set_now(s.sim, now);
    assert_false(up_device_time_trusted(s.device));
    assert_true(up_device_time_set(s.device));
    assert_int_equal(take(&s, FAR, 0), 0);
    assert_int_equal(floor_of(&s), now);
    assert_int_equal(take(&s, now, now + DAY), 0);
    assert_int_equal(up_device_time_floor(s.device), now);
    stand_free(&s);
}

/* To the second when it was built. */
static void a_clock_at_the_build_is_a_clock(void **state)
{
    struct stand s;

    (void)state;
    begin(&s);
    sim_set_now(s.sim, built(&s));
    assert_int_equal(take(&s, FAR, 0), 0);
    assert_int_equal(floor_of(&s), built(&s));
    stand_free(&s);
}

/* 1970: a release moves the time, a year at most, and certificates stay judged
 * at what no release said. */
static void a_clock_never_set_learns_in_bounded_steps(void **state)
{
    struct stand s;
    uint64_t start;

    (void)state;
    begin(&s);
    sim_set_now(s.sim, 5);
    start = built(&s);
    assert_int_equal(take(&s, start + 30 * DAY, 0), 0);
    assert_int_equal(up_device_time(s.device), start + 30 * DAY);
    assert_int_equal(take(&s, start + 20 * DAY, 0), 0); /* never refused, and no way back */
    assert_int_equal(up_device_time(s.device), start + 30 * DAY);
    assert_int_equal(take(&s, FAR, 0), 0);
    assert_int_equal(up_device_time(s.device), start + 30 * DAY + YEAR);
    assert_int_equal(take(&s, FAR, 0), 0);
    assert_int_equal(up_device_time(s.device), start + 30 * DAY + 2 * YEAR);
    assert_false(up_device_time_set(s.device));
    assert_int_equal(up_device_time_floor(s.device), start);
    stand_free(&s);
}

/* A clock that was once far ahead, with a release to match: bounded, too. */
static void a_clock_from_the_future_leaves_no_trace(void **state)
{
    struct stand s;
    uint64_t start;

    (void)state;
    begin(&s);
    start = built(&s);
    sim_set_now(s.sim, FAR + YEAR);
    assert_int_equal(take(&s, FAR, 0), 0);
    assert_int_equal(floor_of(&s), start + YEAR);
    /* As if a spoofed NTP had said so: until the clock is right and trusted again. */
    sim_set_synchronised(s.sim, true);
    assert_int_equal(take(&s, FAR, 0), 0);
    assert_int_equal(floor_of(&s), FAR);
    sim_set_now(s.sim, start + DAY);
    assert_int_equal(take(&s, start, start + 2 * DAY), 0);
    assert_int_equal(floor_of(&s), start + DAY);
    sim_set_synchronised(s.sim, false);
    assert_int_equal(up_device_time(s.device), start + DAY);
    stand_free(&s);
}

static void poison_2(struct up_journal_state *j)
{
    j->issued = FAR;
    j->form = 2;
}

static void poison_3(struct up_journal_state *j)
{
    j->issued = FAR;
    j->form = 3;
}

/* A floor that an older program let rise without bound ends when this program
 * first writes the record; whatever else raised it, a trusted clock heals it. */
static void an_old_poisoned_floor_has_a_way_out(void **state)
{
    struct stand s;
    uint64_t start;

    (void)state;
    for (unsigned form = 2; form <= 3; form++) {
        begin(&s);
        start = built(&s);
        sim_set_now(s.sim, start + 9 * DAY);
        change(&s, form == 2 ? poison_2 : poison_3);
        assert_int_equal(up_device_time(s.device), FAR);
        assert_int_equal(up_device_time_floor(s.device), start + 9 * DAY); /* TLS goes on */
        assert_int_equal(take(&s, 0, start + YEAR - DAY), UP_INCOMPATIBLE);
        assert_int_equal(take(&s, 0, 0), 0);
        assert_int_equal(floor_of(&s), form < 3 ? start + 9 * DAY : FAR);
        assert_true(up_device_witness(s.device, start + 9 * DAY + 30));
        assert_int_equal(take(&s, 0, start + 10 * DAY), 0);
        assert_int_equal(floor_of(&s), start + 9 * DAY);
        stand_free(&s);
    }
}

/* A peer's date counts for the clock as it runs on, not for another one. */
static void a_witness_speaks_for_the_clock_it_saw(void **state)
{
    struct stand s;
    uint64_t now;

    (void)state;
    begin(&s);
    now = built(&s) + DAY;
    sim_set_now(s.sim, now);
    assert_false(up_device_witness(s.device, now + 601));
    assert_false(up_device_time_trusted(s.device));
    assert_true(up_device_witness(s.device, now - 600));
    assert_true(up_device_time_trusted(s.device));
    sim_advance(s.sim, 90 * DAY * 1000);
    assert_true(up_device_time_trusted(s.device));
    sim_suspend(s.sim, DAY * 1000);
    assert_true(up_device_time_trusted(s.device));
    now += DAY;
    sim_set_now(s.sim, now + 90 * DAY + 601);
    assert_false(up_device_time_trusted(s.device));
    sim_set_now(s.sim, now + 90 * DAY - 601);
    assert_false(up_device_time_trusted(s.device));
    sim_set_now(s.sim, now + 90 * DAY);
    assert_true(up_device_time_trusted(s.device));
    /* One that runs a little slow or fast is the same clock. */
    sim_set_now(s.sim, now + 90 * DAY + 600);
    assert_true(up_device_time_trusted(s.device));
    sim_set_now(s.sim, now + 90 * DAY - 600);
    assert_true(up_device_time_trusted(s.device));
    /* Another witness, who disagrees, is believed, too. */
    assert_false(up_device_witness(s.device, FAR));
    assert_false(up_device_time_trusted(s.device));
    /* A clock that agrees in showing 1970 is none. */
    sim_set_now(s.sim, 100);
    assert_true(up_device_witness(s.device, 100));
    assert_false(up_device_time_trusted(s.device));
    stand_free(&s);
}

/* What a trusted clock showed is on record for times without one. */
static void certificates_are_judged_at_what_was_proven(void **state)
{
    struct stand s;
    uint64_t now;

    (void)state;
    begin(&s);
    now = built(&s) + YEAR;
    sim_set_now(s.sim, now);
    sim_set_synchronised(s.sim, true);
    assert_int_equal(take(&s, 0, 0), 0);
    power_off(&s);
    sim_set_now(s.sim, 0);
    sim_set_synchronised(s.sim, false);
    power_on(&s);
    assert_int_equal(up_device_time_floor(s.device), now);
    stand_free(&s);
}

static void high_sequences_take_a_permit(void **state)
{
    struct stand s;

    (void)state;
    begin(&s);
    put_next(&s, UP_SEQUENCE_FREE + 1, 0, 0);
    assert_int_equal(take_next(&s), UP_INCOMPATIBLE);
    assert_non_null(strstr(s.err.message,
                           "gate floor: sequence 4611686018427387905 is above 4611686018427387904 "
                           "and takes a permit"));
    put_next(&s, INT64_MAX, 0, 0);
    assert_int_equal(take_next(&s), UP_INCOMPATIBLE);
    /* Nothing of it stays: what is right goes in. */
    put_next(&s, 2, 0, 0);
    assert_int_equal(take_next(&s), 0);
    put_next(&s, UP_SEQUENCE_FREE, 0, 0);
    assert_int_equal(take_next(&s), 0);
    assert_int_equal(up_device_state(s.device)->floor[UP_SCRIPT], UP_SEQUENCE_FREE);
    stand_free(&s);
}

/* Nor does a device begin with one: a factory has no permit. */
static void the_factory_takes_no_high_sequence(void **state)
{
    struct stand s = {.sim = world_new(&factory)};
    struct up_fixture f = {.script = true, .core = true, .sequence = UP_SEQUENCE_FREE + 1};

    (void)state;
    s.storage = sim_storage(s.sim);
    assert_int_equal(up_fixture_pack(s.storage, NEXT, "/packages", &f, &s.err), 0);
    world_configure(&s.config);
    assert_int_equal(up_device_provision(&s.device, s.storage, &s.config, &s.err), 0);
    assert_int_equal(world_install(s.device, s.storage, NEXT, &s.err), UP_INCOMPATIBLE);
    assert_non_null(strstr(s.err.message, "takes a permit"));
    stand_free(&s);
}

/* A device without a clock knows from its first release on that it is not before that. */
static void the_first_release_tells_the_time(void **state)
{
    struct stand s = {.sim = world_new(&factory)};
    struct up_fixture f = {.script = true, .core = true, .sequence = 1};

    (void)state;
    s.storage = sim_storage(s.sim);
    world_configure(&s.config);
    assert_int_equal(up_device_provision(&s.device, s.storage, &s.config, &s.err), 0);
    f.issued = built(&s) + 1000;
    assert_int_equal(up_fixture_pack(s.storage, NEXT, "/packages", &f, &s.err), 0);
    sim_set_now(s.sim, 0);
    assert_int_equal(world_install(s.device, s.storage, NEXT, &s.err), 0);
    assert_int_equal(up_device_time(s.device), f.issued);
    stand_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_is_right_from_the_build_on),
        cmocka_unit_test(a_trusted_clock_is_not_moved_by_a_release),
        cmocka_unit_test(a_clock_that_runs_right_unasked_keeps_its_time),
        cmocka_unit_test(a_clock_never_set_learns_in_bounded_steps),
        cmocka_unit_test(a_clock_from_the_future_leaves_no_trace),
        cmocka_unit_test(an_old_poisoned_floor_has_a_way_out),
        cmocka_unit_test(a_witness_speaks_for_the_clock_it_saw),
        cmocka_unit_test(certificates_are_judged_at_what_was_proven),
        cmocka_unit_test(high_sequences_take_a_permit),
        cmocka_unit_test(the_factory_takes_no_high_sequence),
        cmocka_unit_test(the_first_release_tells_the_time),
        cmocka_unit_test(a_clock_at_the_build_is_a_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
