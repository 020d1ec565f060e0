/*
 * sim_choice.c -- which ways of losing what is pending are worth trying.
 */
#include "sim_log.h"

#include <string.h>

#define FEW 3       /* so many pending changes are tried in every subset */
#define FEW_NAMES 5 /* the same when none of them is data */
#define MOST_PREFIXES 16

/* Choices are counted; the wanted one is kept on the way. */
struct listing {
    const struct sim *sim;
    unsigned wanted, count;
    struct sim_choice found;
};

static void add(struct listing *l, enum sim_model model, enum sim_loss loss, uint64_t seed, unsigned harm)
{
    if (l->count++ == l->wanted)
        l->found = (struct sim_choice){model, loss, seed, harm};
}

static void add_subsets(struct listing *l, enum sim_model model, unsigned n)
{
    for (uint64_t bits = 0; bits < UINT64_C(1) << n; bits++)
        add(l, model, SIM_BITS, bits, 0);
}

static void add_seeds(struct listing *l, enum sim_model model, enum sim_loss loss, unsigned n, unsigned harm)
{
    uint64_t state = (uint64_t)l->sim->ops << 8 | (uint64_t)loss;

    for (unsigned i = 0; i < n; i++)
        add(l, model, loss, sim_mix(&state) >> 24, harm);
}

/* Names only, in order: every prefix is all there is. */
static void add_names(struct listing *l, enum sim_model model, unsigned n)
{
    if (model == SIM_ORDERED) {
        for (unsigned i = 0; i < n && i < MOST_PREFIXES; i++)
            add(l, model, SIM_BITS, (UINT64_C(1) << i) - 1, 0);
        add(l, model, SIM_ALL, 0, 0);
    } else if (n <= FEW_NAMES) {
        add_subsets(l, model, n);
    } else {
        add(l, model, SIM_NONE, 0, 0);
        add(l, model, SIM_ALL, 0, 0);
        add_seeds(l, model, SIM_RANDOM, 8, 0);
    }
}

static void add_model(struct listing *l, enum sim_model model)
{
    unsigned n = sim_pending(l->sim, model), data = 0;

    if (n == 0)
        return;
    for (size_t i = 0; i < l->sim->log_count; i++)
        data += !l->sim->log[i].durable[model] && change_is_data(&l->sim->log[i]);
    if (data == 0) {
        add_names(l, model, n);
        return;
    }
    if (n <= FEW) {
        add_subsets(l, model, n);
    } else {
        add(l, model, SIM_NONE, 0, 0);
        add(l, model, SIM_ALL, 0, 0);
    }
    add(l, model, SIM_NAMES, 0, 0);
    add(l, model, SIM_DATA, 0, 0);
    add_seeds(l, model, SIM_FRONT, 3, 0);
    add_seeds(l, model, SIM_BACK, 2, 0);
    add_seeds(l, model, SIM_RANDOM, 4, 0);
    add(l, model, SIM_ALL, l->sim->ops, SIM_SECTOR);
    add(l, model, SIM_ALL, l->sim->ops + 1, 4096);
    add(l, model, SIM_ALL, l->sim->ops + 2, 16384);
    add_seeds(l, model, SIM_RANDOM, 1, SIM_SECTOR);
    add_seeds(l, model, SIM_RANDOM, 1, 16384);
}

static struct listing list_choices(const struct sim *sim, unsigned wanted)
{
    struct listing l = {.sim = sim, .wanted = wanted};

    add_model(&l, SIM_ORDERED);
    add_model(&l, SIM_INDEPENDENT);
    if (l.count == 0)
        add(&l, SIM_ORDERED, SIM_NONE, 0, 0);
    return l;
}

unsigned sim_choices(const struct sim *sim)
{
    return list_choices(sim, 0).count;
}

struct sim_choice sim_choice(const struct sim *sim, unsigned i)
{
    return list_choices(sim, i).found;
}

const char *sim_choice_text(const struct sim_choice *choice, char out[64])
{
    static const char *const losses[] = {"none", "all", "names", "data", "front", "back", "random", "bits"};

    char harm[24] = "";

    if (choice->harm == SIM_PAIRED || choice->harm == SIM_LYING)
        snprintf(harm, sizeof harm, choice->harm == SIM_PAIRED ? " paired" : " lying");
    else if (choice->harm)
        snprintf(harm, sizeof harm, " garbage %u", choice->harm);
    snprintf(out, 64, "%s %s %llx%s", choice->model == SIM_ORDERED ? "ordered" : "independent",
             losses[choice->loss], (unsigned long long)choice->seed, harm);
    return out;
}
