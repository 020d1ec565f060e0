/*
 * device_tree_fault_check.c -- a device with files is found in the middle of something, and one call fails: each,
 * once; or how far its plan is cannot be read any more. Whatever a start or `moult settle` says then is true, and a
 * device that is left alone ends where it would have ended: with the old tree when the release fails, with the new one
 * when it was confirmed, and no plan open.
 */
#include "config.h"
#include "device.h"
#include "device_private.h"
#include "device_settle.h"
#include "files.h"
#include "sim.h"
#include "world.h"
#include "world_files.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BOOTS 8
#define PACKAGE "/packages/files.upd"

static const struct world_plan plan = {.name = "files", .provisioned = true, .package = WORLD_FILES};
static const struct sim_choice all = {SIM_ORDERED, SIM_ALL, 0, SIM_HARMLESS};

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

static int open_device(void)
{
    return up_device_open(&device, sim_storage(sim), &config, UP_DEVICE_LOCK, &err);
}

static void boot(void)
{
    struct sim *next = sim_reboot(sim, &all);

    sim_free(sim);
    sim = next;
}

/* What supervisor and agent do from here on with a release that fails; a start that cannot go on is made again. */
static void go_on(void)
{
    enum up_start_action action;

    if (open_device() < 0)
        return;
    (void)!up_device_start(device, &action, &err);
    if (device->state.phase == UP_FETCHING || device->state.phase == UP_INSTALLING ||
        device->state.phase == UP_ARMING)
        (void)!world_install(device, sim_storage(sim), PACKAGE, &err);
    if (device->state.phase == UP_ARMED)
        (void)!up_device_begin_trial(device, &err);
    if (device->state.phase == UP_TRIAL && up_device_trial_start(device, &action, &err) == 0)
        (void)!up_device_rollback(device, true, "bad", &action, &err);
    up_device_close(device);
}

static enum up_phase phase(void)
{
    enum up_phase found;

    assert_int_equal(open_device(), 0);
    found = device->state.phase;
    up_device_close(device);
    return found;
}

static void armed(void)
{
    assert_int_equal(open_device(), 0);
    assert_int_equal(world_install(device, sim_storage(sim), PACKAGE, &err), 0);
    up_device_close(device);
}

/* The switch comes with the next boot. */
static void due(void)
{
    struct up_journal_state next;

    armed();
    assert_int_equal(open_device(), 0);
    next = device->state;
    next.tx.restart = true;
    assert_int_equal(up_device_save(device, &next, &err), 0);
    up_device_close(device);
}

static void on_trial(void)
{
    enum up_start_action action;

    armed();
    assert_int_equal(open_device(), 0);
    assert_int_equal(up_device_begin_trial(device, &err), 0);
    assert_int_equal(up_device_trial_start(device, &action, &err), 0);
    up_device_close(device);
}

/* The power goes when some names are changed. */
static void switching(void)
{
    enum up_start_action action;
    struct sim *before;

    armed();
    assert_int_equal(open_device(), 0);
    assert_int_equal(up_device_begin_trial(device, &err), 0);
    up_device_close(device);
    before = sim;
    sim = sim_clone(before);
    for (unsigned k = 1; world_files_tree(sim, false) != WORLD_TREE_NEITHER; k++) {
        sim_free(sim);
        sim = sim_clone(before);
        assert_int_equal(open_device(), 0);
        sim_reset_counters(sim);
        sim_cut_at(sim, k);
        assert_int_not_equal(up_device_trial_start(device, &action, &err), 0);
        up_device_close(device);
        boot();
    }
    sim_free(before);
}

static void spent(void)
{
    enum up_start_action action;

    on_trial();
    assert_int_equal(open_device(), 0);
    for (unsigned i = 1; i < UP_TRIAL_STARTS; i++)
        assert_int_equal(up_device_trial_start(device, &action, &err), 0);
    up_device_close(device);
}

/* Half of the names are changed. */
static void going_back(void)
{
    enum up_start_action action;

    on_trial();
    assert_int_equal(open_device(), 0);
    sim_reset_counters(sim);
    sim_fail(sim, SIM_RENAME, 2, EIO, true);
    sim_fail_below(sim, "/app");
    assert_int_equal(up_device_rollback(device, true, "bad", &action, &err), UP_WRITE);
    sim_fail(sim, SIM_RENAME, 0, 0, false);
    up_device_close(device);
}

/* The journal cannot be written when the tree is old again. */
static void gone_back(void)
{
    enum up_start_action action;
    struct up_journal_state next;

    on_trial();
    assert_int_equal(open_device(), 0);
    next = device->state;
    next.phase = UP_ROLLING_BACK;
    assert_int_equal(up_device_save(device, &next, &err), 0);
    sim_reset_counters(sim);
    sim_fail(sim, SIM_PWRITE, 1, EIO, true);
    sim_fail_below(sim, "/device/state/journal");
    (void)!up_device_resume_rollback(device, &action, &err);
    sim_fail(sim, SIM_PWRITE, 0, 0, false);
    up_device_close(device);
}

static void confirming(void)
{
    struct up_journal_state next;

    on_trial();
    assert_int_equal(open_device(), 0);
    next = device->state;
    next.phase = UP_CONFIRMING;
    assert_int_equal(up_device_save(device, &next, &err), 0);
    up_device_close(device);
}

static void confirmed(void)
{
    on_trial();
    assert_int_equal(open_device(), 0);
    sim_reset_counters(sim);
    sim_fail(sim, SIM_UNLINK, 2, EIO, true);
    sim_fail_below(sim, "/app");
    assert_int_equal(up_device_confirm(device, &err), 0);
    sim_fail(sim, SIM_UNLINK, 0, 0, false);
    up_device_close(device);
}

static void staging(void)
{
    assert_int_equal(open_device(), 0);
    sim_reset_counters(sim);
    sim_fail(sim, SIM_PWRITE, 3, EIO, true);
    sim_fail_below(sim, "/app");
    assert_true(world_install(device, sim_storage(sim), PACKAGE, &err) < 0);
    sim_fail(sim, SIM_PWRITE, 0, 0, false);
    up_device_close(device);
}

static const struct situation {
    const char *name;
    void (*prepare)(void);
    enum world_tree ends;
    bool goes_back; /* when all that can be read of its plan is what was written before the last step */
} situations[] = {
    {"staging", staging, WORLD_TREE_OLD, false},
    {"armed", armed, WORLD_TREE_OLD, false},
    {"due", due, WORLD_TREE_OLD, false},
    {"switching", switching, WORLD_TREE_OLD, false},
    {"on trial", on_trial, WORLD_TREE_OLD, false},
    {"spent", spent, WORLD_TREE_OLD, false},
    {"going back", going_back, WORLD_TREE_OLD, false},
    {"gone back", gone_back, WORLD_TREE_OLD, false},
    {"confirming", confirming, WORLD_TREE_NEW, true},
    {"confirmed", confirmed, WORLD_TREE_NEW, false},
};

static const enum sim_op ops[] = {SIM_OPEN,   SIM_PREAD, SIM_OPEN_DIR, SIM_STAT, SIM_LIST,
                                  SIM_PWRITE, SIM_SYNC,  SIM_RENAME,   SIM_LINK, SIM_UNLINK};

/* What `settle` says of the tree. */
static bool is_true(enum up_settled said, const struct situation *s)
{
    enum world_tree tree = world_files_tree(sim, false);

    switch (said) {
    case UP_SETTLED_WHOLE:
        return tree == s->ends;
    case UP_SETTLED_NEW:
    case UP_SETTLED_TRIAL:
        return tree == WORLD_TREE_NEW;
    default:
        return tree == WORLD_TREE_OLD;
    }
}

static void do_it(bool settles, const struct situation *s, const char **bad)
{
    enum up_start_action action;
    enum up_settled said;

    if (settles) {
        if (up_device_settle(&said, sim_storage(sim), &config, &err) < 0)
            return;
        if (!is_true(said, s))
            *bad = "settle says what is not so";
        return;
    }
    if (open_device() < 0)
        return;
    (void)!up_device_start(device, &action, &err);
    if (world_files_tree(sim, false) == WORLD_TREE_NEITHER && !up_device_mixed(device))
        *bad = "the tree is mixed, and nobody knows";
    up_device_close(device);
}

/* Nothing fails any more. */
static void must_end(const struct situation *s, enum world_tree or_else, const char *bad, const char *what,
                     const char *call, unsigned n)
{
    enum world_tree tree;

    for (int i = 0; i < BOOTS; i++) {
        boot();
        go_on();
    }
    if (!bad && phase() != UP_IDLE)
        bad = "it does not end";
    tree = world_files_tree(sim, true);
    if (!bad && tree != s->ends && tree != or_else)
        bad = "it ends with another tree";
    if (bad)
        fail_msg("%s, %s, %s %u: %s", s->name, what, call, n, bad);
}

/* Whether there is an n-th call of this kind. */
static bool survives(const struct situation *s, bool settles, enum sim_op op, unsigned n)
{
    struct sim *plain = sim;
    const char *bad = NULL;
    bool met;

    sim = sim_clone(plain);
    sim_reset_counters(sim);
    sim_fail(sim, op, n, EIO, false);
    do_it(settles, s, &bad);
    met = sim_fault_hits(sim) > 0;
    sim_fail(sim, op, 0, 0, false);
    must_end(s, s->ends, bad, settles ? "settle" : "start", sim_op_name(op), n);
    sim_free(sim);
    sim = plain;
    return met;
}

static void any_call_may_fail_once(void **state)
{
    unsigned long states = 0;

    for (size_t i = 0; i < sizeof situations / sizeof *situations; i++) {
        situations[i].prepare();
        boot();
        for (int settles = 0; settles < 2; settles++)
            for (size_t k = 0; k < sizeof ops / sizeof *ops; k++)
                for (unsigned n = 1; survives(&situations[i], settles, ops[k], n); n++)
                    states++;
        leave(state);
        enter(state);
    }
    print_message("device_tree_fault: %lu calls that fail\n", states);
}

/* The tree alone says whether programs may start; what cannot be recorded now is recorded later. */
static void a_journal_that_takes_no_write_keeps_no_program_from_starting(void **state)
{
    for (size_t i = 0; i < sizeof situations / sizeof *situations; i++) {
        enum up_settled said;

        situations[i].prepare();
        boot();
        sim_fail(sim, SIM_CHANGES, 1, EROFS, true);
        sim_fail_below(sim, "/device/state/journal");
        if (up_device_settle(&said, sim_storage(sim), &config, &err) < 0)
            fail_msg("%s: %s", situations[i].name, err.message);
        if (!is_true(said, &situations[i]))
            fail_msg("%s: %s is not so", situations[i].name, up_device_settled_name(said));
        leave(state);
        enter(state);
    }
}

static struct {
    int (*open)(struct up_storage *s, const char *path, unsigned flags, unsigned mode);
    unsigned seen, good; /* how often it was opened, and how often that works */
} stage;

static int open_for_a_while(struct up_storage *s, const char *path, unsigned flags, unsigned mode)
{
    if (!strstr(path, "/state/files/stage") || stage.seen++ < stage.good)
        return stage.open(s, path, flags, mode);
    errno = EIO;
    return -1;
}

/* How far the plan is can be read so often, and then no more. Whether it was asked more often than that. */
static bool survives_blind(const struct situation *s, bool settles, unsigned good)
{
    struct sim *plain = sim;
    const struct up_storage_ops *real;
    struct up_storage_ops blind;
    const char *bad = NULL;

    sim = sim_clone(plain);
    real = sim_storage(sim)->ops;
    blind = *real;
    stage.open = real->open;
    stage.seen = 0;
    stage.good = good;
    blind.open = open_for_a_while;
    sim_storage(sim)->ops = &blind;
    err.message[0] = '\0';
    do_it(settles, s, &bad);
    sim_storage(sim)->ops = real;
    if (strstr(err.message, "waits to be tried"))
        bad = "it names another cause";
    must_end(s, s->goes_back ? WORLD_TREE_OLD : s->ends, bad, settles ? "settle" : "start", "the stage",
             good);
    sim_free(sim);
    sim = plain;
    return stage.seen > good;
}

static void how_far_it_is_may_become_unreadable(void **state)
{
    for (size_t i = 0; i < sizeof situations / sizeof *situations; i++) {
        situations[i].prepare();
        boot();
        for (int settles = 0; settles < 2; settles++)
            for (unsigned good = 0; survives_blind(&situations[i], settles, good);)
                good++;
        leave(state);
        enter(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_journal_that_takes_no_write_keeps_no_program_from_starting, enter,
                                        leave),
        cmocka_unit_test_setup_teardown(any_call_may_fail_once, enter, leave),
        cmocka_unit_test_setup_teardown(how_far_it_is_may_become_unreadable, enter, leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
