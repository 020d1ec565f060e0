/*
 * files_claim_check.c -- the agent, which stages, and the supervisor, which puts back what is stuck, are at one tree of
 * files: each waits for the other, and what the supervisor decided about one plan is not done to another.
 */
#include "config.h"
#include "device.h"
#include "device_private.h"
#include "files.h"
#include "files_programs.h"
#include "sim.h"
#include "variants.h"
#include "world.h"
#include "world_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STATE "/device/state"
#define NEXT "/packages/next.upd"

static const struct world_plan plan = {.name = "files", .provisioned = true, .package = WORLD_FILES};

struct stand {
    struct sim *sim;
    struct up_storage *storage;
    struct up_config config;
    struct up_device *supervisor, *agent;
    struct up_files_worker worker;
    enum up_files_task at; /* before that task the agent installs the next package */
    int installed;         /* what came of it: a code, or 1 not yet */
    unsigned tasks;        /* that were done */
    struct up_error err;
};

static void agent_installs(struct stand *s)
{
    assert_int_equal(up_device_open(&s->agent, s->storage, &s->config, UP_DEVICE_CHILD, &s->err), 0);
    s->installed = world_install(s->agent, s->storage, NEXT, &s->err);
    up_device_close(s->agent);
}

/* As a helper does it. */
static int work(void *stand, enum up_files_task task, const uint8_t *of, enum up_files_outcome *outcome,
                struct up_error *err)
{
    struct stand *s = stand;
    struct up_files f;
    int claim, rc;

    *outcome = UP_FILES_NOT_SWITCHED;
    if (task == s->at && s->installed == 1)
        agent_installs(s);
    if (up_files_claim(&claim, s->storage, STATE, err) < 0)
        return err->code;
    assert_int_equal(up_files_open(&f, s->storage, STATE, err), 0);
    rc = up_files_check_plan(&f, of, err);
    if (rc == 0)
        rc = up_files_program_do(&f, task, NULL, outcome, err);
    s->tasks += rc == 0;
    up_files_close(&f);
    up_files_let_go(s->storage, claim);
    return rc;
}

/* A trial that went back while a root was away, and that is there again: the supervisor has it to do. */
static int enter(void **state)
{
    struct stand *s = calloc(1, sizeof *s);
    enum up_start_action action;
    size_t len;
    void *bytes = variant_files(3, 0, 0, world_files_ini, &len);

    s->sim = world_new(&plan);
    sim_put(s->sim, NEXT, bytes, len, 0644);
    free(bytes);
    s->storage = sim_storage(s->sim);
    s->installed = 1;
    world_configure(&s->config);
    world_files_configure(&s->config, false);
    assert_int_equal(up_device_open(&s->supervisor, s->storage, &s->config, UP_DEVICE_LOCK, &s->err), 0);
    assert_int_equal(up_device_start(s->supervisor, &action, &s->err), 0);
    assert_int_equal(world_install(s->supervisor, s->storage, "/packages/files.upd", &s->err), 0);
    assert_int_equal(up_device_begin_trial(s->supervisor, &s->err), 0);
    assert_int_equal(up_device_trial_start(s->supervisor, &action, &s->err), 0);
    world_files_move_here(s->sim, "/card", false);
    assert_int_equal(up_device_rollback(s->supervisor, true, "bad", &action, &s->err), UP_MISSING);
    assert_true(up_device_mixed(s->supervisor));
    world_files_move_here(s->sim, "/card", true);
    s->worker = (struct up_files_worker){work, s};
    s->supervisor->worker = &s->worker;
    *state = s;
    return 0;
}

static int leave(void **state)
{
    struct stand *s = *state;

    up_device_close(s->supervisor);
    up_config_free(&s->config);
    assert_int_equal(sim_open_files(s->sim), 0);
    sim_free(s->sim);
    free(s);
    return 0;
}

static enum up_files_step step_of(struct stand *s)
{
    enum up_files_step step;
    struct up_files f;

    assert_int_equal(up_files_open(&f, s->storage, STATE, &s->err), 0);
    step = f.lost ? UP_FILES_NONE : f.stage.step;
    up_files_close(&f);
    return step;
}

static void is_confirmed_as_a_whole(struct stand *s)
{
    enum up_start_action action;
    struct sim *expected = sim_new();
    char *now, *want;

    assert_int_equal(step_of(s), UP_FILES_STAGED);
    assert_int_equal(up_device_retry(s->supervisor, &action, &s->err), 0);
    assert_int_equal(up_device_begin_trial(s->supervisor, &s->err), 0);
    assert_int_equal(up_device_trial_start(s->supervisor, &action, &s->err), 0);
    assert_int_equal(up_device_confirm(s->supervisor, &s->err), 0);
    world_files_after(expected, 3);
    now = world_files_dump(s->sim, true);
    want = world_files_dump(expected, true);
    assert_string_equal(now, want);
    free(now);
    free(want);
    sim_free(expected);
}

/* The supervisor put the stuck plan back and is about to remove its traces, when the agent stages another. */
static void what_is_for_one_plan_is_not_done_to_another(void **state)
{
    struct stand *s = *state;
    enum up_start_action action;

    s->at = UP_FILES_KEEP_OLD;
    (void)!up_device_retry(s->supervisor, &action, &s->err);
    assert_int_equal(s->installed, 0);
    assert_int_equal(s->tasks, 1);
    is_confirmed_as_a_whole(s);
}

/* The same, before it began. */
static void what_was_done_meanwhile_is_left_alone(void **state)
{
    struct stand *s = *state;
    enum up_start_action action;

    s->at = UP_FILES_BACK;
    (void)!up_device_retry(s->supervisor, &action, &s->err);
    assert_int_equal(s->installed, 0);
    assert_int_equal(s->tasks, 0);
    is_confirmed_as_a_whole(s);
}

static void one_waits_for_the_other(void **state)
{
    struct stand *s = *state;
    enum up_start_action action;
    int claim;

    assert_int_equal(up_files_claim(&claim, s->storage, STATE, &s->err), 0);
    assert_true(claim >= 0);
    agent_installs(s);
    assert_int_equal(s->installed, UP_BUSY);
    assert_non_null(strstr(s->err.message, "another process of moult is at them"));
    (void)!up_device_retry(s->supervisor, &action, &s->err);
    assert_int_equal(s->tasks, 0);
    assert_true(up_device_mixed(s->supervisor));
    up_files_let_go(s->storage, claim);
    s->at = UP_FILES_TASKS;
    agent_installs(s);
    assert_int_equal(s->installed, 0);
    is_confirmed_as_a_whole(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_for_one_plan_is_not_done_to_another, enter, leave),
        cmocka_unit_test_setup_teardown(what_was_done_meanwhile_is_left_alone, enter, leave),
        cmocka_unit_test_setup_teardown(one_waits_for_the_other, enter, leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
