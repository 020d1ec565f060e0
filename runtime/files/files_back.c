/*
 * files_back.c -- of files_ops.h: an operation is undone. What was there before is back at the target, or
 * nothing is; what others put there since is set aside.
 */
#include <string.h>

#include "error.h"
#include "files_foreign.h"
#include "files_ops.h"
#include "files_target.h"
#include "files_tree.h"
#include "files_weak.h"
#include "files_weak_dir.h"

/* Whether the content of the plan is at the target. What cannot be read twice is not: with a bad block under it, the
 * way back would have no end. */
static int holds_new(const struct up_files_target *t, const struct up_stat *st, struct up_error *err)
{
    uint8_t digest[UP_SHA256_SIZE];

    if (st->kind != UP_NODE_FILE)
        return 0;
    if (up_files_tree_digest(&t->place, t->op->name, digest, err) < 0 &&
        up_files_tree_digest(&t->place, t->op->name, digest, err) < 0)
        return err->code == UP_WRITE ? 0 : err->code;
    return memcmp(digest, t->op->digest, sizeof digest) == 0;
}

/* Nothing was here. As long as .new waits, what is here now came by itself and is left alone;
 * unless it is what a file system that renames in two steps made of .new. */
static int take_away(const struct up_files_work *w, const struct up_files_target *t, uint32_t n,
                     struct up_error *err)
{
    struct up_stat st, fresh;
    int there = up_files_tree_look(&t->place, t->op->name, &st, err), ours;

    if (there <= 0)
        return there;
    ours = holds_new(t, &st, err);
    if (ours != 0)
        return ours < 0 ? ours : up_files_tree_unlink(&t->place, t->op->name, err);
    there = up_files_tree_look(&t->place, t->name[UP_FILES_NEW], &fresh, err);
    if (there != 0)
        return there < 0 ? there : 0;
    return up_files_foreign_set_aside(w, &t->place, n, err);
}

/* A directory with all that is in it; what is none is not ours. */
static int take_dir_away(const struct up_files_work *w, const struct up_files_target *t, uint32_t n,
                         struct up_error *err)
{
    struct up_stat st;
    int there = up_files_tree_look(&t->place, t->name[UP_FILES_NEW], &st, err);

    if (there != 0)
        return there < 0 ? there : 0;
    there = up_files_tree_look(&t->place, t->op->name, &st, err);
    if (there > 0 && st.kind != UP_NODE_DIR)
        return up_files_foreign_set_aside(w, &t->place, n, err);
    return there > 0 ? up_files_tree_rename(&t->place, t->op->name, t->name[UP_FILES_NEW], err) : there;
}

static int put_back(const struct up_files_work *w, const struct up_files_target *t, uint32_t n,
                    struct up_error *err)
{
    struct up_stat old, now;
    int kept = up_files_tree_look(&t->place, t->name[UP_FILES_OLD], &old, err), there;

    if (kept <= 0)
        return kept;
    there = up_files_tree_look(&t->place, t->op->name, &now, err);
    if (there < 0)
        return there;
    if (there && now.inode == old.inode && now.device == old.device)
        return up_files_tree_unlink(&t->place, t->name[UP_FILES_OLD], err);
    if (there && (t->op->kind == UP_FILES_DELETE || now.kind == UP_NODE_DIR) &&
        up_files_foreign_set_aside(w, &t->place, n, err) < 0)
        return err->code;
    return up_files_tree_rename(&t->place, t->name[UP_FILES_OLD], t->op->name, err);
}

static int go_back_weak(const struct up_files_work *w, const struct up_files_target *t, uint32_t n,
                        struct up_error *err)
{
    struct up_stat st;
    int there = up_files_tree_look(&t->place, t->op->name, &st, err), old;

    if (there < 0)
        return there;
    if (!t->found->there)
        return there && up_files_weak_is_cut(&st) ? up_files_tree_unlink(&t->place, t->op->name, err)
                                                  : take_away(w, t, n, err);
    old = up_files_weak_is_whole(w, &t->place, n, t->op->name, false, err);
    if (old != 0)
        return old < 0 ? old : 0;
    if (there && !up_files_weak_is_cut(&st) && (t->op->kind == UP_FILES_DELETE || st.kind == UP_NODE_DIR) &&
        up_files_foreign_set_aside(w, &t->place, n, err) < 0)
        return err->code;
    return up_files_weak_renew(w, &t->place, n, t->name[UP_FILES_OLD], false, err);
}

static int go_back(const struct up_files_work *w, const struct up_files_target *t, uint32_t n,
                   struct up_error *err)
{
    if (up_files_weak_at(w, n))
        return go_back_weak(w, t, n, err);
    if (up_files_weak_dir_at(w, n))
        return up_files_weak_dir_back(w, &t->place, n, err);
    if (t->found->there)
        return put_back(w, t, n, err);
    if (t->op->kind == UP_FILES_PUT)
        return take_away(w, t, n, err);
    return t->op->kind == UP_FILES_MAKE_DIR ? take_dir_away(w, t, n, err) : 0;
}

int up_files_op_back(const struct up_files_work *w, uint32_t n, struct up_error *err)
{
    struct up_files_target t;

    if (!up_files_plan_is_step(&w->plan->op[n]))
        return 0;
    if (up_files_target_open(&t, w, n, err) < 0) /* what was not there before needs no folder either */
        return err->code == UP_MISSING && !w->found[n].there ? 0 : err->code;
    return up_files_target_finish(&t, go_back(w, &t, n, err), err);
}
