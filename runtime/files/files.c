#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "files_here.h"
#include "files_kept.h"
#include "files_named.h"
#include "files_try.h"
#include "files_twin.h"
#include "files_weak.h"
#include "files_weak_dir.h"

static int enter(struct up_files *f, enum up_files_step step, struct up_error *err)
{
    struct up_files_stage next = f->stage;

    next.step = step;
    if (step == UP_FILES_UNDOING || f->resumed ? up_files_stage_write_both(&f->record, &next, err) < 0
                                               : up_files_stage_write(&f->record, &next, err) < 0)
        return err->code;
    f->stage = next;
    return up_files_resume(f, err);
}

static struct up_files_work work_of(const struct up_files *f)
{
    return (struct up_files_work){f->storage, f->folder, &f->plan, f->found};
}

/* A process that was killed, or an operation that failed, may have left names and files that are not on the medium. An
 * operation takes them for done, and removes what they stand for. */
static int settle_left(const struct up_files *f, struct up_error *err)
{
    const struct up_files_work w = work_of(f);

    for (uint32_t n = 0; n < f->plan.op_count; n++)
        if (up_files_op_settle(&w, n, err) < 0)
            return err->code;
    if (f->storage->ops->sync_dir(f->storage, f->folder) < 0)
        return up_fail(err, UP_WRITE, "%s: sync: %s", f->folder, strerror(errno));
    return 0;
}

/* Make what is there now durable, and with it the step that needs it. */
static int note_found(struct up_files *f, struct up_error *err)
{
    const struct up_files_work w = work_of(f);
    struct up_files_stage next = f->stage;
    char boot[sizeof next.boot_id];
    uint8_t *bytes;
    size_t len;
    int rc;

    free(f->found);
    f->found = calloc(f->plan.op_count, sizeof *f->found);
    if (!f->found)
        return up_fail(err, UP_INTERNAL, "files: out of memory");
    for (uint32_t n = 0; n < f->plan.op_count; n++) {
        up_files_stepped(f);
        if (up_files_op_check_staged(&w, n, err) < 0 ||
            up_files_op_find(&w, n, true, &f->found[n], err) < 0 || up_files_try_again(&w, n, err) < 0)
            return err->code;
    }
    if (up_files_this_boot(f, boot, err) < 0)
        return err->code;
    if (strcmp(boot, next.boot_id) != 0) /* what was stopped in another boot runs again, or will not */
        memset(next.ran, 0, sizeof next.ran);
    memcpy(next.boot_id, boot, sizeof boot);
    if (up_files_found_encode(f->found, f->plan.op_count, &bytes, &len, err) < 0)
        return err->code;
    rc = up_files_twin_write(f->storage, f->folder, bytes, len, next.found, err);
    free(bytes);
    next.step = UP_FILES_SWITCHING;
    if (rc < 0 || up_files_stage_write_both(&f->record, &next, err) < 0)
        return err->code;
    f->stage = next;
    return 0;
}

static bool has_weak(const struct up_files *f)
{
    for (uint32_t i = 0; i < f->plan.root_count; i++)
        if (f->plan.root[i].weak)
            return true;
    return false;
}

/* The device was started anew since: a file system that is weak may have lost what was in place. */
static int look_again(struct up_files *f, struct up_error *err)
{
    const struct up_files_work w = work_of(f);
    struct up_files_stage next = f->stage;

    if (f->lost || !f->found || !has_weak(f))
        return 0;
    if (up_files_this_boot(f, next.boot_id, err) < 0)
        return err->code;
    if (strcmp(next.boot_id, f->stage.boot_id) == 0)
        return 0;
    if (up_files_check_here(f, err) < 0 || settle_left(f, err) < 0)
        return err->code;
    for (uint32_t n = 0; n < f->plan.op_count; n++)
        if ((up_files_weak_at(&w, n) || up_files_weak_dir_at(&w, n)) && up_files_op_forward(&w, n, err) < 0)
            return err->code;
    memset(next.ran, 0, sizeof next.ran); /* as in note_found() */
    if (up_files_stage_write(&f->record, &next, err) < 0)
        return err->code;
    f->stage = next;
    return 0;
}

int up_files_switch(struct up_files *f, struct up_error *err)
{
    struct up_files_work w;

    if (f->stage.step == UP_FILES_SWITCHED)
        return look_again(f, err);
    if (f->stage.step != UP_FILES_STAGED && f->stage.step != UP_FILES_SWITCHING)
        return up_fail(err, UP_BUSY, "files: a plan is %s", up_files_stage_step_name(f->stage.step));
    if (f->lost)
        return up_files_unreadable(f, err);
    if (up_files_check_here(f, err) < 0 ||
        (f->stage.step == UP_FILES_STAGED ? note_found(f, err) < 0 : settle_left(f, err) < 0))
        return err->code;
    w = work_of(f);
    for (uint32_t n = 0; n < f->plan.op_count; n++) {
        up_files_stepped(f);
        if (up_files_op_forward(&w, n, err) < 0)
            return err->code;
    }
    if (up_files_plan_keeps(&f->plan) && up_files_kept_write(&w, f->state, err) < 0)
        return err->code;
    return enter(f, UP_FILES_SWITCHED, err);
}

static int undo(struct up_files *f, struct up_error *err)
{
    struct up_files_work w = work_of(f);

    if (up_files_check_here(f, err) < 0 ||
        (f->stage.step != UP_FILES_UNDOING && enter(f, UP_FILES_UNDOING, err) < 0) || settle_left(f, err) < 0)
        return err->code;
    for (uint32_t n = f->plan.op_count; n-- > 0;) {
        up_files_stepped(f);
        if (up_files_op_back(&w, n, err) < 0)
            return err->code;
    }
    return 0;
}

int up_files_undo(struct up_files *f, struct up_error *err)
{
    int rc;

    if (!up_files_stage_is_between(f->stage.step))
        return 0;
    if (f->lost)
        return up_files_unreadable(f, err);
    rc = undo(f, err);
    if (rc != UP_NOSPACE)
        return rc;
    return up_files_here_give_room(f->storage, &f->plan, err) < 0 ? err->code : undo(f, err);
}

bool up_files_is(const struct up_files *f, bool new_tree)
{
    const struct up_files_work w = work_of(f);
    struct up_error ignored;
    bool is = !f->lost && f->found && up_files_check_here(f, &ignored) == 0;

    for (uint32_t n = 0; is && n < f->plan.op_count; n++)
        if (up_files_op_is_done(&w, n, new_tree, &is, &ignored) < 0)
            is = false;
    return is;
}

void up_files_stuck(const struct up_files *f, char *out, size_t len)
{
    const struct up_files_work w = work_of(f);
    struct up_files below;
    struct up_error why;
    bool is = false;

    if (up_files_open_suspended(f, &below, &why) > 0) {
        up_files_stuck(&below, out, len);
        up_files_close(&below);
        return;
    }
    snprintf(out, len, "%s", f->lost ? f->folder : "");
    if (f->lost || !f->found)
        return;
    for (uint32_t i = 0; i < f->plan.root_count; i++)
        if (up_files_here_check_root(f->storage, &f->plan, i, &why) < 0) {
            snprintf(out, len, "%s", f->plan.root[i].path);
            return;
        }
    for (uint32_t n = f->plan.op_count; n-- > 0;)
        if (up_files_op_is_done(&w, n, false, &is, &why) < 0 || !is) {
            (void)!up_files_named_path(&f->plan, n, out, len);
            return;
        }
}

static int forget(struct up_files *f, struct up_error *err)
{
    const struct up_files_stage none = {.step = UP_FILES_NONE};

    if (up_files_resume(f, err) < 0 || up_files_stage_write_both(&f->record, &none, err) < 0)
        return err->code;
    up_files_close(f);
    f->stage = none;
    f->lost = false;
    f->ended = true;
    return up_files_tidy(f, err);
}

/* What is half staged may be swept without a record, and may be what took the space for one. */
static bool frees_room(const struct up_files *f, enum up_files_step step, const struct up_error *err)
{
    return err->code == UP_NOSPACE && f->stage.step == UP_FILES_STAGING && step == UP_FILES_SWEEPING_OLD;
}

int up_files_sweep(struct up_files *f, bool new_tree, struct up_error *err)
{
    enum up_files_step step = new_tree ? UP_FILES_SWEEPING_NEW : UP_FILES_SWEEPING_OLD;
    const struct up_files_work w = {f->storage, f->folder, &f->plan, NULL};

    if (f->stage.step == UP_FILES_NONE)
        return up_files_tidy(f, err);
    if (!f->plan.op) /* nobody knows its names; doctor lists them */
        return forget(f, err);
    if (new_tree && f->stage.step == UP_FILES_SWITCHED && look_again(f, err) < 0)
        return err->code;
    /* That the new tree stays is decided, and goes on record also while a root is away. */
    if ((!new_tree && up_files_check_here(f, err) < 0) ||
        (f->stage.step != step && enter(f, step, err) < 0 && !frees_room(f, step, err)) ||
        (new_tree && (up_files_check_here(f, err) < 0 || up_files_drop_suspended(f, err) < 0)))
        return err->code;
    for (uint32_t n = 0; n < f->plan.op_count; n++) {
        up_files_stepped(f);
        if (up_files_op_sweep(&w, n, err) < 0)
            return err->code;
    }
    return forget(f, err);
}

int up_files_accept(struct up_files *f, struct up_error *err)
{
    up_files_sweep_loosely(f, &f->plan);
    return up_files_drop_suspended(f, err) < 0 ? err->code : forget(f, err);
}
