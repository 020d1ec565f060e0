/*
 * files.c -- cut the power at every operation of an update of files.
 *
 * For each flow each operation is cut; from each cut the media that the storage
 * models allow are built; each of them must settle on exactly the old or the new
 * tree (names, content, modes, owners), with nothing left over, and hold to the
 * verdict. Recoveries are cut as well, and so is the process after one that was
 * killed while the power stayed.
 * With --faults each call fails instead, once and for ever, at once and after it
 * was done. With --mutants each place that syncs is left out, and the enumeration
 * notices.
 *
 *     files [--long | --sample | --faults | --mutants] [FLOW]
 *
 * --sample: two media of each cut.
 */
#include "cuts.h"
#include "files_world.h"
#include "known.h"
#include "place.h"

#include <errno.h>
#include <string.h>

struct effort {
    unsigned choices;      /* media looked at after a cut, at most; 0: all */
    unsigned second_every; /* every n-th medium's recovery is cut too */
    unsigned stride;       /* every n-th operation is cut; 0: each */
    unsigned killed_every; /* at every n-th a killed process's recovery is cut, too; 0: not */
};

struct totals {
    unsigned long states, bad;
    bool stop_at_first;
    const char *only;    /* syncs left out, or NULL */
    struct known *known; /* media that were judged in the flow at hand */
};

static uint64_t promised(const void *log)
{
    const struct files_log *l = log;

    return l->confirmed | l->rolled_back << 1 | l->disturbed << 2 | l->must_end << 3;
}

static void report(struct totals *t, const struct files_flow *flow, unsigned cut,
                   const struct sim_choice *choice, unsigned second, const struct files_log *log)
{
    char text[64];

    t->bad++;
    if (!t->stop_at_first && t->bad <= 10)
        printf("bad: %s, cut %u (%s), cut %u in recovery: %s\n", flow->name, cut,
               choice ? sim_choice_text(choice, text) : "no cut", second, log->bad);
}

static bool done(const struct totals *t)
{
    return t->stop_at_first && t->bad > 0;
}

static void judge(struct totals *t, const struct sim *medium, const struct files_flow *flow,
                  const struct files_log *before, bool online, unsigned cut, const struct sim_choice *choice,
                  unsigned second)
{
    uint64_t state = known_left(medium, promised(before) << 1 | online);
    struct files_log log = *before;
    struct sim *sim;

    t->states++;
    if (known_met(t->known, state))
        return;
    sim = sim_clone(medium);
    files_live(sim, flow, online, &log);
    if (!log.bad[0])
        files_check(sim, flow, &log);
    if (log.bad[0])
        report(t, flow, cut, choice, second, &log);
    sim_free(sim);
}

static void live(struct sim *sim, const void *flow, void *log)
{
    files_live(sim, flow, true, log);
}

static const struct cuts_kind lives = {sizeof(struct files_log), live, promised};

struct cutting {
    struct totals *t;
    const struct files_flow *flow;
    const struct effort *effort;
    unsigned before; /* a recovery: the operation at which the life before was cut */
    unsigned long turn;
};

static void cut_in_recovery(void *user, const struct sim *sim, const void *log, unsigned k)
{
    const struct cutting *c = user;
    unsigned all = sim_choices(sim);

    for (unsigned i = 0; i < 2 && i < all && !done(c->t); i++) {
        struct sim_choice choice = sim_choice(sim, (i * (all / 2) + k) % all);
        struct sim *after = sim_reboot(sim, &choice);

        judge(c->t, after, c->flow, log, true, c->before, &choice, k);
        sim_free(after);
    }
}

static void cut_recovery(const struct cutting *first, const struct sim *medium,
                         const struct files_log *before, unsigned cut)
{
    struct cutting c = {first->t, first->flow, first->effort, .before = cut};
    struct files_log log = *before;

    cuts_each(&lives, medium, c.flow, &log, 1, cut_in_recovery, &c);
}

/* The process was killed, and the power stayed: the next one finds in the cache what the medium may not hold. */
static void respawn(const struct cutting *c, const struct sim *sim, const struct files_log *log, unsigned cut)
{
    struct sim *next = sim_respawn(sim);
    struct files_log ends = *log;
    unsigned every = c->effort->killed_every;

    ends.must_end = true;
    judge(c->t, next, c->flow, &ends, true, cut, NULL, 0);
    judge(c->t, next, c->flow, log, false, cut, NULL, 0);
    if (every && (cut + c->flow - files_flows) % every == 0)
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
        struct sim_choice choice = sim_choice(sim, ((unsigned long)i * all / count + k) % all);
        struct sim *medium = sim_reboot(sim, &choice);

        judge(c->t, medium, c->flow, log, true, k, &choice, 0);
        judge(c->t, medium, c->flow, log, false, k, &choice, 0);
        if (c->effort->second_every && c->turn++ % c->effort->second_every == 0)
            cut_recovery(c, medium, log, k);
        sim_free(medium);
    }
}

static void enumerate(struct totals *t, const struct files_flow *flow, const struct effort *effort)
{
    struct cutting c = {.t = t, .flow = flow, .effort = effort};
    struct sim *start = files_new(flow);
    struct files_log log = {0};

    t->known = known_new();
    sim_ignore_sync_of(start, t->only);
    cuts_each(&lives, start, flow, &log, effort->stride, cut_here, &c);
    if (log.bad[0])
        report(t, flow, 0, NULL, 0, &log);
    sim_free(start);
    known_free(t->known);
}

/* One call fails, then nothing fails any more. Returns whether it was reached. */
static bool fail_one(struct totals *t, const struct sim *start, const struct files_flow *flow, enum sim_op op,
                     unsigned n, int how)
{
    static const int errors[] = {EIO, ENOSPC, EROFS};
    struct sim *sim = sim_clone(start);
    struct files_log log = {.excused = true};
    int error = errors[how % 3];
    bool forever = how & 4, met, again;

    if (how & 8)
        sim_fail_late(sim, op, n, error, forever);
    else
        sim_fail(sim, op, n, error, forever);
    for (int i = 0; i < 3 && !log.bad[0]; i++)
        files_live(sim, flow, true, &log);
    met = sim_fault_hits(sim) > 0;
    sim_fail(sim, op, 0, 0, false);
    sim_shutdown(sim);
    log.excused = false;
    t->states++;
    again = !log.bad[0] && known_met(t->known, known_left(sim, promised(&log)));
    if (!log.bad[0] && !again)
        files_live(sim, flow, true, &log);
    if (!log.bad[0] && !again)
        files_check(sim, flow, &log);
    if (log.bad[0]) {
        t->bad++;
        if (t->bad <= 10)
            printf("bad: %s, call %u of %s fails (%d, %d): %s\n", flow->name, n, sim_op_name(op), error, how,
                   log.bad);
    }
    sim_free(sim);
    return met;
}

static void fail_each(struct totals *t, const struct files_flow *flow)
{
    struct sim *start = files_new(flow);

    t->known = known_new();
    for (unsigned op = 0; op < SIM_OPS; op++)
        for (unsigned n = 1, met = 1; met; n++) {
            met = 0;
            for (int how = 0; how < 16; how++)
                if (how % 4 < 3 || how % 8 == 3)
                    met |= fail_one(t, start, flow, op, n, how);
        }
    known_free(t->known);
    sim_free(start);
}

static void collect_places(struct places *places)
{
    for (unsigned i = 0; i < files_flow_count; i++) {
        struct sim *sim = files_new(&files_flows[i]);
        struct files_log log = {0};

        files_live(sim, &files_flows[i], true, &log);
        places_add(places, sim, i);
        sim_free(sim);
    }
}

/* Folders that are filled again when a cut has emptied them: it takes two cuts to lose that, which
 * native.files_weak makes. */
static bool mends(const char *place)
{
    static const char *const folders[] = {"/app/new", "/app/new/deep", "/app/data", "/app/data/sub"};

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (strcmp(place, folders[i]) == 0)
            return true;
    return false;
}

/* Where it is found out soonest: some cuts of the flows that sync there, then all of theirs, then the rest. */
static void leave_out(struct totals *t, const struct place *place)
{
    static const struct effort efforts[] = {{.choices = 6, .stride = 13}, {.choices = 6}, {.choices = 6}};
    /* Both names and what is kept must be lost at once. */
    static const struct effort weak = {.choices = 60, .second_every = 24};

    for (unsigned turn = 0; turn < 3; turn++)
        for (unsigned f = 0; f < files_flow_count && !done(t); f++)
            if (place->flows[f] == (turn < 2))
                enumerate(t, &files_flows[f], &efforts[turn]);
    for (unsigned f = 0; f < files_flow_count && !done(t); f++)
        if (place->flows[f] && files_flows[f].no_links)
            enumerate(t, &files_flows[f], &weak);
}

static int mutants(void)
{
    static struct places places;
    unsigned caught = 0, listed = 0;

    collect_places(&places);
    for (unsigned i = 0; i < places.count; i++) {
        struct totals t = {.stop_at_first = true, .only = places.place[i].name};

        if (mends(places.place[i].name)) {
            listed++;
            continue;
        }
        leave_out(&t, &places.place[i]);
        caught += t.bad > 0;
        if (!t.bad)
            printf("  without sync of %s: NOT CAUGHT\n", places.place[i].name);
    }
    printf("files-syncs: %u places that sync: %u caught when left out, %u listed, %u unexplained\n",
           places.count, caught, listed, places.count - caught - listed);
    return caught + listed < places.count;
}

static int usage(void)
{
    fprintf(stderr, "usage: files [--long | --sample | --faults | --mutants] [FLOW]\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct effort effort = {.choices = 4, .second_every = 64, .killed_every = 8};
    const char *only = NULL;
    struct totals t = {0};
    bool faults = false;
    unsigned played = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--long") == 0)
            effort = (struct effort){.choices = 0, .second_every = 12, .killed_every = 1};
        else if (strcmp(argv[i], "--sample") == 0)
            effort = (struct effort){.choices = 2, .second_every = 96, .killed_every = 71};
        else if (strcmp(argv[i], "--faults") == 0)
            faults = true;
        else if (strcmp(argv[i], "--mutants") == 0)
            return mutants();
        else if (argv[i][0] != '-' && !only)
            only = argv[i];
        else
            return usage();
    }
    for (unsigned i = 0; i < files_flow_count; i++) {
        unsigned long before = t.states;

        if (only && strcmp(only, files_flows[i].name) != 0)
            continue;
        if (faults)
            fail_each(&t, &files_flows[i]);
        else
            enumerate(&t, &files_flows[i], &effort);
        printf("  %s: %lu states\n", files_flows[i].name, t.states - before);
        played++;
    }
    printf("files%s: %lu states, %lu bad\n", faults ? "-faults" : "", t.states, t.bad);
    return t.bad || !played;
}
