/*
 * supervisor_alone_check.c -- a device without a script tries a release with files: what becomes of the programs
 * that it started decides, and what the agent hears of them. Supervisor and processes are played, the device is
 * one of the simulator.
 */
#include "child.h"
#include "config.h"
#include "device_private.h"
#include "error.h"
#include "processes.h"
#include "sim.h"
#include "supervisor.h"
#include "supervisor_private.h"
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

#include "running_play.h"

#define PACKAGE "/packages/tool.upd"
#define TOOL "/app/tool"
#define COMES_BACK 60000 /* ms that a service manager has */

static const struct up_running root_user = {.folder = "/app"};

static struct sim *sim;
static struct up_config config;
static struct play play;
static struct up_error err;
static char told[512]; /* the agent, last */
static char *said;     /* of the last call, to people */

static pid_t p_start(struct up_processes *p, const char *const argv[], int *link)
{
    (void)p, (void)argv;
    *link = 5;
    return 77;
}

static void p_signal(struct up_processes *p, pid_t pid, int number)
{
    (void)p, (void)pid, (void)number;
}

static bool p_over(struct up_processes *p, pid_t pid)
{
    (void)p, (void)pid;
    return true;
}

static int p_reap(struct up_processes *p, pid_t pid)
{
    (void)p, (void)pid;
    return 0;
}

static ssize_t p_send(struct up_processes *p, int link, const void *data, size_t len)
{
    (void)p, (void)link;
    snprintf(told, sizeof told, "%.*s", (int)len, (const char *)data);
    return (ssize_t)len;
}

static void p_close(struct up_processes *p, int link)
{
    (void)p, (void)link;
}

static const struct up_processes_ops ops = {
    .start = p_start, .signal = p_signal, .over = p_over, .reap = p_reap, .send = p_send, .close = p_close};
static struct up_processes processes = {&ops};

/* The release is on trial, and its program runs. */
static void begin_trial(struct up_supervisor *s)
{
    enum up_start_action action;
    size_t len;
    void *package = variant_files(2, 0, 0, "tool\t/app\t25\t2\n", &len); /* add, stop, start */

    sim_put(sim, PACKAGE, package, len, 0644);
    free(package);
    if (world_install(s->device, sim_storage(sim), PACKAGE, &err) < 0 ||
        up_device_begin_trial(s->device, &err) < 0 || up_device_trial_start(s->device, &action, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(play_count(&play, TOOL), 1);
}

static int enter(void **state)
{
    static const struct world_plan plan = {
        .name = "alone files", .provisioned = true, .package = WORLD_FILES, .alone = true};
    const char *const argv[] = {"/moult", NULL};
    struct up_supervisor *s = calloc(1, sizeof *s);

    sim = world_new(&plan);
    world_configure(&config);
    world_files_configure(&config, false);
    config.no_script = true;
    play = (struct play){.table = {&play_ops}, .storage = sim_storage(sim)};
    told[0] = '\0';
    *s = (struct up_supervisor){.config = &config,
                                .program = "/moult",
                                .verbosity = UP_NORMAL,
                                .storage = sim_storage(sim),
                                .processes = &processes,
                                .running = &play.table,
                                .notify = {.fd = -1}};
    *state = s;
    if (up_child_new(&s->agent, &processes, "agent", 60, &err) < 0 ||
        up_child_new(&s->script, &processes, "script", 60, &err) < 0 ||
        up_device_open(&s->device, sim_storage(sim), &config, UP_DEVICE_LOCK, &err) < 0)
        return -1;
    up_device_by_hand(s->device, &play.table);
    return up_child_start(s->agent, argv, up_supervisor_now(s), &err);
}

static int leave(void **state)
{
    struct up_supervisor *s = *state;

    up_supervisor_alone_end(s);
    up_child_free(s->agent);
    up_child_free(s->script);
    up_device_close(s->device);
    up_config_free(&config);
    sim_free(sim);
    free(s);
    return 0;
}

/* Also on trial, with a program that runs. */
static int enter_trial(void **state)
{
    int rc = enter(state);

    if (rc == 0) {
        begin_trial(*state);
        up_supervisor_alone_begin(*state);
    }
    return rc;
}

/* A service manager starts and stops programs. */
static int enter_managed(void **state)
{
    int rc = enter_trial(state);

    config.files.start[0] = strdup("start");
    config.files.start[1] = strdup("{path}");
    return rc;
}

static void the_program_ends(void)
{
    play.count = 0;
}

static void the_program_starts(void)
{
    assert_true(play_run(&play, TOOL, &root_user) > 0);
}

static FILE *terminal;

static void hear(void)
{
    static size_t size;

    free(said);
    terminal = stderr;
    stderr = open_memstream(&said, &size);
}

static void hear_no_more(void)
{
    fclose(stderr);
    stderr = terminal;
}

static void time_passes(struct up_supervisor *s, uint64_t ms)
{
    sim_advance(sim, ms);
    hear();
    up_supervisor_look_after_alone(s);
    hear_no_more();
}

static void assert_said(const char *what)
{
    if (!strstr(said, what))
        fail_msg("\"%s\" is not in \"%s\"", what, said);
}

static unsigned failures(const struct up_supervisor *s)
{
    return up_device_state(s->device)->tx.failures;
}

/* What a confirm is answered, and a part of the message. */
static void assert_lively(struct up_supervisor *s, int code, const char *why)
{
    int rc;

    hear();
    rc = up_supervisor_alone_lively(s, &err);
    hear_no_more();
    assert_int_equal(rc, code);
    if (why && !strstr(err.message, why))
        fail_msg("\"%s\" is not in \"%s\"", why, err.message);
}

static void without_a_trial_nothing_is_judged(void **state)
{
    struct up_supervisor *s = *state;

    assert_false(up_supervisor_release_runs(s));
    assert_lively(s, UP_DEFERRED, "not checked yet");
    strcpy(s->started, "/device/state/script/1"); /* a script that was rolled back */
    up_supervisor_alone_begin(s);
    assert_string_equal(s->started, "");
    assert_true(up_supervisor_release_runs(s));
    assert_string_equal(told, "script up 0 0\n");
    assert_int_equal(up_supervisor_alone_due(s), UINT64_MAX);
    assert_lively(s, UP_DEFERRED, "not checked yet");
    up_supervisor_alone_vouched(s);
    assert_false(s->vouched);
}

static void whether_there_is_a_script(void **state)
{
    struct up_supervisor *s = *state;
    struct up_device *d = s->device;

    assert_false(up_supervisor_has_script(s));
    s->device = NULL;
    assert_false(up_supervisor_has_script(s)); /* it is configured so */
    config.no_script = false;
    assert_true(up_supervisor_has_script(s)); /* nobody knows, and so it may be */
    s->device = d;
    assert_false(up_supervisor_has_script(s)); /* none came yet */
}

static void a_program_that_runs_is_looked_at_each_second(void **state)
{
    struct up_supervisor *s = *state;
    uint64_t began = up_supervisor_now(s);

    assert_string_equal(told, "script up 0 1\n");
    assert_int_equal(up_supervisor_alone_due(s), began + 1000);
    time_passes(s, 999);
    assert_int_equal(up_supervisor_alone_due(s), began + 1000);
    time_passes(s, 1);
    assert_int_equal(up_supervisor_alone_due(s), began + 2000);
    assert_lively(s, 0, NULL);
    up_supervisor_alone_vouched(s);
    assert_true(s->vouched);
    assert_string_equal(told, "script up 0 1 vouched\n");
    assert_int_equal(s->intent, UP_INTENT_NONE);
    s->device->uncounted = true; /* then nothing is tried */
    assert_int_equal(up_supervisor_alone_due(s), UINT64_MAX);
}

static void one_that_ends_is_the_end_of_the_trial(void **state)
{
    struct up_supervisor *s = *state;

    time_passes(s, 1000);
    s->vouched = s->lacks_cloud = true;
    the_program_ends();
    time_passes(s, 999);
    assert_int_equal(s->intent, UP_INTENT_NONE);
    time_passes(s, 1);
    assert_said("on trial: the program " TOOL " has ended\n");
    assert_int_equal(s->intent, UP_INTENT_ROLLBACK);
    assert_string_equal(s->why, "the program " TOOL " has ended");
    assert_string_equal(told, "script down the program " TOOL " has ended\n");
    assert_int_equal(failures(s), 1);
    assert_false(s->vouched || s->lacks_cloud);
    assert_lively(s, UP_DEFERRED, "has ended");
    assert_int_equal(failures(s), 1); /* once for each */
    up_supervisor_alone_vouched(s);
    assert_false(s->vouched);
    up_supervisor_alone_begin(s);
    assert_int_equal(s->alone.ended_at, 0);
    assert_null(s->alone.programs.pid);
    up_supervisor_alone_end(s);
    assert_false(up_supervisor_release_runs(s));
}

/* A minute, in which it counts as down. */
static void one_that_ends_may_be_started_by_its_manager(void **state)
{
    struct up_supervisor *s = *state;

    time_passes(s, 1000);
    the_program_ends();
    time_passes(s, 1000);
    assert_int_equal(failures(s), 1);
    assert_string_equal(told, "script down the program " TOOL " has ended\n");
    for (unsigned ms = 1000; ms < COMES_BACK; ms += 1000)
        time_passes(s, 1000);
    assert_int_equal(s->intent, UP_INTENT_NONE);
    assert_lively(s, UP_DEFERRED, "has ended");
    the_program_starts();
    s->lacks_cloud = true;
    time_passes(s, 1000);
    assert_said("on trial: the program " TOOL " ended and was started again\n");
    assert_int_equal(s->intent, UP_INTENT_NONE);
    assert_string_equal(told, "script up 0 1\n");
    assert_false(s->lacks_cloud); /* the time to confirm begins again */
    assert_lively(s, 0, NULL);
    the_program_ends();
    for (unsigned ms = 0; ms <= COMES_BACK; ms += 1000)
        time_passes(s, 1000);
    assert_int_equal(s->intent, UP_INTENT_ROLLBACK);
    assert_int_equal(failures(s), 2);
}

static void whoever_asks_hears_that_it_was_away(void **state)
{
    struct up_supervisor *s = *state;

    time_passes(s, 1000);
    the_program_ends();
    time_passes(s, 1000);
    the_program_starts();
    assert_lively(s, UP_DEFERRED, "the program " TOOL " ");
    assert_lively(s, 0, NULL);
    /* Between two looks: what is said of it now holds for the new one. */
    the_program_ends();
    the_program_starts();
    assert_lively(s, UP_DEFERRED, "ended and was started again");
    the_program_ends();
    the_program_starts();
    up_supervisor_alone_vouched(s);
    assert_true(s->vouched);
    assert_string_equal(told, "script up 0 1 vouched\n");
    assert_int_equal(s->intent, UP_INTENT_NONE);
}

static void a_hotfix_is_judged_by_the_same_programs(void **state)
{
    struct up_supervisor *s = *state;

    assert_int_equal(up_supervisor_alone_look(s, &err), 0);
    the_program_ends();
    assert_int_equal(up_supervisor_alone_look(s, &err), UP_DEFERRED);
    assert_string_equal(err.message, "the program " TOOL " has ended");
    the_program_starts();
    assert_int_equal(up_supervisor_alone_look(s, &err), UP_DEFERRED);
    assert_string_equal(err.message, "the program " TOOL " ended and was started again");
    assert_int_equal(up_supervisor_alone_look(s, &err), 0);
    play.blind = EIO;
    assert_int_equal(up_supervisor_alone_look(s, &err), UP_WRITE);
    assert_int_equal(failures(s), 0); /* of the release */
}

/* What a hotfix changed meanwhile is looked at anew. */
static void one_that_ended_before_others_were_looked_at_was_away(void **state)
{
    struct up_supervisor *s = *state;

    time_passes(s, 1000);
    the_program_ends();
    time_passes(s, 1000);
    up_supervisor_alone_forget(s);
    the_program_starts();
    assert_lively(s, UP_DEFERRED, "the program " TOOL " has ended, and runs again");
    assert_string_equal(told, "script up 0 1\n");
    assert_lively(s, 0, NULL);
}

/* It is no failure of the release. */
static void what_cannot_be_told_confirms_nothing(void **state)
{
    struct up_supervisor *s = *state;

    sim_reset_counters(sim);
    sim_fail(sim, SIM_OPEN, 1, EIO, true);
    assert_lively(s, UP_STATELOST, NULL);
    up_supervisor_alone_vouched(s);
    assert_int_equal(failures(s), 0);
    assert_int_equal(s->intent, UP_INTENT_NONE);
    sim_fail(sim, SIM_OPEN, 0, 0, false);
    assert_lively(s, 0, NULL);
    play.blind = EPERM;
    assert_lively(s, UP_WRITE, NULL);
    time_passes(s, 1000);
    assert_said(TOOL);
    play.blind = 0;
    /* A failure that cannot be recorded is told, and ends the trial all the same. */
    the_program_ends();
    sim_reset_counters(sim);
    sim_fail(sim, SIM_CHANGES, 1, EROFS, true);
    time_passes(s, 1000);
    assert_said("Read-only file system");
    assert_int_equal(s->intent, UP_INTENT_ROLLBACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_trial_nothing_is_judged, enter, leave),
        cmocka_unit_test_setup_teardown(whether_there_is_a_script, enter, leave),
        cmocka_unit_test_setup_teardown(a_program_that_runs_is_looked_at_each_second, enter_trial, leave),
        cmocka_unit_test_setup_teardown(one_that_ends_is_the_end_of_the_trial, enter_trial, leave),
        cmocka_unit_test_setup_teardown(one_that_ends_may_be_started_by_its_manager, enter_managed, leave),
        cmocka_unit_test_setup_teardown(whoever_asks_hears_that_it_was_away, enter_managed, leave),
        cmocka_unit_test_setup_teardown(one_that_ended_before_others_were_looked_at_was_away, enter_managed,
                                        leave),
        cmocka_unit_test_setup_teardown(a_hotfix_is_judged_by_the_same_programs, enter_trial, leave),
        cmocka_unit_test_setup_teardown(what_cannot_be_told_confirms_nothing, enter_trial, leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
