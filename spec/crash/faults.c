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

#include "fault_choice.h"
#include "fault_life.h"
#include "fault_search.h"
#include "plans.h"

/* What processes that divide the flows share. */
struct board {
    atomic_uint next, ended;
    atomic_ulong states[FAULT_KINDS], bad[FAULT_KINDS];
};

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
    fault_calls(&s, calls);
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
        fault_try_all(&s, o->op);
    else
        fault_try_some(&s, o->states / flows->count + 1);
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
    for (unsigned i = atomic_fetch_add(&board->next, 1); i < flows->count;
         i = atomic_fetch_add(&board->next, 1))
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
    struct search s = {.plan = world_plan_of(argv[0])};
    struct fault_spec f;
    struct world_log log;
    struct sim *sim, *medium;
    unsigned k = (unsigned)atoi(argv[2]), which = (unsigned)atoi(argv[3]);

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
