#include "cuts.h"

#include <stdlib.h>
#include <string.h>

#include "sim_tree.h"

struct cuts {
    const struct cuts_kind *kind;
    const struct sim *start;
    const void *flow, *before;
    void *now; /* the log of the life that is lived */
    unsigned count, stride;
    uint64_t *promised; /* by each operation as it goes by */
    void **cut;         /* the log where it is another one when the power is really cut; or NULL */
    cuts_fn *fn;
    void *user;
};

static void *copy_of(const struct cuts *c)
{
    return memcpy(sim_realloc(NULL, c->kind->log_size), c->before, c->kind->log_size);
}

static void note(void *user, const struct sim *sim)
{
    struct cuts *c = user;

    (void)sim;
    if ((c->count & (c->count + 1)) == 0) /* room is for the next power of two */
        c->promised = sim_realloc(c->promised, (c->count + 1) * 2 * sizeof *c->promised);
    c->promised[c->count++] = c->kind->promised(c->now);
}

/* What happened when the power is really cut at operation k. */
static void *cut_at(const struct cuts *c, unsigned k)
{
    struct sim *sim = sim_clone(c->start);
    void *log = copy_of(c);

    sim_cut_at(sim, k);
    c->kind->live(sim, c->flow, log);
    sim_free(sim);
    return log;
}

/* From each promise back to the first operation that does not belong to tidying up behind it. */
static void find_promises(struct cuts *c, uint64_t later)
{
    unsigned last = c->count == 0 ? 0 : c->count - (c->count - 1) % c->stride;

    for (unsigned k = last; k > 0 && k <= c->count; k -= c->stride) {
        uint64_t promised = c->promised[k - 1];
        void *log = later == promised ? NULL : cut_at(c, k);

        later = log ? c->kind->promised(log) : promised;
        if (later == promised)
            free(log);
        else
            c->cut[k - 1] = log;
    }
}

static void go_by(void *user, const struct sim *sim)
{
    struct cuts *c = user;
    unsigned k = ++c->count;

    if ((k - 1) % c->stride == 0)
        c->fn(c->user, sim, c->cut[k - 1] ? c->cut[k - 1] : c->now, k);
}

static struct sim *live_on(struct cuts *c, void *log, sim_cut_fn *watch)
{
    struct sim *sim = sim_clone(c->start);

    c->now = log;
    c->count = 0;
    sim_watch_cuts(sim, watch, c);
    c->kind->live(sim, c->flow, log);
    sim_watch_cuts(sim, NULL, NULL);
    return sim;
}

void cuts_each(const struct cuts_kind *kind, const struct sim *start, const void *flow, void *log,
               unsigned stride, cuts_fn *fn, void *user)
{
    struct cuts c = {kind, start, flow, .stride = stride ? stride : 1, .fn = fn, .user = user};
    void *before = memcpy(sim_realloc(NULL, kind->log_size), log, kind->log_size), *uncut;
    struct sim *sim;

    c.before = before;
    uncut = copy_of(&c);
    sim_free(live_on(&c, uncut, note));
    c.cut = sim_alloc((c.count + 1) * sizeof *c.cut);
    find_promises(&c, kind->promised(uncut));
    free(uncut);
    sim = live_on(&c, log, go_by);
    fn(user, sim, log, c.count + 1);
    sim_free(sim);
    for (unsigned k = 0; k < c.count; k++)
        free(c.cut[k]);
    free(c.cut);
    free(c.promised);
    free(before);
}
