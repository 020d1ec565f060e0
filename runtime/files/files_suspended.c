/*
 * files_suspended.c -- of files.h: a plan that cannot be put back, while another one is to
 * replace all that it names; or one whose traces cannot be removed, because a root is not there.
 *
 * The stage of the stuck one moves to <state>/files/suspended, and all that belongs to it stays,
 * so that the way back is tried again should the one on top fail. up_files_open() reads both
 * records: while the stage is none, or names the same plan, the suspended one is the plan that
 * is open (`resumed`).
 */
#include <string.h>

#include "error.h"
#include "files.h"

static const struct up_files_stage none = {.step = UP_FILES_NONE};

int up_files_suspend(struct up_files *f, struct up_error *err)
{
    if (f->below.step != UP_FILES_NONE)
        return up_fail(
            err, UP_BUSY,
            "files: two updates, one after the other, could not be put back, and no package can replace "
            "both; mend the files by hand and order `moult settle --accept`");
    if (!f->plan.op)
        return up_files_unreadable(f, err);
    if (up_files_stage_write_both(&f->below_record, &f->stage, err) < 0)
        return err->code;
    f->below = f->stage;
    up_files_close(f);
    f->stage = none;
    f->resumed = f->lost = false;
    return 0;
}

int up_files_resume(struct up_files *f, struct up_error *err)
{
    if (f->resumed && up_files_stage_write_both(&f->below_record, &none, err) < 0)
        return err->code;
    f->resumed = false;
    return 0;
}

void up_files_sweep_loosely(const struct up_files *f, const struct up_files_plan *plan)
{
    const struct up_files_work w = {f->storage, f->folder, plan, NULL};
    struct up_error ignored;

    for (uint32_t n = 0; n < plan->op_count; n++) {
        up_files_stepped(f);
        (void)!up_files_op_sweep(&w, n, &ignored); /* doctor lists what stays */
    }
}

int up_files_drop_suspended(struct up_files *f, struct up_error *err)
{
    struct up_files below;
    struct up_error ignored;

    if (f->below.step == UP_FILES_NONE)
        return 0;
    if (up_files_open_suspended(f, &below, &ignored) > 0) {
        up_files_sweep_loosely(f, &below.plan);
        up_files_close(&below);
    }
    if (up_files_stage_write_both(&f->below_record, &none, err) < 0)
        return err->code;
    f->below = none;
    return 0;
}

int up_files_open_suspended(const struct up_files *f, struct up_files *out, struct up_error *err)
{
    if (f->below.step == UP_FILES_NONE)
        return 0;
    *out = *f;
    out->stage = f->below;
    out->below = none;
    out->plan = (struct up_files_plan){.op = NULL};
    out->found = NULL;
    if (up_files_load(out, err) < 0)
        return err->code;
    return out->plan.op ? 1 : up_files_unreadable(out, err);
}
