/*
 * files_root_check.c -- a root of files is not there: its partition is mounted late, or it was formatted. It happens
 * at any operation of an update. While it is away nothing is decided. If it comes back, the tree is the old or the
 * new one. If it does not, the device does not stay busy: a package that names all of the plan is taken, or the
 * owner says that the tree is as it should be.
 */
#include "config.h"
#include "device.h"
#include "device_private.h"
#include "device_settle.h"
#include "files.h"
#include "note.h"
#include "plans.h"
#include "sim.h"
#include "variants.h"
#include "world.h"
#include "world_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NEXT "/packages/next.upd"
#define STARTS 6

static const char *const lives[] = {"files",
                                    "files fail",
                                    "script with files",
                                    "script with files fails",
                                    "both with files",
                                    "both with files fails",
                                    "alone files",
                                    "alone files fail"};
static const char *const roots[] = {"/app", "/card"};
static const struct sim_choice all = {SIM_ORDERED, SIM_ALL, 0, SIM_HARMLESS};

enum way { COMES_BACK, PACKAGE, OWNER, WAYS };

struct state {
    const struct world_plan *plan;
    const char *root;
    unsigned cut;
    bool formatted, confirmed;
    struct sim *medium;
    struct up_config config;
    struct up_device *device;
    struct up_error err;
    char bad[256];
};

static unsigned long states, wrong, open_ones, by_package, by_owner;

#define bad(s, ...) note_bad((s)->bad, sizeof(s)->bad, __VA_ARGS__)

static int open_device(struct state *s)
{
    return up_device_open(&s->device, sim_storage(s->medium), &s->config, UP_DEVICE_LOCK, &s->err);
}

/* So many power-ons, with what supervisor and agent do in them. */
static void live(struct state *s, unsigned starts)
{
    struct world_log log = {.faulty = true, .was_faulty = true};

    for (unsigned i = 0; i < starts; i++) {
        (void)world_boot(s->medium, s->plan, false, &log);
        sim_shutdown(s->medium);
    }
}

static enum up_phase phase_of(struct state *s)
{
    enum up_phase phase;

    assert_int_equal(open_device(s), 0);
    phase = up_device_state(s->device)->phase;
    up_device_close(s->device);
    return phase;
}

/* Whether the plan is still open, and what it is at. */
static enum up_files_step step_of(struct state *s)
{
    enum up_files_step step;
    struct up_files f;

    assert_int_equal(up_files_open(&f, sim_storage(s->medium), "/device/state", &s->err), 0);
    step = f.stage.step;
    up_files_close(&f);
    return step;
}

/* Another package, to its verdict. */
static int install_next(struct state *s)
{
    enum up_start_action action;
    int rc;

    assert_int_equal(open_device(s), 0);
    (void)!up_device_start(s->device, &action, &s->err);
    rc = world_install(s->device, sim_storage(s->medium), NEXT, &s->err);
    if (rc == 0)
        rc = up_device_begin_trial(s->device, &s->err);
    if (rc == 0)
        rc = up_device_trial_start(s->device, &action, &s->err);
    if (rc == 0)
        rc = up_device_confirm(s->device, &s->err);
    if (rc == 0 && up_device_mixed(s->device))
        rc = up_fail(&s->err, UP_INTERNAL, "it is mixed after a confirmed package");
    up_device_close(s->device);
    return rc;
}

static void comes_back(struct state *s)
{
    enum up_settled settled;
    enum world_tree tree;

    world_files_move_here(s->medium, s->root, true);
    live(s, STARTS);
    if (up_device_settle(&settled, sim_storage(s->medium), &s->config, &s->err) < 0)
        bad(s, "settle: %s", s->err.message);
    tree = world_files_tree(s->medium, false);
    if (tree == WORLD_TREE_NEITHER || (s->confirmed && tree == WORLD_TREE_OLD))
        bad(s, "it came back, and the tree is %d", (int)tree);
}

static void by_a_package(struct state *s)
{
    enum up_settled settled;

    if (install_next(s) < 0) {
        bad(s, "the package: %s", s->err.message);
        return;
    }
    by_package++;
    if (up_device_settle(&settled, sim_storage(s->medium), &s->config, &s->err) < 0)
        bad(s, "after the package: settle: %s", s->err.message);
}

static void by_the_owner(struct state *s)
{
    enum up_settled settled;

    if (up_device_settle_accepting(&settled, sim_storage(s->medium), &s->config, &s->err) < 0)
        bad(s, "accept: %s", s->err.message);
    else if (up_device_settle(&settled, sim_storage(s->medium), &s->config, &s->err) < 0)
        bad(s, "accepted, and settle says %s", s->err.message);
    else if (live(s, 2), phase_of(s) != UP_IDLE)
        bad(s, "accepted, and it is not idle");
    else if (install_next(s) < 0)
        bad(s, "accepted, and the next package: %s", s->err.message);
    else
        by_owner++;
}

static void judge(struct state *s, struct sim *medium, enum way way)
{
    static void (*const ways[WAYS])(struct state *) = {comes_back, by_a_package, by_the_owner};
    static char told[sizeof s->bad];
    enum up_settled settled;
    int rc;

    s->medium = sim_clone(medium);
    s->bad[0] = '\0';
    world_configure(&s->config);
    s->config.no_script = s->plan->alone;
    world_files_configure(&s->config, false);
    if (s->formatted)
        world_files_format(s->medium, s->root);
    else
        world_files_move_here(s->medium, s->root, false);
    live(s, STARTS);
    rc = up_device_settle(&settled, sim_storage(s->medium), &s->config, &s->err);
    if (rc == 0 && step_of(s) != UP_FILES_NONE)
        bad(s, "settle says %s, and a plan is open", up_device_settled_name(settled));
    if (rc < 0 && !strstr(s->err.message, s->root))
        bad(s, "settle does not name the root: %s", s->err.message);
    open_ones += rc < 0;
    if (!s->bad[0] && (rc < 0 || way == PACKAGE))
        ways[way](s);
    if (sim_open_files(s->medium) > 0)
        bad(s, "files stayed open");
    states++;
    if (s->bad[0] && ++wrong && strcmp(s->bad, told) != 0 && snprintf(told, sizeof told, "%s", s->bad) > 0)
        print_message("bad: %s, cut %u, %s %s, way %d: %s\n", s->plan->name, s->cut, s->root,
                      s->formatted ? "formatted" : "late", way, s->bad);
    up_config_free(&s->config);
    sim_free(s->medium);
}

static void lose_root_everywhere(const struct world_plan *plan, unsigned stride)
{
    struct sim *first = world_new(plan), *sim, *medium;
    bool finished = false;
    size_t len;
    void *bytes = variant_files(3, 0, 0, world_files_ini, &len);

    sim_put(first, NEXT, bytes, len, 0644);
    free(bytes);
    sim_settle(first);
    for (unsigned k = 1; !finished; k += stride) {
        struct world_log log = {0};

        sim = sim_clone(first);
        sim_cut_at(sim, k);
        (void)world_live(sim, plan, true, &log);
        finished = !sim_is_cut(sim);
        medium = sim_reboot(sim, &all);
        for (size_t i = 0; i < sizeof roots / sizeof *roots && !finished; i++) {
            struct state s = {.plan = plan, .root = roots[i], .cut = k, .confirmed = log.confirmed};

            judge(&s, medium, COMES_BACK);
            judge(&s, medium, PACKAGE);
            judge(&s, medium, OWNER);
            s.formatted = true;
            judge(&s, medium, PACKAGE);
            judge(&s, medium, OWNER);
        }
        sim_free(medium);
        sim_free(sim);
    }
    sim_free(first);
}

static void a_root_that_is_not_there_does_not_block_for_ever(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++)
        lose_root_everywhere(world_plan_of(lives[i]), i < 2 ? 1 : 5);
    print_message("files-root: %lu states, %lu bad; %lu open, ended %lu by a package and %lu by the owner\n",
                  states, wrong, open_ones, by_package, by_owner);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_root_that_is_not_there_does_not_block_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
