/*
 * hotfixes.c -- cut the power at every operation of a hotfix: while it is brought,
 * tested, kept, undone, replaced or dropped by a release.
 *
 * From each cut the media that the storage models allow are built; each must
 * come up with the hotfix wholly in force, tested, or wholly not, with a ledger
 * that says so, nothing left over, and go on to the end of the flow. Recoveries
 * are cut as well, and so is the process after one that was killed. With --faults each call fails instead, once and
 * for ever, at once and after it was done. --sample takes fewer media at each cut, and of
 * each call one way to fail, with files of every second one. With --mutants each
 * place that syncs is left out, and the enumeration notices, or it is listed with the reason. With --once
 * each call fails once, at once and after it was done: the shortest look at all of them.
 *
 *     hotfixes [--sample | --long | --once] [--faults | --mutants] [FLOW]
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cuts.h"
#include "hotfixes_world.h"
#include "known.h"
#include "place.h"

struct totals {
    unsigned long states, bad, turn; /* the last: media, over all flows */
    bool stop_at_first;
    const char *only;      /* syncs left out, or NULL */
    unsigned stride;       /* every n-th operation is cut; 0: each */
    unsigned choices;      /* media looked at after a cut, at most; 0: all */
    unsigned second_every; /* every n-th medium's recovery is cut too */
    unsigned killed_every; /* at every n-th a killed process's recovery is cut, too; 0: not */
    struct known *known;   /* media that were judged in the flow at hand */
};

static uint64_t promised(const void *log)
{
    const struct hotfixes_log *l = log;

    return l->passing | l->passed << 1 | l->undoing << 2 | l->undone << 3 | l->tests << 4;
}

static void report(struct totals *t, const struct hotfixes_flow *flow, const char *what, unsigned cut,
                   unsigned second, const struct hotfixes_log *log)
{
    t->bad++;
    if (!t->stop_at_first && t->bad <= 10)
        printf("bad: %s, %s %u, %u in recovery: %s\n", flow->name, what, cut, second, log->bad);
}

static bool done(const struct totals *t)
{
    return t->stop_at_first && t->bad > 0;
}

/* From this medium: what is there at once, and where it goes. */
static void judge(struct totals *t, const struct sim *medium, const struct hotfixes_flow *flow,
                  const struct hotfixes_log *before, unsigned cut, unsigned second)
{
    uint64_t state = known_left(medium, promised(before));

    t->states += 2;
    if (known_met(t->known, state))
        return;
    for (int online = 0; online < 2; online++) {
        struct sim *sim = sim_clone(medium);
        struct hotfixes_log log = *before;

        hotfixes_live(sim, flow, online, &log);
        if (!log.bad[0])
            hotfixes_check(sim, flow, online, &log);
        if (log.bad[0])
            report(t, flow, "cut", cut, second, &log);
        sim_free(sim);
    }
}

static void live(struct sim *sim, const void *flow, void *log)
{
    hotfixes_live(sim, flow, true, log);
}

static const struct cuts_kind lives = {sizeof(struct hotfixes_log), live, promised};

struct cutting {
    struct totals *t;
    const struct hotfixes_flow *flow;
    unsigned before; /* a recovery: the operation at which the life before was cut */
};

/* One of the media after a cut. */
static struct sim *reboot(const struct sim *sim, unsigned i, unsigned count, unsigned cuts)
{
    unsigned all = sim_choices(sim);
    struct sim_choice choice = sim_choice(sim, (unsigned)((unsigned long)i * all / count + cuts) % all);

    return sim_reboot(sim, &choice);
}

static void cut_in_recovery(void *user, const struct sim *sim, const void *log, unsigned k)
{
    const struct cutting *c = user;
    unsigned all = sim_choices(sim), count = all < 2 ? all : 2;

    for (unsigned i = 0; i < count && !done(c->t); i++) {
        struct sim *medium = reboot(sim, i, count, c->before + k);

        judge(c->t, medium, c->flow, log, c->before, k);
        sim_free(medium);
    }
}

static void cut_recovery(const struct cutting *first, const struct sim *medium,
                         const struct hotfixes_log *before, unsigned cut)
{
    struct cutting c = {first->t, first->flow, .before = cut};
    struct hotfixes_log log = *before;

    cuts_each(&lives, medium, c.flow, &log, 1, cut_in_recovery, &c);
}

static void cut_here(void *user, const struct sim *sim, const void *log, unsigned k)
{
    const struct cutting *c = user;
    struct totals *t = c->t;
    struct sim *next = sim_respawn(sim); /* killed, and the power stayed */
    unsigned all = sim_choices(sim), count = t->choices && t->choices < all ? t->choices : all;

    if (!done(t))
        judge(t, next, c->flow, log, k, 0);
    if (!done(t) && t->killed_every && (k + c->flow - hotfixes_flows) % t->killed_every == 0)
        cut_recovery(c, next, log, k);
    sim_free(next);
    for (unsigned i = 0; i < count && !done(t); i++) {
        struct sim *medium = reboot(sim, i, count, k);

        judge(t, medium, c->flow, log, k, 0);
        if (t->second_every && t->turn++ % t->second_every == 0)
            cut_recovery(c, medium, log, k);
        sim_free(medium);
    }
}

static void enumerate(struct totals *t, const struct hotfixes_flow *flow)
{
    struct cutting c = {.t = t, .flow = flow};
    struct sim *start = hotfixes_new(flow);
    struct hotfixes_log log = {0};

    t->known = known_new();
    sim_ignore_sync_of(start, t->only);
    cuts_each(&lives, start, flow, &log, t->stride, cut_here, &c);
    if (log.bad[0])
        report(t, flow, "cut", 0, 0, &log);
    sim_free(start);
    known_free(t->known);
}

/* One call fails, or all from it on, at once or after it was done; then nothing fails any more. Returns
 * whether it was reached. */
static bool fail_one(struct totals *t, const struct sim *start, const struct hotfixes_flow *flow,
                     enum sim_op op, unsigned n, int how)
{
    static const int errors[] = {EIO, ENOSPC, EROFS};
    struct sim *sim = sim_clone(start);
    struct hotfixes_log log = {.excused = true};
    bool met, again;

    if (how >= 6)
        sim_fail_late(sim, op, n, errors[how % 3], how >= 9);
    else
        sim_fail(sim, op, n, errors[how % 3], how >= 3);
    hotfixes_live(sim, flow, true, &log);
    met = sim_fault_hits(sim) > 0;
    sim_fail(sim, op, 0, 0, false);
    sim_shutdown(sim);
    log.excused = false;
    t->states++;
    again = !log.bad[0] && known_met(t->known, known_left(sim, promised(&log)));
    if (!log.bad[0] && !again)
        hotfixes_live(sim, flow, true, &log);
    if (!log.bad[0] && !again)
        hotfixes_check(sim, flow, true, &log);
    if (log.bad[0])
        report(t, flow, sim_op_name(op), n, (unsigned)how, &log);
    sim_free(sim);
    return met;
}

#define WAYS 12   /* to fail */
#define AT_ONCE 0 /* and once; LATE: the same after it was done */
#define LATE 6

static void fail_each_once(struct totals *t, const struct hotfixes_flow *flow)
{
    struct sim *start = hotfixes_new(flow);

    t->known = known_new();
    for (unsigned op = 0; op < SIM_OPS; op++)
        for (unsigned n = 1, met = 1; met; n++) {
            met = fail_one(t, start, flow, (enum sim_op)op, n, AT_ONCE);
            met |= fail_one(t, start, flow, (enum sim_op)op, n, LATE);
        }
    known_free(t->known);
    sim_free(start);
}

/* `step`: of the ways that a call can fail, this many are left out for each that is taken, others at the next call. */
static void fail_each(struct totals *t, const struct hotfixes_flow *flow, unsigned step)
{
    struct sim *start = hotfixes_new(flow);

    t->known = known_new();
    for (unsigned op = 0; op < SIM_OPS; op++)
        for (unsigned n = 1, met = 1; met; n++) {
            met = n % step >= WAYS; /* none of this call's */
            for (unsigned how = n % step; how < WAYS; how += step)
                met |= fail_one(t, start, flow, (enum sim_op)op, n, (int)how);
        }
    known_free(t->known);
    sim_free(start);
}

/* How closely it is looked: at flows with files, whose operations are many, less than at the others. */
enum effort { SAMPLE, USUAL, LONG, ONCE };

static void play(struct totals *t, const struct hotfixes_flow *flow, bool faults, enum effort effort)
{
    static const struct {
        unsigned choices, second_every, step, killed_every; /* 0 choices: all */
    } of[][2] = {[SAMPLE] = {{3, 140, 12, 71}, {1, 1400, 24, 401}},
                 [USUAL] = {{8, 40, 1, 4}, {3, 400, 3, 16}},
                 [LONG] = {{0, 10, 1, 1}, {0, 10, 1, 1}},
                 [ONCE] = {{0, 0, 0, 0}, {0, 0, 0, 0}}};
    bool files = hotfixes_has_files(flow);
    unsigned long before = t->states;

    t->choices = of[effort][files].choices;
    t->second_every = of[effort][files].second_every;
    t->killed_every = of[effort][files].killed_every;
    if (effort == ONCE)
        fail_each_once(t, flow);
    else if (faults)
        fail_each(t, flow, of[effort][files].step);
    else
        enumerate(t, flow);
    printf("  %s: %lu states\n", flow->name, t->states - before);
}

static void collect_places(struct places *places)
{
    for (unsigned i = 0; i < hotfixes_flow_count; i++) {
        struct sim *sim = hotfixes_new(&hotfixes_flows[i]);
        struct hotfixes_log log = {0};

        hotfixes_live(sim, &hotfixes_flows[i], true, &log);
        places_add(places, sim, i);
        sim_free(sim);
    }
}

/* Those of a release that ends a hotfix are left out by crash.c, those of a tree by files.c. */
static bool is_ours(const char *place)
{
    static const char below[] = "/device/state/hotfix";

    return strncmp(place, below, sizeof below - 1) == 0;
}

/* Why nothing notices that this place is not synced; NULL: it has to be noticed. */
static const char *excuse_for(const char *place)
{
    static const char began[] =
        "not caught: what a cut leaves of one that nobody signed is removed, and it begins anew";
    static const struct {
        const char *place, *reason;
    } excuses[] = {
        {"/device/state/hotfix/new/hotfix.tar",
         "not caught: it is read back before the tree is made of it, and the tree is synced"},
        {"/device/state/hotfix/bare", began},
        {"/device/state/hotfix/bare/archive.new", began},
        {"/device/state/hotfix/bare/spool", began},
        {"/device/state/hotfix/bare/spool/hotfix.tar", began},
    };

    for (size_t i = 0; i < sizeof excuses / sizeof excuses[0]; i++)
        if (strcmp(place, excuses[i].place) == 0)
            return excuses[i].reason;
    return NULL;
}

/* Where it is found out soonest: some cuts of the flows that sync there, then all of theirs. */
static void leave_out(struct totals *t, const struct place *place)
{
    static const unsigned strides[] = {13, 1};

    for (unsigned turn = 0; turn < 2; turn++)
        for (unsigned f = 0; f < hotfixes_flow_count && !done(t); f++) {
            t->stride = strides[turn];
            if (place->flows[f])
                enumerate(t, &hotfixes_flows[f]);
        }
}

static int mutants(void)
{
    static struct places places;
    unsigned count = 0, caught = 0, listed = 0;

    collect_places(&places);
    for (unsigned i = 0; i < places.count; i++) {
        const char *name = places.place[i].name, *excuse = excuse_for(name);
        struct totals t = {.stop_at_first = true, .only = name, .choices = 6};

        if (!is_ours(name))
            continue;
        count++;
        leave_out(&t, &places.place[i]);
        caught += t.bad > 0;
        listed += !t.bad && excuse;
        if (t.bad)
            printf("  without sync of %s: caught\n", name);
        else
            printf("  without sync of %s: %s\n", name, excuse ? excuse : "NOT CAUGHT");
    }
    printf("hotfixes-syncs: %u places that sync: %u caught when left out, %u listed, %u unexplained\n", count,
           caught, listed, count - caught - listed);
    return caught + listed < count;
}

static int usage(void)
{
    fprintf(stderr, "usage: hotfixes [--sample | --long | --once] [--faults | --mutants] [FLOW]\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct totals t = {0};
    enum effort effort = USUAL;
    const char *only = NULL;
    bool faults = false;
    unsigned played = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--long") == 0)
            effort = LONG;
        else if (strcmp(argv[i], "--once") == 0)
            effort = ONCE;
        else if (strcmp(argv[i], "--sample") == 0)
            effort = SAMPLE;
        else if (strcmp(argv[i], "--faults") == 0)
            faults = true;
        else if (strcmp(argv[i], "--mutants") == 0)
            return mutants();
        else if (argv[i][0] != '-' && !only)
            only = argv[i];
        else
            return usage();
    }
    for (unsigned i = 0; i < hotfixes_flow_count; i++) {
        if (only && strcmp(only, hotfixes_flows[i].name) != 0)
            continue;
        play(&t, &hotfixes_flows[i], faults, effort);
        played++;
    }
    printf("hotfixes%s: %lu states, %lu bad\n", faults || effort == ONCE ? "-faults" : "", t.states, t.bad);
    return t.bad || !played;
}
