/*
 * outage_check.c -- a release that went back because no cloud answered it: what
 * the old pair finds out decides whether it is tried once more.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "device.h"
#include "error.h"
#include "fixture.h"
#include "history.h"
#include "world.h"

#define SCRIPT "/packages/script.upd"
#define NEXT "/packages/next.upd"
#define WHY "no cloud answered"

static const struct world_plan by_script = {.name = "script", .provisioned = true, .package = WORLD_SCRIPT};

struct stand {
    struct sim *sim;
    struct up_config config;
    struct up_device *device;
    struct up_error err;
};

static void power_on(struct stand *s)
{
    enum up_start_action action;

    world_configure(&s->config);
    if (up_device_open(&s->device, sim_storage(s->sim), &s->config, UP_DEVICE_LOCK, &s->err) < 0 ||
        up_device_start(s->device, &action, &s->err) < 0)
        fail_msg("%s", s->err.message);
}

static void power_off(struct stand *s)
{
    up_device_close(s->device);
    up_config_free(&s->config);
}

static void stand_up(struct stand *s)
{
    s->sim = world_new(&by_script);
    power_on(s);
}

static void stand_free(struct stand *s)
{
    power_off(s);
    sim_free(s->sim);
}

static void enter_trial(struct stand *s, const char *path)
{
    enum up_start_action action;

    if (world_install(s->device, sim_storage(s->sim), path, &s->err) < 0)
        fail_msg("%s", s->err.message);
    assert_int_equal(up_device_begin_trial(s->device, &s->err), 0);
    assert_int_equal(up_device_trial_start(s->device, &action, &s->err), 0);
}

static void give_up(struct stand *s)
{
    enum up_start_action action;

    assert_int_equal(up_device_unreached(s->device, WHY, &action, &s->err), 0);
    assert_int_equal(action, UP_START_RUN);
    assert_int_equal(up_device_state(s->device)->phase, UP_IDLE);
}

static int strikes(const struct stand *s)
{
    return up_device_state(s->device)->quarantine[0].strikes;
}

static int install(struct stand *s)
{
    return world_install(s->device, sim_storage(s->sim), SCRIPT, &s->err);
}

/* Over a restart, too: it waits to be judged, and may be tried meanwhile. */
static void it_waits_for_its_verdict(void **state)
{
    struct stand s;
    const struct up_last *last;

    (void)state;
    stand_up(&s);
    assert_false(up_device_unjudged(s.device));
    assert_int_equal(up_device_judge(s.device, true, &s.err), UP_NOTHING);
    enter_trial(&s, SCRIPT);
    give_up(&s);
    power_off(&s);
    power_on(&s);
    last = &up_device_state(s.device)->last;
    assert_int_equal(last->code, UP_ROLLEDBACK);
    assert_string_equal(last->message, WHY);
    assert_true(up_device_unjudged(s.device));
    assert_false(up_device_spared(s.device));
    assert_int_equal(install(&s), 0);
    stand_free(&s);
}

static void it_failed_when_a_cloud_answers_the_old_pair(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s);
    enter_trial(&s, SCRIPT);
    give_up(&s);
    assert_int_equal(up_device_judge(s.device, true, &s.err), 0);
    assert_false(up_device_unjudged(s.device));
    assert_false(up_device_spared(s.device));
    assert_non_null(strstr(up_device_state(s.device)->last.message, "one answers now: it failed"));
    assert_int_equal(install(&s), UP_INCOMPATIBLE);
    assert_non_null(strstr(s.err.message, "gate quarantine"));
    stand_free(&s);
}

static void it_is_tried_once_more_when_none_does(void **state)
{
    struct stand s;
    struct up_event events[UP_HISTORY_RECORDS];
    int count;

    (void)state;
    stand_up(&s);
    enter_trial(&s, SCRIPT);
    give_up(&s);
    assert_int_equal(up_device_judge(s.device, false, &s.err), 0);
    power_off(&s);
    power_on(&s);
    assert_true(up_device_spared(s.device));
    assert_non_null(strstr(up_device_state(s.device)->last.message, "tried once more"));
    count = up_history_read(sim_storage(s.sim), s.config.state, events, &s.err);
    assert_string_equal(events[count - 1].name, "judged");
    assert_string_equal(events[count - 1].release, up_device_state(s.device)->tx.pair.release);
    enter_trial(&s, SCRIPT);
    give_up(&s);
    assert_int_equal(strikes(&s), UP_STRIKE_FAILED);
    assert_int_equal(up_device_state(s.device)->quarantine[1].sequence, 0); /* it has one entry */
    assert_false(up_device_unjudged(s.device));
    assert_int_equal(install(&s), UP_INCOMPATIBLE);
    stand_free(&s);
}

/* A start that crashed was no matter of the network. */
static void a_start_that_failed_is_held_against_it(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s);
    enter_trial(&s, SCRIPT);
    assert_int_equal(up_device_trial_failed(s.device, "it crashed", &s.err), 0);
    give_up(&s);
    assert_int_equal(strikes(&s), UP_STRIKE_FAILED);
    stand_free(&s);
}

static void nothing_is_judged_while_something_is_armed(void **state)
{
    struct stand s;
    enum up_start_action action;

    (void)state;
    stand_up(&s);
    enter_trial(&s, SCRIPT);
    give_up(&s);
    assert_int_equal(install(&s), 0);
    assert_int_equal(up_device_judge(s.device, true, &s.err), UP_BUSY);
    assert_int_equal(up_device_unreached(s.device, "by hand", &action, &s.err), 0); /* not a trial */
    assert_true(up_device_state(s.device)->tx.failed);
    assert_false(up_device_state(s.device)->tx.unreached);
    stand_free(&s);
}

static void make_next(struct stand *s)
{
    struct up_fixture next = {.sequence = 3, .version = "1.0.3", .script = true};

    if (up_fixture_pack(sim_storage(s->sim), NEXT, "/packages", &next, &s->err) < 0)
        fail_msg("%s", s->err.message);
}

/* What was shown last is about another one meanwhile. */
static void a_verdict_is_told_of_its_release_alone(void **state)
{
    struct stand s;
    enum up_start_action action;

    (void)state;
    stand_up(&s);
    make_next(&s);
    enter_trial(&s, SCRIPT);
    give_up(&s);
    if (world_install(s.device, sim_storage(s.sim), NEXT, &s.err) < 0)
        fail_msg("%s", s.err.message);
    assert_int_equal(up_device_rollback(s.device, false, "by hand", &action, &s.err), 0);
    assert_int_equal(up_device_judge(s.device, false, &s.err), 0);
    assert_string_equal(up_device_state(s.device)->last.message, "by hand");
    stand_free(&s);
}

/* Whoever could have told is gone when another release is confirmed. */
static void another_release_that_is_confirmed_ends_the_wait(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s);
    make_next(&s);
    enter_trial(&s, SCRIPT);
    give_up(&s);
    enter_trial(&s, NEXT);
    assert_true(up_device_unjudged(s.device));
    assert_int_equal(up_device_confirm(s.device, &s.err), 0);
    assert_false(up_device_unjudged(s.device));
    assert_int_equal(strikes(&s), UP_STRIKE_OUTAGE);
    assert_false(up_device_spared(s.device)); /* that is not what ended last */
    stand_free(&s);
}

static void a_verdict_that_cannot_be_written_is_to_come(void **state)
{
    struct stand s;

    (void)state;
    stand_up(&s);
    enter_trial(&s, SCRIPT);
    give_up(&s);
    sim_fail(s.sim, SIM_PWRITE, sim_calls(s.sim, SIM_PWRITE) + 1, EIO, true);
    assert_int_equal(up_device_judge(s.device, false, &s.err), UP_WRITE);
    assert_true(up_device_unjudged(s.device));
    sim_fail(s.sim, SIM_OPS, 0, 0, false);
    assert_int_equal(up_device_judge(s.device, false, &s.err), 0);
    stand_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_waits_for_its_verdict),
        cmocka_unit_test(it_failed_when_a_cloud_answers_the_old_pair),
        cmocka_unit_test(it_is_tried_once_more_when_none_does),
        cmocka_unit_test(a_start_that_failed_is_held_against_it),
        cmocka_unit_test(nothing_is_judged_while_something_is_armed),
        cmocka_unit_test(a_verdict_is_told_of_its_release_alone),
        cmocka_unit_test(another_release_that_is_confirmed_ends_the_wait),
        cmocka_unit_test(a_verdict_that_cannot_be_written_is_to_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
