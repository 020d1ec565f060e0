/*
 * crash.c -- cut the power at every operation of every flow.
 *
 * For each flow, each of its operations is cut; from each cut, the media that
 * the storage models allow are built; each of them must settle in at most 8
 * starts on exactly the old or the new pair, with nothing left over. The
 * recovery itself is cut as well, and so is the process after one that was killed,
 * which finds in the cache what the medium may not hold. Then every sync is left out, one place at a
 * time: the enumeration must notice, or the place is listed with its reason.
 *
 *     crash [--long|--all] [--jobs N] [FLOW]   cut everything
 *     crash --sample [FLOW]                    two media of each cut: at each commit, and for builds that are slow
 *     crash --mutants                          leave out syncs
 *
 * --long looks at up to eight times as many media of each cut, and cuts the
 * recovery from every fifteenth; --all looks at every medium, which takes hours;
 * --jobs has so many processes take one flow after the other.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cuts.h"
#include "known.h"
#include "place.h"
#include "plans.h"
#include "world.h"

/* Syncs whose loss no promise depends on. The enumeration is told to expect
 * that leaving them out breaks nothing; the reason is printed with them. */
struct excuse {
    const char *place, *reason;
};
static const struct excuse excuses[] = {
    {"/device/state/history", "history is for people: a torn or lost line is dropped alone"},
    {"/device/state/history.new", "as above; the file is there before the device is"},
    {"/device/state/tx", "the head is verified at each use; what is lost is fetched again"},
    {"/device/state/tx/manifest.json.new", "verified by its signature at each use"},
    {"/device/state/tx/manifest.minisig.new", "verifies the manifest at each use, or does not"},
    {"/device/state/tx/script.idx", "its digest in the manifest is compared at each use"},
    {"/device/state/tx/core.idx", "its digest in the manifest is compared at each use"},
    {"/device/state/tx/files.idx", "its digest in the manifest is compared at each use"},
    {"/device/state/tx/files.tar",
     "hashed against the index before files are made of it, and each of them is compared"},
    {"/device/state/tx/script.tar", "hashed against the index before the generation is made of it"},
    {"/device/state/provisioning.new", "that the mark is there counts, not what is in it"},
    {"/device/state/script/*.good.new",
     "a mark that does not say what it should is made anew at the next start"},
    {"/device/state/script/*.bad.new", "for people"},
    {"/device/state/boot.*.new",
     "a boot record that is lost is made anew for the slot that the journal knows"},
    {"/device/state/script/*.new",
     "a tree that is not what was installed is found at its start and made again"},
    {"/device/state/script/*.new/main.lua", "as above"},
    {"/device/state/script/*.new/lib", "as above"},
    {"/device/state/script/*.new/lib/part*.lua", "as above"},
    {"/device/state/script/*.mend", "a tree that is not what was installed is found and made again"},
    {"/device/state/script/*.mend/main.lua", "as above"},
    {"/device/state/script/*.mend/lib", "as above"},
    {"/device/state/script/*.mend/lib/part*.lua", "as above"},
};

struct effort {
    unsigned choices;        /* media looked at after a cut, at most; 0: all */
    unsigned second_choices; /* after a cut in the recovery from that */
    unsigned second_every;   /* every n-th medium's recovery is cut too */
    unsigned stride;         /* every n-th operation is cut; 0: each */
    unsigned killed_every;   /* at every n-th a killed process's recovery is cut, too; 0: not */
};

struct totals {
    unsigned long states, bad;
    struct known *known; /* ends of the flow at hand */
    bool stop_at_first;
    const char *only; /* sync places left out, or NULL */
    const char *last_bad_flow;
};

static void report(struct totals *t, const struct world_plan *plan, unsigned cut,
                   const struct sim_choice *choice, unsigned second, const struct world_log *log)
{
    char text[64];

    t->bad++;
    t->last_bad_flow = plan->name;
    if (!t->stop_at_first && t->bad <= 20)
        printf("bad: %s, cut %u (%s), cut %u in recovery: %s\n", plan->name, cut,
               choice ? sim_choice_text(choice, text) : "killed", second, log->bad);
}

/* A medium after a cut: settle, judge. */
static void judge(struct totals *t, const struct sim *medium, const struct world_plan *plan,
                  const struct world_log *before, bool online, unsigned cut, const struct sim_choice *choice,
                  unsigned second)
{
    struct sim *sim = sim_clone(medium);
    struct world_log log = *before;

    log.boots = 0;
    log.known = t->known;
    t->states++;
    world_live(sim, plan, online, &log);
    if (!log.bad[0] && !log.shared)
        world_check(sim, plan, online, &log);
    if (!log.bad[0] && !log.shared)
        world_check_kept(sim, plan, &log);
    known_judged(t->known, !log.bad[0]);
    if (log.bad[0])
        report(t, plan, cut, choice, second, &log);
    sim_free(sim);
}

static bool done(const struct totals *t)
{
    return t->stop_at_first && t->bad > 0;
}

/* Spread `count` picks evenly over 0..all-1. */
static unsigned pick(unsigned i, unsigned count, unsigned all)
{
    return count >= all ? i : (unsigned)((unsigned long)i * all / count);
}

struct cutting {
    struct totals *t;
    const struct world_plan *plan;
    const struct effort *effort;
    unsigned before; /* a recovery: the operation at which the life before was cut */
    unsigned long turn;
};

static void cut_in_recovery(void *user, const struct sim *sim, const void *log, unsigned k)
{
    const struct cutting *c = user;
    unsigned all = sim_choices(sim), most = c->effort->second_choices, count = all < most ? all : most;

    for (unsigned i = 0; i < count && !done(c->t); i++) {
        struct sim_choice choice = sim_choice(sim, (pick(i, count, all) + k) % all);
        struct sim *after = sim_reboot(sim, &choice);

        judge(c->t, after, c->plan, log, true, c->before, &choice, k);
        sim_free(after);
    }
}

/* Cut the recovery from `medium` at each of its operations. */
static void cut_recovery(const struct cutting *first, const struct sim *medium,
                         const struct world_log *before, unsigned cut)
{
    struct cutting c = {first->t, first->plan, first->effort, .before = cut};
    struct world_log log = *before;

    cuts_each(&world_lives, medium, c.plan, &log, 1, cut_in_recovery, &c);
}

/* The process was killed, and the power stayed: the next one finds in the cache what the medium may not hold. */
static void respawn(const struct cutting *c, const struct sim *sim, const struct world_log *log, unsigned cut)
{
    struct sim *next = sim_respawn(sim);
    unsigned every = c->effort->killed_every;

    judge(c->t, next, c->plan, log, true, cut, NULL, 0);
    if (every && (cut + (unsigned)(c->plan - world_plans)) % every == 0)
        cut_recovery(c, next, log, cut);
    sim_free(next);
}

static void cut_here(void *user, const struct sim *sim, const void *log, unsigned k)
{
    struct cutting *c = user;
    unsigned all = sim_choices(sim), most = c->effort->choices, count = most && most < all ? most : all;

    if (done(c->t))
        return;
    respawn(c, sim, log, k);
    for (unsigned i = 0; i < count && !done(c->t); i++) {
        /* Another stretch at each cut, so that all get their turn. */
        struct sim_choice choice = sim_choice(sim, (pick(i, count, all) + k) % all);
        struct sim *medium = sim_reboot(sim, &choice);

        judge(c->t, medium, c->plan, log, true, k, &choice, 0);
        judge(c->t, medium, c->plan, log, false, k, &choice, 0);
        if (c->effort->second_every && c->turn++ % c->effort->second_every == 0)
            cut_recovery(c, medium, log, k);
        sim_free(medium);
    }
}

static void enumerate(struct totals *t, const struct world_plan *plan, const struct effort *effort)
{
    struct cutting c = {.t = t, .plan = plan, .effort = effort};
    struct sim *start = world_new(plan);
    struct world_log log = {0};

    t->known = known_new();
    sim_ignore_sync_of(start, t->only);
    cuts_each(&world_lives, start, plan, &log, effort->stride, cut_here, &c);
    if (log.bad[0])
        report(t, plan, 0, NULL, 0, &log);
    sim_free(start);
    known_free(t->known);
}

static const struct excuse *excuse_for(const char *place)
{
    for (size_t i = 0; i < sizeof excuses / sizeof excuses[0]; i++)
        if (strcmp(excuses[i].place, place) == 0)
            return &excuses[i];
    return NULL;
}

/* Those are left out one by one by files.c, whose flows look at nothing else. */
static bool is_of_files(const char *place)
{
    static const char *const below[] = {"/device/state/files", "/app", "/card"};

    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++)
        if (strncmp(place, below[i], strlen(below[i])) == 0)
            return true;
    return false;
}

static void collect_places(struct places *places)
{
    for (unsigned i = 0; i < WORLD_PLANS; i++) {
        struct sim *sim = world_new(&world_plans[i]);
        struct world_log log = {0};

        world_live(sim, &world_plans[i], true, &log);
        places_add(places, sim, i);
        sim_free(sim);
    }
}

/* What syncs is the same wherever the slots lie, by a permit, and the second time. */
static bool is_like_another(const struct world_plan *plan)
{
    return plan->medium != WORLD_ON_FILES || plan->permit || plan->second;
}

/* Where it is found out soonest: some cuts of the flows that sync there, then all of theirs, then the rest. */
static void leave_out(struct totals *t, const struct place *place)
{
    static const struct effort efforts[] = {{.choices = 12, .stride = 13}, {.choices = 12}, {.choices = 12}};

    for (unsigned turn = 0; turn < 3; turn++)
        for (size_t p = 0; p < WORLD_PLANS && !done(t); p++)
            if (place->flows[p] == (turn < 2) && !is_like_another(&world_plans[p]))
                enumerate(t, &world_plans[p], &efforts[turn]);
}

/* Of what is expected to make no difference, a look at every fifth cut of every fourth flow that syncs there is
 * enough. */
static void look_briefly(struct totals *t, const struct place *place)
{
    const struct effort brief = {.choices = 1, .stride = 5};
    unsigned turn = 0;

    for (size_t p = 0; p < WORLD_PLANS && !done(t); p++)
        if (place->flows[p] && !is_like_another(&world_plans[p]) && turn++ % 4 == 0)
            enumerate(t, &world_plans[p], &brief);
}

/* Leave out each place of a sync in turn. Returns how many went unnoticed
 * without an excuse. */
static unsigned mutants(void)
{
    static struct places places;
    unsigned count = 0, killed = 0, listed = 0, missed = 0;

    collect_places(&places);
    for (unsigned i = 0; i < places.count; i++) {
        const struct place *place = &places.place[i];
        struct totals t = {.stop_at_first = true, .only = place->name};
        const struct excuse *excuse = excuse_for(place->name);

        if (is_of_files(place->name))
            continue;
        count++;
        if (excuse)
            look_briefly(&t, place);
        else
            leave_out(&t, place);
        if (t.bad) {
            killed++;
            printf("  without sync of %s: caught in flow %s\n", place->name, t.last_bad_flow);
        } else if (excuse) {
            listed++;
            printf("  without sync of %s: not caught: %s\n", place->name, excuse->reason);
        } else {
            missed++;
            printf("  without sync of %s: NOT CAUGHT, and no reason is given\n", place->name);
        }
    }
    printf("crash: %u places that sync: %u caught when left out, %u listed with a reason, %u unexplained\n",
           count, killed, listed, missed);
    return missed;
}

/* What processes that divide the flows share. */
struct board {
    atomic_uint next, ended; /* flows: taken, done with */
    atomic_ulong states, bad;
};

static unsigned wanted(const char *only)
{
    unsigned count = 0;

    for (size_t i = 0; i < WORLD_PLANS; i++)
        count += !only || strcmp(only, world_plans[i].name) == 0;
    return count;
}

static void take_flows(struct board *board, const struct effort *effort, const char *only)
{
    /* Where the slots lie makes a difference at few of the cuts. */
    const struct effort elsewhere = {.choices = (effort->choices + 3) / 4,
                                     .second_choices = effort->second_choices,
                                     .second_every = 4 * effort->second_every,
                                     .killed_every = 4 * effort->killed_every};

    for (unsigned i = atomic_fetch_add(&board->next, 1); i < WORLD_PLANS;
         i = atomic_fetch_add(&board->next, 1)) {
        struct totals totals = {0};
        time_t began = time(NULL);

        if (only && strcmp(only, world_plans[i].name) != 0)
            continue;
        enumerate(&totals, &world_plans[i], world_plans[i].medium == WORLD_ON_FILES ? effort : &elsewhere);
        atomic_fetch_add(&board->states, totals.states);
        atomic_fetch_add(&board->bad, totals.bad);
        printf("  [%u/%u] %s: %lu states, %ld s\n", atomic_fetch_add(&board->ended, 1) + 1, wanted(only),
               world_plans[i].name, totals.states, (long)(time(NULL) - began));
    }
}

static int cut_all(const struct effort *effort, const char *only, unsigned jobs)
{
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;

    if (board == MAP_FAILED)
        abort();
    for (unsigned i = 1; i < jobs; i++)
        if (fork() == 0) {
            take_flows(board, effort, only);
            exit(0);
        }
    take_flows(board, effort, only);
    while (wait(&status) > 0)
        if (status != 0) /* a process that died took its flow along */
            atomic_fetch_add(&board->bad, 1);
    if (board->ended != wanted(only) || board->ended == 0)
        printf("bad: %u of %u flows came to their end\n", board->ended, wanted(only));
    printf("crash: %lu states, %lu bad\n", board->states, board->bad);
    return board->bad || board->ended != wanted(only) || board->ended == 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: crash [--long | --all | --sample] [--jobs N] [FLOW]\n"
                    "       crash --mutants\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct effort effort = {.choices = 4, .second_choices = 2, .second_every = 64, .killed_every = 8};
    const char *only = NULL;
    unsigned jobs = 1;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--long") == 0)
            effort =
                (struct effort){.choices = 128, .second_choices = 2, .second_every = 15, .killed_every = 1};
        else if (strcmp(argv[i], "--all") == 0)
            effort =
                (struct effort){.choices = 0, .second_choices = 8, .second_every = 12, .killed_every = 1};
        else if (strcmp(argv[i], "--sample") == 0)
            effort =
                (struct effort){.choices = 2, .second_choices = 1, .second_every = 128, .killed_every = 83};
        else if (strcmp(argv[i], "--mutants") == 0)
            return mutants() ? 1 : 0;
        else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc && sscanf(argv[i + 1], "%u", &jobs) == 1)
            i++;
        else if (argv[i][0] != '-' && !only)
            only = argv[i];
        else
            return usage();
    }
    return cut_all(&effort, only, jobs);
}
