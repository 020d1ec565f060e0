#include "fault_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEDIA_A_CUT 4
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

struct sim *fault_live_until(const struct search *s, const struct fault_spec *f, unsigned k,
                             struct world_log *log, FILE *trace)
{
    struct sim *sim = sim_clone(s->start);

    *log = (struct world_log){.faulty = true, .was_faulty = true, .loader_fails = f->kind == FAULT_LOADER};
    fault_arm(sim, f, false);
    sim_cut_at(sim, k);
    sim_trace(sim, trace);
    fault_live(sim, s->plan, log);
    return sim;
}

void fault_end_of(struct search *s, struct sim *medium, const struct fault_spec *f,
                  const struct world_log *before, unsigned cut, unsigned which)
{
    struct world_log log;
    bool fine = fault_judge(medium, s->plan, f, before, &log);

    s->tally[f->kind].states++;
    if (!fine)
        report(s, f, cut, which, &log);
}

static bool seen_before(struct search *s, uint64_t key)
{
    size_t i;

    if (2 * s->seen_count >= s->seen_room) {
        struct search old = *s;

        s->seen_room = old.seen_room ? 2 * old.seen_room : 1024;
        s->seen = calloc(s->seen_room, sizeof *s->seen);
        if (!s->seen)
            abort();
        s->seen_count = 0;
        for (size_t n = 0; n < old.seen_room; n++)
            if (old.seen[n])
                seen_before(s, old.seen[n]);
        free(old.seen);
    }
    key |= 1; /* 0 is a free place */
    for (i = key % s->seen_room; s->seen[i]; i = (i + 1) % s->seen_room)
        if (s->seen[i] == key)
            return true;
    s->seen[i] = key;
    s->seen_count++;
    return false;
}

/* What decides how it goes on from a medium. */
static uint64_t key_of(const struct sim *medium, const struct fault_spec *f, const struct world_log *log)
{
    uint64_t key = sim_fingerprint(medium);

    key = (key ^ (log->confirmed | log->disarmed << 1 | log->slot << 2)) * 0xff51afd7ed558ccdu;
    key ^= key >> 29;
    if (f->forever)
        key = (key ^ (f->op | (uint64_t)f->error << 8 | f->late << 24 | f->state << 25 |
                      (uint64_t)f->kind << 26 | (uint64_t)f->sync << 30 | (uint64_t)f->direct << 34)) *
              0xc4ceb9fe1a85ec53u;
    return key ^ key >> 31;
}

void fault_cut(struct search *s, const struct fault_spec *f, unsigned k, bool once_each)
{
    struct world_log log;
    struct sim *sim = fault_live_until(s, f, k, &log, NULL);
    unsigned all = sim_choices(sim), media = all < MEDIA_A_CUT ? all : MEDIA_A_CUT,
             first = fault_below(&s->random, all);

    if (log.bad[0])
        report(s, f, k, 0, &log);
    for (unsigned i = 0; i < media && !log.bad[0]; i++) {
        unsigned which = (first + (unsigned)((unsigned long)i * all / media)) % all;
        struct sim_choice choice = sim_choice(sim, which);
        struct sim *medium = fault_reboot(sim, f, &choice);

        if (!once_each || !seen_before(s, key_of(medium, f, &log)))
            fault_end_of(s, medium, f, &log, k, which);
        sim_free(medium);
    }
    sim_free(sim);
}

bool fault_uncut(struct search *s, const struct fault_spec *f, unsigned *met_at, unsigned *ops)
{
    struct world_log log;
    struct sim *sim = fault_live_until(s, f, 0, &log, NULL);
    bool met = fault_met(sim, f, met_at);

    *ops = sim_ops(sim);
    if (met && log.bad[0])
        report(s, f, 0, 0, &log);
    else if (met && fault_models[f->kind].all && f->kind != FAULT_LOST)
        fault_end_of(s, sim, f, &log, 0, 0);
    sim_free(sim);
    return met;
}
