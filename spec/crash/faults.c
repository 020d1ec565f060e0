/*
 * faults.c -- one call of the storage fails, and then the power goes.
 *
 * For each flow, one call of one kind fails from its n-th time, once or for
 * ever; the device goes on with that, as a new process and by restarts; then
 * an operation is cut, the media are built that the storage models allow, and
 * the device must end as README.md of this folder says: while the fault lasts a
 * whole pair runs, and once it is gone the device settles in at most 8 starts
 * on exactly the old or the new pair, nothing confirmed is lost, nothing
 * unconfirmed raises a floor. Of all, flows of few operations come first; with
 * --from, the one named there and those after it.
 *
 *     faults [--states N] [--seed S] [--jobs N] [FLOW]   a sample
 *     faults --all [--op KIND] [--jobs N] [--from FLOW | FLOW]
 *                                                        every call (of one kind), every cut after it
 *     faults --again FLOW FAULT CUT MEDIUM [--trace]     one state, as a bad one was reported
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <errno.h>

#include "fault_life.h"
#include "fault_search.h"
#include "plans.h"

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

/* What processes that divide the flows share. */
struct board {
    atomic_uint next, ended;
    atomic_ulong states[FAULT_KINDS], bad[FAULT_KINDS];
};

/* How often each call is made when nothing fails. */
static void count_calls(const struct search *s, unsigned calls[SIM_CHANGES + 1])
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

static void sample(struct search *s, unsigned long wanted)
{
    unsigned calls[SIM_CHANGES + 1];

    count_calls(s, calls);
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

static void each_fault_of(struct search *s, enum sim_op op, bool change, unsigned n)
{
    for (unsigned e = 0; e < (change ? COUNT(errors) : 1); e++)
        for (unsigned how = 0; how < (change ? 4u : 2u); how++)
            for (unsigned more = 0; more < (op == SIM_SYNC ? 6u : op == SIM_CHANGES ? 2u : 1u); more++) {
                struct fault_spec f = {.kind = FAULT_CALL,
                                       .op = op,
                                       .n = n,
                                       .error = errors[e],
                                       .forever = how & 1 && op != SIM_FLASH_ERASE,
                                       .late = how & 2,
                                       .state = op == SIM_CHANGES && more,
                                       .sync =
                                           op == SIM_SYNC ? (enum sim_failed_sync)more : SIM_CLEAN_UNSURE};

                fault_cut_each(s, &f);
            }
}

/* Of `only` kind of call, or fault that is no call ("lost"); NULL: all. */
static void everything(struct search *s, const char *only)
{
    unsigned calls[SIM_CHANGES + 1];

    count_calls(s, calls);
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

struct options {
    const char *only, *op, *from;
    unsigned long jobs, states, seed;
    bool all;
};

/* A script that the medium damaged by itself is a second fault, and may meet the
 * first where each alone is mended. */
static bool is_wanted(const struct world_plan *plan, const char *only)
{
    return only ? strcmp(only, plan->name) == 0 : plan->damage == WORLD_WHOLE;
}

/* The flows that are looked at, and in which order. */
struct flows {
    const struct world_plan *plan[WORLD_PLANS];
    unsigned count;
};

static unsigned length_of(const struct world_plan *plan)
{
    struct search s;
    unsigned calls[SIM_CHANGES + 1];

    search_begin(&s, plan, 0);
    count_calls(&s, calls);
    search_end(&s);
    return calls[SIM_CHANGES];
}

/* Those of few operations first. */
static void sort_flows(struct flows *flows)
{
    unsigned length[WORLD_PLANS];

    for (unsigned i = 0; i < flows->count; i++) {
        const struct world_plan *plan = flows->plan[i];
        unsigned own = length_of(plan), at = i;

        for (; at > 0 && length[at - 1] > own; at--) {
            length[at] = length[at - 1];
            flows->plan[at] = flows->plan[at - 1];
        }
        length[at] = own;
        flows->plan[at] = plan;
    }
}

static struct flows flows_of(const struct options *o)
{
    struct flows flows = {.count = 0};
    unsigned first = 0;

    for (size_t i = 0; i < WORLD_PLANS; i++)
        if (is_wanted(&world_plans[i], o->only))
            flows.plan[flows.count++] = &world_plans[i];
    if (o->all)
        sort_flows(&flows);
    while (o->from && first < flows.count && strcmp(flows.plan[first]->name, o->from) != 0)
        first++;
    flows.count -= first;
    memmove(flows.plan, flows.plan + first, flows.count * sizeof flows.plan[0]);
    return flows;
}

/* One flow, into the board. */
static void take_flow(struct board *board, const struct options *o, const struct flows *flows, unsigned i)
{
    struct search s;
    unsigned long states = 0, bad = 0;
    time_t began = time(NULL);
    clock_t worked = clock();

    search_begin(&s, flows->plan[i], o->seed << 32 | (uint64_t)(flows->plan[i] - world_plans));
    if (o->all)
        everything(&s, o->op);
    else
        sample(&s, o->states / flows->count + 1);
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        states += s.tally[kind].states;
        bad += fault_models[kind].all ? s.tally[kind].bad : 0;
        atomic_fetch_add(&board->states[kind], s.tally[kind].states);
        atomic_fetch_add(&board->bad[kind], s.tally[kind].bad);
    }
    printf("  [%u/%u] %s: %lu states, %lu bad, %ld s, of the processor %ld s\n",
           atomic_fetch_add(&board->ended, 1) + 1, flows->count, s.plan->name, states, bad,
           (long)(time(NULL) - began), (long)((clock() - worked) / CLOCKS_PER_SEC));
    search_end(&s);
}

static void take_flows(struct board *board, const struct options *o, const struct flows *flows)
{
    for (unsigned i; (i = atomic_fetch_add(&board->next, 1)) < flows->count;)
        take_flow(board, o, flows, i);
}

/* The lines at the end; how many are bad. */
static unsigned long summary(struct board *board)
{
    unsigned long states = 0, bad = 0;

    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        printf("  %s%s: %lu states, %lu bad\n",
               fault_models[kind].all ? "" : "apart: ", fault_models[kind].name, board->states[kind],
               board->bad[kind]);
        states += fault_models[kind].all ? board->states[kind] : 0;
        bad += fault_models[kind].all ? board->bad[kind] : 0;
    }
    printf("faults-cuts: %lu states, %lu bad\n", states, bad);
    return bad;
}

static int search_all(const struct options *o)
{
    struct flows flows = flows_of(o);
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned long bad;
    int status;

    if (board == MAP_FAILED)
        abort();
    for (unsigned i = 1; i < o->jobs; i++)
        if (fork() == 0) {
            take_flows(board, o, &flows);
            exit(0);
        }
    take_flows(board, o, &flows);
    while (wait(&status) > 0)
        if (status != 0) /* a process that died took its flow along */
            atomic_fetch_add(&board->bad[FAULT_CALL], 1);
    if (board->ended != flows.count || board->ended == 0)
        printf("bad: %u of %u flows came to their end\n", board->ended, flows.count);
    bad = summary(board);
    return bad > 0 || board->ended != flows.count || board->ended == 0;
}

/* One state: FLOW FAULT CUT MEDIUM. */
static int again(char **argv, bool trace)
{
    struct search s = {.plan = NULL};
    struct fault_spec f;
    struct world_log log;
    struct sim *sim, *medium;
    unsigned k = (unsigned)atoi(argv[2]), which = (unsigned)atoi(argv[3]);

    for (size_t i = 0; i < WORLD_PLANS; i++)
        if (strcmp(world_plans[i].name, argv[0]) == 0)
            s.plan = &world_plans[i];
    if (!s.plan || fault_parse(&f, argv[1]) < 0) {
        fprintf(stderr, "faults: no flow \"%s\", or no fault \"%s\"\n", argv[0], argv[1]);
        return 2;
    }
    s.start = world_new(s.plan);
    sim = fault_live_until(&s, &f, k, &log, trace ? stdout : NULL);
    printf("fault met %u times, first after %u operations; %u starts; %s%s\n", sim_fault_hits(sim),
           sim_fault_at(sim), log.boots, log.cause, log.bad);
    medium = sim;
    if (k) {
        struct sim_choice choice = sim_choice(sim, which);
        char text[64];

        printf("cut; medium %u of %u: %s\n", which, sim_choices(sim), sim_choice_text(&choice, text));
        medium = fault_reboot(sim, &f, &choice);
        sim_free(sim);
    }
    if (!log.bad[0])
        fault_end_of(&s, medium, &f, &log, k, which);
    sim_free(medium);
    sim_free(s.start);
    printf("faults-cuts: %lu states, %lu bad\n", s.tally[f.kind].states, s.tally[f.kind].bad);
    return s.tally[f.kind].bad > 0 || log.bad[0];
}

static int usage(void)
{
    fprintf(stderr,
            "usage: faults [--all [--op KIND] [--from FLOW]] [--states N] [--seed S] [--jobs N] [FLOW]\n"
            "       faults --again FLOW FAULT CUT MEDIUM [--trace]\n");
    return 2;
}

/* The number behind an option; whether it is one. */
static bool number_of(const char *text, unsigned long *out)
{
    char *end;

    *out = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end;
}

/* An option with a value. */
static bool take_option(struct options *o, const char *name, const char *value)
{
    if (strcmp(name, "--op") == 0)
        o->op = value;
    else if (strcmp(name, "--from") == 0)
        o->from = value;
    else if (strcmp(name, "--jobs") == 0)
        return number_of(value, &o->jobs) && o->jobs > 0;
    else if (strcmp(name, "--states") == 0)
        return number_of(value, &o->states);
    else
        return strcmp(name, "--seed") == 0 && number_of(value, &o->seed);
    return true;
}

int main(int argc, char **argv)
{
    struct options o = {.jobs = 1, .states = 100000, .seed = 1};

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc >= 6 && strcmp(argv[1], "--again") == 0)
        return again(argv + 2, argc > 6 && strcmp(argv[6], "--trace") == 0);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--all") == 0)
            o.all = true;
        else if (argv[i][0] != '-' && !o.only)
            o.only = argv[i];
        else if (argv[i][0] != '-' || i + 1 == argc || !take_option(&o, argv[i], argv[i + 1]))
            return usage();
        else
            i++;
    }
    return search_all(&o);
}
