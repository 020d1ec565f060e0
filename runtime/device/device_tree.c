/*
 * device_tree.c -- the tree of files: what follows from what device_tree_facts.c finds out, and having it
 * done: by a process that is watched (up_files_worker), or here.
 *
 * Before the verdict the tree goes back before the journal does, after it the
 * journal is first. While the device is idle, what is left of a plan is ended
 * by up_device_end_tree(); no other plan begins before that.
 */
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "files.h"
#include "files_programs.h"
#include "files_settle.h"
#include "hotfix_set.h"

void up_device_by_hand(struct up_device *d, struct up_running_table *running)
{
    d->running = running;
}

static int work_on_plan(struct up_device *d, enum up_files_task task, const uint8_t *plan,
                        enum up_files_outcome *outcome, struct up_error *err)
{
    const struct up_files_hands hands = up_config_hands(d->config, d->running);
    struct up_files f;
    int rc;

    if (task == UP_FILES_STAGE)
        return up_hotfix_set_stage(d->storage, d->config, &hands, err);
    if (up_files_open(&f, d->storage, d->config->state, err) < 0)
        return err->code;
    rc = up_files_check_plan(&f, plan, err);
    if (rc == 0)
        rc = up_files_program_do(&f, task, d->running ? &hands : NULL, outcome, err);
    up_files_close(&f);
    return rc;
}

static int work_here(void *device, enum up_files_task task, const uint8_t *plan,
                     enum up_files_outcome *outcome, struct up_error *err)
{
    struct up_device *d = device;
    int claim, rc;

    *outcome = UP_FILES_NOT_SWITCHED;
    if (up_files_claim(&claim, d->storage, d->config->state, err) < 0)
        return err->code;
    rc = work_on_plan(d, task, plan, outcome, err);
    up_files_let_go(d->storage, claim);
    return rc;
}

/* `plan`: the only one that it is for; NULL: whichever is open. */
static int work(struct up_device *d, enum up_files_task task, const uint8_t *plan,
                enum up_files_outcome *outcome, struct up_error *err)
{
    const struct up_files_worker here = {work_here, d}, *worker = d->worker ? d->worker : &here;
    int rc;

    *outcome = UP_FILES_NOT_STOPPED;
    if (d->pending & UP_PENDING_LOCK)
        return up_fail(err, d->trouble.cause.code, "%s", d->trouble.cause.message);
    rc = worker->work(worker->user, task, plan, outcome, err);
    if (task != UP_FILES_ON && task != UP_FILES_BACK)
        return rc;
    up_device_see_tree(d);
    return rc;
}

int up_device_work_tree(struct up_device *d, enum up_files_task task, enum up_files_outcome *outcome,
                        struct up_error *err)
{
    return work(d, task, NULL, outcome, err);
}

int up_device_do_tree(struct up_device *d, enum up_files_task task, struct up_error *err)
{
    enum up_files_outcome ignored;

    return up_device_work_tree(d, task, &ignored, err);
}

/* The same to the plan that was seen, and to no other: the agent may have begun one. */
static int do_seen(struct up_device *d, const struct up_files_facts *seen, enum up_files_task task,
                   struct up_error *err)
{
    enum up_files_outcome ignored;

    return work(d, task, seen->plan, &ignored, err);
}

/* Make the tree whole, then remove the traces. *whole: the first of it succeeded. */
static int end_one(struct up_device *d, const struct up_files_facts *facts, bool *whole, struct up_error *err)
{
    enum up_files_action action = up_files_settle_decide(facts);
    bool new = action == UP_FILES_SWEEP_NEW || action == UP_FILES_FINISH;
    int rc = 0;

    if (action == UP_FILES_MIXED) {
        *whole = false;
        return do_seen(d, facts, UP_FILES_BACK, err); /* which says why it cannot be done */
    }
    /* What the ledger says of it, as it was read. */
    if (!facts->of_transaction && (d->fixing || facts->runs == UP_FILES_NEW_PAIR) &&
        up_hotfix_ledger_repeat(d->storage, d->config->state, err) < 0)
        return err->code;
    if (action == UP_FILES_GO_BACK)
        rc = do_seen(d, facts, UP_FILES_BACK, err);
    else if (action == UP_FILES_FINISH)
        rc = do_seen(d, facts, UP_FILES_ON, err);
    *whole = rc == 0;
    return rc < 0 ? rc : do_seen(d, facts, new ? UP_FILES_KEEP_NEW : UP_FILES_KEEP_OLD, err);
}

/* Under a plan that ends another one may wait to be put back. */
static int end(struct up_device *d, struct up_files_facts *facts, bool *whole, struct up_error *err)
{
    bool suspended = d->suspended;
    int rc = end_one(d, facts, whole, err);

    if (rc < 0 || !suspended)
        return rc;
    *whole = false;
    if (up_device_tree_facts(d, facts, err) < 0)
        return err->code;
    facts->phase = UP_FILES_IDLE;
    facts->runs = UP_FILES_OLD_PAIR;
    return end_one(d, facts, whole, err);
}

int up_device_end_tree(struct up_device *d, bool dropped, bool *whole, struct up_error *err)
{
    struct up_files_facts facts;

    *whole = true;
    if (!up_device_has_tree(d))
        return 0;
    if (up_device_tree_facts(d, &facts, err) < 0) {
        *whole = false;
        return err->code;
    }
    if (d->fixing && !d->settles)
        return 0;
    if (dropped && facts.phase != UP_FILES_IDLE) {
        facts.phase = UP_FILES_IDLE;
        facts.runs = UP_FILES_OLD_PAIR;
    }
    return end(d, &facts, whole, err);
}

/* The tree first, which needs no journal. */
static int go_back(struct up_device *d, const struct up_files_facts *facts, enum up_tree_outcome *outcome,
                   struct up_error *err)
{
    if (do_seen(d, facts, UP_FILES_BACK, err) < 0 && (d->state.phase < UP_ARMING || !up_device_mixed(d)))
        return err->code;
    if (d->state.phase < UP_ARMING)
        return do_seen(d, facts, UP_FILES_KEEP_OLD, err);
    if (d->state.phase != UP_ROLLING_BACK) /* end_rollback() tries it once more */
        *outcome = UP_TREE_IS_OLD;
    return 0;
}

/* The verdict was given, and the journal lost it. */
static int stay_new(struct up_device *d, const struct up_files_facts *facts, enum up_tree_outcome *outcome,
                    struct up_error *err)
{
    if (d->state.phase < UP_ARMED || d->state.phase == UP_ROLLING_BACK || !up_device_on_target(d))
        return do_seen(d, facts, UP_FILES_KEEP_NEW, err);
    *outcome = UP_TREE_IS_NEW;
    return 0;
}

int up_device_settle_tree(struct up_device *d, enum up_tree_outcome *outcome, struct up_error *err)
{
    struct up_files_facts facts;
    bool whole;

    *outcome = UP_TREE_AS_PHASE_SAYS;
    if (!up_device_has_tree(d) || d->state.phase == UP_IDLE)
        return 0; /* up_device_end_tree() handles that */
    if (up_device_tree_facts(d, &facts, err) < 0)
        return err->code;
    if (facts.phase == UP_FILES_IDLE) /* a plan of hotfixes */
        return d->fixing && !d->settles ? 0 : end(d, &facts, &whole, err);
    switch (up_files_settle_decide(&facts)) {
    case UP_FILES_MIXED:
        if (d->state.phase < UP_ARMING)
            return do_seen(d, &facts, UP_FILES_BACK, err);
        *outcome = d->state.phase == UP_ROLLING_BACK ? UP_TREE_AS_PHASE_SAYS : UP_TREE_IS_LOST;
        return 0;
    case UP_FILES_SWEEP_NEW:
        return stay_new(d, &facts, outcome, err);
    case UP_FILES_SWEEP_OLD:
        if (d->state.phase < UP_ARMING)
            return do_seen(d, &facts, UP_FILES_KEEP_OLD, err);
        return go_back(d, &facts, outcome, err);
    case UP_FILES_GO_BACK:
        if (d->state.phase == UP_INSTALLING && up_device_awaits_files(d)) /* the agent is at it */
            return 0;
        /* A fall-back gives up the transaction by itself. A core that the device has to leave is left first. */
        if (facts.runs == UP_FILES_FELL_BACK ||
            (d->state.phase == UP_ROLLING_BACK && facts.runs == UP_FILES_NEW_PAIR))
            return 0;
        return go_back(d, &facts, outcome, err);
    default:
        return 0;
    }
}

int up_device_end_fixes(struct up_device *d, bool ours, struct up_error *err)
{
    struct up_files_facts facts;
    bool whole;

    if (!up_device_has_tree(d))
        return 0;
    if (up_device_tree_facts(d, &facts, err) < 0)
        return err->code;
    if (facts.step == UP_FILES_NONE && d->state.phase == UP_FETCHING) /* traces of a plan that has ended */
        return do_seen(d, &facts, UP_FILES_KEEP_OLD, err);
    if (facts.of_transaction || facts.step == UP_FILES_NONE)
        return 0;
    if (d->fixing && !ours)
        return up_fail(err, UP_BUSY, "files: a hotfix is being tested or undone; try again later");
    return end(d, &facts, &whole, err) < 0 && !up_device_awaits_files(d) ? err->code : 0;
}

int up_device_undo_tree(struct up_device *d, struct up_error *err)
{
    return up_device_has_tree(d) ? up_device_do_tree(d, UP_FILES_BACK, err) : 0;
}

int up_device_switch_tree(struct up_device *d, enum up_files_outcome *outcome, struct up_error *err)
{
    struct up_files_facts facts;

    *outcome = UP_FILES_NOT_SWITCHED;
    if (!up_device_has_tree(d))
        return 0;
    if (!up_device_lacks_file(d, "hotfix") &&
        up_hotfix_set_mark_ends(d->storage, d->config->state, &d->state, up_device_time(d), err) < 0)
        return err->code;
    if (up_device_tree_facts(d, &facts, err) < 0)
        return err->code;
    return facts.of_transaction ? up_device_work_tree(d, UP_FILES_ON, outcome, err) : 0;
}

void up_device_confirm_tree(struct up_journal_state *next)
{
    const struct up_pair *pair = &next->tx.pair;
    struct up_pair *other = &next->slot[!next->tx.target];

    if (!pair->files.known)
        return;
    next->tree = pair->generation;
    if (!other->present)
        return;
    other->generation = pair->generation;
    other->script = pair->script;
    memcpy(other->script_version, pair->script_version, sizeof other->script_version);
    other->files = pair->files;
    memcpy(other->files_version, pair->files_version, sizeof other->files_version);
}
