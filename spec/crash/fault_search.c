#include "fault_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_log.h"

#define MEDIA_A_CUT 4   /* of a sample */
#define MEDIA_AT_ONCE 8 /* of cuts that are met once */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

const struct fault_model fault_models[FAULT_KINDS] = {
    [FAULT_CALL] = {"a call that fails", true},
    [FAULT_FULL] = {"no room, and copy on write", true},
    [FAULT_FLIP] = {"a bit that flips on its way to the medium", true},
    [FAULT_LOST] = {"a file of the state lost by fsck", true},
    [FAULT_LOADER] = {"boot variables that the boot loader cannot write either", false},
    [FAULT_PAIRED] = {"paired pages: all but the newest record", false},
    [FAULT_LYING] = {"a queue that lies about flush: nothing unsigned starts", false},
};

uint64_t fault_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

unsigned fault_below(uint64_t *state, size_t n)
{
    return (unsigned)(fault_random(state) % n);
}

/* Numbers aside, whether such an end was printed before. */
static bool is_known(struct search *s, const char *text)
{
    char kind[160];
    size_t n = 0;

    for (const char *p = text; *p && n + 1 < sizeof kind; p++)
        if (*p < '0' || *p > '9')
            kind[n++] = *p;
    kind[n] = '\0';
    for (unsigned i = 0; i < s->kind_count; i++)
        if (strcmp(s->kinds[i], kind) == 0)
            return true;
    if (s->kind_count < COUNT(s->kinds))
        s->kinds[s->kind_count++] = strdup(kind);
    return false;
}

static void report(struct search *s, const struct fault_spec *f, unsigned cut, unsigned medium,
                   const struct world_log *log)
{
    char text[80];

    s->tally[f->kind].bad++;
    if (is_known(s, log->bad))
        return;
    fault_text(f, text);
    printf("%s: %s: %s\n  again: faults --again '%s' %s %u %u\n", fault_models[f->kind].all ? "bad" : "apart",
           s->plan->name, log->bad, s->plan->name, text, cut, medium);
}

void search_begin(struct search *s, const struct world_plan *plan, uint64_t seed)
{
    *s = (struct search){.plan = plan, .random = seed};
    s->start = world_new(plan);
    s->cuts = known_new();
    s->media = known_new();
    s->ends = known_new();
}

static void forget_starts(struct search *s)
{
    while (s->start_count > 0)
        sim_free(s->starts[--s->start_count].sim);
}

void search_end(struct search *s)
{
    forget_starts(s);
    sim_free(s->start);
    known_free(s->cuts);
    known_free(s->media);
    known_free(s->ends);
    free(s->states);
    while (s->kind_count > 0)
        free(s->kinds[--s->kind_count]);
}

static struct fault_life born(const struct fault_spec *f)
{
    return (struct fault_life){
        .log = {.faulty = true, .was_faulty = true, .loader_fails = f->kind == FAULT_LOADER}};
}

struct sim *fault_live_until(const struct search *s, const struct fault_spec *f, unsigned k,
                             struct world_log *log, FILE *trace)
{
    struct sim *sim = sim_clone(s->start);
    struct fault_life life = born(f);

    fault_arm(sim, f, false);
    sim_cut_at(sim, k);
    sim_trace(sim, trace);
    fault_live(sim, s->plan, &life);
    *log = life.log;
    return sim;
}

void fault_end_of(struct search *s, struct sim *medium, const struct fault_spec *f,
                  const struct world_log *before, unsigned cut, unsigned which)
{
    struct world_log log;
    bool fine = fault_judge(medium, s->plan, f, before, s->ends, &log);

    s->tally[f->kind].states++;
    if (!fine)
        report(s, f, cut, which, &log);
}

/* Of a state under this fault: what a fault that lasts still does, what the
 * power cut does with it, and what is asked of the end. */
static uint64_t under(uint64_t state, const struct fault_spec *f)
{
    unsigned asked = fault_models[f->kind].all | (f->kind == FAULT_LYING) << 1;

    state = sim_mix_in(state, asked);
    if (fault_lasts(f))
        state = sim_mix_in(state, f->op | (uint64_t)f->error << 8 | f->late << 24 | f->state << 25 |
                                      (uint64_t)f->kind << 26 | (uint64_t)f->sync << 30 |
                                      (uint64_t)f->direct << 34);
    return f->kind == FAULT_FULL ? sim_mix_in(state, f->n) : state;
}

/* What decides how it goes on when the power goes now: the storage, and where in
 * its way through this start the device is. */
static void note_cut(void *user, const struct sim *sim)
{
    struct search *s = user;
    uint64_t state = known_promised(sim_cut_fingerprint(sim), &s->now->log);

    if (s->state_count == s->state_room) {
        s->state_room = s->state_room ? 2 * s->state_room : 256;
        s->states = sim_realloc(s->states, s->state_room * sizeof *s->states);
    }
    s->states[s->state_count++] = sim_mix_in(state, sim_trail(sim));
}

/* From the last start before operation k until the power goes there. */
static struct sim *live_on(const struct search *s, unsigned k, struct world_log *log)
{
    unsigned i = s->start_count - 1;
    struct fault_life life;
    struct sim *sim;

    while (i > 0 && sim_ops(s->starts[i].sim) >= k)
        i--;
    sim = sim_clone(s->starts[i].sim);
    life = s->starts[i].life;
    sim_cut_at(sim, k);
    fault_live(sim, s->plan, &life);
    *log = life.log;
    return sim;
}

static void cut_at(struct search *s, const struct fault_spec *f, unsigned k, bool once_each)
{
    struct world_log log;
    struct sim *sim = live_on(s, k, &log);
    unsigned all = sim_choices(sim), media = once_each ? MEDIA_AT_ONCE : MEDIA_A_CUT,
             first = fault_below(&s->random, all);

    if (log.bad[0])
        report(s, f, k, 0, &log);
    if (media > all)
        media = all;
    for (unsigned i = 0; i < media && !log.bad[0]; i++) {
        unsigned which = (first + (unsigned)((unsigned long)i * all / media)) % all;
        struct sim_choice choice = sim_choice(sim, which);
        struct sim *medium = fault_reboot(sim, f, &choice);

        if (!once_each || !known_met(s->media, under(known_state(medium, &log, "", 0), f)))
            fault_end_of(s, medium, f, &log, k, which);
        sim_free(medium);
    }
    sim_free(sim);
}

void fault_cut(struct search *s, const struct fault_spec *f, unsigned k)
{
    cut_at(s, f, k, false);
}

void fault_cut_each(struct search *s, const struct fault_spec *f)
{
    bool by_number = f->kind == FAULT_LOST || f->kind == FAULT_PAIRED || f->kind == FAULT_LYING;
    unsigned met_at, ops;

    if (!fault_uncut(s, f, &met_at, &ops))
        return;
    for (unsigned k = met_at + 1; k <= ops; k++) {
        uint64_t state = under(s->states[k - 1], f);

        if (by_number)
            state = sim_mix_in(state, (uint64_t)f->kind << 32 | f->n);
        if (!known_met(s->cuts, state))
            cut_at(s, f, k, true);
    }
}

bool fault_uncut(struct search *s, const struct fault_spec *f, unsigned *met_at, unsigned *ops)
{
    struct sim *sim = sim_clone(s->start);
    struct fault_life life = born(f);
    bool met;

    forget_starts(s);
    s->state_count = 0;
    s->now = &life;
    fault_arm(sim, f, false);
    do {
        sim_watch_cuts(sim, NULL, NULL);
        s->starts[s->start_count].sim = sim_clone(sim);
        s->starts[s->start_count++].life = life;
        sim_begin_trail(sim);
        sim_watch_cuts(sim, note_cut, s);
    } while (fault_start(sim, s->plan, &life));
    sim_watch_cuts(sim, NULL, NULL);
    met = fault_met(sim, f, met_at);
    *ops = sim_ops(sim);
    if (met && life.log.bad[0])
        report(s, f, 0, 0, &life.log);
    else if (met && fault_models[f->kind].all && f->kind != FAULT_LOST)
        fault_end_of(s, sim, f, &life.log, 0, 0);
    sim_free(sim);
    return met;
}
