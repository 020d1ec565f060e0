/*
 * device_alone.c -- without a journal the plan alone tells about the tree of files.
 *
 * It goes back, and its traces stay: a journal that can be read again learns from them
 * that the transaction failed.
 */
#include "device_private.h"
#include "error.h"
#include "files.h"
#include "files_settle.h"
#include "hotfix_ledger.h"

/* What the ledger of hotfixes accepted stays. */
static enum up_files_action action_of(const struct up_files *f)
{
    struct up_files_facts facts = {.phase = UP_FILES_UNREADABLE, .step = f->stage.step, .lost = f->lost};
    bool accepts, ignored;
    struct up_error why;

    if (f->stage.step != UP_FILES_NONE &&
        up_hotfix_ledger_accepts(&accepts, &ignored, f->stage.plan, f->storage, f->state, &why) == 0 &&
        accepts) {
        facts.phase = UP_FILES_IDLE;
        facts.runs = UP_FILES_NEW_PAIR;
    }
    return up_files_settle_decide(&facts);
}

/* The tree is half old and half new; or it is new, and no journal names the script that belongs to it. */
static bool is_off(const struct up_files *f)
{
    enum up_files_action action = action_of(f);

    return f->below.step != UP_FILES_NONE || action == UP_FILES_MIXED ||
           (action == UP_FILES_WITHOUT && !up_files_is(f, false));
}

int up_device_put_back_alone(struct up_storage *storage, const struct up_config *config,
                             const struct up_files_worker *worker, enum up_files_step *step,
                             struct up_error *err)
{
    struct up_device *d = NULL;
    struct up_files f;
    bool off = false;
    int rc;

    *step = UP_FILES_NONE;
    if (up_device_allocate(&d, storage, config, err) < 0 || up_device_take_lock(d, err) < 0 ||
        up_files_open(&f, storage, config->state, err) < 0) {
        rc = err->code;
    } else {
        *step = f.stage.step;
        off = is_off(&f);
        up_files_close(&f);
        d->worker = worker;
        rc = off ? up_device_do_tree(d, UP_FILES_BACK, err) : 0;
    }
    up_device_close(d);
    return rc;
}

int up_device_fits_alone(struct up_storage *storage, const struct up_config *config, struct up_error *err)
{
    struct up_files f;
    bool off;

    if (config->files.root_count == 0 || config->files.run_mixed)
        return 0;
    if (up_files_open(&f, storage, config->state, err) < 0)
        return err->code;
    off = is_off(&f);
    up_files_close(&f);
    return off ? up_fail(
                     err, UP_STATELOST,
                     "files: they are neither the old nor the new ones, and no journal says which to "
                     "take; provision the device again, or set files.run_mixed to start the script on them")
               : 0;
}
