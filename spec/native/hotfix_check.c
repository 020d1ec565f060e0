/*
 * hotfix_check.c -- a hotfix under the supervisor, in a world that is played: the
 * script takes it or is started anew, the test runs, time passes, and what is
 * told to stop, crashes or says nothing in between.
 */
#include "supervisor_play.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "device.h"
#include "hotfix_gate.h"
#include "hotfixes_world.h"
#include "world.h"

#define STATE "/device/state"

static struct up_config config;
static struct up_error err;

/* What the agent says, with the ids in it. */
static char apply[64], apply_live[64], apply_second[64];

static int set_up(void **state)
{
    static const struct hotfixes_flow flow = {"played", .end = HOTFIXES_APPLIED};
    char id[UP_HOTFIX_ID_SIZE];

    (void)state;
    play_sim = hotfixes_new(&flow);
    world_configure(&config);
    config.restart = UP_RESTART_EXIT;
    config.path = strdup("/device/config.lua");
    hotfixes_bring(play_sim, "/packages/fix1.upd", false, id);
    snprintf(apply, sizeof apply, "hotfix apply %s plain", id);
    snprintf(apply_live, sizeof apply_live, "hotfix apply %s live", id);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    up_config_free(&config);
    sim_free(play_sim);
    return 0;
}

/* Quiet: what it says is wrong. */
static void run_badly(const struct play_step *steps)
{
    if (play(&config, UP_QUIET, steps, &err) < 0)
        fail_msg("%s", err.message);
}

static void run(const struct play_step *steps)
{
    run_badly(steps);
    assert_string_equal(play_said(), "");
}

/* The last entry of the ledger is in this state, for this reason. */
static void must_be(enum up_hotfix_state state, const char *why)
{
    struct up_hotfix_ledger ledger;
    const struct up_hotfix *h = &ledger.entry[0];

    assert_int_equal(up_hotfix_ledger_read(&ledger, sim_storage(play_sim), STATE, &err), 0);
    assert_true(ledger.count > 0);
    h += ledger.count - 1;
    if (h->state != state || !strstr(h->why, why))
        fail_msg("it is %s: %s\n%s", up_hotfix_ledger_state_name(h->state), h->why, play_done());
}

static void must_do(const char *text)
{
    if (!strstr(play_done(), text))
        fail_msg("\"%s\" was not done, but:\n%s\n%s", text, play_done(), play_said());
}

static unsigned starts(void)
{
    return play_count(play_done(), "script started");
}

#define BEGIN(said)                                                                        \
    {.what = PLAY_WAIT, .number = 3000}, {.what = PLAY_SAY, .who = AGENT, .line = (said)}, \
    {                                                                                      \
        .what = PLAY_WAIT, .number = 1000                                                  \
    }
#define SAY(text)                                      \
    {                                                  \
        .what = PLAY_SAY, .who = AGENT, .line = (text) \
    }
#define WAIT(ms)                          \
    {                                     \
        .what = PLAY_WAIT, .number = (ms) \
    }
#define END(whom, code)                                   \
    {                                                     \
        .what = PLAY_END, .who = (whom), .number = (code) \
    }
#define MUTE(whom)                       \
    {                                    \
        .what = PLAY_MUTE, .who = (whom) \
    }
#define OVER              \
    {                     \
        .what = PLAY_OVER \
    }

/* Started anew with it, tested, alive for ten seconds; applied when that start has lived a minute. */
static void test_plain(void **state)
{
    const struct play_step steps[] = {BEGIN(apply), END(TESTER, 0), WAIT(9000), WAIT(2000), OVER};
    const struct play_step later[] = {BEGIN(apply), END(TESTER, 0), WAIT(58000), WAIT(4000), OVER};
    (void)state;

    run(steps);
    must_do("test started");
    must_do("agent < answer hotfix ok fresh");
    assert_non_null(strstr(play_words(TESTER), "/tree/lua " STATE " "));
    assert_non_null(strstr(play_words(SCRIPT), "/tree/lua " STATE " "));
    assert_int_equal(starts(), 2);
    assert_int_equal(play_count(play_done(), "test swept"), 1);
    must_be(UP_HOTFIX_FRESH, "");
    tear_down(NULL);
    set_up(NULL);
    run(later);
    must_be(UP_HOTFIX_APPLIED, "");
}

/* Whoever reads the log learns how far it is. */
static void test_said(void **state)
{
    static const char *const lines[] = {"hotfix clock 1: in force, and on test",
                                        "hotfix clock 1: passed its test", "hotfix clock: undone as ordered"};
    const struct play_step good[] = {
        BEGIN(apply), END(TESTER, 0), WAIT(11000), SAY("hotfix undo one plain clock"), WAIT(1000), OVER};
    const struct play_step bad[] = {BEGIN(apply), END(TESTER, 1), WAIT(3000), OVER};
    (void)state;

    assert_int_equal(play(&config, UP_NORMAL, good, &err), 0);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(play_count(play_said(), lines[i]), 1);
    assert_null(strstr(play_words(SCRIPT), "/tree/lua"));
    tear_down(NULL);
    set_up(NULL);
    assert_int_equal(play(&config, UP_NORMAL, bad, &err), 0);
    assert_int_equal(play_count(play_said(), "hotfix clock 1: test.lua exited with code 1; it is undone"), 1);
}

static void test_fails(void **state)
{
    const struct play_step steps[] = {BEGIN(apply), END(TESTER, 1), WAIT(3000), OVER};
    (void)state;

    run(steps);
    must_do("agent < answer hotfix rolledback");
    must_be(UP_HOTFIX_QUARANTINED, "test.lua exited with code 1");
    assert_int_equal(starts(), 3); /* the last one without it */
}

static void test_no_result(void **state)
{
    const struct play_step steps[] = {BEGIN(apply), WAIT(43000), WAIT(3000), OVER};
    (void)state;

    run(steps);
    must_be(UP_HOTFIX_QUARANTINED, "no result within 45 s");
}

/* What is to happen at a time happens then, though nobody wakes the supervisor. */
static void test_times(void **state)
{
    const struct play_step none[] = {BEGIN(apply), MUTE(AGENT),  MUTE(SCRIPT),
                                     MUTE(TESTER), WAIT(200000), OVER};
    const struct play_step good[] = {BEGIN(apply),   MUTE(AGENT),  MUTE(SCRIPT), MUTE(TESTER),
                                     END(TESTER, 0), WAIT(200000), OVER};

    (void)state;
    config.heartbeat = 100000;
    config.hotfix_time = 97;
    run(none);
    assert_int_equal(play_when("no result within 97 s", 1) - play_when("script ended", 1), 97000);
    assert_int_equal(tear_down(NULL), 0);
    assert_int_equal(set_up(NULL), 0);
    config.heartbeat = 100000;
    run(good);
    assert_int_equal(play_when("answer hotfix ok", 1) - play_when("test ended", 1), 10000);
}

static void test_script_ends(void **state)
{
    const struct play_step steps[] = {BEGIN(apply),   END(TESTER, 0), WAIT(5000),
                                      END(SCRIPT, 3), WAIT(5000),     OVER};
    (void)state;

    const struct play_step early[] = {BEGIN(apply), END(SCRIPT, 3), WAIT(5000), OVER};

    run(steps);
    must_do("agent < answer hotfix rolledback");
    must_be(UP_HOTFIX_QUARANTINED, "the script exited with code 3");
    tear_down(NULL);
    set_up(NULL);
    run(early);
    must_be(UP_HOTFIX_QUARANTINED, "the script exited with code 3");
    assert_int_equal(play_when("test ended", 1), play_when("answer hotfix rolledback", 1));
}

/* The handler takes it and leaves it: the script is never started anew. */
static void test_live(void **state)
{
    const struct play_step steps[] = {BEGIN(apply_live), SAY("hotfix handled yes"),
                                      WAIT(1000),        END(TESTER, 0),
                                      WAIT(11000),       SAY("hotfix undo one live clock"),
                                      WAIT(1000),        SAY("hotfix handled yes"),
                                      WAIT(20000),       OVER};
    (void)state;

    run(steps);
    must_do("agent < hotfix take ");
    must_do("agent < answer hotfix ok fresh");
    must_do("agent < hotfix leave ");
    must_be(UP_HOTFIX_UNDONE, "by order");
    assert_int_equal(starts(), 1);
}

/* A program says that it is bad. A handler that is at it answers first: the next answer is to the order to leave it. */
static void test_called_failed(void **state)
{
    const struct play_step handled[] = {BEGIN(apply_live), SAY("hotfix bad a program says so"),
                                        WAIT(1000),        SAY("hotfix handled yes"),
                                        WAIT(1000),        SAY("hotfix handled no"),
                                        WAIT(3000),        OVER};
    const struct play_step alive[] = {
        BEGIN(apply), END(TESTER, 0), WAIT(3000), SAY("hotfix bad a program says so"), WAIT(3000), OVER};
    const struct play_step later[] = {
        BEGIN(apply), END(TESTER, 0), WAIT(12000), SAY("hotfix bad a program says so"), WAIT(3000), OVER};
    (void)state;

    run(handled);
    must_do("agent < hotfix leave ");
    must_be(UP_HOTFIX_QUARANTINED, "a program says so");
    assert_int_equal(starts(), 2); /* without it */
    tear_down(NULL);
    set_up(NULL);
    run(alive);
    must_be(UP_HOTFIX_QUARANTINED, "a program says so");
    tear_down(NULL);
    set_up(NULL);
    run(later);
    must_be(UP_HOTFIX_FRESH, "");
}

/* What the medium made of it leads no script. */
static void test_spoiled(void **state)
{
    const struct play_step first[] = {BEGIN(apply), END(TESTER, 0), WAIT(11000), OVER};
    const struct play_step next[] = {WAIT(2000), OVER};
    char path[128], id[UP_HOTFIX_ID_SIZE];
    (void)state;

    assert_int_equal(sscanf(apply, "hotfix apply %16s", id), 1);
    snprintf(path, sizeof path, STATE "/hotfix/%s/tree/lua/clock.lua", id);
    run(first);
    run(next);
    must_be(UP_HOTFIX_FRESH, "");
    sim_settle(play_sim);
    sim_put_text(play_sim, path, "return \"7\"\n");
    run_badly(next);
    must_be(UP_HOTFIX_DROPPED, "not what was signed");
    assert_non_null(strstr(play_said(), "hotfixes: hotfix clock 1: its files are not what was signed"));
}

/* It is not the fault of a hotfix what failed before the script had it. */
static void test_task_fails(void **state)
{
    const struct play_step steps[] = {{.what = PLAY_WAIT, .number = 3000},
                                      SAY(apply_live),
                                      SAY("hotfix erred main.lua:1: old"),
                                      SAY("hotfix handled yes"),
                                      WAIT(1000),
                                      END(TESTER, 0),
                                      WAIT(2000),
                                      SAY("hotfix erred main.lua:3: boom"),
                                      WAIT(12000),
                                      OVER};
    (void)state;

    run(steps);
    must_be(UP_HOTFIX_QUARANTINED, "a task of the script failed: main.lua:3: boom");
}

/* What policy calls ill is a failed test, but not before the script has it. */
static void test_ill(void **state)
{
    const struct play_step steps[] = {{.what = PLAY_WAIT, .number = 3000},
                                      SAY(apply_live),
                                      SAY("hotfix ill too early"),
                                      SAY("hotfix handled yes"),
                                      WAIT(1000),
                                      END(TESTER, 0),
                                      WAIT(2000),
                                      SAY("hotfix ill it stands still"),
                                      WAIT(12000),
                                      OVER};
    (void)state;

    run(steps);
    must_be(UP_HOTFIX_QUARANTINED, "policy: it stands still");
}

/* The test of one in force runs again, and changes nothing, however it ends. */
static void test_again(void **state)
{
    char again[64], id[UP_HOTFIX_ID_SIZE];
    const struct play_step steps[] = {
        BEGIN(again), BEGIN(apply),   END(TESTER, 0), WAIT(11000), SAY(again), WAIT(1000),     SAY(apply),
        WAIT(1000),   END(TESTER, 0), WAIT(1000),     SAY(again),  WAIT(1000), END(TESTER, 1), WAIT(1000),
        SAY(again),   WAIT(1000),     SAY(again),     WAIT(45000), OVER};
    const struct play_step only[] = {BEGIN(again), END(TESTER, 0), WAIT(1000), OVER};
    (void)state;

    assert_int_equal(sscanf(apply, "hotfix apply %16s", id), 1);
    snprintf(again, sizeof again, "hotfix again %s", id);
    if (play(&config, UP_NORMAL, steps, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(play_count(play_said(), "hotfix clock 1: tested again: "), 3);
    must_do("agent < answer hotfix nothing");
    assert_int_equal(play_count(play_done(), "agent < answer hotfix busy"), 2);
    assert_int_equal(play_count(play_done(), "answer hotfix ok passed"), 1);
    assert_int_equal(play_count(play_done(), "answer hotfix ok failed"), 2);
    assert_int_equal(play_when("test ended", 4), play_when("answer hotfix ok failed", 2));
    assert_int_equal(play_when("test ended", 4) - play_when("test started", 4), 45000);
    assert_int_equal(starts(), 2);
    must_be(UP_HOTFIX_APPLIED, "");
    assert_int_equal(play(&config, UP_NORMAL, only, &err), 0);
    assert_int_equal(play_count(play_said(), "hotfix clock 1: tested again: exited with code 0"), 1);
}

static void arm_release(void)
{
    struct up_device *device;

    if (up_device_open(&device, sim_storage(play_sim), &config, UP_DEVICE_CHILD, &err) < 0 ||
        world_install(device, sim_storage(play_sim), "/packages/script.upd", &err) < 0)
        fail_msg("%s", err.message);
    up_device_close(device);
}

/* From installing to the verdict there is no hotfix; nor after it, with a release that it is not for. */
static void test_with_release(void **state)
{
    const struct play_step steps[] = {{.what = PLAY_WAIT, .number = 3000},
                                      {.what = PLAY_CALL, .call = arm_release},
                                      SAY(apply),
                                      WAIT(1000),
                                      SAY("restart"),
                                      WAIT(3000),
                                      SAY(apply),
                                      WAIT(1000),
                                      SAY("confirm"),
                                      WAIT(1000),
                                      SAY(apply),
                                      WAIT(1000),
                                      OVER};
    (void)state;

    run(steps);
    assert_int_equal(play_count(play_done(), "agent < answer hotfix busy"), 2);
    assert_int_equal(play_count(play_done(), "test started"), 0);
    must_do("agent < answer confirm ok");
    must_do("agent < answer hotfix incompatible");
}

/* The verdict on a release drops what is not for it, without another start. */
static void test_dropped_with_the_verdict(void **state)
{
    const struct play_step steps[] = {BEGIN(apply),
                                      END(TESTER, 0),
                                      WAIT(62000),
                                      {.what = PLAY_CALL, .call = arm_release},
                                      SAY("restart"),
                                      WAIT(3000),
                                      SAY("confirm"),
                                      WAIT(1000),
                                      OVER};
    (void)state;

    run(steps);
    must_do("agent < answer confirm ok");
    must_be(UP_HOTFIX_DROPPED, "not the one that it was made for");
}

static void test_not_taken(void **state)
{
    const struct play_step steps[] = {BEGIN(apply_live), SAY("hotfix handled no"), WAIT(12000), WAIT(1000),
                                      OVER};
    (void)state;

    run(steps);
    must_be(UP_HOTFIX_QUARANTINED, "did not take it");
    assert_int_equal(starts(), 2); /* the handler said nothing about leaving it */
}

/* Stopped in order: as if it had never been tested. Then it is tested again, and stays out of force for ever
 * once three starts with it have not lived. */
static void test_stopped_then_spent(void **state)
{
    const struct play_step stopped[] = {BEGIN(apply), WAIT(2000), OVER};
    const struct play_step spent[] = {
        BEGIN(apply),   END(TESTER, 0), WAIT(11000),    END(SCRIPT, 1), WAIT(4000),
        END(SCRIPT, 1), WAIT(9000),     END(SCRIPT, 1), WAIT(20000),    OVER};
    (void)state;

    run(stopped);
    must_be(UP_HOTFIX_UNDONE, "stopped during its test");
    assert_in_range(play_when("test ended", 1), 1, 7000); /* it is not waited for */
    run(spent);
    must_do("agent < answer hotfix ok fresh");
    must_be(UP_HOTFIX_QUARANTINED, "failed with it three times");
}

/* Stopped in order, a fresh one loses none of its starts. */
static void test_ordered_stops(void **state)
{
    const struct play_step first[] = {BEGIN(apply), END(TESTER, 0), WAIT(11000), OVER};
    const struct play_step next[] = {WAIT(5000), OVER};
    const struct play_step last[] = {WAIT(62000), OVER};
    (void)state;

    run(first);
    for (int i = 0; i < 4; i++)
        run(next);
    must_be(UP_HOTFIX_FRESH, "");
    run(last);
    must_be(UP_HOTFIX_APPLIED, "");
}

/* One more in the ledger: `module` is what it has. */
static void add(const char *id, const char *name, const char *version, const char *module,
                enum up_hotfix_state state)
{
    static struct up_hotfix_ledger ledger;
    struct up_hotfix *h;
    char path[200];

    sim_settle(play_sim);
    snprintf(path, sizeof path, STATE "/hotfix/%s", id);
    sim_put_dir(play_sim, path, 0755);
    snprintf(path, sizeof path, STATE "/hotfix/%s/tree", id);
    sim_put_dir(play_sim, path, 0755);
    snprintf(path, sizeof path, STATE "/hotfix/%s/tree/lua", id);
    sim_put_dir(play_sim, path, 0755);
    if (strchr(module, '/')) { /* in a folder */
        snprintf(path, sizeof path, STATE "/hotfix/%s/tree/lua/%.*s", id, (int)strcspn(module, "/"), module);
        sim_put_dir(play_sim, path, 0755);
    }
    snprintf(path, sizeof path, STATE "/hotfix/%s/tree/lua/%s.lua", id, module);
    sim_put_text(play_sim, path, "return 1\n");
    if (up_hotfix_ledger_read(&ledger, sim_storage(play_sim), STATE, &err) < 0 ||
        up_hotfix_ledger_add(&ledger, name, &h, &err) < 0)
        fail_msg("%s", err.message);
    h->state = state;
    strcpy(h->id, id);
    strcpy(h->name, name);
    strcpy(h->version, version);
    if (up_hotfix_ledger_write(&ledger, sim_storage(play_sim), STATE, &err) < 0)
        fail_msg("%s", err.message);
}

/* Another one is fresh when this one comes. */
static void add_other(void)
{
    add("0123456789abcdef", "other", "1", "other", UP_HOTFIX_FRESH);
}

static struct up_hotfix_ledger counted;

static void look_at_ledger(void)
{
    if (up_hotfix_ledger_read(&counted, sim_storage(play_sim), STATE, &err) < 0)
        counted.count = 0;
}

/* One start of the script is one start of each that is fresh. */
static void test_counted_once(void **state)
{
    const struct play_step steps[] = {{.what = PLAY_WAIT, .number = 3000},
                                      {.what = PLAY_CALL, .call = add_other},
                                      SAY(apply),
                                      WAIT(1000),
                                      END(TESTER, 0),
                                      WAIT(11000),
                                      {.what = PLAY_CALL, .call = look_at_ledger},
                                      OVER};
    (void)state;

    run(steps);
    assert_int_equal(counted.count, 2);
    for (uint32_t i = 0; i < counted.count; i++)
        if (counted.entry[i].state != UP_HOTFIX_FRESH || counted.entry[i].starts != 1)
            fail_msg("%s: %u starts\n%s", counted.entry[i].name, counted.entry[i].starts, play_done());
}

/* Of several with a name the newest goes; with all that lie on it, the oldest. */
static void test_undo(void **state)
{
    static const struct {
        const char *order, *answer;
        bool
            goes[5]; /* clock 1, other, clock 2, high, which has a module of other's, and near, beside that */
    } cases[] = {
        {"hotfix undo one plain clock", "answer hotfix ok", {false, false, true, false}},
        {"hotfix undo all plain clock", "answer hotfix ok", {true, false, true, false}},
        {"hotfix undo one plain other", "answer hotfix busy", {false}},
        {"hotfix undo all plain other", "answer hotfix ok", {false, true, false, true}},
        {"hotfix undo one plain high", "answer hotfix ok", {false, false, false, true}},
        {"hotfix undo one plain none", "answer hotfix nothing", {false}},
        {"hotfix undo all plain none", "answer hotfix nothing", {false}},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct play_step steps[] = {
            WAIT(3000), SAY(cases[i].order), WAIT(1000), {.what = PLAY_CALL, .call = look_at_ledger}, OVER};
        struct sim *plain = sim_clone(play_sim);

        add("000000000000000a", "clock", "1", "clock", UP_HOTFIX_APPLIED);
        add("000000000000000b", "other", "1", "other/one", UP_HOTFIX_APPLIED);
        add("000000000000000c", "clock", "2", "clock", UP_HOTFIX_APPLIED);
        add("000000000000000d", "high", "1", "other/one", UP_HOTFIX_APPLIED);
        add("000000000000000e", "near", "1", "other/two", UP_HOTFIX_APPLIED);
        sim_settle(play_sim);
        run(steps);
        must_do(cases[i].answer);
        assert_int_equal(counted.count, 5);
        for (int n = 0; n < 5; n++) {
            const struct up_hotfix *h = &counted.entry[n];

            if (h->state != (cases[i].goes[n] ? UP_HOTFIX_UNDONE : UP_HOTFIX_APPLIED) ||
                h->by_owner != cases[i].goes[n])
                fail_msg("%s: %s %s is %s (%s)", cases[i].order, h->name, h->version,
                         up_hotfix_ledger_state_name(h->state), h->why);
        }
        /* with all of a name go those that are modules */
        assert_int_equal(starts(), strstr(cases[i].order, " all ") && strstr(cases[i].answer, " ok") ? 2 : 1);
        sim_free(play_sim);
        play_sim = plain;
    }
}

/* Of the two files of the ledger one is enough, and the other is made anew. */
static void test_half_a_ledger(void **state)
{
    const struct play_step steps[] = {WAIT(3000), OVER};
    struct sim *lost;
    (void)state;

    add_other();
    look_at_ledger();
    counted.entry[0].state = UP_HOTFIX_APPLIED; /* nothing else is written of it */
    assert_int_equal(up_hotfix_ledger_write(&counted, sim_storage(play_sim), STATE, &err), 0);
    lost = sim_clone(play_sim);
    for (int half = 0; half < 2; half++) {
        const char *path = half ? STATE "/hotfix/ledger.1" : STATE "/hotfix/ledger.0";

        sim_free(play_sim);
        play_sim = sim_clone(lost);
        assert_int_equal(sim_storage(play_sim)->ops->unlink(sim_storage(play_sim), path), 0);
        run(steps);
        assert_true(sim_exists(play_sim, path));
        look_at_ledger();
        assert_int_equal(counted.count, 1);
    }
    sim_free(lost);
}

/* Time in which the supervisor was stopped counts neither against a hotfix nor for it. */
static void test_late(void **state)
{
    const struct play_step steps[] = {
        BEGIN(apply), {.what = PLAY_SAY, .who = AGENT, .line = "beat", .number = 100000},
        WAIT(1000),   END(TESTER, 0),
        WAIT(1000),   {.what = PLAY_SAY, .who = AGENT, .line = "beat", .number = 100000},
        WAIT(11000),  OVER};
    (void)state;

    config.heartbeat = 3; /* so the loop is never meant to wait for longer */
    run(steps);
    must_do("agent < answer hotfix ok fresh");
    /* It lives for ten seconds of its own. */
    assert_true(play_when("answer hotfix ok", 1) - play_when("test ended", 1) >= 10000 + 100000 - 3000);
    must_be(UP_HOTFIX_FRESH, "");
}

/* It is the life of one start that makes it old: not the time after its end, nor that in which all were stopped. */
static void test_not_lived(void **state)
{
    const struct play_step ends[] = {BEGIN(apply),   END(TESTER, 0), WAIT(58600),
                                     END(SCRIPT, 1), WAIT(900),      OVER};
    const struct play_step late[] = {
        BEGIN(apply), END(TESTER, 0),
        WAIT(11000),  {.what = PLAY_SAY, .who = AGENT, .line = "beat", .number = 100000},
        WAIT(35000),  OVER};
    const struct play_step lives[] = {
        BEGIN(apply), END(TESTER, 0),
        WAIT(11000),  {.what = PLAY_SAY, .who = AGENT, .line = "beat", .number = 100000},
        WAIT(50000),  OVER};
    (void)state;

    run(ends);
    must_be(UP_HOTFIX_FRESH, "");
    tear_down(NULL);
    set_up(NULL);
    config.heartbeat = 10; /* so the loop is never meant to wait for longer */
    run(late);
    must_be(UP_HOTFIX_FRESH, "");
    tear_down(NULL);
    set_up(NULL);
    config.heartbeat = 10;
    run(lives);
    must_be(UP_HOTFIX_APPLIED, "");
}

static void break_ledger(void)
{
    sim_reset_counters(play_sim);
    sim_fail(play_sim, SIM_CHANGES, 1, EROFS, true);
    sim_fail_below(play_sim, STATE "/hotfix");
}

static void mend(void)
{
    sim_fail(play_sim, SIM_OPS, 0, 0, false);
}

static unsigned starts_of_last(void)
{
    look_at_ledger();
    return counted.count > 0 ? counted.entry[counted.count - 1].starts : UINT_MAX;
}

/* A ledger that takes no write is said, and runs on. What was not counted is not taken back, and makes nothing old. */
static void test_not_counted(void **state)
{
    const struct play_step first[] = {BEGIN(apply),   END(TESTER, 0), WAIT(11000),
                                      END(SCRIPT, 1), WAIT(3000),     OVER};
    const struct play_step uncounted[] = {{.what = PLAY_CALL, .call = break_ledger},
                                          END(SCRIPT, 1),
                                          WAIT(5000),
                                          {.what = PLAY_CALL, .call = mend},
                                          {.what = PLAY_SAY, .who = AGENT, .line = "beat", .number = 100000},
                                          WAIT(1000),
                                          OVER};
    const struct play_step not_taken_back[] = {WAIT(3000), {.what = PLAY_CALL, .call = break_ledger}, OVER};
    const struct play_step not_old[] = {
        WAIT(3000), {.what = PLAY_CALL, .call = break_ledger}, WAIT(70000), OVER};
    unsigned before;
    (void)state;

    run(first);
    before = starts_of_last();
    assert_int_equal(before, 1);
    run_badly(uncounted);
    assert_int_equal(play_count(play_said(), "hotfixes: "), 1);
    must_be(UP_HOTFIX_FRESH, "");
    assert_int_equal(starts_of_last(), before + 1); /* the one that ended by itself */
    run_badly(not_old);
    assert_int_equal(play_count(play_said(), "hotfixes: "), 1);
    must_be(UP_HOTFIX_FRESH, "");
    tear_down(NULL);
    set_up(NULL);
    run(first);
    run_badly(not_taken_back);
    assert_int_equal(play_count(play_said(), "hotfixes: "), 1);
    assert_int_equal(starts_of_last(), before + 1);
}

static unsigned opened;
static bool compared;

static void count_opens(void)
{
    sim_reset_counters(play_sim);
    opened = sim_calls(play_sim, SIM_OPEN);
}

static void must_have_opened_nothing(void)
{
    assert_int_equal(sim_calls(play_sim, SIM_OPEN), opened);
    compared = true;
}

/* Each is compared with what was signed once, one soon after the other. */
static void test_read_once(void **state)
{
    const struct play_step calm[] = {WAIT(20000),
                                     {.what = PLAY_CALL, .call = count_opens},
                                     WAIT(30000),
                                     {.what = PLAY_CALL, .call = must_have_opened_nothing},
                                     OVER};
    const struct play_step first[] = {BEGIN(apply), END(TESTER, 0), WAIT(11000), OVER};
    const struct play_step next[] = {WAIT(9000), OVER};
    const struct play_step broken[] = {{.what = PLAY_CALL, .call = break_ledger}, WAIT(1000), OVER};
    struct sim *spoiled;
    char path[128], id[UP_HOTFIX_ID_SIZE];
    (void)state;

    add("000000000000000a", "other", "1", "other", UP_HOTFIX_APPLIED);
    add("000000000000000b", "third", "1", "third", UP_HOTFIX_APPLIED);
    sim_settle(play_sim);
    run(first);
    run(calm);
    assert_true(compared);
    assert_int_equal(sscanf(apply, "hotfix apply %16s", id), 1);
    snprintf(path, sizeof path, STATE "/hotfix/%s/tree/lua/clock.lua", id);
    sim_settle(play_sim);
    sim_put_text(play_sim, path, "return \"7\"\n");
    spoiled = sim_clone(play_sim);
    run_badly(next); /* see supervisor_play.h: it must not wait for a beat */
    must_be(UP_HOTFIX_DROPPED, "not what was signed");
    assert_int_equal(play_count(play_said(), "hotfixes: "), 1);
    assert_int_equal(starts(), 2); /* without it */
    sim_free(play_sim);
    play_sim = spoiled;
    run_badly(broken);
    assert_int_equal(play_count(play_said(), "hotfixes: "),
                     4); /* that; at once; and twice before the next start */
}

/* Ended by an order, the script says nothing about it: it may come again. */
static void test_put_off(void **state)
{
    const struct play_step steps[] = {
        BEGIN(apply), {.what = PLAY_SAY, .who = SCRIPT, .line = "restart please"}, WAIT(3000), OVER};
    const struct play_step broken[] = {BEGIN(apply), {.what = PLAY_CALL, .call = break_ledger}, OVER};
    (void)state;

    if (play(&config, UP_NORMAL, steps, &err) < 0)
        fail_msg("%s", err.message);
    must_do("agent < answer hotfix busy hotfix clock 1: the script was ended as ordered during its test");
    assert_int_equal(play_count(play_said(), "the script was ended as ordered during its test"), 1);
    assert_int_equal(play_count(play_done(), "test ended"), 1);
    assert_int_equal(starts(), 3);
    must_be(UP_HOTFIX_UNDONE, "");
    tear_down(NULL);
    set_up(NULL);
    run_badly(broken);
    assert_int_equal(play_count(play_said(), "hotfixes: "), 1);
}

/* A test that cannot be killed is left, and what it started is looked for as long as that may help. */
static void test_stuck(void **state)
{
    const struct play_step stuck[] = {
        BEGIN(apply), {.what = PLAY_STUCK, .who = TESTER}, WAIT(50000), SAY("hotfix undo one plain none"),
        WAIT(70000),  SAY("hotfix undo one plain none"),   WAIT(1000),  OVER};
    const struct play_step leaves[] = {BEGIN(apply),   MUTE(AGENT), MUTE(SCRIPT), MUTE(TESTER),
                                       END(TESTER, 0), WAIT(20000), OVER};
    unsigned looks;
    (void)state;

    run(stuck);
    must_be(UP_HOTFIX_QUARANTINED, "no result within 45 s");
    must_do("answer hotfix busy hotfix none: another one is being tested or undone\n"); /* its process is */
    must_do("answer hotfix nothing");
    must_do("test left");
    tear_down(NULL);
    set_up(NULL);
    play_test_orphans = UINT_MAX;
    run(leaves);
    looks = play_count(play_done(), "test swept");
    assert_int_equal(play_when("test swept", looks) - play_when("test ended", 1), 5000);
    tear_down(NULL);
    set_up(NULL);
    play_test_orphans = 3;
    run(leaves);
    assert_int_equal(play_count(play_done(), "test swept"), 4);
}

/* Once it is on test the device is one without a script, until a program ends. */
static uint64_t on_test_at, program_ends_at; /* 0: not */

static bool comes(uint64_t time)
{
    return time > 0 && sim_storage(play_sim)->ops->monotonic(sim_storage(play_sim)) >= time;
}

bool __real_up_supervisor_has_script(const struct up_supervisor *s);
bool __wrap_up_supervisor_has_script(const struct up_supervisor *s);
bool __wrap_up_supervisor_has_script(const struct up_supervisor *s)
{
    return !comes(on_test_at) && __real_up_supervisor_has_script(s);
}

static unsigned forgotten; /* how often what was known of the programs was */

void __real_up_supervisor_alone_forget(struct up_supervisor *s);
void __wrap_up_supervisor_alone_forget(struct up_supervisor *s);
void __wrap_up_supervisor_alone_forget(struct up_supervisor *s)
{
    forgotten++;
    __real_up_supervisor_alone_forget(s);
}

int __wrap_up_supervisor_alone_look(struct up_supervisor *s, struct up_error *why);
int __wrap_up_supervisor_alone_look(struct up_supervisor *s, struct up_error *why)
{
    (void)s;
    assert_true(forgotten > 0);
    return comes(program_ends_at) ? up_fail(why, UP_DEFERRED, "meterd ended") : 0;
}

/* Its programs are looked at every second, and once more before it passes. */
static void test_without_script(void **state)
{
    static const uint64_t ends[] = {4500, 13990, 15100}; /* on test, just before it passes, later */
    const struct play_step steps[] = {BEGIN(apply), END(TESTER, 0), WAIT(20000), OVER};
    (void)state;

    on_test_at = 3500;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        program_ends_at = ends[i];
        forgotten = 0;
        run(steps);
        if (i < 2) {
            must_be(UP_HOTFIX_QUARANTINED, "meterd ended");
            assert_in_range(play_when("answer hotfix rolledback", 1) - (long)ends[i], 0, 1000);
        } else {
            must_be(UP_HOTFIX_FRESH, "");
        }
        tear_down(NULL);
        set_up(NULL);
    }
    on_test_at = program_ends_at = 0;
}

/* What cannot be: a test that does not start, a ledger that takes no result. None of it passes. */
static void test_troubles(void **state)
{
    const struct play_step calm[] = {BEGIN(apply), WAIT(3000), OVER};
    const struct play_step failed[] = {
        BEGIN(apply), {.what = PLAY_CALL, .call = break_ledger}, END(TESTER, 1), WAIT(3000), OVER};
    const struct play_step passed[] = {BEGIN(apply), END(TESTER, 0),
                                       WAIT(9000),   {.what = PLAY_CALL, .call = break_ledger},
                                       WAIT(3000),   OVER};
    (void)state;

    play_refuses.tester = true;
    run(calm);
    must_be(UP_HOTFIX_QUARANTINED, "test: cannot start: Resource temporarily unavailable");
    tear_down(NULL);
    set_up(NULL);
    run_badly(failed);
    must_do("answer hotfix rolledback");
    assert_int_equal(play_count(play_said(), "hotfix clock 1: " STATE "/hotfix/"), 1);
    tear_down(NULL);
    set_up(NULL);
    run_badly(passed);
    must_do("answer hotfix rolledback");
    assert_int_equal(play_count(play_done(), "answer hotfix ok"), 0);
}

/* The order to test one that has none is answered at once. */
static void test_again_without_test(void **state)
{
    const struct play_step steps[] = {WAIT(3000), SAY("hotfix again 000000000000000a"), WAIT(1000), OVER};
    (void)state;

    add("000000000000000a", "other", "1", "other", UP_HOTFIX_APPLIED);
    run(steps);
    must_do("agent < answer hotfix ok passed");
    assert_int_equal(play_count(play_done(), "test started"), 0);
}

static void bring_second(void)
{
    char id[UP_HOTFIX_ID_SIZE];

    hotfixes_bring(play_sim, "/packages/fix2.upd", false, id);
}

/* One after the other: the script that has the first is another one than that of the second, and so are the starts. */
static void test_two(void **state)
{
    char second[64], id[UP_HOTFIX_ID_SIZE];
    const struct play_step plain[] = {
        BEGIN(apply), END(TESTER, 0), WAIT(11000),    {.what = PLAY_CALL, .call = bring_second},
        SAY(second),  WAIT(1000),     END(TESTER, 0), WAIT(11000),
        OVER};
    const struct play_step live[] = {BEGIN(apply),
                                     END(TESTER, 0),
                                     WAIT(11000),
                                     {.what = PLAY_CALL, .call = bring_second},
                                     SAY(second),
                                     WAIT(1000),
                                     SAY("hotfix handled yes"),
                                     WAIT(1000),
                                     END(TESTER, 0),
                                     WAIT(11000),
                                     {.what = PLAY_CALL, .call = look_at_ledger},
                                     OVER};
    const struct play_step undone[] = {BEGIN(apply),
                                       END(TESTER, 0),
                                       WAIT(11000),
                                       END(SCRIPT, 1),
                                       WAIT(3000),
                                       SAY("hotfix undo one live clock"),
                                       SAY("hotfix handled no"),
                                       WAIT(3000),
                                       OVER};
    struct sim *with = sim_clone(play_sim);
    const struct play_step gone[] = {BEGIN(apply_live),
                                     SAY("hotfix handled yes"),
                                     WAIT(1000),
                                     END(TESTER, 0),
                                     WAIT(11000),
                                     SAY("hotfix undo one live clock"),
                                     END(SCRIPT, 1),
                                     WAIT(3000),
                                     SAY("hotfix handled no"),
                                     WAIT(3000),
                                     OVER};
    const struct play_step live_first[] = {
        BEGIN(apply_live), SAY("hotfix handled yes"),         WAIT(1000), END(TESTER, 0),
        WAIT(11000),       SAY("hotfix undo all live clock"), WAIT(3000), OVER};
    const struct play_step first[] = {BEGIN(apply), END(TESTER, 0), WAIT(11000), OVER};
    const struct play_step undo[] = {WAIT(3000), SAY("hotfix undo one plain clock"), WAIT(3000), OVER};
    const struct play_step undo_all[] = {WAIT(3000), SAY("hotfix undo all live clock"), WAIT(3000), OVER};
    (void)state;

    hotfixes_bring(with, "/packages/fix2.upd", false, id);
    sim_free(with);
    snprintf(second, sizeof second, "hotfix apply %s plain", id);
    run(plain);
    assert_int_equal(play_count(play_done(), "answer hotfix ok fresh"), 2);
    assert_int_equal(starts(), 3);
    tear_down(NULL);
    set_up(NULL);
    snprintf(second, sizeof second, "hotfix apply %s live", id);
    run(live);
    assert_int_equal(play_count(play_done(), "answer hotfix ok fresh"), 2);
    assert_int_equal(starts(), 2);
    assert_int_equal(counted.entry[counted.count - 1].starts, 0);
    assert_non_null(strstr(play_words(TESTER), id));
    tear_down(NULL);
    set_up(NULL);
    run(undone);
    assert_int_equal(starts(), 4); /* the one that has it does not leave it, and is started without it */
    tear_down(NULL);
    set_up(NULL);
    run(gone);
    assert_int_equal(starts(), 2);      /* the one that answers never had it */
    for (int all = 0; all < 2; all++) { /* by another supervisor */
        tear_down(NULL);
        set_up(NULL);
        run(first);
        run(all ? undo_all : undo);
        assert_int_equal(starts(), 2);
        assert_int_equal(play_count(play_done(), "hotfix leave"), 0);
    }
    tear_down(NULL);
    set_up(NULL);
    run(live_first); /* of several no handler is asked */
    assert_int_equal(starts(), 2);
    assert_int_equal(play_count(play_done(), "hotfix leave"), 0);
}

/* Only a handler can take one that is opaque. Where that is gone with its script, nothing is under way any more. */
static void test_opaque(void **state)
{
    char order[64], id[UP_HOTFIX_ID_SIZE];
    const struct play_step plain[] = {BEGIN(order), WAIT(3000), OVER};
    const struct play_step ends[] = {
        BEGIN(order), SAY("hotfix handled yes"),         WAIT(1000), END(SCRIPT, 3),
        WAIT(5000),   SAY("hotfix undo one plain none"), WAIT(1000), OVER};
    const struct play_step takes[] = {BEGIN(order), SAY("hotfix handled yes"), WAIT(12000), OVER};
    const struct play_step undone[] = {BEGIN(order),
                                       SAY("hotfix handled yes"),
                                       WAIT(12000),
                                       SAY("hotfix undo one live clock"),
                                       SAY("hotfix handled no"),
                                       WAIT(3000),
                                       OVER};
    const struct play_step *const flows[] = {plain, ends, takes, undone};
    (void)state;

    for (int i = 0; i < 4; i++) {
        tear_down(NULL);
        set_up(NULL);
        hotfixes_bring(play_sim, "/packages/fix1.upd", true, id);
        snprintf(order, sizeof order, "hotfix apply %s %s", id, i ? "live" : "plain");
        run(flows[i]);
        if (i == 0) {
            must_do("agent < answer hotfix incompatible hotfix clock 1: only a handler of the script can "
                    "take it");
            must_be(UP_HOTFIX_DROPPED, "there is no handler for it");
        } else if (i == 1) {
            must_be(UP_HOTFIX_QUARANTINED, "the script exited with code 3");
            must_do("agent < answer hotfix nothing");
        } else {
            must_be(i == 2 ? UP_HOTFIX_APPLIED : UP_HOTFIX_UNDONE, "");
        }
        assert_int_equal(starts(), i == 1 ? 2 : 1);
    }
    tear_down(NULL);
    set_up(NULL);
    hotfixes_bring(play_sim, "/packages/fix1.upd", true, id);
    snprintf(order, sizeof order, "hotfix apply %s plain", id);
    assert_int_equal(play(&config, UP_NORMAL, plain, &err), 0);
    assert_int_equal(play_count(play_said(), "hotfix clock 1: only a handler of the script can take it"), 1);
}

static unsigned nth;

static void break_nth(void)
{
    sim_reset_counters(play_sim);
    sim_fail(play_sim, SIM_CHANGES, nth, EROFS, true);
    sim_fail_below(play_sim, STATE "/hotfix");
}

/* Wherever the ledger begins to take no write, what the agent is told of the order is on record, or the log says why
 * not. */
static void test_ledger_breaks(void **state)
{
    char order[64], id[UP_HOTFIX_ID_SIZE];
    const struct play_step steps[] = {
        WAIT(3000), {.what = PLAY_CALL, .call = break_nth}, SAY(order), WAIT(1000), OVER};
    unsigned warned = 0;
    struct sim *start;
    (void)state;

    hotfixes_bring(play_sim, "/packages/fix1.upd", true, id);
    snprintf(order, sizeof order, "hotfix apply %s plain", id);
    start = sim_clone(play_sim);
    for (nth = 1; nth < 20; nth++) {
        struct up_hotfix_ledger ledger;

        sim_free(play_sim);
        play_sim = sim_clone(start);
        run_badly(steps);
        mend();
        if (!strstr(play_done(), "answer hotfix incompatible"))
            continue;
        assert_int_equal(up_hotfix_ledger_read(&ledger, sim_storage(play_sim), STATE, &err), 0);
        if (ledger.entry[0].state == UP_HOTFIX_DROPPED)
            assert_int_equal(play_count(play_said(), "hotfix clock 1: " STATE), 0);
        else
            assert_int_equal(play_count(play_said(), "hotfix clock 1: " STATE), 1);
        warned += ledger.entry[0].state != UP_HOTFIX_DROPPED;
    }
    sim_free(start);
    assert_true(warned > 0);
}

/* What could not be ended is ended with the next order. */
static void test_next_order_settles(void **state)
{
    const struct play_step steps[] = {BEGIN(apply),
                                      {.what = PLAY_CALL, .call = break_ledger},
                                      END(TESTER, 1),
                                      WAIT(5000),
                                      {.what = PLAY_CALL, .call = mend},
                                      SAY(apply),
                                      WAIT(1000),
                                      END(TESTER, 0),
                                      WAIT(11000),
                                      OVER};
    (void)state;

    run_badly(steps);
    assert_int_equal(play_count(play_done(), "test started"), 2);
    must_be(UP_HOTFIX_FRESH, "");
}

/* What the tree of files says to the order, instead of the tree: 0 what it says. */
static int switch_code;
static bool switch_failed;

int __real_up_hotfix_switch(struct up_device *d, bool *failed, struct up_error *why);
int __wrap_up_hotfix_switch(struct up_device *d, bool *failed, struct up_error *why);
int __wrap_up_hotfix_switch(struct up_device *d, bool *failed, struct up_error *why)
{
    if (switch_code == 0)
        return __real_up_hotfix_switch(d, failed, why);
    *failed = switch_failed;
    return up_fail(why, switch_code, "the tree is busy");
}

/* A tree that it could not be put in says nothing about it, unless it was in place and failed. */
static void test_not_in_place(void **state)
{
    const struct play_step steps[] = {BEGIN(apply), SAY("hotfix undo one plain none"), WAIT(1000), OVER};
    (void)state;

    for (int failed = 0; failed < 2; failed++) {
        tear_down(NULL);
        set_up(NULL);
        switch_code = UP_NOSPACE;
        switch_failed = failed;
        assert_int_equal(play(&config, UP_NORMAL, steps, &err), 0);
        switch_code = 0;
        must_do(failed ? "agent < answer hotfix rolledback the tree is busy"
                       : "agent < answer hotfix nospace the tree is busy");
        must_do("agent < answer hotfix nothing"); /* the next order */
        must_be(failed ? UP_HOTFIX_QUARANTINED : UP_HOTFIX_DROPPED, "the tree is busy");
        assert_int_equal(
            play_count(play_said(), "hotfix clock 1: its files are not in place: the tree is busy"), 1);
        assert_int_equal(play_count(play_said(), "hotfix clock 1: "), 1);
        assert_int_equal(starts(), 1);
    }
}

/* What is no order is none. */
static void test_no_orders(void **state)
{
    static const char *const lines[] = {"hotfix",
                                        "hotfix apply",
                                        "hotfix apply 0123456789abcdef",
                                        "hotfix undo one",
                                        "hotfix undo one plain",
                                        "hotfix undo one plain ",
                                        "hotfix again",
                                        "hotfix handled",
                                        "hotfix handled yes",
                                        "hotfix handled no",
                                        "hotfix erred",
                                        "hotfix erred x",
                                        "hotfix ill x",
                                        "hotfix bad x",
                                        "hotfix applies x plain"};
    (void)state;

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const struct play_step steps[] = {WAIT(3000), SAY(lines[i]), WAIT(2000), OVER};
        struct sim *plain = sim_clone(play_sim);

        run_badly(steps);
        if (strstr(play_done(), "hotfix"))
            fail_msg("%s:\n%s", lines[i], play_done());
        assert_int_equal(starts(), 1);
        sim_free(play_sim);
        play_sim = plain;
    }
}

/* What a program said of the last one is not about the next. */
static void test_called_failed_once(void **state)
{
    char second[64], id[UP_HOTFIX_ID_SIZE];
    const struct play_step steps[] = {BEGIN(apply_live),
                                      SAY("hotfix bad a program says so"),
                                      WAIT(1000),
                                      SAY("hotfix handled yes"),
                                      WAIT(1000),
                                      SAY("hotfix handled yes"),
                                      WAIT(1000),
                                      {.what = PLAY_CALL, .call = bring_second},
                                      SAY(second),
                                      WAIT(1000),
                                      SAY("hotfix handled yes"),
                                      WAIT(1000),
                                      END(TESTER, 0),
                                      WAIT(11000),
                                      OVER};
    struct sim *with = sim_clone(play_sim);
    (void)state;

    hotfixes_bring(with, "/packages/fix2.upd", false, id);
    sim_free(with);
    snprintf(second, sizeof second, "hotfix apply %s live", id);
    run(steps);
    must_do("answer hotfix rolledback");
    must_be(UP_HOTFIX_FRESH, "");
}

static void test_one_at_a_time(void **state)
{
    char id[UP_HOTFIX_ID_SIZE];
    const struct play_step steps[] = {BEGIN(apply), SAY("hotfix undo one plain clock"),
                                      WAIT(1000),   SAY(apply_second),
                                      WAIT(1000),   END(TESTER, 0),
                                      WAIT(11000),  SAY(apply_second),
                                      WAIT(2000),   END(TESTER, 0),
                                      WAIT(11000),  OVER};
    struct sim *with = sim_clone(play_sim);
    (void)state;

    hotfixes_bring(with, "/packages/fix2.upd", false, id);
    sim_free(with);
    snprintf(apply_second, sizeof apply_second, "hotfix apply %s plain", id);
    run(steps);
    must_do("agent < answer hotfix busy");
    assert_int_equal(play_count(play_done(), "answer hotfix busy"), 2);
    must_do("agent < answer hotfix missing"); /* its folder went with the first */
    must_be(UP_HOTFIX_FRESH, "");
}

/* What the ledger says of the same name and version. */
static void test_known(void **state)
{
    static const struct {
        enum up_hotfix_state state;
        bool by_owner;
        int code;
    } cases[] = {{UP_HOTFIX_APPLIED, false, UP_NOTHING},
                 {UP_HOTFIX_FRESH, false, UP_NOTHING},
                 {UP_HOTFIX_QUARANTINED, false, UP_INCOMPATIBLE},
                 {UP_HOTFIX_UNDONE, true, UP_INCOMPATIBLE},
                 {UP_HOTFIX_UNDONE, false, UP_OK}};
    static struct up_hotfix_ledger ledger = {.count = 1, .entry = {{.name = "clock", .version = "1"}}};
    static const struct up_journal_state idle = {.phase = UP_IDLE};
    static struct up_manifest m = {.hotfix_name = "clock", .hotfix_version = "1", .sequence = 7};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ledger.entry[0].state = cases[i].state;
        ledger.entry[0].by_owner = cases[i].by_owner;
        if (up_hotfix_gate(&m, &ledger, &idle, &idle.slot[0], &err) != cases[i].code)
            fail_msg("%s: %s", up_hotfix_ledger_state_name(cases[i].state), err.message);
    }
}

/* No number at or below the highest of its name is taken again. */
static void test_floor(void **state)
{
    static const struct {
        uint64_t clock[2], other;
        int code;
    } cases[] = {{{6, 0}, 0, UP_OK},           {{7, 0}, 0, UP_INCOMPATIBLE}, {{7, 3}, 0, UP_INCOMPATIBLE},
                 {{3, 7}, 0, UP_INCOMPATIBLE}, {{3, 6}, 9, UP_OK},           {{0, 0}, 7, UP_OK}};
    static struct up_hotfix_ledger ledger = {
        .count = 3,
        .entry = {{.name = "clock", .version = "2", .state = UP_HOTFIX_DROPPED},
                  {.name = "other", .version = "1", .state = UP_HOTFIX_DROPPED},
                  {.name = "clock", .version = "3", .state = UP_HOTFIX_DROPPED}}};
    static const struct up_journal_state idle = {.phase = UP_IDLE};
    static struct up_manifest m = {.hotfix_name = "clock", .hotfix_version = "1", .sequence = 7};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ledger.entry[0].highest = cases[i].clock[0];
        ledger.entry[1].highest = cases[i].other;
        ledger.entry[2].highest = cases[i].clock[1];
        if (up_hotfix_gate(&m, &ledger, &idle, &idle.slot[0], &err) != cases[i].code)
            fail_msg("case %zu: %s", i, err.message);
    }
}

/* A release that is past fetching comes first. */
static void test_phases(void **state)
{
    static const struct up_hotfix_ledger none;
    static struct up_manifest m = {.hotfix_name = "clock", .hotfix_version = "1", .sequence = 7};

    (void)state;
    for (int phase = UP_IDLE; phase < UP_PHASES; phase++) {
        const struct up_journal_state s = {.phase = (enum up_phase)phase};
        int rc = up_hotfix_gate(&m, &none, &s, &s.slot[0], &err);

        if (rc != (phase == UP_IDLE || phase == UP_FETCHING ? UP_OK : UP_BUSY))
            fail_msg("%s: %d", up_journal_phase_name((enum up_phase)phase), rc);
    }
}

/* No value but those that there are is taken for a state; what was written is read back. */
static void test_states(void **state)
{
    static struct up_hotfix_ledger ledger;
    struct up_hotfix *h;

    (void)state;
    assert_int_equal(up_hotfix_ledger_add(&ledger, "clock", &h, &err), 0);
    strcpy(h->id, "000000000000000a");
    strcpy(h->name, "clock");
    strcpy(h->version, "1");
    for (unsigned n = 0; n < 20; n++) {
        bool is = n >= UP_HOTFIX_TESTING && n <= UP_HOTFIX_QUARANTINED && n != 5;
        struct sim *sim = sim_clone(play_sim);

        h->state = (enum up_hotfix_state)n;
        if ((up_hotfix_ledger_write(&ledger, sim_storage(sim), STATE, &err) == 0) != is)
            fail_msg("state %u: %s", n, err.message);
        sim_free(sim);
    }
}

static void fill_ledger(struct up_hotfix_ledger *ledger)
{
    memset(ledger, 0, sizeof *ledger);
    for (uint32_t i = 0; i < UP_HOTFIXES; i++) {
        struct up_hotfix *h = &ledger->entry[ledger->count++];

        snprintf(h->name, sizeof h->name, "n%u", (unsigned)i);
        strcpy(h->version, "1");
        h->state = UP_HOTFIX_UNDONE;
        h->highest = 100 + i;
    }
}

/* When it is full what is not in force makes way, as long as the highest number of its name stays known. */
static void test_full(void **state)
{
    static struct up_hotfix_ledger ledger;
    struct up_hotfix *h;

    (void)state;
    fill_ledger(&ledger);
    assert_int_equal(up_hotfix_ledger_add(&ledger, "new", &h, &err), UP_NOSPACE);
    assert_int_equal(ledger.count, UP_HOTFIXES);
    assert_int_equal(up_hotfix_ledger_add(&ledger, "n3", &h, &err), 0);
    assert_int_equal(ledger.count, UP_HOTFIXES);
    assert_ptr_equal(h, &ledger.entry[UP_HOTFIXES - 1]);
    assert_int_equal(h->highest, 103);
    assert_string_equal(ledger.entry[2].name, "n2");
    assert_string_equal(ledger.entry[3].name, "n4");

    fill_ledger(&ledger);
    ledger.entry[3].state = UP_HOTFIX_APPLIED;
    assert_int_equal(up_hotfix_ledger_add(&ledger, "n3", &h, &err), UP_NOSPACE);

    fill_ledger(&ledger);
    strcpy(ledger.entry[5].name, "n3");
    assert_int_equal(up_hotfix_ledger_add(&ledger, "new", &h, &err), 0);
    assert_int_equal(h->highest, 0);
    assert_string_equal(ledger.entry[3].name, "n4");
    assert_string_equal(ledger.entry[4].name, "n3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_floor),
        cmocka_unit_test(test_phases),
        cmocka_unit_test_setup_teardown(test_states, set_up, tear_down),
        cmocka_unit_test(test_full),
        cmocka_unit_test_setup_teardown(test_plain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_result, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_script_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_live, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_called_failed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_spoiled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_task_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ill, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_with_release, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dropped_with_the_verdict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stopped_then_spent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ordered_stops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counted_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_undo, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half_a_ledger, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_put_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_troubles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_again_without_test, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_opaque, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ledger_breaks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_next_order_settles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_in_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_orders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_called_failed_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stuck, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_script, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_lived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_once, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
