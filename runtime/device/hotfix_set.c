#include "hotfix_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "files.h"
#include "files_make.h"
#include "hotfix_files.h"
#include "hotfix_gate.h"

static bool is_pair(const struct up_pair *pair, const struct up_hotfix *h)
{
    return pair->present && memcmp(pair->digest, h->ends_with, sizeof pair->digest) == 0;
}

bool up_hotfix_set_is_ended(const struct up_hotfix *h, const struct up_pair *pair)
{
    return h->ends && is_pair(pair, h);
}

/* Whether the release is in a slot, and not only on trial there. */
static bool is_confirmed(const struct up_journal_state *state, const struct up_hotfix *h)
{
    for (unsigned i = 0; i < UP_SLOTS; i++)
        if (is_pair(&state->slot[i], h) &&
            !(state->phase > UP_FETCHING && state->tx.parts & 1u << UP_CORE && i == state->tx.target))
            return true;
    return false;
}

bool up_hotfix_set_resolve(struct up_hotfix_ledger *ledger, const struct up_journal_state *state,
                           uint64_t time)
{
    bool changed = false;

    for (uint32_t i = 0; i < ledger->count; i++) {
        struct up_hotfix *h = &ledger->entry[i];

        if (!h->ends || (state->phase >= UP_TRIAL && is_pair(&state->tx.pair, h)))
            continue;
        if (is_confirmed(state, h)) {
            h->state = UP_HOTFIX_DROPPED;
            h->time = time;
            snprintf(h->why, sizeof h->why, "a release put back what it had changed");
        }
        h->ends = false;
        memset(h->ends_with, 0, sizeof h->ends_with);
        changed = true;
    }
    return changed;
}

/* Below the state. */
static void kept_folder(const struct up_hotfix *h, char out[UP_PATH_SIZE])
{
    snprintf(out, UP_PATH_SIZE, "hotfix/%s/kept", h->id);
}

/* Whether a plan that could not be opened is not there, or damaged. */
static bool is_lost(int rc)
{
    return rc == UP_MISSING || rc == UP_INCOMPATIBLE;
}

int up_hotfix_set_open_kept(struct up_files_kept *out, struct up_storage *storage, const char *state,
                            const struct up_hotfix *h, struct up_error *err)
{
    char folder[UP_PATH_SIZE], path[UP_PATH_SIZE];
    int rc;

    if (!h->files)
        return UP_NOTHING;
    kept_folder(h, folder);
    if (snprintf(path, sizeof path, "%s/%.200s", state, folder) >= (int)sizeof path)
        return up_fail(err, UP_USAGE, "%s: path too long", state);
    rc = up_files_kept_open(out, storage, path, err);
    return is_lost(rc) ? UP_NOTHING : rc;
}

static int open_kept(struct up_hotfix_set *set, uint32_t i, struct up_error *err)
{
    const struct up_hotfix *h = &set->ledger.entry[i];
    int rc;

    if (!h->files || h->state == UP_HOTFIX_TESTING || h->ends ||
        !(up_hotfix_ledger_is_active(h) || up_hotfix_ledger_is_below(&set->ledger, h)))
        return 0;
    set->kept[i] = malloc(sizeof *set->kept[i]);
    if (!set->kept[i])
        return up_fail(err, UP_INTERNAL, "hotfixes: out of memory");
    rc = up_hotfix_set_open_kept(set->kept[i], set->storage, set->state, h, err);
    if (rc == 0)
        return 0;
    free(set->kept[i]);
    set->kept[i] = NULL;
    return rc == UP_NOTHING ? 0 : rc;
}

int up_hotfix_set_open(struct up_hotfix_set **out, struct up_storage *storage, const char *state,
                       const struct up_journal_state *journal, uint64_t time, struct up_error *err)
{
    struct up_hotfix_set *set = *out = calloc(1, sizeof *set);
    int rc;

    if (!set)
        return up_fail(err, UP_INTERNAL, "hotfixes: out of memory");
    set->storage = storage;
    set->state = state;
    rc = up_hotfix_ledger_read(&set->ledger, storage, state, err);
    if (rc < 0 && journal && up_hotfix_ledger_is_lost(storage, state)) { /* that keeps no release out */
        memset(&set->ledger, 0, sizeof set->ledger);
        rc = 0;
    }
    if (rc == 0 && journal)
        set->resolved = up_hotfix_set_resolve(&set->ledger, journal, time);
    for (uint32_t i = 0; i < set->ledger.count && rc == 0; i++)
        rc = open_kept(set, i, err);
    if (rc == 0)
        return 0;
    up_hotfix_set_close(set);
    *out = NULL;
    return rc;
}

void up_hotfix_set_close(struct up_hotfix_set *set)
{
    if (!set)
        return;
    for (uint32_t i = 0; i < UP_HOTFIXES; i++)
        if (set->kept[i]) {
            up_files_kept_close(set->kept[i]);
            free(set->kept[i]);
        }
    free(set->reverse.kept);
    free(set);
}

bool up_hotfix_set_has(const struct up_hotfix_set *set, uint32_t i)
{
    return set->kept[i] && up_hotfix_ledger_is_active(&set->ledger.entry[i]);
}

/* Whether an entry that goes, and lies below i, changed a name that i changed. The lower version of the same name is
 * not below: that comes back. */
static bool lies_on_one_that_goes(const struct up_hotfix_set *set, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (set->goes[k] && set->kept[k] &&
            up_files_kept_touches(set->kept[i]->storage, &set->kept[k]->plan, &set->kept[i]->plan))
            return true;
    return false;
}

void up_hotfix_set_close_over(struct up_hotfix_set *set, const struct up_files_plan *plan)
{
    for (uint32_t i = 0; i < set->ledger.count; i++)
        if (up_hotfix_set_has(set, i) &&
            ((plan && up_files_kept_touches(set->kept[i]->storage, plan, &set->kept[i]->plan)) ||
             lies_on_one_that_goes(set, i)))
            set->goes[i] = true;
}

/* The entry whose place `h` took, if it has ended meanwhile, or goes, too. */
static const struct up_hotfix *below(struct up_hotfix_set *set, const struct up_hotfix *h)
{
    struct up_hotfix *lower = h->over[0] ? up_hotfix_ledger_find_id(&set->ledger, h->over) : NULL;

    if (!lower || (up_hotfix_ledger_is_active(lower) && !set->goes[lower - set->ledger.entry]))
        return NULL;
    return lower;
}

static void add_chain(struct up_hotfix_set *set, bool added[UP_HOTFIXES], const struct up_hotfix *h)
{
    for (; h; h = below(set, h)) {
        ptrdiff_t i = h - set->ledger.entry;

        if (set->kept[i] && !added[i])
            set->reverse.kept[set->reverse.count++] = *set->kept[i];
        added[i] = true;
    }
}

int up_hotfix_set_reverse(struct up_hotfix_set *set, struct up_files_plan *plan,
                          const struct up_files_source *own, struct up_error *err)
{
    bool added[UP_HOTFIXES] = {false};

    free(set->reverse.kept);
    set->reverse.kept = calloc(UP_HOTFIXES, sizeof *set->reverse.kept);
    set->reverse.count = 0;
    if (!set->reverse.kept)
        return up_fail(err, UP_INTERNAL, "hotfixes: out of memory");
    if (own)
        set->reverse.own = *own;
    for (uint32_t i = set->ledger.count; i-- > 0;)
        if (set->goes[i])
            add_chain(set, added, &set->ledger.entry[i]);
    return up_files_reverse(plan, &set->reverse, err);
}

/* The lower version of the same name goes, and nothing may lie on it. */
static int let_lower_go(struct up_hotfix_set *set, const struct up_hotfix *h, struct up_error *err)
{
    struct up_hotfix *lower = h->over[0] ? up_hotfix_ledger_find_id(&set->ledger, h->over) : NULL;

    if (!lower)
        return 0;
    set->goes[lower - set->ledger.entry] = true;
    up_hotfix_set_close_over(set, NULL);
    for (uint32_t i = 0; i < set->ledger.count; i++)
        if (set->goes[i] && strcmp(set->ledger.entry[i].name, h->name) != 0)
            return up_fail(err, UP_BUSY, "hotfix %s: %s lies on its lower version; undo that first", h->name,
                           set->ledger.entry[i].name);
    return 0;
}

/* Who comes and who goes, as the ledger says. */
static int find_under_way(struct up_hotfix_set *set, const struct up_hotfix **comes, struct up_error *err)
{
    *comes = up_hotfix_gate_tested(&set->ledger);
    if (*comes && !(*comes)->files)
        *comes = NULL;
    for (uint32_t i = 0; i < set->ledger.count; i++)
        set->goes[i] = set->ledger.entry[i].ending;
    return *comes ? let_lower_go(set, *comes, err) : 0;
}

struct staging {
    struct up_hotfix_set *set;
    const struct up_config *config;
    const struct up_files_hands *hands;
    const struct up_hotfix *comes; /* NULL: none does */
    struct up_hotfix_files files;  /* of it */
};

/* What is kept must fit into the state. */
static int check_room(const struct staging *t, const struct up_files *f, struct up_error *err)
{
    const struct up_files_work w = {f->storage, f->folder, &f->plan, NULL};
    struct up_files_found found;
    uint64_t need = 0, room;

    for (uint32_t n = 0; t->comes && n < f->plan.op_count; n++) {
        if (up_files_op_find(&w, n, false, &found, err) < 0)
            return err->code;
        need += found.there ? found.st.size : 0;
    }
    if (f->storage->ops->space(f->storage, f->state, &room) < 0)
        return up_fail(err, UP_WRITE, "state %s: free space: %s", f->state, strerror(errno));
    return need < room ? 0
                       : up_fail(err, UP_NOSPACE,
                                 "state %s: what the hotfix replaces takes %llu bytes, %llu are free",
                                 f->state, (unsigned long long)need, (unsigned long long)room);
}

static int fill(const struct staging *t, struct up_files *f, const struct up_files_plan *plan,
                struct up_error *err)
{
    const struct up_files_source source = up_files_reverse_source(&t->set->reverse);
    struct up_error ignored;

    if (up_files_begin(f, plan, err) < 0)
        return err->code;
    if (check_room(t, f, err) == 0 && up_files_fill(f, &source, err) == 0 &&
        (!t->hands || up_files_programs_fit(f, t->hands, err) == 0))
        return 0;
    (void)!up_files_sweep(f, false, &ignored);
    return err->code;
}

static int stage_plan(struct staging *t, struct up_files *f, struct up_error *err)
{
    const struct up_files_source own = up_hotfix_files_source(&t->files);
    char keep[UP_PATH_SIZE];
    struct up_files_plan plan;
    int rc = up_files_make(&plan, t->set->storage, &t->files.ini, t->files.content, t->files.count,
                           t->config->files.root, t->config->files.root_count, err);

    if (rc < 0)
        return rc;
    rc = up_hotfix_set_reverse(t->set, &plan, &own, err);
    if (t->comes) {
        kept_folder(t->comes, keep);
        plan.keep = keep;
    }
    if (rc == 0 && plan.op_count > 0)
        rc = fill(t, f, &plan, err);
    up_files_plan_free(&plan);
    return rc;
}

static int stage_set(struct up_hotfix_set *set, const struct up_config *config,
                     const struct up_files_hands *hands, struct up_error *err)
{
    struct staging t = {.set = set, .config = config, .hands = hands};
    char folder[UP_PATH_SIZE];
    struct up_files f;
    int rc;

    if (find_under_way(set, &t.comes, err) < 0)
        return err->code;
    if (t.comes &&
        snprintf(folder, sizeof folder, "%s/hotfix/%s/tree", set->state, t.comes->id) >= (int)sizeof folder)
        return up_fail(err, UP_USAGE, "%s: path too long", set->state);
    if ((t.comes && up_hotfix_files_open(&t.files, set->storage, folder, err) < 0) ||
        up_files_open(&f, set->storage, set->state, err) < 0)
        rc = err->code;
    else {
        rc = stage_plan(&t, &f, err);
        up_files_close(&f);
    }
    up_hotfix_files_close(&t.files);
    return rc;
}

int up_hotfix_set_stage(struct up_storage *storage, const struct up_config *config,
                        const struct up_files_hands *hands, struct up_error *err)
{
    struct up_hotfix_set *set;
    int rc = up_hotfix_set_open(&set, storage, config->state, NULL, 0, err);

    if (rc < 0)
        return rc;
    rc = stage_set(set, config, hands, err);
    up_hotfix_set_close(set);
    return rc;
}

/* Those that the open plan touches are those that it ends. */
static bool mark(struct up_hotfix_set *set, const struct up_files_plan *plan, const uint8_t digest[32])
{
    bool changed = false;

    for (uint32_t i = 0; i < set->ledger.count; i++) {
        struct up_hotfix *h = &set->ledger.entry[i];

        if (!up_hotfix_set_has(set, i) ||
            !up_files_kept_touches(set->kept[i]->storage, plan, &set->kept[i]->plan))
            continue;
        h->ends = true;
        memcpy(h->ends_with, digest, sizeof h->ends_with);
        changed = true;
    }
    return changed;
}

int up_hotfix_set_mark_ends(struct up_storage *storage, const char *state_dir,
                            const struct up_journal_state *state, uint64_t time, struct up_error *err)
{
    struct up_hotfix_set *set;
    struct up_files f;
    bool changed;
    int rc = up_hotfix_set_open(&set, storage, state_dir, state, time, err);

    if (rc < 0)
        return rc;
    changed = set->resolved;
    if (state->tx.plan.known) {
        rc = up_files_open(&f, storage, state_dir, err);
        if (rc == 0) {
            changed = (!f.lost && f.plan.op && mark(set, &f.plan, state->tx.pair.digest)) || changed;
            up_files_close(&f);
        }
    }
    if (rc == 0 && changed)
        rc = up_hotfix_ledger_write_both(&set->ledger, storage, state_dir, err);
    up_hotfix_set_close(set);
    return rc;
}
