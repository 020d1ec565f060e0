/*
 * supervisor_check.c -- the supervisor in a world that is played: what it is
 * told at the wrong time, journals that cannot be written, restarts that do not
 * happen, and children that do not start, do not stop or do not stop talking.
 *
 * That it works with real processes is run_spec.lua's and trial_spec.lua's matter.
 */
#include "supervisor_play.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot.h"
#include "device.h"
#include "history.h"
#include "variants.h"
#include "world.h"

static const struct world_plan by_script = {.name = "script", .provisioned = true, .package = WORLD_SCRIPT};

static struct up_config config;
static struct up_error err;

static int made_by_agent; /* the phase in which its last doing left the device; -1: it did nothing */

static void make_world(const struct world_plan *plan)
{
    made_by_agent = -1;
    play_sim = world_new(plan);
    world_configure(&config);
    config.restart = UP_RESTART_EXIT;
    config.path = strdup("/device/config.lua");
}

static int set_up(void **state)
{
    (void)state;
    make_world(&by_script);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    up_config_free(&config);
    sim_free(play_sim);
    return 0;
}

/* What the agent does: it fetches and arms, while the supervisor holds the lock. */
static void install(const char *path)
{
    struct up_storage *storage = sim_storage(play_sim);
    struct up_device *device;

    if (up_device_open(&device, storage, &config, UP_DEVICE_CHILD, &err) < 0 ||
        world_install(device, storage, path, &err) < 0)
        fail_msg("%s", err.message);
    made_by_agent = (int)up_device_state(device)->phase;
    up_device_close(device);
}

static void install_script(void)
{
    install("/packages/script.upd");
}

static void install_core(void)
{
    install("/packages/core.upd");
}

static enum up_phase phase(void)
{
    struct up_device *device;
    enum up_phase found;

    if (up_device_open(&device, sim_storage(play_sim), &config, UP_DEVICE_READ, &err) < 0)
        fail_msg("%s", err.message);
    found = up_device_state(device)->phase;
    up_device_close(device);
    return found;
}

static void break_writing(void)
{
    sim_reset_counters(play_sim);
    sim_fail(play_sim, SIM_PWRITE, 1, EROFS, true);
}

static void break_reading(void)
{
    sim_reset_counters(play_sim);
    sim_fail(play_sim, SIM_PREAD, 1, EIO, true);
}

/* Everything of the state but the record of the boot loader. */
static void break_journal(void)
{
    sim_reset_counters(play_sim);
    sim_fail(play_sim, SIM_CHANGES, 1, EROFS, true);
    sim_fail_below(play_sim, "/device/state/journal");
}

static void break_boot(void)
{
    sim_reset_counters(play_sim);
    sim_fail(play_sim, SIM_CHANGES, 1, EIO, true);
    sim_fail_below(play_sim, "/device/state/boot");
}

/* The boot loader's record cannot be written just when what is armed is dropped. */
static void roll_back_half(void)
{
    enum up_start_action action;
    struct up_device *device;

    install_core();
    if (up_device_open(&device, sim_storage(play_sim), &config, UP_DEVICE_CHILD, &err) < 0)
        fail_msg("%s", err.message);
    break_boot();
    assert_int_equal(up_device_rollback(device, false, "no", &action, &err), UP_WRITE);
    assert_int_equal(up_device_state(device)->phase, UP_ROLLING_BACK);
    up_device_close(device);
}

static void mend(void)
{
    sim_fail(play_sim, SIM_OPS, 0, 0, false);
}

static bool names_b(void)
{
    struct up_boot_state boot_state;
    struct up_boot *boot;
    bool found;

    if (up_boot_open(&boot, sim_storage(play_sim), up_config_boot(&config), &err) < 0)
        fail_msg("%s", err.message);
    found = up_boot_read(boot, &boot_state, &err) == 0 && boot_state.order[0] == 1;
    up_boot_close(boot);
    return found;
}

/* The power goes when the boot loader was told of the new core, and the journal not yet. */
static void arm_half(void)
{
    static const struct sim_choice all = {SIM_ORDERED, SIM_ALL, 0, SIM_HARMLESS};
    struct sim *start = play_sim, *cut;
    struct up_device *device;

    for (unsigned k = 1;; k++) {
        play_sim = cut = sim_clone(start);
        if (up_device_open(&device, sim_storage(cut), &config, UP_DEVICE_CHILD, &err) < 0)
            fail_msg("%s", err.message);
        sim_reset_counters(cut);
        sim_cut_at(cut, k);
        if (world_install(device, sim_storage(cut), "/packages/core.upd", &err) == 0)
            fail_msg("no cut leaves it so");
        up_device_close(device);
        play_sim = sim_reboot(cut, &all);
        sim_free(cut);
        if (phase() == UP_ARMING && names_b())
            break;
        sim_free(play_sim);
    }
    sim_free(start);
}

static void leave_three(void)
{
    play_orphans = 3;
}

static void leave_one_for_ever(void)
{
    play_orphans = UINT_MAX;
}

static void must_say(const char *text)
{
    if (!strstr(play_said(), text))
        fail_msg("it did not say \"%s\" but:\n%s\n%s", text, play_said(), play_done());
}

static void must_do(const char *text)
{
    if (!strstr(play_done(), text))
        fail_msg("\"%s\" was not done, but:\n%s\n%s", text, play_done(), play_said());
}

/* What the agent heard last of the phase; NULL: nothing. */
static const char *last_phase(void)
{
    static const char word[] = "agent < phase ";
    const char *last = NULL;

    for (const char *at = strstr(play_done(), word); at; at = strstr(at + 1, word))
        last = at + sizeof word - 1;
    return last;
}

/* It was told the phase, unless it made it so itself. */
static void agent_must_know_the_phase(void)
{
    const char *told = last_phase(), *is = told ? up_journal_phase_name(phase()) : NULL;

    if (told && (int)phase() != made_by_agent && strncmp(told, is, strlen(is)) != 0)
        fail_msg("the phase is %s, but:\n%s", is, play_done());
}

/* Play to the end: it is told to stop, and does. */
static void perform(const struct play_step *steps)
{
    int rc = play(&config, UP_NORMAL, steps, &err);

    if (rc != 0)
        fail_msg("%d: %s\n%s", rc, err.message, play_done());
    agent_must_know_the_phase();
}

#define SAYS(who_, line_)                                \
    {                                                    \
        .what = PLAY_SAY, .who = (who_), .line = (line_) \
    }
#define CALLS(call_)                       \
    {                                      \
        .what = PLAY_CALL, .call = (call_) \
    }
#define WAITS(ms)                         \
    {                                     \
        .what = PLAY_WAIT, .number = (ms) \
    }
#define ENDS(who_, code)                                  \
    {                                                     \
        .what = PLAY_END, .who = (who_), .number = (code) \
    }
#define DEAF(who_)                       \
    {                                    \
        .what = PLAY_DEAF, .who = (who_) \
    }
#define STUCK(who_)                       \
    {                                     \
        .what = PLAY_STUCK, .who = (who_) \
    }
#define FREE(who_)                       \
    {                                    \
        .what = PLAY_FREE, .who = (who_) \
    }
#define MUTE(who_)                       \
    {                                    \
        .what = PLAY_MUTE, .who = (who_) \
    }
#define OVER              \
    {                     \
        .what = PLAY_OVER \
    }
#define MEDIUM(who_, slow)                                  \
    {                                                       \
        .what = PLAY_WAITS, .who = (who_), .number = (slow) \
    }
/* To a script on trial. */
#define TRIES CALLS(install_script), SAYS(AGENT, "armed"), SAYS(AGENT, "restart"), WAITS(3000)

static void an_idle_device_has_nothing_to_decide(void **state)
{
    static const struct play_step steps[] = {
        SAYS(AGENT, "confirm"), SAYS(AGENT, "rollback"),   SAYS(AGENT, "failed"),
        SAYS(AGENT, "restart"), SAYS(AGENT, "beaten"),     SAYS(AGENT, "format the disk"),
        SAYS(SCRIPT, "beats"),  SAYS(SCRIPT, "restarted"), OVER,
    };

    (void)state;
    perform(steps);
    must_do("agent < answer confirm nothing nothing to confirm: the device is idle\n");
    must_do("agent < answer rollback nothing nothing to roll back: the device is idle\n");
    must_say("the agent says something unknown: beaten\n");
    must_say("the agent says something unknown: format the disk\n");
    must_say("the script says something unknown: beats\n");
    must_say("the script says something unknown: restarted\n");
    assert_int_equal(play_count(play_done(), "script started"), 1);
    assert_int_equal(phase(), UP_IDLE);
}

/* READY with the agent's first beat, each phase as it begins, and a sign of life
 * with each beat. When nobody asked for those, none. */
static void the_service_manager_is_told(void **state)
{
    static const struct play_step steps[] = {
        MUTE(AGENT),         WAITS(3000),          SAYS(AGENT, "beat"),    TRIES,
        SAYS(AGENT, "beat"), SAYS(SCRIPT, "beat"), SAYS(AGENT, "confirm"), OVER};

    (void)state;
    setenv("WATCHDOG_USEC", "60000000", 1);
    perform(steps);
    unsetenv("WATCHDOG_USEC");
    assert_string_equal(play_told(), "STATUS=METER idle\nREADY=1\nSTATUS=METER idle\nWATCHDOG=1\n"
                                     "STATUS=METER armed\nSTATUS=METER trial\nWATCHDOG=1\n"
                                     "STATUS=METER idle\nSTOPPING=1\n");
    tear_down(state);
    set_up(state);
    perform(steps);
    assert_int_equal(play_count(play_told(), "WATCHDOG"), 0);
}

/* An agent that waits for its medium does not beat, and is alive; one that hangs
 * is not. Neither keeps the manager from hearing that the device is up. */
static void an_agent_that_waits_is_alive_to_the_manager(void **state)
{
    static const struct play_step waits[] = {MUTE(AGENT), MEDIUM(AGENT, 1), WAITS(60000), OVER};
    static const struct play_step hangs[] = {MUTE(AGENT), WAITS(60000), OVER};

    (void)state;
    setenv("WATCHDOG_USEC", "60000000", 1);
    perform(waits);
    assert_true(play_count(play_told(), "WATCHDOG=1\n") > 10);
    assert_int_equal(play_count(play_told(), "READY=1\n"), 1);
    tear_down(state);
    set_up(state);
    perform(hangs);
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(play_count(play_told(), "WATCHDOG=1\n"), 0);
    assert_int_equal(play_count(play_told(), "READY=1\n"), 1);
}

static void a_flood_of_one_child_is_heard_in_turns(void **state)
{
    static const struct play_step steps[] = {
        {.what = PLAY_FLOOD, .who = AGENT, .number = 100}, SAYS(SCRIPT, "restart"), WAITS(3000), OVER};

    (void)state;
    assert_int_equal(play(&config, UP_VERBOSE, steps, &err), 0);
    must_say("moult run: agent: line 100\n");
    must_say("moult run: script: restart\n");
    must_say("the script asks for a restart: no reason given\n");
    assert_int_equal(play_count(play_done(), "script started"), 2);
}

static void a_script_on_trial_is_confirmed_once_it_is_alive(void **state)
{
    static const struct play_step steps[] = {
        MUTE(SCRIPT), TRIES, SAYS(AGENT, "confirm"), WAITS(1000), SAYS(SCRIPT, "beat"), OVER,
    };

    (void)state;
    perform(steps);
    must_do("agent < answer confirm ok\nagent < phase idle\n");
    must_say("confirmed\n");
    assert_int_equal(phase(), UP_IDLE);
}

/* Neither one that never beat since its start, nor one that fell silent. */
static void a_script_on_trial_that_is_silent_is_not_confirmed(void **state)
{
    static const struct play_step never[] = {MUTE(SCRIPT), TRIES, SAYS(AGENT, "confirm"), WAITS(31000), OVER};
    static const struct play_step silent[] = {
        MUTE(SCRIPT), TRIES, SAYS(SCRIPT, "beat"), WAITS(31000), SAYS(AGENT, "confirm"), OVER};
    const char *told = "agent < answer confirm deferred the script gives no sign of life; confirm again when "
                       "it works\nagent < phase trial\n";

    (void)state;
    perform(never);
    must_do(told);
    assert_int_equal(phase(), UP_TRIAL);
    assert_int_equal(tear_down(NULL), 0);
    assert_int_equal(set_up(NULL), 0);
    perform(silent);
    must_do(told);
    assert_int_equal(phase(), UP_TRIAL);
}

static void freeze(void)
{
    sim_advance(play_sim, 100000);
}

/* Nobody could beat while all were stopped; one that hangs is killed all the same. */
static void who_was_frozen_with_us_is_not_judged_by_that_time(void **state)
{
    static const struct play_step frozen[] = {WAITS(3000),   CALLS(freeze), WAITS(3000),
                                              CALLS(freeze), WAITS(3000),   OVER};
    static const struct play_step hangs[] = {MUTE(SCRIPT), WAITS(3000), CALLS(freeze), WAITS(61000), OVER};
    static const struct play_step trial[] = {TRIES, CALLS(freeze), WAITS(550000), OVER};

    (void)state;
    config.heartbeat = 10; /* so the loop is never meant to wait for longer */
    perform(trial);
    assert_int_equal(phase(), UP_TRIAL);
    assert_int_equal(tear_down(NULL), 0);
    assert_int_equal(set_up(NULL), 0);
    perform(frozen);
    assert_int_equal(play_count(play_said(), "gave no sign of life"), 0);
    assert_int_equal(play_count(play_said(), "s late, stopped or in a slow write"), 2);
    assert_int_equal(tear_down(NULL), 0);
    assert_int_equal(set_up(NULL), 0);
    perform(hangs);
    assert_int_equal(play_count(play_said(), "script gave no sign of life"), 1);
}

/* A sync of a slow medium takes longer than a heartbeat; but a hang, and a wait
 * without end, are none. */
static void who_waits_for_the_medium_is_not_judged_by_that_time(void **state)
{
    static const struct play_step steps[] = {WAITS(3000), MEDIUM(AGENT, 1), WAITS(600000),  MEDIUM(AGENT, 0),
                                             WAITS(3000), MEDIUM(AGENT, 1), WAITS(1700000), OVER};
    static const struct play_step hangs[] = {
        WAITS(3000), MUTE(AGENT), MEDIUM(AGENT, 1), WAITS(600000), MEDIUM(AGENT, 0), WAITS(61000), OVER};
    static const struct play_step for_ever[] = {WAITS(3000), MEDIUM(AGENT, 1), WAITS(1900000), OVER};

    (void)state;
    perform(steps);
    assert_int_equal(play_count(play_said(), "gave no sign of life"), 0);
    assert_int_equal(tear_down(NULL), 0);
    assert_int_equal(set_up(NULL), 0);
    perform(hangs);
    assert_int_equal(play_count(play_said(), "agent gave no sign of life for 60 s\n"), 1);
    assert_int_equal(tear_down(NULL), 0);
    assert_int_equal(set_up(NULL), 0);
    perform(for_ever);
    assert_int_equal(play_count(play_said(), "agent gave no sign of life for 60 s\n"), 1);
}

static void a_script_that_hangs_is_killed_with_a_way_out(void **state)
{
    static const struct play_step steps[] = {MUTE(SCRIPT), WAITS(61000), OVER};

    (void)state;
    perform(steps);
    must_say("script gave no sign of life for 60 s; split the long task, or raise heartbeat in the "
             "configuration\n");
    must_do("agent < script down gave no sign of life for 60 s; split the long task, or raise heartbeat in "
            "the configuration\nagent < script ended 1 ");
}

/* Each end is told with the next start; the history has one line for all of them. */
static void a_script_that_ends_again_and_again_is_counted(void **state)
{
    static const struct play_step steps[] = {WAITS(3000), ENDS(SCRIPT, 1), WAITS(2000), ENDS(SCRIPT, 7),
                                             WAITS(5000), ENDS(AGENT, 1),  WAITS(5000), OVER};
    struct up_event events[UP_HISTORY_RECORDS];
    int count;

    (void)state;
    perform(steps);
    must_do("agent < script down exited with code 1\nagent < script ended 1 ");
    must_do("agent < script down exited with code 7\nagent < script ended 2 ");
    must_do("script started\nagent < script up 1004 0\nagent < script ended 2 0 exited with code 7\n");
    assert_int_equal(play_count(play_done(), "ended 2 0 exited with code 7\n"), 2); /* a new agent hears it */
    count = up_history_read(sim_storage(play_sim), config.state, events, &err);
    assert_true(count > 1);
    assert_string_equal(events[count - 1].name, "restarted");
    assert_string_equal(events[count - 1].message,
                        "2 times, the last: exited with code 7; next start after 2 s");
    assert_string_not_equal(events[count - 2].name, "restarted");
}

/* That nobody judged it is no sign of life. */
static void what_was_frozen_is_not_confirmed_before_it_beats(void **state)
{
    static const struct play_step steps[] = {MUTE(SCRIPT),  TRIES,     SAYS(SCRIPT, "beat"),
                                             CALLS(freeze), WAITS(10), SAYS(AGENT, "confirm"),
                                             WAITS(31000),  OVER};
    static const struct play_step old[] = {MUTE(SCRIPT),
                                           TRIES,
                                           SAYS(SCRIPT, "beat"),
                                           {PLAY_SAY, .who = SCRIPT, .line = "beat", .number = 100000},
                                           SAYS(AGENT, "confirm"),
                                           WAITS(31000),
                                           OVER};
    static const struct play_step alive[] = {
        MUTE(SCRIPT),         TRIES, SAYS(SCRIPT, "beat"), CALLS(freeze), SAYS(AGENT, "confirm"),
        SAYS(SCRIPT, "beat"), OVER};
    const char *told = "agent < answer confirm deferred the script gives no sign of life; confirm again when "
                       "it works\n";

    (void)state;
    perform(steps);
    must_do(told);
    assert_int_equal(phase(), UP_TRIAL);
    assert_int_equal(tear_down(NULL), 0);
    assert_int_equal(set_up(NULL), 0);
    perform(old); /* a beat from before it */
    must_do(told);
    assert_int_equal(phase(), UP_TRIAL);
    assert_int_equal(tear_down(NULL), 0);
    assert_int_equal(set_up(NULL), 0);
    perform(alive);
    must_do("agent < answer confirm ok\n");
}

static void what_is_armed_is_undone_at_once(void **state)
{
    static const struct play_step steps[] = {CALLS(install_script), SAYS(AGENT, "armed"),
                                             SAYS(AGENT, "rollback"), OVER};

    (void)state;
    perform(steps);
    must_do("agent < phase armed\nagent < answer rollback ok\nagent < phase idle\n");
    must_say("disarmed: asked for\n");
    assert_int_equal(play_count(play_done(), "script started"), 1); /* nothing was changed under it */
}

/* It was to end for the trial; it ends, and what starts then is the old release. */
static void what_is_undone_on_the_way_to_its_trial_is_not_tried(void **state)
{
    static const struct play_step steps[] = {
        CALLS(install_script),
        DEAF(SCRIPT),
        SAYS(AGENT, "restart"),
        SAYS(AGENT, "rollback changed my mind"),
        ENDS(SCRIPT, 0),
        WAITS(3000),
        OVER,
    };

    (void)state;
    perform(steps);
    must_say("disarmed: changed my mind\n");
    assert_int_equal(play_count(play_done(), "script started"), 2);
    assert_int_equal(play_count(play_said(), "on trial"), 0);
    assert_int_equal(phase(), UP_IDLE);
}

/* As `install` by hand does before another release is fetched. */
static void disarm(void)
{
    enum up_start_action action;
    struct up_device *device;

    if (up_device_open(&device, sim_storage(play_sim), &config, UP_DEVICE_CHILD, &err) < 0 ||
        up_device_rollback(device, false, "not this one", &action, &err) < 0)
        fail_msg("%s", err.message);
    made_by_agent = (int)up_device_state(device)->phase;
    up_device_close(device);
}

/* The script took its time to end, and what is on record then counts. */
static void must_have_gone_back(unsigned starts, unsigned trials)
{
    assert_int_equal(play_count(play_done(), "script started"), starts);
    assert_int_equal(play_count(play_said(), "on trial"), trials);
    assert_int_equal(play_count(play_said(), "withdrawn"), 0); /* there was nothing to withdraw any more */
    assert_int_equal(phase(), UP_IDLE);
}

static void what_the_agent_undoes_meanwhile_is_not_tried(void **state)
{
    static const struct play_step steps[] = {
        CALLS(install_script), DEAF(SCRIPT), SAYS(AGENT, "restart"), CALLS(disarm), ENDS(SCRIPT, 0),
        WAITS(3000),           OVER,
    };

    (void)state;
    perform(steps);
    must_have_gone_back(2, 0);
}

static void a_trial_that_the_agent_ended_is_not_counted(void **state)
{
    static const struct play_step steps[] = {TRIES, CALLS(disarm), ENDS(SCRIPT, 1), WAITS(10000), OVER};

    (void)state;
    perform(steps);
    must_have_gone_back(3, 1);
}

static void a_trial_that_the_agent_ends_between_two_starts_is_over(void **state)
{
    static const struct play_step steps[] = {TRIES, ENDS(SCRIPT, 1), CALLS(disarm), WAITS(10000), OVER};

    (void)state;
    perform(steps);
    must_have_gone_back(3, 1);
}

static void a_rollback_stands_against_a_script_that_wants_less(void **state)
{
    static const struct play_step steps[] = {
        TRIES,
        DEAF(SCRIPT),
        SAYS(AGENT, "rollback too slow"),
        SAYS(SCRIPT, "restart please"),
        ENDS(SCRIPT, 0),
        WAITS(3000),
        OVER,
    };

    (void)state;
    perform(steps);
    must_say("rolled back: too slow\n");
    must_do("agent < answer rollback ok\nagent < phase idle\n");
    assert_int_equal(phase(), UP_IDLE);
}

static uint64_t proven(void)
{
    struct up_device *device;
    uint64_t found;

    if (up_device_open(&device, sim_storage(play_sim), &config, UP_DEVICE_READ, &err) < 0)
        fail_msg("%s", err.message);
    found = up_device_state(device)->proven;
    up_device_close(device);
    return found;
}

/* The agent has seen a server that the clock agrees with; the confirmation is
 * by a clock that is trusted then. */
static void the_date_of_a_witness_is_heard(void **state)
{
    const struct play_step steps[] = {
        SAYS(AGENT, "date 4102444801"),
        SAYS(AGENT, "date 4102449999"),
        SAYS(AGENT, "date never"),
        SAYS(AGENT, "date 4102444799"),
        TRIES,
        SAYS(SCRIPT, "beat"),
        SAYS(AGENT, "confirm"),
        OVER,
    };

    (void)state;
    sim_set_now(play_sim, 4102444800);
    perform(steps);
    assert_int_equal(play_count(play_said(), "the clock agrees with a server"), 2);
    assert_int_equal(play_count(play_said(), "the clock disagrees with a server"), 1);
    must_do("agent < answer confirm ok\n");
    assert_in_range(proven(), 4102444800, 4102444900);
}

static void a_trial_that_is_not_confirmed_in_time_is_over(void **state)
{
    static const struct play_step steps[] = {TRIES, WAITS(601000), OVER};

    (void)state;
    perform(steps);
    must_say("rolled back: not confirmed before the deadline\n");
    assert_int_equal(phase(), UP_IDLE);
}

/* What is to happen at a time happens then, though nobody wakes the supervisor. */
static void nothing_waits_for_the_next_sign_of_life(void **state)
{
    static const struct play_step trial[] = {MUTE(SCRIPT), TRIES, MUTE(AGENT), WAITS(200000), OVER};
    static const struct play_step confirm[] = {
        MUTE(SCRIPT), TRIES, MUTE(AGENT), WAITS(100000), SAYS(AGENT, "confirm"), WAITS(700000), OVER};
    static const struct play_step silent[] = {MUTE(SCRIPT), MUTE(AGENT), WAITS(200000), OVER};
    static const struct play_step ended[] = {MUTE(SCRIPT),   MUTE(AGENT),   WAITS(1000),
                                             ENDS(AGENT, 1), WAITS(200000), OVER};
    long asked;

    (void)state;
    config.heartbeat = 97;
    perform(silent);
    assert_int_equal(play_when("script ended", 1) - play_when("script started", 1), 97000);
    assert_int_equal(play_when("agent ended", 1) - play_when("agent started", 1), 97000);
    config.heartbeat = 100000;
    perform(ended);
    assert_in_range(play_when("agent started", 2) - play_when("agent ended", 1), 1, 10000);
    config.deadline = 97;
    perform(trial);
    must_say("rolled back: not confirmed before the deadline\n");
    assert_int_equal(play_when("script ended", 2) - play_when("script started", 2), 97000);
    assert_int_equal(tear_down(NULL), 0);
    assert_int_equal(set_up(NULL), 0);

    config.heartbeat = 1000;
    config.deadline = 10000;
    perform(confirm);
    asked = play_when("script started", 2) + 3000 + 100000;
    assert_int_equal(play_when("answer confirm deferred", 1) - asked, 500000);
}

/* The deadline, and the time for another restart, come while the script is being stopped: the supervisor sleeps
 * until the script has to be killed, and does not go round and round. */
static void what_is_overtaken_wakes_nobody(void **state)
{
    static const struct play_step trial[] = {
        TRIES, DEAF(SCRIPT), WAITS(95000), SAYS(AGENT, "rollback by hand"), WAITS(60000), OVER};
    static const struct play_step leave[] = {CALLS(install_core),
                                             SAYS(AGENT, "restart"),
                                             WAITS(59000),
                                             DEAF(SCRIPT),
                                             {.what = PLAY_SIGNAL, .number = SIGTERM},
                                             WAITS(20000),
                                             OVER};

    (void)state;
    config.deadline = 100;
    perform(trial);
    must_say("rolled back: by hand\n");
    must_say("script did not stop when asked\n");
    assert_int_equal(tear_down(NULL), 0);
    assert_int_equal(set_up(NULL), 0);

    config.restart = UP_RESTART_COMMAND;
    config.restart_argv[0] = strdup("/sbin/reboot");
    perform(leave);
    must_say("script did not stop when asked\n");
    assert_int_equal(sim_restarts(play_sim), 1);
}

/* A call that the kernel cannot break off, as into a driver that hangs, keeps nobody
 * from what has to happen: the trial ends, and a confirmed script starts again. */
static void a_script_that_cannot_be_killed_is_left(void **state)
{
    static const struct play_step trial[] = {TRIES, STUCK(SCRIPT), WAITS(700000), OVER};
    static const struct play_step confirmed[] = {STUCK(SCRIPT), WAITS(120000), OVER};

    (void)state;
    perform(trial);
    must_do("script left\n");
    must_say("script gave no sign of life for 60 s; split the long task, or raise heartbeat in the "
             "configuration; process 1003 does not end when killed and is left\n");
    assert_int_equal(play_count(play_said(), "on trial"), 2); /* the one that hung, and one that beats */
    must_say("rolled back: not confirmed before the deadline\n");
    assert_int_equal(phase(), UP_IDLE);
    tear_down(state);
    set_up(state);
    perform(confirmed);
    assert_int_equal(play_count(play_done(), "script left\n"), 1);
    assert_int_equal(play_count(play_done(), "script started"), 2);
}

/* One after the other hangs: what is left of them does not fill the system. */
static void scripts_that_cannot_be_killed_are_left_more_and_more_rarely(void **state)
{
    static const struct play_step steps[] = {
        STUCK(SCRIPT), WAITS(150000), STUCK(SCRIPT), WAITS(150000), STUCK(SCRIPT),
        WAITS(150000), STUCK(SCRIPT), WAITS(150000), FREE(SCRIPT),  WAITS(20000),
        STUCK(SCRIPT), WAITS(100000), OVER,
    };

    (void)state;
    perform(steps);
    /* The fourth was still waited for, and ended; then the time is the first one again. */
    assert_int_equal(play_count(play_done(), "script left\n"), 4);
    assert_int_equal(play_count(play_done(), "script ended\n"), 2); /* that one, and the last */
}

/* An agent may have begun to write what we rely on: another one runs beside it only
 * when the device goes down. */
static void an_agent_that_cannot_be_killed_is_waited_for(void **state)
{
    static const struct play_step hangs[] = {STUCK(AGENT), WAITS(200000), FREE(AGENT), WAITS(5000), OVER};
    static const struct play_step leaves[] = {CALLS(install_core), STUCK(AGENT), SAYS(AGENT, "restart"),
                                              WAITS(60000), OVER};
    static const struct play_step again[] = {CALLS(install_core), SAYS(AGENT, "restart"),
                                             WAITS(10000),        STUCK(AGENT),
                                             WAITS(200000),       FREE(AGENT),
                                             WAITS(5000),         OVER};

    (void)state;
    perform(hangs);
    assert_int_equal(play_count(play_done(), "agent left\n"), 0);
    assert_int_equal(play_count(play_done(), "agent started"), 2);
    tear_down(state);
    set_up(state);
    config.restart = UP_RESTART_COMMAND;
    config.restart_argv[0] = strdup("/sbin/reboot");
    perform(leaves);
    assert_int_equal(play_count(play_done(), "agent left\n"), 1);
    assert_int_equal(sim_restarts(play_sim), 1);
    tear_down(state);
    set_up(state);
    config.restart = UP_RESTART_COMMAND;
    config.restart_argv[0] = strdup("/sbin/reboot");
    perform(again); /* nor one that works on after a restart that did not happen */
    assert_int_equal(play_count(play_done(), "agent left\n"), 0);
    assert_int_equal(play_count(play_done(), "agent started"), 3);
}

static bool unjudged(void)
{
    struct up_device *device;
    bool found;

    if (up_device_open(&device, sim_storage(play_sim), &config, UP_DEVICE_READ, &err) < 0)
        fail_msg("%s", err.message);
    found = up_device_unjudged(device);
    up_device_close(device);
    return found;
}

/* What the agent said last of the start that runs counts, also when it was killed since. */
static void one_that_lacks_a_cloud_alone_is_not_quarantined_at_once(void **state)
{
    static const struct play_step lacks[] = {TRIES, SAYS(AGENT, "lacks cloud"), WAITS(601000), OVER};
    static const struct play_step more[] = {TRIES, SAYS(AGENT, "lacks cloud"), SAYS(AGENT, "lacks more"),
                                            WAITS(601000), OVER};
    static const struct play_step gone[] = {TRIES, SAYS(AGENT, "lacks cloud"), ENDS(AGENT, 1), WAITS(601000),
                                            OVER};
    static const struct play_step crash[] = {TRIES, SAYS(AGENT, "lacks cloud"), ENDS(SCRIPT, 1),
                                             WAITS(660000), OVER};
    static const struct play_step asked[] = {TRIES, SAYS(AGENT, "lacks cloud"), SAYS(AGENT, "rollback"),
                                             WAITS(3000), OVER};
    static const struct play_step sooner[] = {TRIES, SAYS(AGENT, "unreached policy: no network"), WAITS(3000),
                                              OVER};
    static const struct play_step before[] = {SAYS(AGENT, "lacks cloud"), TRIES, WAITS(601000), OVER};
    static const struct {
        const struct play_step *steps;
        bool unjudged;
    } cases[] = {{lacks, true},  {more, false},   {gone, true},  {crash, false},
                 {asked, false}, {before, false}, {sooner, true}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (i > 0) {
            tear_down(state);
            set_up(state);
        }
        perform(cases[i].steps);
        must_say(i == 0 ? "rolled back: not confirmed before the deadline: no cloud answered\n"
                        : "rolled back: ");
        assert_int_equal(phase(), UP_IDLE);
        assert_int_equal(unjudged(), cases[i].unjudged);
    }
}

/* That somebody called it good is known to the next agent of the same start, and to none of the next start. */
static void what_was_called_good_stays_so_without_the_agent(void **state)
{
    static const struct play_step steps[] = {
        SAYS(AGENT, "vouched"), TRIES,       ENDS(AGENT, 1),  WAITS(5000), SAYS(AGENT, "vouched"),
        ENDS(AGENT, 1),         WAITS(5000), ENDS(SCRIPT, 7), WAITS(9000), OVER};

    (void)state;
    perform(steps);
    assert_int_equal(play_count(play_done(), " vouched\n"), 1);
    must_do(" 1 vouched\n");
    must_do(" 2\n");
}

static void a_release_that_fails_three_times_is_given_up(void **state)
{
    static const struct play_step steps[] = {
        TRIES,       SAYS(AGENT, "failed"), WAITS(9000), SAYS(AGENT, "failed it is too slow"),
        WAITS(9000), ENDS(SCRIPT, 7),       WAITS(9000), OVER,
    };

    (void)state;
    perform(steps);
    must_say("script failed\n");
    must_say("script it is too slow\n");
    must_say("3 starts without confirmation, the last failed: exited with code 7");
    assert_int_equal(play_count(play_said(), "on trial"), 3);
    assert_int_equal(play_count(play_done(), "script started"), 5);
    assert_int_equal(phase(), UP_IDLE);
}

/*
 * A journal that cannot be written.
 */

/* The confirmed script runs meanwhile; then the trial goes on. */
static void a_start_that_cannot_be_counted_is_none_of_the_trial(void **state)
{
    static const struct play_step steps[] = {
        TRIES,        CALLS(break_writing),   ENDS(SCRIPT, 1),
        WAITS(30000), SAYS(AGENT, "confirm"), SAYS(AGENT, "failed it is another one"),
        CALLS(mend),  WAITS(60000),           OVER,
    };

    (void)state;
    perform(steps);
    must_say("WITHOUT UPDATES: release 2: its start on trial cannot be counted: ");
    must_say("script /device/state/script/1 started (process 1004)\n");
    must_do("agent < answer confirm deferred release 2: its start could not be counted");
    must_say("updates work again\n");
    must_say("script /device/state/script/2 started (process 1005), on trial\n");
    assert_int_equal(play_count(play_said(), "on trial\n"), 2);
    assert_int_equal(play_count(play_said(), "WITHOUT UPDATES: release"), 1);
    assert_int_equal(phase(), UP_TRIAL);
}

static void a_trial_that_cannot_be_written_does_not_begin(void **state)
{
    static const struct play_step steps[] = {
        CALLS(install_script), CALLS(break_writing), SAYS(AGENT, "restart"), WAITS(3000), CALLS(mend), OVER,
    };

    (void)state;
    perform(steps);
    must_say("trial: ");
    assert_int_equal(play_count(play_said(), "on trial"), 0);
    assert_int_equal(play_count(play_done(), "script started"), 2); /* the old one goes on */
    assert_int_equal(phase(), UP_ARMED);
}

/* And it is begun when it can be. */
static void a_trial_that_could_not_begin_begins_later(void **state)
{
    static const struct play_step steps[] = {
        CALLS(install_script), CALLS(break_writing), SAYS(AGENT, "restart"), WAITS(3000),
        CALLS(mend),           WAITS(60000),         SAYS(AGENT, "confirm"), OVER,
    };

    (void)state;
    perform(steps);
    must_say("the script runs WITHOUT UPDATES: ");
    must_say("updates work again\n");
    assert_int_equal(play_count(play_said(), "on trial"), 1);
    assert_int_equal(play_count(play_done(), "script started"), 3);
    must_do("agent < answer confirm ok\n");
    assert_int_equal(phase(), UP_IDLE);
}

/* The loader has started the new core, and that cannot be noted until later: the
 * script that runs meanwhile is none on trial. */
static void a_trial_that_is_armed_late_begins_with_a_start(void **state)
{
    static const struct play_step steps[] = {WAITS(3000), CALLS(mend), WAITS(60000), SAYS(AGENT, "confirm"),
                                             OVER};

    (void)state;
    arm_half();
    break_boot();
    perform(steps);
    must_say("the script runs WITHOUT UPDATES: ");
    must_say("updates work again\n");
    assert_int_equal(play_count(play_said(), "on trial"), 1);
    assert_int_equal(play_count(play_done(), "script started"), 2);
    must_do("agent < answer confirm ok\n");
    assert_int_equal(phase(), UP_IDLE);
}

static void a_core_that_cannot_be_counted_is_left_by_a_restart(void **state)
{
    static const struct play_step steps[] = {WAITS(3000), CALLS(break_journal), ENDS(SCRIPT, 1), WAITS(9000),
                                             OVER};

    (void)state;
    install_core();
    assert_int_equal(play(&config, UP_NORMAL, steps, &err), UP_RESTART);
    must_say("restarting the device: back to the old release\n");
    assert_int_equal(play_count(play_done(), "script started"), 1);
    mend();
    assert_int_equal(phase(), UP_TRIAL);
    assert_int_equal(play(&config, UP_NORMAL, steps, &err), 0); /* and then the old pair stays */
    mend();
    assert_int_equal(phase(), UP_IDLE);
}

/*
 * What does not work from the start: the script does.
 */

static void a_state_that_takes_no_write_heals_by_itself(void **state)
{
    static const struct play_step steps[] = {
        CALLS(break_writing),  WAITS(70000), SAYS(AGENT, "beat"), CALLS(mend), WAITS(70000),
        CALLS(install_script), OVER,
    };

    (void)state;
    break_writing();
    perform(steps);
    /* Once a cause; the record finds another on its second try. */
    assert_in_range(play_count(play_said(), "the script runs WITHOUT UPDATES: "), 1, 2);
    assert_int_equal(play_count(play_said(), "updates work again\n"), 1);
    must_do("agent < trouble off write /device/state/boot");
    must_do("agent < trouble none\n");
    assert_int_equal(play_count(play_done(), "script started"), 1); /* it was never disturbed */
}

/* Each look wakes the medium; those of an hour are counted. */
static void what_does_not_heal_is_looked_at_more_and_more_rarely(void **state)
{
    static const struct play_step steps[] = {WAITS(3600000), OVER};

    (void)state;
    break_reading();
    perform(steps);
    /* Once a minute, after some at first; each lists the generations once or twice. */
    assert_in_range(sim_calls(play_sim, SIM_LIST), 60, 150);
}

static unsigned opened;
static bool compared;

static void count_opens(void)
{
    opened = sim_calls(play_sim, SIM_OPEN);
}

static void must_have_opened_nothing(void)
{
    assert_int_equal(sim_calls(play_sim, SIM_OPEN), opened);
    compared = true;
}

/* Whoever is about to end does not begin to repair. */
static void while_it_stops_nothing_is_looked_at(void **state)
{
    static const struct play_step steps[] = {
        WAITS(3000),        DEAF(SCRIPT), {.what = PLAY_SIGNAL, .number = SIGTERM}, WAITS(1000),
        CALLS(count_opens), WAITS(3500),  CALLS(must_have_opened_nothing),          OVER};

    (void)state;
    compared = false;
    break_writing();
    perform(steps);
    must_say("the script runs WITHOUT UPDATES: ");
    assert_true(compared);
}

static void what_is_left_over_is_said_once(void **state)
{
    static const struct play_step steps[] = {WAITS(3000), ENDS(AGENT, 1), WAITS(200000), OVER};

    (void)state;
    sim_put_text(play_sim, "/device/state/script/9/junk", "");
    sim_reset_counters(play_sim);
    sim_fail(play_sim, SIM_UNLINK, 1, EIO, true);
    perform(steps);
    assert_int_equal(play_count(play_said(), "not in the way of updates: /device/state/script/9/junk"), 1);
    assert_int_equal(play_count(play_done(), "agent < trouble on write "), 2); /* both of them know */
    assert_int_equal(play_count(play_said(), "WITHOUT UPDATES"), 0);
}

static void a_journal_that_can_be_read_again_brings_the_agent(void **state)
{
    static const struct play_step steps[] = {WAITS(3000), CALLS(mend), WAITS(70000), OVER};

    (void)state;
    break_reading();
    perform(steps);
    must_say("STATE LOST: the script runs WITHOUT UPDATES");
    must_say("updates work again\n");
    assert_int_equal(play_count(play_done(), "script started"), 1);
    assert_int_equal(play_count(play_done(), "agent started"), 1);
}

static struct up_device *others;

static void somebody_else_takes_it(void)
{
    mend();
    if (up_device_open(&others, sim_storage(play_sim), &config, UP_DEVICE_LOCK, &err) < 0)
        fail_msg("%s", err.message);
}

static void they_give_it_back(void)
{
    up_device_close(others);
}

/* What is in the way now, not what was before. */
static void a_journal_that_another_process_holds_by_then_is_said(void **state)
{
    static const struct play_step steps[] = {WAITS(3000),  CALLS(somebody_else_takes_it),
                                             WAITS(70000), CALLS(they_give_it_back),
                                             WAITS(70000), OVER};

    (void)state;
    break_reading();
    perform(steps);
    must_say("STATE LOST: the script runs WITHOUT UPDATES");
    must_say("the script runs WITHOUT UPDATES: state /device/state: ");
    must_say("updates work again\n");
    assert_int_equal(play_count(play_done(), "agent started"), 1);
}

/* One supervisor is enough: a second runs nothing, and says who is in the way. */
static void a_device_that_another_process_holds_is_not_run(void **state)
{
    static const struct play_step steps[] = {WAITS(3000), OVER};

    (void)state;
    sim_fail(play_sim, SIM_LOCK, 1, EWOULDBLOCK, true);
    assert_int_equal(play(&config, UP_NORMAL, steps, &err), UP_BUSY);
    assert_non_null(strstr(err.message, "another moult run is using it"));
    assert_string_equal(play_done(), "");
    mend();
    perform(steps);
    must_say("script /device/state/script/1 started");
}

static void a_folder_that_cannot_be_locked_stops_nothing(void **state)
{
    static const struct play_step steps[] = {WAITS(3000), OVER};

    (void)state;
    sim_fail(play_sim, SIM_LOCK, 1, ENOLCK, false);
    perform(steps);
    must_say("script /device/state/script/1 started");
    assert_int_equal(play_count(play_said(), "WITHOUT UPDATES"), 0);
}

/* A verb is waited for, and when that takes long the script runs meanwhile, without an agent beside the verb. */
static void a_verb_that_holds_the_state_does_not_stop_the_script(void **state)
{
    static const struct play_step soon[] = {WAITS(4000), CALLS(mend), WAITS(3000), OVER};
    static const struct play_step late[] = {WAITS(9000), CALLS(mend), WAITS(70000), OVER};

    (void)state;
    sim_fail(play_sim, SIM_LOCK, 2, EWOULDBLOCK, true); /* the first one is the folder's */
    perform(soon);
    assert_int_equal(play_count(play_said(), "WITHOUT UPDATES"), 0);
    assert_int_equal(play_count(play_done(), "agent started"), 1);

    sim_reset_counters(play_sim);
    sim_fail(play_sim, SIM_LOCK, 2, EWOULDBLOCK, true);
    perform(late);
    must_say(
        "the script runs WITHOUT UPDATES: state /device/state: another moult process is using it (busy)");
    must_say("updates work again\n");
    assert_int_equal(play_count(play_done(), "script started"), 1);
    assert_int_equal(play_count(play_done(), "agent started"), 1);
}

static void a_phase_that_the_agent_leaves_is_taken_over(void **state)
{
    static const struct play_step steps[] = {CALLS(roll_back_half), SAYS(AGENT, "resume"),   CALLS(mend),
                                             WAITS(70000),          SAYS(AGENT, "rollback"), OVER};

    (void)state;
    perform(steps);
    must_do("agent < phase rolling_back\n");
    must_do("agent < phase idle\n");
    must_do("agent < answer rollback nothing ");
    assert_int_equal(phase(), UP_IDLE);
}

static void a_rollback_that_cannot_be_written_is_answered_so(void **state)
{
    static const struct play_step steps[] = {
        CALLS(install_script), CALLS(break_writing),           SAYS(AGENT, "rollback no"),
        CALLS(mend),           SAYS(AGENT, "rollback please"), OVER,
    };

    (void)state;
    perform(steps);
    must_do("agent < answer rollback write ");
    must_say("rollback: ");
    must_do("agent < answer rollback ok\nagent < phase idle\n");
}

/* Both came at once. What could not be dropped is begun, as it was asked for: nobody would ask again. */
static void a_rollback_that_cannot_be_written_leaves_the_trial_that_is_due(void **state)
{
    static const struct play_step steps[] = {
        CALLS(install_script), CALLS(break_writing), SAYS(AGENT, "restart\nrollback no"),
        CALLS(mend),           WAITS(60000),         OVER,
    };

    (void)state;
    perform(steps);
    must_do("agent < answer rollback write ");
    assert_int_equal(phase(), UP_TRIAL);
}

static void a_confirmation_that_cannot_be_written_is_none(void **state)
{
    static const struct play_step steps[] = {
        TRIES, CALLS(break_writing), SAYS(AGENT, "confirm"), CALLS(mend), OVER,
    };

    (void)state;
    perform(steps);
    must_do("agent < answer confirm write ");
    assert_int_equal(play_count(play_said(), "confirmed\n"), 0);
    assert_int_equal(phase(), UP_TRIAL);
}

static void a_journal_that_cannot_be_read_is_said(void **state)
{
    static const struct play_step steps[] = {
        CALLS(break_reading), SAYS(AGENT, "confirm"), CALLS(mend), SAYS(AGENT, "rollback"), OVER,
    };

    (void)state;
    perform(steps);
    must_say("moult run: journal: ");
    must_do("agent < answer rollback nothing ");
}

/*
 * Restarts.
 */

static void a_core_waits_for_the_restart_that_the_configuration_names(void **state)
{
    static const struct play_step steps[] = {
        CALLS(install_core),
        DEAF(SCRIPT),
        SAYS(AGENT, "armed"),
        SAYS(AGENT, "restart"),
        SAYS(SCRIPT, "restart me"), /* comes to the same */
        WAITS(60000),
        OVER,
    };

    (void)state;
    assert_int_equal(play(&config, UP_NORMAL, steps, &err), UP_RESTART);
    assert_string_equal(err.message, "a restart of the device is due");
    assert_int_equal(play_count(play_said(), "restarting the device: a new core is armed"), 2);
    must_do("agent ended\nscript ended\n");
    assert_int_equal(play_count(play_done(), "script started"), 1);
    assert_int_equal(play_count(play_told(), "STATUS=restarting\n"), 1);
    assert_int_equal(play_count(play_told(), "STOPPING=1\n"), 0);
}

static void a_supervisor_that_cannot_start_over_goes_on(void **state)
{
    static const struct {
        enum up_verbosity verbosity;
        const char *words;
    } cases[] = {
        {UP_QUIET, "execute /moult run -c /device/config.lua -q\n"},
        {UP_NORMAL, "execute /moult run -c /device/config.lua\n"},
        {UP_VERBOSE, "execute /moult run -c /device/config.lua -v\n"},
    };
    static const struct play_step steps[] = {CALLS(install_core), SAYS(AGENT, "restart"), WAITS(450000L),
                                             OVER};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (i > 0) {
            tear_down(state);
            set_up(state);
        }
        config.restart = UP_RESTART_SUPERVISOR;
        assert_int_equal(play(&config, cases[i].verbosity, steps, &err), 0);
        must_say(
            "WITHOUT UPDATES: the device is not restarted: /moult: No such file or directory (restart)\n");
        must_do(cases[i].words);
        /* Tried again after one minute, two and four; meanwhile both run. */
        assert_int_equal(play_count(play_done(), "execute /moult run"), 4);
        assert_int_equal(play_count(play_done(), "script started"), 5);
        assert_int_equal(play_count(play_done(), "agent started"), 5);
    }
}

/* The command ran, or not even that, and the device stays up: it works on, and
 * is restarted again, ever more seldom. */
static void a_device_that_does_not_go_down_is_told_again(void **state)
{
    static const struct play_step steps[] = {CALLS(install_core), SAYS(AGENT, "restart"), WAITS(5 * 3600000L),
                                             OVER};
    static const int pauses[] = {60, 120, 240, 480, 960, 1920, 3600};
    char text[80];

    (void)state;
    config.restart = UP_RESTART_COMMAND;
    config.restart_argv[0] = strdup("/sbin/reboot");
    sim_fail(play_sim, SIM_RESTART, 1, ENOENT, false);
    perform(steps);
    must_say(
        "WITHOUT UPDATES: the device is not restarted: /sbin/reboot: No such file or directory (restart)\n");
    must_do(
        "agent < trouble off restart the device is not restarted: /sbin/reboot: No such file or directory\n");
    must_say("restarting the device: it did not go down the last time\n");
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        snprintf(text, sizeof text, "still up in %d s, the restart", pauses[i]);
        assert_int_equal(play_count(play_said(), text), i < 6 ? 1 : 4);
    }
    assert_int_equal(play_count(play_said(), "still up in"), 10);
    assert_int_equal(sim_restarts(play_sim), 9); /* and the one that failed */
    /* They were stopped for the first one alone. */
    assert_int_equal(play_count(play_done(), "script started"), 2);
    assert_int_equal(play_count(play_done(), "agent started"), 2);
}

/* It is armed still, and nobody else would ask for the restart again. */
static void a_rollback_that_fails_leaves_the_restart_that_is_due(void **state)
{
    static const struct play_step steps[] = {CALLS(install_core),
                                             SAYS(AGENT, "restart"),
                                             WAITS(50),
                                             CALLS(break_writing),
                                             SAYS(AGENT, "rollback no"),
                                             CALLS(mend),
                                             WAITS(90000),
                                             OVER};

    (void)state;
    config.restart = UP_RESTART_COMMAND;
    config.restart_argv[0] = strdup("/sbin/reboot");
    perform(steps);
    must_do("agent < answer rollback write ");
    assert_int_equal(phase(), UP_ARMED);
    assert_int_equal(sim_restarts(play_sim), 1); /* since its counters were reset */
}

/* There was no such command, and then there was. */
static void the_last_try_of_a_restart_is_told(void **state)
{
    static const struct play_step steps[] = {CALLS(install_core), SAYS(AGENT, "restart"), WAITS(400000),
                                             OVER};

    (void)state;
    config.restart = UP_RESTART_COMMAND;
    config.restart_argv[0] = strdup("/sbin/reboot");
    sim_fail(play_sim, SIM_RESTART, 1, ENOENT, false);
    perform(steps);
    must_say("the device is not restarted: /sbin/reboot: No such file or directory (restart)\n");
    must_say("the device is not restarted: /sbin/reboot: it ran, and nothing happened (restart)\n");
}

static void who_was_stopped_for_a_restart_works_on_at_once(void **state)
{
    static const struct play_step steps[] = {CALLS(install_core), SAYS(AGENT, "restart"), WAITS(50), OVER};

    (void)state;
    config.restart = UP_RESTART_COMMAND;
    config.restart_argv[0] = strdup("/sbin/reboot");
    perform(steps);
    assert_int_equal(play_count(play_done(), "script started"), 2);
    assert_int_equal(play_count(play_done(), "agent started"), 2);
}

/* It ran, and the device did not go down: that is known when it is due again.
 * What is not armed any more needs no restart. */
static void a_restart_that_is_not_wanted_any_more_is_forgotten(void **state)
{
    static const struct play_step steps[] = {CALLS(install_core), SAYS(AGENT, "restart"),
                                             WAITS(70000),        SAYS(AGENT, "rollback by hand"),
                                             WAITS(5 * 3600000L), OVER};

    (void)state;
    config.restart = UP_RESTART_COMMAND;
    config.restart_argv[0] = strdup("/sbin/reboot");
    perform(steps);
    must_say("the device is not restarted: /sbin/reboot: it ran, and nothing happened (restart)\n");
    must_say("disarmed: by hand\n");
    must_say("updates work again\n");
    assert_int_equal(sim_restarts(play_sim), 2);
    assert_int_equal(phase(), UP_IDLE);
}

/* The agent, which is started anew meanwhile, sees what is armed and asks at once. */
static void whoever_asks_for_a_restart_that_failed_waits_for_its_time(void **state)
{
    static const struct play_step steps[] = {
        CALLS(install_core),     SAYS(AGENT, "restart"), WAITS(1000), SAYS(AGENT, "restart"),
        SAYS(SCRIPT, "restart"), WAITS(50000),           OVER,
    };

    (void)state;
    config.restart = UP_RESTART_COMMAND;
    config.restart_argv[0] = strdup("/sbin/reboot");
    perform(steps);
    assert_int_equal(sim_restarts(play_sim), 1);
    assert_int_equal(play_count(play_done(), "script started"), 2);
    assert_int_equal(play_count(play_done(), "agent started"), 2);
}

static void a_core_on_trial_is_left_by_a_restart(void **state)
{
    static const struct play_step asked[] = {SAYS(AGENT, "beat"), SAYS(AGENT, "rollback it is worse"),
                                             WAITS(60000), OVER};
    static const struct play_step crashes[] = {WAITS(3000), ENDS(SCRIPT, 1), WAITS(9000), ENDS(SCRIPT, 1),
                                               WAITS(9000), ENDS(SCRIPT, 1), WAITS(9000), OVER};

    install_core();
    assert_int_equal(play(&config, UP_NORMAL, asked, &err), UP_RESTART);
    must_say("rolled back: it is worse\n");
    must_say("restarting the device: back to the old release\n");
    tear_down(state);
    set_up(state);
    install_core();
    assert_int_equal(play(&config, UP_NORMAL, crashes, &err), UP_RESTART);
    must_say("3 starts without confirmation");
    must_say("restarting the device: back to the old release\n");
    assert_int_equal(play_count(play_done(), "script started"), 3); /* not again on this core */
}

static void a_loader_that_chose_wrongly_is_asked_again(void **state)
{
    static const struct play_step steps[] = {WAITS(60000), OVER};

    tear_down(state);
    make_world(&(struct world_plan){
        .name = "core", .provisioned = true, .package = WORLD_CORE, .loader = WORLD_UBOOT});
    config.boot = UP_BOOT_UBOOT;
    config.fw_env = strdup("/etc/fw_env.config");
    config.cmdline = strdup("/proc/cmdline-a");
    install_core();
    assert_int_equal(play(&config, UP_NORMAL, steps, &err), UP_RESTART);
    must_say("restarting the device: the boot loader has to choose again\n");
    assert_string_equal(play_done(), ""); /* nothing of the old core was started for that */
}

/*
 * A device without a script: a core on trial, which begins with a start of ours.
 */

static void set_up_alone(void **state)
{
    tear_down(state);
    make_world(&(struct world_plan){
        .name = "core alone", .provisioned = true, .package = WORLD_CORE, .alone = true});
    config.no_script = true;
    install_core();
}

static void without_a_script_a_trial_is_confirmed_when_asked(void **state)
{
    static const struct play_step steps[] = {SAYS(AGENT, "vouched"), SAYS(AGENT, "confirm"), WAITS(3000),
                                             OVER};

    set_up_alone(state);
    perform(steps);
    must_say("runs without a script, on trial\n");
    must_do("agent < script up 0 1\n");
    must_do("agent < script up 0 1 vouched\n");
    must_do("agent < answer confirm ok\n");
    must_say("confirmed\n");
    assert_int_equal(play_count(play_done(), "script started"), 0);
    assert_int_equal(phase(), UP_IDLE);
    assert_true(names_b());
}

static void without_a_script_a_trial_is_counted_and_goes_back(void **state)
{
    static const struct play_step killed[] = {WAITS(3000), OVER},
                                  asked[] = {SAYS(AGENT, "rollback bad"), WAITS(3000), OVER};

    set_up_alone(state);
    for (int start = 1; start <= UP_TRIAL_STARTS; start++) {
        perform(killed);
        assert_int_equal(phase(), UP_TRIAL);
    }
    perform(killed); /* the loader's tries are spent, too */
    assert_int_equal(phase(), UP_IDLE);
    assert_false(names_b());
    must_do("agent < script up 0 0\n");
    set_up_alone(state);
    assert_int_equal(play(&config, UP_NORMAL, asked, &err), UP_RESTART);
    must_do("agent < answer rollback ok\n");
    assert_false(names_b());
}

static void without_a_script_the_deadline_decides(void **state)
{
    static const struct play_step steps[] = {WAITS(700000), OVER},
                                  cloud[] = {SAYS(AGENT, "lacks cloud"), WAITS(700000), OVER};

    set_up_alone(state);
    assert_int_equal(play(&config, UP_NORMAL, steps, &err), UP_RESTART);
    must_say("rolled back: not confirmed before the deadline\n");
    set_up_alone(state);
    assert_int_equal(play(&config, UP_NORMAL, cloud, &err), UP_RESTART);
    must_say("not confirmed before the deadline: no cloud answered\n");
}

/* What cannot be counted is not confirmed; once it can be, the trial begins. */
static void without_a_script_a_trial_begins_when_it_can_be_counted(void **state)
{
    static const struct play_step steps[] = {SAYS(AGENT, "confirm"), CALLS(mend), WAITS(120000),
                                             SAYS(AGENT, "confirm"), WAITS(3000), OVER};

    set_up_alone(state);
    break_journal();
    assert_int_equal(play(&config, UP_NORMAL, steps, &err), UP_RESTART);
    assert_int_equal(play_count(play_done(), "answer confirm ok"), 0);
    assert_int_equal(play_count(play_done(), "script up 0 1"), 0);
}

/* Nothing could be run of it, so it ends, and whoever started it tries again. */
static void without_a_script_and_a_state_it_ends(void **state)
{
    static const struct play_step steps[] = {WAITS(3000), OVER};

    set_up_alone(state);
    break_reading();
    assert_int_not_equal(play(&config, UP_NORMAL, steps, &err), 0);
    assert_int_equal(play_count(play_done(), "started"), 0);
}

/*
 * Children and stops.
 */

static void what_cannot_be_started_is_tried_again(void **state)
{
    static const struct play_step steps[] = {WAITS(10000), OVER};

    (void)state;
    play_refuses.starts = 3;
    perform(steps);
    must_say("agent: agent: cannot start: Resource temporarily unavailable (internal)\n");
    must_say("script: script: cannot start: Resource temporarily unavailable (internal)\n");
    must_do("agent started\n");
    must_do("script started\n");
}

static void a_stop_is_a_stop_whoever_asks_for_more(void **state)
{
    static const struct play_step steps[] = {
        CALLS(install_core),
        DEAF(SCRIPT),
        DEAF(AGENT),
        {.what = PLAY_SIGNAL, .number = SIGTERM},
        {.what = PLAY_SIGNAL, .number = SIGINT},
        SAYS(AGENT, "restart"),
        SAYS(SCRIPT, "restart"),
        WAITS(UINT16_MAX),
        OVER,
    };

    (void)state;
    perform(steps);
    assert_int_equal(play_count(play_said(), "stopping: "), 1);
    must_say("script did not stop when asked\n");
    must_say("agent did not stop when asked\n");
    assert_int_equal(phase(), UP_ARMED);
}

static void a_script_that_ends_while_stopping_is_no_failed_trial(void **state)
{
    static const struct play_step steps[] = {
        TRIES,
        DEAF(AGENT),
        DEAF(SCRIPT),
        {.what = PLAY_SIGNAL, .number = SIGTERM},
        SAYS(SCRIPT, "restart"),
        ENDS(SCRIPT, 1),
        WAITS(60000),
        OVER,
    };
    struct up_device *device;

    (void)state;
    perform(steps);
    assert_int_equal(up_device_open(&device, sim_storage(play_sim), &config, UP_DEVICE_READ, &err), 0);
    assert_int_equal(up_device_state(device)->phase, UP_TRIAL);
    assert_int_equal(up_device_state(device)->tx.failures, 0);
    up_device_close(device);
}

/* Nor does it reload anything: what is configured is read at the start. */
static void a_terminal_that_goes_away_stops_nothing(void **state)
{
    static const struct play_step steps[] = {
        WAITS(3000), {.what = PLAY_SIGNAL, .number = SIGHUP}, ENDS(SCRIPT, 1), WAITS(3000), OVER,
    };

    (void)state;
    perform(steps);
    must_say("ignores SIGHUP");
    assert_int_equal(play_count(play_done(), "script started"), 2);
}

/* The script ends too late for what was to follow: the next start decides anew. */
static void what_was_to_follow_a_script_is_not_begun_while_stopping(void **state)
{
    static const struct play_step steps[] = {
        TRIES,
        DEAF(SCRIPT),
        SAYS(AGENT, "rollback it is worse"),
        {.what = PLAY_SIGNAL, .number = SIGTERM},
        WAITS(60000),
        OVER,
    };

    (void)state;
    perform(steps);
    must_do("agent ended\nscript ended\n");
    assert_int_equal(play_count(play_done(), "answer rollback"), 0);
    assert_int_equal(phase(), UP_TRIAL);
}

static void without_its_state_a_device_runs_what_it_has(void **state)
{
    static const struct play_step calm[] = {WAITS(3000), ENDS(SCRIPT, 1), WAITS(3000), OVER};

    (void)state;
    sim_put_text(play_sim, "/device/state/journal.0", "lost");
    sim_put_text(play_sim, "/device/state/journal.1", "lost");
    perform(calm);
    must_say("STATE LOST: the script runs WITHOUT UPDATES until the device is provisioned again: ");
    must_say("script /device/state/script/1 started");
    assert_int_equal(play_count(play_done(), "script started"), 2);
    assert_int_equal(play_count(play_done(), "agent"), 0);
    /* What was confirmed is known without the link; without either, nothing is. */
    assert_int_equal(
        sim_storage(play_sim)->ops->unlink(sim_storage(play_sim), "/device/state/script/current"), 0);
    perform(calm);
    must_say("script /device/state/script/1 started");
    assert_int_equal(sim_storage(play_sim)->ops->unlink(sim_storage(play_sim), "/device/state/script/1.good"),
                     0);
    assert_int_equal(play(&config, UP_NORMAL, calm, &err), UP_STATELOST);
    assert_string_equal(play_done(), "");
}

/* While nobody runs it: the medium does this by itself. */
static void spoil(const char *path)
{
    struct up_storage *storage = sim_storage(play_sim);
    int file = storage->ops->open(storage, path, UP_UPDATE, 0);

    assert_true(file >= 0);
    assert_int_equal(storage->ops->pwrite(storage, file, "~", 1, 3), 0);
    storage->ops->close(storage, file);
}

static void spoil_2(void)
{
    spoil("/device/state/script/2/main.lua");
}

static void lose_2(void)
{
    spoil_2();
    spoil("/device/state/script/2.tar");
}

static void a_script_that_is_damaged_is_made_again_for_its_trial(void **state)
{
    static const struct play_step steps[] = {CALLS(install_script),  CALLS(spoil_2), SAYS(AGENT, "armed"),
                                             SAYS(AGENT, "restart"), WAITS(3000),    OVER};

    (void)state;
    perform(steps);
    must_say("script /device/state/script/2 started");
    assert_int_equal(phase(), UP_TRIAL);
}

/* The old one runs at once, and the agent is told. */
static void one_that_cannot_be_is_withdrawn(void **state)
{
    static const struct play_step steps[] = {CALLS(install_script),  CALLS(lose_2), SAYS(AGENT, "armed"),
                                             SAYS(AGENT, "restart"), WAITS(3000),   OVER};

    (void)state;
    perform(steps);
    must_say("withdrawn: generation 2: its files are not those that were installed");
    assert_int_equal(play_count(play_said(), "script /device/state/script/2 started"), 0);
    assert_int_equal(play_count(play_said(), "script /device/state/script/1 started"), 2);
    must_do("agent < phase idle\n");
    assert_int_equal(phase(), UP_IDLE);
}

static void a_confirmed_script_that_is_damaged_runs_and_is_made_again(void **state)
{
    static const struct play_step steps[] = {WAITS(3000), ENDS(SCRIPT, 1), WAITS(3000), OVER};

    (void)state;
    spoil("/device/state/script/1/main.lua");
    sim_settle(play_sim);
    perform(steps);
    assert_int_equal(play_count(play_said(), "script /device/state/script/1 started"), 2);
    assert_true(variant_is_script(play_sim, "/device/state/script/1", 1));
    assert_int_equal(play_count(play_done(), "script ended\n"), 2);
}

static void nothing_is_started_on_top_of_what_the_script_left(void **state)
{
    static const struct play_step steps[] = {CALLS(leave_three), ENDS(SCRIPT, 1), WAITS(3000), OVER};

    (void)state;
    perform(steps);
    must_do("orphan killed\norphan killed\norphan killed\nscript started\n");
}

/* Nor is the trial begun, and its start counted. */
static void a_process_that_cannot_be_killed_delays_only(void **state)
{
    static const struct play_step steps[] = {CALLS(leave_one_for_ever), TRIES, WAITS(3000), OVER};

    (void)state;
    perform(steps);
    must_do("orphan killed\nagent < phase trial\n");
    must_say("1 processes that the script left behind cannot be killed\n");
    assert_int_equal(play_count(play_done(), "script started"), 2);
}

static void without_a_subreaper_a_device_runs(void **state)
{
    static const struct play_step steps[] = {WAITS(3000), OVER};

    (void)state;
    play_refuses.orphans = true;
    perform(steps);
    must_say("processes that the script left behind stay: Invalid argument\n");
    must_do("script started\n");
}

/* What ran meanwhile is the same script, with a core alone, but no start of the trial. */
static void a_trial_that_was_unreadable_begins_when_it_can_be_read(void **state)
{
    static void (*const installs[])(void) = {install_script, install_core};
    static const struct play_step steps[] = {WAITS(3000), CALLS(mend), WAITS(20000), SAYS(AGENT, "confirm"),
                                             OVER};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        tear_down(state);
        set_up(state);
        installs[i]();
        break_reading();
        perform(steps);
        must_say("WITHOUT UPDATES");
        must_say("updates work again\n");
        assert_int_equal(play_count(play_said(), "on trial"), 1);
        must_do("agent < answer confirm ok\n");
        assert_int_equal(phase(), UP_IDLE);
    }
}

/* Those who may use it find what is theirs, or the log says why not. */
static void who_has_a_right_finds_the_state(void **state)
{
    static const struct play_step calm[] = {WAITS(1000), OVER};
    char *tree;

    (void)state;
    config.control_group = true;
    perform(calm);
    assert_int_equal(play_count(play_said(), "other users may lack"), 0);
    tree = sim_dump(play_sim, "/device");
    assert_non_null(strstr(tree, "0711"));
    free(tree);
    sim_settle(play_sim);
    sim_reset_counters(play_sim);
    sim_fail(play_sim, SIM_STAT, 1, EIO, true);
    perform(calm);
    must_say("other users may lack access to what they may use: ");
}

static void what_the_system_refuses_is_said_and_leaves_nothing(void **state)
{
    static const struct {
        struct play_refusal refuses;
        const char *said;
    } cases[] = {
        {{.signals = true}, "signals: Too many open files"},
        {{.child = 1}, "agent: not enough memory"},
        {{.child = 2}, "script: not enough memory"},
    };
    static const struct play_step steps[] = {OVER};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        play_refuses = cases[i].refuses;
        assert_int_equal(play(&config, UP_NORMAL, steps, &err), UP_INTERNAL);
        assert_non_null(strstr(err.message, cases[i].said));
        assert_string_equal(play_done(), "");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_idle_device_has_nothing_to_decide),
        TEST(the_service_manager_is_told),
        TEST(an_agent_that_waits_is_alive_to_the_manager),
        TEST(a_flood_of_one_child_is_heard_in_turns),
        TEST(a_script_on_trial_is_confirmed_once_it_is_alive),
        TEST(who_was_frozen_with_us_is_not_judged_by_that_time),
        TEST(who_waits_for_the_medium_is_not_judged_by_that_time),
        TEST(a_script_that_hangs_is_killed_with_a_way_out),
        TEST(a_script_that_ends_again_and_again_is_counted),
        TEST(what_was_frozen_is_not_confirmed_before_it_beats),
        TEST(a_script_on_trial_that_is_silent_is_not_confirmed),
        TEST(what_is_armed_is_undone_at_once),
        TEST(what_is_undone_on_the_way_to_its_trial_is_not_tried),
        TEST(what_the_agent_undoes_meanwhile_is_not_tried),
        TEST(a_trial_that_the_agent_ended_is_not_counted),
        TEST(a_trial_that_the_agent_ends_between_two_starts_is_over),
        TEST(a_rollback_stands_against_a_script_that_wants_less),
        TEST(the_date_of_a_witness_is_heard),
        TEST(a_trial_that_is_not_confirmed_in_time_is_over),
        TEST(nothing_waits_for_the_next_sign_of_life),
        TEST(what_is_overtaken_wakes_nobody),
        TEST(a_script_that_cannot_be_killed_is_left),
        TEST(scripts_that_cannot_be_killed_are_left_more_and_more_rarely),
        TEST(an_agent_that_cannot_be_killed_is_waited_for),
        TEST(what_was_called_good_stays_so_without_the_agent),
        TEST(one_that_lacks_a_cloud_alone_is_not_quarantined_at_once),
        TEST(a_release_that_fails_three_times_is_given_up),
        TEST(a_start_that_cannot_be_counted_is_none_of_the_trial),
        TEST(a_trial_that_cannot_be_written_does_not_begin),
        TEST(a_trial_that_could_not_begin_begins_later),
        TEST(a_trial_that_is_armed_late_begins_with_a_start),
        TEST(a_core_that_cannot_be_counted_is_left_by_a_restart),
        TEST(a_state_that_takes_no_write_heals_by_itself),
        TEST(what_does_not_heal_is_looked_at_more_and_more_rarely),
        TEST(while_it_stops_nothing_is_looked_at),
        TEST(what_is_left_over_is_said_once),
        TEST(a_journal_that_can_be_read_again_brings_the_agent),
        TEST(a_journal_that_another_process_holds_by_then_is_said),
        TEST(a_device_that_another_process_holds_is_not_run),
        TEST(a_folder_that_cannot_be_locked_stops_nothing),
        TEST(a_verb_that_holds_the_state_does_not_stop_the_script),
        TEST(a_phase_that_the_agent_leaves_is_taken_over),
        TEST(a_rollback_that_cannot_be_written_is_answered_so),
        TEST(a_rollback_that_cannot_be_written_leaves_the_trial_that_is_due),
        TEST(a_confirmation_that_cannot_be_written_is_none),
        TEST(a_journal_that_cannot_be_read_is_said),
        TEST(a_core_waits_for_the_restart_that_the_configuration_names),
        TEST(a_supervisor_that_cannot_start_over_goes_on),
        TEST(a_device_that_does_not_go_down_is_told_again),
        TEST(a_rollback_that_fails_leaves_the_restart_that_is_due),
        TEST(the_last_try_of_a_restart_is_told),
        TEST(who_was_stopped_for_a_restart_works_on_at_once),
        TEST(a_restart_that_is_not_wanted_any_more_is_forgotten),
        TEST(whoever_asks_for_a_restart_that_failed_waits_for_its_time),
        TEST(a_core_on_trial_is_left_by_a_restart),
        TEST(a_loader_that_chose_wrongly_is_asked_again),
        TEST(without_a_script_a_trial_is_confirmed_when_asked),
        TEST(without_a_script_a_trial_is_counted_and_goes_back),
        TEST(without_a_script_the_deadline_decides),
        TEST(without_a_script_a_trial_begins_when_it_can_be_counted),
        TEST(without_a_script_and_a_state_it_ends),
        TEST(what_cannot_be_started_is_tried_again),
        TEST(a_stop_is_a_stop_whoever_asks_for_more),
        TEST(a_script_that_ends_while_stopping_is_no_failed_trial),
        TEST(a_terminal_that_goes_away_stops_nothing),
        TEST(what_was_to_follow_a_script_is_not_begun_while_stopping),
        TEST(without_its_state_a_device_runs_what_it_has),
        TEST(a_script_that_is_damaged_is_made_again_for_its_trial),
        TEST(one_that_cannot_be_is_withdrawn),
        TEST(a_confirmed_script_that_is_damaged_runs_and_is_made_again),
        TEST(nothing_is_started_on_top_of_what_the_script_left),
        TEST(a_process_that_cannot_be_killed_delays_only),
        TEST(without_a_subreaper_a_device_runs),
        TEST(a_trial_that_was_unreadable_begins_when_it_can_be_read),
        TEST(who_has_a_right_finds_the_state),
        TEST(what_the_system_refuses_is_said_and_leaves_nothing),
    };

    unsetenv("NOTIFY_SOCKET");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
