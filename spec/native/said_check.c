/*
 * said_check.c -- one call of the storage fails between the start of a device,
 * an installation, its trial and its end: whoever asked is told.
 *
 * What may fail unsaid is tried again, is kept twice, only makes sure, or is done at the next
 * start; there is no more of that than there was. That the device comes through
 * is fault_check.c's matter.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config.h"
#include "device.h"
#include "error.h"
#include "sim.h"
#include "world.h"

struct flow {
    struct world_plan plan;
    const char *package;
    bool confirmed;
    unsigned failures; /* at least: a call that is not made cannot fail */
    unsigned unsaid;   /* at most, of what is not tried again */
};

#define FLOW(package_, medium_)                                                              \
    {                                                                                        \
        .name = #package_ " on " #medium_, .provisioned = true, .package = WORLD_##package_, \
        .medium = WORLD_ON_##medium_                                                         \
    }

static const struct flow flows[] = {
    {FLOW(SCRIPT, FILES), "/packages/script.upd", true, 476, 78},
    {FLOW(BOTH, FILES), "/packages/both.upd", true, 595, 68},
    {FLOW(BOTH, FILES), "/packages/both.upd", false, 550, 57},
    {FLOW(SAME_CORE, BLOCK), "/packages/same-core.upd", true, 508, 78},
    {FLOW(CORE, NOR), "/packages/core.upd", true, 470, 58},
    {FLOW(DELTA, NAND), "/packages/delta.upd", true, 517, 66},
    {FLOW(BOTH_DELTA, UBI), "/packages/both-delta.upd", false, 567, 58},
};

/* The trial of what a start finds armed, and its end. */
static int try_it(struct up_device *device, bool confirmed, struct up_error *err)
{
    enum up_start_action action;

    if (up_device_trial_start(device, &action, err) < 0)
        return err->code;
    return confirmed ? up_device_confirm(device, err) : up_device_rollback(device, true, "no", &action, err);
}

/* One power-on; 0: all of it was done, and nothing is in trouble. */
static int live(struct sim *sim, const struct flow *flow, bool armed, struct up_error *err)
{
    struct up_device *device = NULL;
    enum up_start_action action;
    struct up_trouble trouble;
    struct up_config config;
    int rc;

    world_configure(&config);
    rc = up_device_come_up(&device, sim_storage(sim), &config, NULL, &action, &trouble, err);
    if (rc == 0 && !device)
        rc = trouble.cause.code;
    if (rc == 0)
        rc = armed ? try_it(device, flow->confirmed, err)
                   : world_install(device, sim_storage(sim), flow->package, err);
    if (rc == 0)
        rc = up_device_trouble(device)->cause.code;
    up_device_close(device);
    up_config_free(&config);
    return rc;
}

/* Whether the fault was met; *said: and told. */
static bool fails(const struct sim *start, const struct flow *flow, enum sim_op op, unsigned n, bool *said)
{
    struct sim *sim = sim_clone(start);
    struct up_error err;
    int rc;
    bool met;

    sim_reset_counters(sim);
    sim_fail(sim, op, n, EIO, false);
    rc = live(sim, flow, false, &err);
    if (rc == 0)
        rc = live(sim, flow, true, &err);
    met = sim_fault_hits(sim) > 0;
    *said = rc < 0;
    if (!met && rc < 0)
        fail_msg("%s: nothing failed, but: %s", flow->plan.name, err.message);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
    return met;
}

static bool is_tried_again(enum sim_op op)
{
    return op == SIM_OPEN || op == SIM_PREAD || op == SIM_DROP_CACHE;
}

static void whatever_fails_is_said(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof flows / sizeof *flows; f++) {
        struct sim *start = world_new(&flows[f].plan);
        unsigned failures = 0, unsaid = 0;

        for (int op = SIM_OPEN; op < SIM_OPS; op++) {
            bool said;

            for (unsigned n = 1; fails(start, &flows[f], (enum sim_op)op, n, &said); n++) {
                failures++;
                unsaid += !said && !is_tried_again((enum sim_op)op);
            }
        }
        sim_free(start);
        if (failures < flows[f].failures ||
            unsaid > flows[f].unsaid) /* where that is right, so says the table */
            fail_msg("%s: of %u failures %u were not said, instead of %u and %u", flows[f].plan.name,
                     failures, unsaid, flows[f].failures, flows[f].unsaid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whatever_fails_is_said)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
