#include "fault_life.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"

#define STATE "/device/state"
#define STARTS_MAX 8
#define SAME_MAX 4
#define TRIES 3 /* of a read, by what reads records */
#define DEAD_STARTS (2 * UP_BOOT_TRIES)

static const struct {
    int error;
    const char *name;
} errors[] = {{EIO, "EIO"}, {ENOSPC, "ENOSPC"}, {EROFS, "EROFS"}};

static const char *const syncs[] = {"unsure", "torn", "dirty"};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Those that are told by their number alone. */
static const char *const kinds[FAULT_KINDS] = {
    [FAULT_FULL] = "full",     [FAULT_FLIP] = "flip",   [FAULT_LOST] = "lost",
    [FAULT_PAIRED] = "paired", [FAULT_LYING] = "lying",
};

const char *fault_name(enum fault_kind kind, enum sim_op op)
{
    if (kind == FAULT_LOADER)
        return "loader";
    if (kind != FAULT_CALL)
        return kinds[kind];
    return op == SIM_CHANGES ? "any" : sim_op_name(op);
}

static bool is_call(const struct fault_spec *f)
{
    return f->kind == FAULT_CALL || f->kind == FAULT_LOADER;
}

static const char *span_of(const struct fault_spec *f)
{
    if (f->forever)
        return "ever";
    return f->moment ? "moment" : "once";
}

const char *fault_text(const struct fault_spec *f, char out[80])
{
    const char *error = "EIO", *where = f->kind == FAULT_LOADER ? "loader" : "all";
    const char *direct = f->direct ? ":direct" : "";

    if (!is_call(f)) {
        snprintf(out, 80, "%s:%u%s", kinds[f->kind], f->n, direct);
        return out;
    }
    for (size_t i = 0; i < COUNT(errors); i++)
        if (errors[i].error == f->error)
            error = errors[i].name;
    snprintf(out, 80, "%s:%u:%s:%s:%s:%s:%s%s", fault_name(FAULT_CALL, f->op), f->n, error, span_of(f),
             f->late ? "late" : "now", syncs[f->sync], f->state ? "state" : where, direct);
    return out;
}

int fault_parse(struct fault_spec *f, const char *text)
{
    char op[24], error[8], span[8], when[8], sync[8], where[8];
    int fields;

    *f = (struct fault_spec){.op = SIM_OPS, .direct = strstr(text, ":direct")};
    fields = sscanf(text, "%23[^:]:%u:%7[^:]:%7[^:]:%7[^:]:%7[^:]:%7[^:]", op, &f->n, error, span, when, sync,
                    where);
    for (int i = 0; (fields == 2 || (fields == 3 && f->direct)) && i < FAULT_KINDS; i++)
        if (kinds[i] && strcmp(op, kinds[i]) == 0) {
            f->kind = (enum fault_kind)i;
            return 0;
        }
    if (fields != 7)
        return -1;
    for (int i = 0; i < SIM_OPS; i++)
        if (strcmp(op, sim_op_name((enum sim_op)i)) == 0)
            f->op = (enum sim_op)i;
    if (strcmp(op, "any") == 0)
        f->op = SIM_CHANGES;
    for (size_t i = 0; i < COUNT(errors); i++)
        if (strcmp(error, errors[i].name) == 0)
            f->error = errors[i].error;
    for (size_t i = 0; i < COUNT(syncs); i++)
        if (strcmp(sync, syncs[i]) == 0)
            f->sync = (enum sim_failed_sync)i;
    f->forever = strcmp(span, "ever") == 0;
    f->moment = strcmp(span, "moment") == 0;
    f->late = strcmp(when, "late") == 0;
    f->state = strcmp(where, "state") == 0;
    f->kind = strcmp(where, "loader") == 0 ? FAULT_LOADER : FAULT_CALL;
    return f->op == SIM_OPS || !f->error ? -1 : 0;
}

void fault_arm(struct sim *sim, const struct fault_spec *f, bool again)
{
    unsigned n = again ? 1 : f->n;

    sim_reset_counters(sim);
    sim_set_direct(sim, f->direct);
    if (is_call(f)) {
        sim_set_failed_sync(sim, f->sync);
        if (f->late)
            sim_fail_late(sim, f->op, n, f->error, f->forever);
        else
            sim_fail(sim, f->op, n, f->error, f->forever);
        if (f->moment)
            sim_fail_more(sim, TRIES - 1);
        if (f->state)
            sim_fail_below(sim, STATE);
    } else if (f->kind == FAULT_FLIP) {
        sim_flip_medium(sim, f->n);
    } else if (f->kind == FAULT_FULL && !again) {
        sim_set_copy_on_write(sim, true);
        sim_set_free(sim, f->n * UINT64_C(4096));
    }
}

static void fault_lift(struct sim *sim)
{
    sim_fail(sim, SIM_OPEN, 0, 0, false);
    sim_flip_medium(sim, 0);
    sim_set_free(sim, UINT64_MAX);
}

bool fault_lasts(const struct fault_spec *f)
{
    return f->forever || f->kind == FAULT_FULL;
}

bool fault_met(const struct sim *sim, const struct fault_spec *f, unsigned *met_at)
{
    *met_at = is_call(f) ? sim_fault_at(sim) : 0;
    if (f->kind == FAULT_FLIP)
        return sim_calls(sim, SIM_PWRITE) >= f->n;
    return !is_call(f) || sim_fault_hits(sim) > 0;
}

struct sim *fault_reboot(const struct sim *sim, const struct fault_spec *f, const struct sim_choice *choice)
{
    struct sim_choice worse = *choice;
    struct sim *medium;

    if (f->kind == FAULT_PAIRED)
        worse.harm = SIM_PAIRED;
    if (f->kind == FAULT_LYING)
        worse = (struct sim_choice){SIM_INDEPENDENT, SIM_RANDOM, choice->seed + f->n, SIM_LYING};
    /* What was being written then is whole, old or new: one misfortune at a time. */
    if (f->kind == FAULT_LOST)
        worse = (struct sim_choice){SIM_ORDERED, choice->seed & 1 ? SIM_ALL : SIM_NONE, 0, SIM_HARMLESS};
    medium = sim_reboot(sim, &worse);
    if (f->kind == FAULT_LOST)
        free(sim_lose_file(medium, STATE, f->n));
    return medium;
}

static unsigned starts_max(const struct world_plan *plan)
{
    return STARTS_MAX + (plan->verdict == WORLD_DEAD ? DEAD_STARTS : 0);
}

/* Whether another start may end otherwise. */
static bool goes_on(struct sim *sim, const struct world_plan *plan, bool again, const char *cause,
                    struct fault_life *life)
{
    bool ran = life->log.ran;

    /* The same in a new process and after a restart: the rest would be, too. */
    life->same = again && strcmp(cause, life->log.cause) == 0 ? life->same + 1 : 0;
    if (life->same == SAME_MAX && plan->verdict != WORLD_DEAD)
        return false;
    life->failures += again;
    /* A start that only asks for a restart stands with the one before it. */
    life->log.ran = ran || (!again && life->ran);
    life->ran = ran;
    /* The boot driver `file` starts over in the same boot of the kernel. */
    if (again ? life->failures > 1 : plan->loader == WORLD_UBOOT)
        sim_shutdown(sim);
    return life->starts < starts_max(plan) && !life->log.bad[0];
}

bool fault_start(struct sim *sim, const struct world_plan *plan, struct fault_life *life)
{
    char cause[sizeof life->log.cause];
    enum world_result result;

    memcpy(cause, life->log.cause, sizeof cause);
    life->starts++;
    result = world_boot(sim, plan, true, &life->log);
    if (result == WORLD_CUT || result == WORLD_SETTLED)
        return false;
    return goes_on(sim, plan, result == WORLD_FAILED || result == WORLD_DEGRADED, cause, life);
}

void fault_live(struct sim *sim, const struct world_plan *plan, struct fault_life *life)
{
    while (fault_start(sim, plan, life))
        ;
}

/* What fails only tells what is there. */
static bool is_look(const struct fault_spec *f)
{
    return f->kind == FAULT_CALL && (f->op == SIM_STAT || f->op == SIM_OPEN || f->op == SIM_PREAD);
}

/* With the fault: a whole pair runs in the end, however often it was tried; or the
 * fault keeps the tree of files neither old nor new, or from being looked at, and nothing starts on it. In
 * the factory there need not be a device yet. */
static void judge_lasting(struct sim *sim, const struct world_plan *plan, const struct fault_spec *f,
                          struct world_log *log)
{
    struct fault_life life = {.log = *log};

    fault_arm(sim, f, true);
    life.log.faulty = true;
    life.log.loader_fails = f->kind == FAULT_LOADER;
    fault_live(sim, plan, &life);
    *log = life.log;
    log->faulty = log->loader_fails = false;
    if (!log->bad[0] && !log->ran && !log->mixed && !(log->unsure && is_look(f)) &&
        (plan->provisioned || log->confirmed))
        snprintf(log->bad, sizeof log->bad, "nothing runs: %s", log->cause);
}

/* After a queue that lied, nothing is asked but that what starts is whole. */
static void judge_lying(struct sim *sim, const struct world_plan *plan, struct world_log *log)
{
    struct fault_life life = {.log = *log};

    life.log.faulty = true;
    fault_live(sim, plan, &life);
    *log = life.log;
    if (strncmp(log->bad, "would start", 11) != 0)
        log->bad[0] = '\0';
}

/* And it stays so at the next start, which removes what mending left, and finds
 * what fell back without a verdict on it offered again. */
static void judge_settled(struct sim *sim, const struct world_plan *plan, struct known *known,
                          struct world_log *log)
{
    log->known = known;
    for (log->part = 0; log->part < 2 && !log->bad[0] && !log->shared; log->part++)
        world_live(sim, plan, true, log);
    if (!log->bad[0] && !log->shared)
        world_check(sim, plan, true, log);
    if (!log->bad[0] && sim_open_files(sim) > 0)
        snprintf(log->bad, sizeof log->bad, "%u files are left open", sim_open_files(sim));
    if (known)
        known_judged(known, !log->bad[0]);
}

bool fault_judge(struct sim *sim, const struct world_plan *plan, const struct fault_spec *f,
                 const struct world_log *before, struct known *known, struct world_log *log)
{
    *log = *before;
    log->boots = 0;
    log->faulty = log->loader_fails = false;
    if (f->kind == FAULT_LYING) {
        judge_lying(sim, plan, log);
        return !log->bad[0];
    }
    if (fault_lasts(f))
        judge_lasting(sim, plan, f, log);
    if (log->bad[0])
        return false;
    fault_lift(sim);
    sim_shutdown(sim);
    judge_settled(sim, plan, known, log);
    return !log->bad[0];
}
