#include "fault_choice.h"

#include <errno.h>
#include <string.h>

#define CUTS_A_FAULT 6 /* of a sample */
#define CUTS_SOON 12

/* Calls that a flow makes; those that change something count as one more kind. */
static const enum sim_op reads[] = {
    SIM_OPEN,    SIM_PREAD,      SIM_READLINK,        SIM_STAT,     SIM_SPACE,   SIM_LIST,      SIM_LOCK,
    SIM_MOUNTED, SIM_DROP_CACHE, SIM_START_WRITEBACK, SIM_BOOT_GET, SIM_BOOT_ID, SIM_GET_RANDOM};
static const enum sim_op changes[] = {SIM_PWRITE,  SIM_SYNC,        SIM_SYNC_DIR,       SIM_RENAME,
                                      SIM_UNLINK,  SIM_MKDIR,       SIM_RMDIR,          SIM_SYMLINK,
                                      SIM_CHMOD,   SIM_TRUNCATE,    SIM_ZERO_RANGE,     SIM_BOOT_SET,
                                      SIM_CHANGES, SIM_FLASH_ERASE, SIM_FLASH_MARK_BAD, SIM_FLASH_UPDATE};
static const int errors[] = {EIO, ENOSPC, EROFS};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

void fault_calls(const struct search *s, unsigned calls[SIM_CHANGES + 1])
{
    struct sim *sim = sim_clone(s->start);
    struct world_log log = {0};

    sim_reset_counters(sim);
    world_live(sim, s->plan, true, &log);
    for (unsigned op = 0; op <= SIM_CHANGES; op++)
        calls[op] = op == SIM_OPS ? 0 : sim_calls(sim, (enum sim_op)op);
    sim_free(sim);
}

/* Of a sample, calls that make things durable are worth more, and so are cuts
 * soon after the fault. */
static enum sim_op pick_change(uint64_t *random)
{
    static const enum sim_op often[] = {SIM_SYNC,   SIM_SYNC,    SIM_SYNC,    SIM_PWRITE,   SIM_PWRITE,
                                        SIM_RENAME, SIM_CHANGES, SIM_CHANGES, SIM_SYNC_DIR, SIM_BOOT_SET};

    return fault_random(random) & 1 ? often[fault_below(random, COUNT(often))]
                                    : changes[fault_below(random, COUNT(changes))];
}

static unsigned pick_cut(uint64_t *random, unsigned met_at, unsigned ops)
{
    unsigned after = ops - met_at, soon = after < CUTS_SOON ? after : CUTS_SOON;

    return met_at + 1 + fault_below(random, fault_random(random) & 1 ? after : soon);
}

/* A fault of this kind, and as many cuts as a sample takes of each. */
static void try_one(struct search *s, struct fault_spec *f)
{
    unsigned met_at, ops;

    if (!fault_uncut(s, f, &met_at, &ops))
        return;
    for (unsigned i = 0; i < CUTS_A_FAULT && ops > met_at; i++)
        fault_cut(s, f, pick_cut(&s->random, met_at, ops));
}

static void pick_call(struct search *s, const unsigned calls[SIM_CHANGES + 1], struct fault_spec *f)
{
    bool change = fault_random(&s->random) & 3;

    do
        f->op = change ? pick_change(&s->random) : reads[fault_below(&s->random, COUNT(reads))];
    while (!calls[f->op]);
    f->n = 1 + fault_below(&s->random, calls[f->op]);
    f->error = change ? errors[fault_below(&s->random, COUNT(errors))] : EIO;
    /* An erase that always fails is worn flash: its blocks are marked bad for good. */
    f->forever = fault_random(&s->random) & 1 && f->op != SIM_FLASH_ERASE;
    f->moment = f->op == SIM_PREAD && !f->forever && fault_random(&s->random) & 1;
    f->late = change && !(fault_random(&s->random) & 3);
    f->state = f->op == SIM_CHANGES && fault_random(&s->random) & 1;
    f->sync = (enum sim_failed_sync)fault_below(&s->random, 3);
}

static bool applies(const struct search *s, enum fault_kind kind)
{
    if (kind == FAULT_LOADER)
        return s->plan->loader == WORLD_UBOOT;
    return kind != FAULT_LOST || s->plan->provisioned;
}

void fault_try_some(struct search *s, unsigned long wanted)
{
    unsigned calls[SIM_CHANGES + 1];

    fault_calls(s, calls);
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        unsigned long enough = kind == FAULT_CALL ? wanted : wanted / 20;

        while (applies(s, (enum fault_kind)kind) && s->tally[kind].states < enough &&
               (kind != FAULT_LOADER || calls[SIM_BOOT_SET] > 0)) {
            struct fault_spec f = {.kind = (enum fault_kind)kind};

            if (kind == FAULT_CALL)
                pick_call(s, calls, &f);
            else if (kind == FAULT_LOADER)
                f = (struct fault_spec){.kind = FAULT_LOADER,
                                        .op = SIM_BOOT_SET,
                                        .n = 1 + fault_below(&s->random, calls[SIM_BOOT_SET]),
                                        .error = EIO,
                                        .forever = true};
            else
                f.n = 1 + fault_below(&s->random, kind == FAULT_FLIP ? calls[SIM_PWRITE] : 16);
            f.direct = kind != FAULT_LOST && fault_random(&s->random) & 1;
            try_one(s, &f);
        }
    }
}

/* In how many ways a call can fail: once, for ever, late, or for a moment. */
static unsigned ways_of(enum sim_op op, bool change)
{
    if (change)
        return 4;
    return op == SIM_PREAD ? 3 : 2;
}

static void each_fault_of(struct search *s, enum sim_op op, bool change, unsigned n)
{
    unsigned mores = op == SIM_CHANGES ? 2 : 1;

    if (op == SIM_SYNC)
        mores = 6;
    for (unsigned e = 0; e < (change ? COUNT(errors) : 1); e++)
        for (unsigned how = 0; how < ways_of(op, change); how++)
            for (unsigned more = 0; more < mores; more++) {
                struct fault_spec f = {.kind = FAULT_CALL,
                                       .op = op,
                                       .n = n,
                                       .error = errors[e],
                                       .forever = how & 1 && op != SIM_FLASH_ERASE,
                                       .moment = how & 2 && !change,
                                       .late = how & 2 && change,
                                       .state = op == SIM_CHANGES && more,
                                       .sync =
                                           op == SIM_SYNC ? (enum sim_failed_sync)more : SIM_CLEAN_UNSURE};

                fault_cut_each(s, &f);
            }
}

void fault_try_all(struct search *s, const char *only)
{
    unsigned calls[SIM_CHANGES + 1];

    fault_calls(s, calls);
    for (size_t i = 0; i < COUNT(reads) + COUNT(changes); i++) {
        bool change = i >= COUNT(reads);
        enum sim_op op = change ? changes[i - COUNT(reads)] : reads[i];

        if (only && strcmp(only, fault_name(FAULT_CALL, op)) != 0)
            continue;
        for (unsigned n = 1; n <= calls[op]; n++)
            each_fault_of(s, op, change, n);
    }
    for (int kind = FAULT_FULL; kind < FAULT_KINDS; kind++) {
        if (only && strcmp(only, fault_name((enum fault_kind)kind, SIM_OPS)) != 0)
            continue;
        for (unsigned n = 1; n <= (kind == FAULT_FLIP ? calls[SIM_PWRITE] : 16); n++) {
            struct fault_spec f = {.kind = (enum fault_kind)kind, .n = n};

            if (kind == FAULT_LOADER)
                f = (struct fault_spec){
                    .kind = FAULT_LOADER, .op = SIM_BOOT_SET, .n = n, .error = EIO, .forever = true};
            if (applies(s, (enum fault_kind)kind))
                fault_cut_each(s, &f);
        }
    }
}
