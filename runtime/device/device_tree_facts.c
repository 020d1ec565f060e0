/*
 * device_tree_facts.c -- the tree of files: what the journal, the stage of a plan, the ledger of hotfixes and
 * the names in the tree say of it together (files_settle.h). Nothing is changed here.
 */
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "files.h"
#include "files_changes.h"
#include "files_settle.h"
#include "hotfix_set.h"

bool up_device_has_tree(const struct up_device *d)
{
    return d->config->files.root_count > 0 || d->state.tree > 0 || d->state.tx.plan.known;
}

/* The plan of a transaction that went back or was dropped is not on record any more. */
static enum up_files_executable_runs runs(const struct up_device *d, bool of_transaction)
{
    switch (d->state.phase) {
    case UP_IDLE:
        return of_transaction ? UP_FILES_NEW_PAIR : UP_FILES_OLD_PAIR;
    case UP_TRIAL:
    case UP_CONFIRMING:
        return up_device_on_target(d) ? UP_FILES_NEW_PAIR : UP_FILES_FELL_BACK;
    case UP_ROLLING_BACK: /* until a restart the new core runs, and its script with it */
        return up_device_has_core(d) && up_device_on_target(d) ? UP_FILES_NEW_PAIR : UP_FILES_OLD_PAIR;
    default:
        return UP_FILES_OLD_PAIR;
    }
}

bool up_device_same_boot(const struct up_device *d)
{
    char boot[37];

    return d->storage->ops->boot_id(d->storage, boot) == 0 && strcmp(boot, d->state.tx.armed_boot) == 0;
}

/* `alone`: the plan is that of the release that is being rolled back, which came without a core. */
static enum up_tree tree_at(const struct up_files_facts *facts, bool alone)
{
    switch (facts->step) {
    case UP_FILES_SWITCHING:
    case UP_FILES_UNDOING:
        return UP_TREE_MIXED;
    case UP_FILES_SWITCHED:
    case UP_FILES_SWEEPING_NEW:
        /* Until the files are put back, the script that belongs to them can run: up_device_pair(). */
        return facts->runs == UP_FILES_NEW_PAIR || alone ? UP_TREE_NEW : UP_TREE_MIXED;
    default:
        return facts->of_transaction ? UP_TREE_OLD : UP_TREE_NO_PLAN;
    }
}

/* What the stage leaves open, the names in the tree show. */
static void see(struct up_device *d, struct up_files_facts facts, const struct up_files *f)
{
    bool alone = facts.of_transaction && d->state.phase == UP_ROLLING_BACK && !up_device_has_core(d);
    struct up_error ignored;

    if ((facts.step == UP_FILES_SWITCHING || facts.step == UP_FILES_UNDOING) && up_files_is(f, true))
        facts.step = UP_FILES_SWITCHED;
    if (d->fixing && facts.step == UP_FILES_SWITCHED) { /* whole, and on test */
        d->tree = UP_TREE_NO_PLAN;
        return;
    }
    d->tree = tree_at(&facts, alone);
    if (d->tree == UP_TREE_MIXED && up_files_is(f, false))
        d->tree = UP_TREE_OLD;
    if (d->tree != UP_TREE_NEW && up_files_stage_is_between(f->below.step)) /* it began on what was mixed */
        d->tree = UP_TREE_MIXED;
    /* Putting it back cannot even begin, and nobody knows what the root holds. */
    if (d->tree == UP_TREE_NEW && alone && up_files_check_here(f, &ignored) < 0)
        d->tree = UP_TREE_MIXED;
}

/* A plan that is not the transaction's may be that of hotfixes: then the ledger says whether its new files stay. */
static int ask_ledger(struct up_device *d, struct up_files_facts *facts, const struct up_files *f,
                      struct up_error *err)
{
    bool accepts;

    if (facts->of_transaction || facts->step == UP_FILES_NONE)
        return 0;
    if (up_hotfix_ledger_accepts(&accepts, &d->fixing, f->stage.plan, d->storage, d->config->state, err) < 0)
        return err->code;
    if (accepts) {
        facts->phase = UP_FILES_IDLE;
        facts->runs = UP_FILES_NEW_PAIR;
    } else if (facts->phase == UP_FILES_FETCHING) {
        facts->phase = UP_FILES_IDLE;
        facts->runs = UP_FILES_OLD_PAIR;
    }
    return 0;
}

int up_device_tree_facts(struct up_device *d, struct up_files_facts *facts, struct up_error *err)
{
    const struct up_known_digest *plan = &d->state.tx.plan;
    struct up_files f;
    int rc;

    memset(facts, 0, sizeof *facts);
    d->fixing = d->suspended = d->plan_known = d->traces = false;
    if (!up_device_has_tree(d))
        return 0;
    d->tree = UP_TREE_MIXED;
    if (up_files_open(&f, d->storage, d->config->state, err) < 0)
        return err->code;
    facts->phase = (enum up_files_phase)d->state.phase;
    facts->step = f.stage.step;
    facts->lost = f.lost;
    d->plan_known = f.plan.op != NULL;
    memcpy(facts->plan, f.stage.plan, sizeof facts->plan);
    d->traces = facts->step != UP_FILES_NONE && !up_files_stage_is_between(facts->step);
    d->suspended = f.below.step != UP_FILES_NONE;
    facts->of_transaction = plan->known && memcmp(plan->bytes, f.stage.plan, sizeof f.stage.plan) == 0;
    facts->runs = runs(d, facts->of_transaction);
    facts->restart = d->state.tx.restart;
    facts->other_boot = !up_device_same_boot(d);
    rc = ask_ledger(d, facts, &f, err);
    if (rc == 0)
        see(d, *facts, &f);
    up_files_close(&f);
    return rc;
}

void up_device_see_tree(struct up_device *d)
{
    struct up_files_facts facts;
    struct up_error ignored;

    (void)!up_device_tree_facts(d, &facts, &ignored);
}

bool up_device_mixed(const struct up_device *d)
{
    return d->tree == UP_TREE_MIXED;
}

bool up_device_awaits_files(const struct up_device *d)
{
    return (up_device_mixed(d) || d->traces) && d->state.phase < UP_ARMING && d->plan_known;
}

void up_device_tell_changes(const struct up_device *d, char *out, size_t len)
{
    struct up_files f;
    struct up_error ignored;

    out[0] = '\0';
    if (!d->state.tx.plan.known || up_files_open(&f, d->storage, d->config->state, &ignored) < 0)
        return;
    up_files_changes(&f, out, len);
    up_files_close(&f);
}

int up_device_find_roots(const struct up_device *d, struct up_error *err)
{
    struct up_files f;
    int rc = up_files_open(&f, d->storage, d->config->state, err);

    if (rc < 0)
        return rc;
    rc = f.stage.step == UP_FILES_NONE || f.lost ? 0 : up_files_check_here(&f, err);
    up_files_close(&f);
    return rc;
}

int up_device_look_at_tree(struct up_device *d, enum up_files_action *action, enum up_files_step *step,
                           struct up_error *err)
{
    struct up_files_facts facts;

    if (up_device_tree_facts(d, &facts, err) < 0 || up_device_find_roots(d, err) < 0)
        return err->code;
    *action = up_files_settle_decide(&facts);
    *step = facts.step;
    return 0;
}
