#include "known.h"

#include <stdlib.h>

#include "sim_log.h"
#include "world.h"

#define WAY_MAX 64

struct known_place {
    uint64_t state;  /* 0: free */
    unsigned starts; /* to the settled device */
};

struct known {
    struct known_place *places; /* open addressing */
    size_t count, room;
    struct known_place way[WAY_MAX]; /* `starts` left, until it is settled: those before `settled` are */
    unsigned way_count, settled;
};

struct known *known_new(void)
{
    struct known *known = sim_alloc(sizeof *known);

    known->room = 1024;
    known->places = sim_alloc(known->room * sizeof *known->places);
    return known;
}

void known_free(struct known *known)
{
    if (known)
        free(known->places);
    free(known);
}

/* Where the state stands, or would. */
static struct known_place *find(const struct known *known, uint64_t state)
{
    size_t i = state % known->room;

    while (known->places[i].state && known->places[i].state != state)
        i = (i + 1) % known->room;
    return &known->places[i];
}

static void put(struct known *known, const struct known_place *place)
{
    struct known old = *known;
    struct known_place *at = find(known, place->state);

    if (!at->state && 2 * ++known->count > known->room) {
        known->room *= 2;
        known->places = sim_alloc(known->room * sizeof *known->places);
        for (size_t i = 0; i < old.room; i++)
            if (old.places[i].state)
                *find(known, old.places[i].state) = old.places[i];
        free(old.places);
        at = find(known, place->state);
    }
    *at = *place;
}

bool known_met(struct known *known, uint64_t state)
{
    struct known_place place = {.state = state | 1};

    if (find(known, place.state)->state)
        return true;
    put(known, &place);
    return false;
}

uint64_t known_promised(uint64_t state, const struct world_log *log)
{
    unsigned told = log->confirmed | log->refused << 1 | log->disarmed << 2 | log->damaged << 3 |
                    log->withdrawn << 4 | log->armed << 5 | log->tampered << 6 | log->was_faulty << 7;

    return sim_mix_in(sim_mix_in(state, told), (unsigned char)log->slot);
}

uint64_t known_state(const struct sim *sim, const struct world_log *log, const char *boot, unsigned part)
{
    uint64_t state = sim_mix_text(known_promised(sim_fingerprint(sim), log), boot);

    return sim_mix_in(sim_mix_in(state, sim_open_files(sim)), part);
}

uint64_t known_left(const struct sim *sim, uint64_t promised)
{
    return sim_mix_in(sim_cut_fingerprint(sim), promised);
}

bool known_end(struct known *known, uint64_t state, unsigned left)
{
    const struct known_place *place = find(known, state | 1);

    if (place->state && place->starts <= left) {
        known_settled(known, left - place->starts);
        return true;
    }
    if (known->way_count < WAY_MAX)
        known->way[known->way_count++] = (struct known_place){state | 1, left};
    return false;
}

void known_settled(struct known *known, unsigned left)
{
    for (; known->settled < known->way_count; known->settled++)
        known->way[known->settled].starts -= left;
}

void known_judged(struct known *known, bool well)
{
    for (unsigned i = 0; well && i < known->settled; i++)
        put(known, &known->way[i]);
    known->way_count = known->settled = 0;
}
