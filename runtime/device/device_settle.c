#include "device_settle.h"

#include <string.h>

#include "device_private.h"
#include "error.h"
#include "files.h"
#include "files_settle.h"

/* The transaction goes back, or its start, or even that, could not be recorded. The tree goes back in any case. */
static int went_back(struct up_device *d, enum up_settled *out, const struct up_error *err)
{
    struct up_error ignored;

    *out = UP_SETTLED_OLD;
    return up_device_undo_tree(d, &ignored) < 0 ? err->code : 0;
}

/* Count a start, unless that was done in this boot; with `change`, switch the tree now, too. */
static int try_start(struct up_device *d, bool change, enum up_settled *out, struct up_error *err)
{
    enum up_start_action ignored = UP_START_RUN;
    enum up_files_outcome outcome;
    struct up_error why;

    if (d->state.phase == UP_ARMED && up_device_begin_trial(d, err) < 0)
        return went_back(d, out, err);
    if (!up_device_is_counted(d)) {
        if (up_device_count_start(d, &ignored, err) < 0)
            return went_back(d, out, err);
        up_device_remember_count(d);
    }
    if (change && up_device_switch_tree(d, &outcome, &why) < 0) {
        *err = why;
        (void)!up_device_withdraw(d, why.code, why.message, &ignored, &why);
        return went_back(d, out, err);
    }
    *out = d->tree == UP_TREE_NEW ? UP_SETTLED_TRIAL : UP_SETTLED_WAITS;
    return 0;
}

/* up_device_resume_tree() finishes what the stage alone says. That the journal cannot be written then keeps no program
 * from starting on a tree that is whole. */
static int end(struct up_device *d, enum up_files_action action, enum up_settled *out, struct up_error *err)
{
    enum up_start_action ignored = UP_START_RUN;
    bool over, whole = true;
    int rc = up_device_resume_tree(d, &over, &ignored, err);

    if (rc < 0 && up_device_mixed(d))
        return rc;
    if (action == UP_FILES_GO_BACK && up_device_undo_tree(d, err) < 0) /* the boot loader fell back */
        return err->code;
    if (d->state.phase == UP_IDLE && up_device_end_tree(d, false, &whole, err) < 0 && !whole)
        return err->code;
    *out = action == UP_FILES_GO_BACK || action == UP_FILES_SWEEP_OLD ? UP_SETTLED_OLD : UP_SETTLED_NEW;
    return 0;
}

static int settle(struct up_device *d, enum up_settled *out, struct up_error *err)
{
    enum up_files_action action;
    enum up_files_step step;
    struct up_error ignored;
    bool whole;

    *out = UP_SETTLED_WHOLE;
    d->settles = true; /* what was on test ends */
    if (up_device_look_at_tree(d, &action, &step, err) < 0)
        return err->code;
    switch (action) {
    case UP_FILES_NOTHING:
    case UP_FILES_LEAVE:
        if (step != UP_FILES_NONE)
            *out = UP_SETTLED_WAITS;
        else if (d->state.phase == UP_IDLE) /* temporary names that are left do not matter */
            (void)!up_device_end_tree(d, false, &whole, &ignored);
        return 0;
    case UP_FILES_TRY:
    case UP_FILES_TRY_SWITCH:
    case UP_FILES_TRY_STAY:
        return try_start(d, action == UP_FILES_TRY_SWITCH, out, err);
    case UP_FILES_VERDICT:
        *out = UP_SETTLED_NEW;
        (void)!up_device_confirm(d, &ignored); /* else `run` repeats it */
        return 0;
    default:
        return end(d, action, out, err);
    }
}

/* What waits may be an update that is to replace what could not be put back. */
static int check_whole(struct up_device *d, struct up_error *err)
{
    struct up_files_facts ignored;

    if (up_device_tree_facts(d, &ignored, err) < 0)
        return err->code;
    return up_device_mixed(d)
               ? up_fail(err, UP_STATELOST,
                         "files: they are neither the old nor the new ones, and an update that "
                         "replaces them waits to be tried")
               : 0;
}

static int settle_alone(enum up_settled *out, struct up_storage *storage, const struct up_config *config,
                        struct up_error *err)
{
    enum up_files_step step;
    int rc = up_device_put_back_alone(storage, config, NULL, &step, err);

    *out = UP_SETTLED_OLD;
    if (step == UP_FILES_NONE)
        *out = UP_SETTLED_WHOLE;
    else if (step == UP_FILES_SWEEPING_NEW)
        *out = UP_SETTLED_NEW;
    return rc;
}

/* No release has these files: their digest is on record as zeros. */
static int forget_files(struct up_device *d, struct up_error *err)
{
    struct up_journal_state next = d->state;

    for (int i = 0; i < UP_SLOTS; i++)
        memset(next.slot[i].files.bytes, 0, sizeof next.slot[i].files.bytes);
    return up_device_save(d, &next, err);
}

/* Without a verdict, the transaction goes back, and the tree stays as it is. */
static int end_transaction(struct up_device *d, struct up_error *err)
{
    static const char why[] = "the files are taken as they are";
    enum up_start_action action;
    int rc = 0;

    if (d->state.phase == UP_CONFIRMING)
        rc = up_device_confirm(d, err);
    else if (d->state.phase == UP_ROLLING_BACK)
        rc = up_device_resume_rollback(d, &action, err);
    else if (d->state.phase >= UP_ARMING)
        rc = up_device_withdraw(d, UP_REFUSED, why, &action, err);
    else if (d->state.phase != UP_IDLE)
        rc = up_device_abandon(d, UP_REFUSED, why, err);
    if (d->state.phase == UP_IDLE)
        return 0; /* what could not be put back does not matter now */
    return rc < 0 ? rc
                  : up_fail(err, UP_BUSY,
                            "release %s: restart the device to leave its core, and order this again",
                            d->state.tx.pair.release);
}

/* The journal first: it is the tree that says whether this has to be done again. */
static int accept(struct up_device *d, struct up_error *err)
{
    const struct up_pair *runs;
    struct up_files f;
    int rc;

    if (end_transaction(d, err) < 0)
        return err->code;
    runs = up_device_pair(d);
    if (forget_files(d, err) < 0 || up_files_open(&f, d->storage, d->config->state, err) < 0)
        return err->code;
    rc = up_files_accept(&f, err);
    up_files_close(&f);
    if (rc == 0)
        up_device_note_again(d, "accepted", runs->release, "the files are taken as they are");
    return rc;
}

static int settle_opened(struct up_device *d, bool accepting, enum up_settled *out, struct up_error *err)
{
    int rc = settle(d, out, err);

    if (rc == 0)
        rc = check_whole(d, err);
    if (rc == 0 || !accepting)
        return rc;
    up_device_see_tree(d);
    if (rc != UP_MISSING && (!up_device_mixed(d) || d->state.phase >= UP_ARMING))
        return rc;
    *out = UP_SETTLED_ACCEPTED;
    return accept(d, err);
}

static int settle_device(bool accepting, enum up_settled *out, struct up_storage *storage,
                         const struct up_config *config, struct up_error *err)
{
    struct up_device *d;
    int rc = up_device_open(&d, storage, config, UP_DEVICE_LOCK | UP_DEVICE_ANYHOW, err);

    if (rc == UP_STATELOST)
        return settle_alone(out, storage, config, err);
    if (rc < 0)
        return rc;
    rc = settle_opened(d, accepting, out, err);
    up_device_close(d);
    return rc;
}

int up_device_settle(enum up_settled *out, struct up_storage *storage, const struct up_config *config,
                     struct up_error *err)
{
    return settle_device(false, out, storage, config, err);
}

int up_device_settle_accepting(enum up_settled *out, struct up_storage *storage,
                               const struct up_config *config, struct up_error *err)
{
    return settle_device(true, out, storage, config, err);
}

static int clean(struct up_device *d, bool remove, struct up_files_strays *out, struct up_error *err)
{
    enum up_files_action ignored;
    enum up_files_step step;

    if (d->state.phase != UP_IDLE)
        return up_fail(err, UP_BUSY, "files: an update is under way: %s",
                       up_journal_phase_name(d->state.phase));
    if (up_device_look_at_tree(d, &ignored, &step, err) < 0)
        return err->code;
    if (step != UP_FILES_NONE)
        return up_fail(err, UP_BUSY, "files: a plan is %s", up_files_stage_step_name(step));
    return up_files_clean(d->storage, d->config->files.root, d->config->files.root_count, remove, out, err);
}

int up_device_settle_files(bool remove, struct up_files_strays *out, struct up_storage *storage,
                           const struct up_config *config, struct up_error *err)
{
    struct up_device *d;
    int rc;

    if (up_device_open(&d, storage, config, remove ? UP_DEVICE_LOCK : UP_DEVICE_READ, err) < 0)
        return err->code;
    rc = clean(d, remove, out, err);
    up_device_close(d);
    return rc;
}

const char *up_device_settled_name(enum up_settled settled)
{
    static const char *const names[] = {"whole", "waits", "old", "new", "trial", "accepted"};

    return names[settled];
}
