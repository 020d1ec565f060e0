/*
 * fault_check.c -- one call of the storage fails, in every flow and in every
 * recovery: the device says so, keeps a pair that runs, and once the fault is
 * gone comes to the end that it would have come to.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "variants.h"
#include "world.h"

static const struct world_plan plans[] = {
    {.name = "provision", .package = WORLD_FACTORY},
    {.name = "script", .provisioned = true, .package = WORLD_SCRIPT},
    {.name = "script by permit", .provisioned = true, .package = WORLD_SCRIPT, .permit = true},
    {.name = "both", .provisioned = true, .package = WORLD_BOTH, .loader = WORLD_UBOOT},
    {.name = "script crashes", .provisioned = true, .package = WORLD_SCRIPT, .verdict = WORLD_CRASH},
    {.name = "both fails", .provisioned = true, .package = WORLD_BOTH, .verdict = WORLD_FAIL},
    {.name = "slot disarmed", .provisioned = true, .package = WORLD_CORE, .verdict = WORLD_DISARM},
    {.name = "slot dead", .provisioned = true, .package = WORLD_CORE, .verdict = WORLD_DEAD},
    {.name = "remote", .provisioned = true, .package = WORLD_REMOTE},
    {.name = "delta", .provisioned = true, .package = WORLD_DELTA},
    {.name = "provision with files", .package = WORLD_FACTORY, .files = true},
    {.name = "files fail", .provisioned = true, .package = WORLD_FILES, .verdict = WORLD_FAIL},
    {.name = "script with files", .provisioned = true, .package = WORLD_SCRIPT, .files = true},
    {.name = "both with files dead",
     .provisioned = true,
     .package = WORLD_BOTH,
     .verdict = WORLD_DEAD,
     .files = true},
};
#define PLANS (sizeof plans / sizeof plans[0])

/* Calls that a flow makes; those that change something count as one more. */
static const enum sim_op ops[] = {SIM_OPEN,     SIM_PREAD,      SIM_PWRITE,     SIM_SYNC,       SIM_SYNC_DIR,
                                  SIM_RENAME,   SIM_UNLINK,     SIM_MKDIR,      SIM_RMDIR,      SIM_SYMLINK,
                                  SIM_READLINK, SIM_CHMOD,      SIM_STAT,       SIM_SPACE,      SIM_LIST,
                                  SIM_LOCK,     SIM_TRUNCATE,   SIM_ZERO_RANGE, SIM_DROP_CACHE, SIM_MOUNTED,
                                  SIM_BOOT_ID,  SIM_GET_RANDOM, SIM_CHANGES};
#define OPS (sizeof ops / sizeof ops[0])

struct fault {
    enum sim_op op;
    unsigned n;
    bool forever;
};

/* Live with the fault, then without. False when the flow did not meet it. */
static bool live_through(const struct sim *start, const struct world_plan *plan,
                         const struct world_log *before, const struct fault *fault, const char *when)
{
    struct sim *sim = sim_clone(start);
    struct world_log log = *before;
    bool met;

    log.tampered = true; /* whatever an install answers, it may */
    log.boots = 0;
    sim_reset_counters(sim);
    sim_fail(sim, fault->op, fault->n, EIO, fault->forever);
    world_live(sim, plan, true, &log);
    met = sim_calls(sim, fault->op) >= fault->n;
    sim_fail(sim, fault->op, 0, 0, false);
    if (strstr(log.bad, "would start") || strstr(log.bad, "succeeded"))
        fail_msg("%s: %s, %s %u failed: %s", plan->name, when, sim_op_name(fault->op), fault->n, log.bad);

    log = (struct world_log){.slot = log.slot, .was_faulty = fault->forever};
    world_live(sim, plan, true, &log);
    if (!log.bad[0])
        world_check(sim, plan, true, &log);
    if (log.bad[0] || sim_open_files(sim) > 0)
        fail_msg("%s: %s, %s %u failed%s: then %s, %u files left open", plan->name, when,
                 sim_op_name(fault->op), fault->n, fault->forever ? " for ever" : "", log.bad,
                 sim_open_files(sim));
    sim_free(sim);
    return met;
}

static bool all; /* calls; else a sample of them, another one in each flow */

/* Files make a flow several times as long; build/files --faults takes every call of theirs. */
static unsigned stride(const struct world_plan *plan, unsigned usual, unsigned with_files)
{
    return (plan->files || plan->package == WORLD_FILES ? with_files : usual) * (all ? 1 : 4);
}

static void any_call_of_any_flow_may_fail(void **state)
{
    unsigned long count = 0;

    (void)state;
    for (size_t p = 0; p < PLANS; p++) {
        struct sim *start = world_new(&plans[p]);
        const struct world_log fresh = {0};

        for (size_t i = 0; i < 2 * OPS; i++) {
            struct fault fault = {.op = ops[i / 2], .forever = i % 2};

            fault.n = 1 + p % stride(&plans[p], 1, 3);
            for (; live_through(start, &plans[p], &fresh, &fault, "in the flow"); count++)
                fault.n += stride(&plans[p], 1, 3);
        }
        sim_free(start);
    }
    print_message("fail-nth-flows: %lu failing calls, 0 bad\n", count);
}

/* After a cut at every eleventh operation, or every fourth of these, the recovery meets the fault. */
static void any_call_of_a_recovery_may_fail(void **state)
{
    unsigned long count = 0;

    (void)state;
    for (size_t p = 1; p < PLANS; p++) {
        struct sim *start = world_new(&plans[p]);
        bool finished = false;

        for (unsigned cut = 3 + (unsigned)p; !finished; cut += stride(&plans[p], 11, 67)) {
            struct sim *sim = sim_clone(start), *medium;
            struct world_log log = {0};
            struct fault fault = {.n = 1};
            char when[32];

            sim_cut_at(sim, cut);
            world_live(sim, &plans[p], true, &log);
            finished = !sim_is_cut(sim);
            medium = sim_reboot(sim, &(struct sim_choice){SIM_ORDERED, SIM_ALL, 0, false});
            snprintf(when, sizeof when, "after cut %u", cut);
            /* Another kind of call after each cut, and always those that change something. */
            fault.op = ops[cut % OPS];
            for (; live_through(medium, &plans[p], &log, &fault, when); fault.n++)
                count++;
            fault = (struct fault){.op = SIM_CHANGES, .n = 1};
            for (; live_through(medium, &plans[p], &log, &fault, when); fault.n++)
                count++;
            sim_free(medium);
            sim_free(sim);
        }
        sim_free(start);
    }
    print_message("fail-nth-recovery: %lu failing calls, 0 bad\n", count);
}

/* fault_check [--all] */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_call_of_any_flow_may_fail),
        cmocka_unit_test(any_call_of_a_recovery_may_fail),
    };

    all = argc == 2 && strcmp(argv[1], "--all") == 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
