/*
 * files_forward.c -- of files_ops.h: an operation is done. What is replaced or deleted gets the name .old
 * before anything else stands at the target.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "files_copy.h"
#include "files_foreign.h"
#include "files_ops.h"
#include "files_target.h"
#include "files_tree.h"
#include "files_weak.h"
#include "files_weak_dir.h"

/* A copy instead of a link. Nothing else writes the target: its program was stopped. */
static int copy_old(const struct up_files_target *t, struct up_error *err)
{
    struct up_storage *s = t->place.storage;
    const char *part = t->name[UP_FILES_OLD_PART];
    uint8_t digest[UP_SHA256_SIZE];
    int file, rc;

    if (t->found->st.kind != UP_NODE_FILE)
        return up_files_target_refuse(t, "a link cannot be kept where the file system has no hard links",
                                      err);
    if (up_files_tree_remove(&t->place, part, err) < 0)
        return err->code;
    file = s->ops->open_at(s, t->place.dir, part, UP_WRITE_ONLY_NEW, 0600);
    if (file < 0)
        return up_files_tree_failed(&t->place, part, "create", err);
    rc = up_files_tree_copy(&t->place, t->op->name, file, err);
    s->ops->close(s, file);
    if (rc < 0 || up_files_tree_digest(&t->place, part, digest, err) < 0)
        return err->code;
    if (memcmp(digest, t->found->digest, sizeof digest) != 0)
        return up_fail(err, UP_WRITE, "%s/%s: changed while it was kept", t->place.root, t->op->name);
    return up_files_tree_rename(&t->place, part, t->name[UP_FILES_OLD], err);
}

static int keep_old(const struct up_files_work *w, const struct up_files_target *t, uint32_t n,
                    struct up_error *err)
{
    struct up_storage *s = t->place.storage;
    const char *old = t->name[UP_FILES_OLD];
    struct up_stat st;
    int there = up_files_tree_look(&t->place, old, &st, err);

    if (there != 0)
        return there < 0 ? there : 0;
    if (up_files_weak_at(w, n) && up_files_weak_keep(w, &t->place, n, t->op->name, false, err) < 0)
        return err->code;
    if (s->ops->link_at(s, t->place.dir, t->op->name, old) < 0) {
        if (!up_files_tree_has_no_links(errno))
            return up_files_tree_failed(&t->place, old, "link", err);
        if (copy_old(t, err) < 0)
            return err->code;
    }
    return up_files_tree_sync(&t->place, err);
}

/* .new was made with the attributes that the target had while staging; they may have changed since. */
static int make_like_old(const struct up_files_target *t, struct up_error *err)
{
    struct up_storage *s = t->place.storage;
    const char *name = t->name[UP_FILES_NEW];
    int old = s->ops->open_at(s, t->place.dir, t->name[UP_FILES_OLD], UP_READ, 0), fresh, changed = -1,
        rc = 0;

    if (old < 0)
        return up_files_tree_failed(&t->place, t->name[UP_FILES_OLD], "open", err);
    fresh = s->ops->open_at(s, t->place.dir, name, UP_UPDATE, 0);
    if (fresh >= 0)
        changed = up_files_tree_make_like(&t->place, fresh, old);
    if (changed < 0 || (changed > 0 && s->ops->sync(s, fresh) < 0))
        rc = up_files_tree_failed(&t->place, name, "attributes", err);
    if (fresh >= 0)
        s->ops->close(s, fresh);
    s->ops->close(s, old);
    return rc;
}

/* .new takes the target's place; it is not there if that was done before. */
static int move_over(const struct up_files_target *t, struct up_error *err)
{
    struct up_stat st;
    int there = up_files_tree_look(&t->place, t->name[UP_FILES_NEW], &st, err);

    if (there <= 0)
        return there;
    if (t->found->st.kind == UP_NODE_FILE && make_like_old(t, err) < 0)
        return err->code;
    return up_files_tree_rename(&t->place, t->name[UP_FILES_NEW], t->op->name, err);
}

/* There was nothing here. As long as .new is there, what is here now belongs to somebody else. */
static int move_in_new(const struct up_files_target *t, struct up_error *err)
{
    struct up_stat st;
    int there = up_files_tree_look(&t->place, t->name[UP_FILES_NEW], &st, err);

    if (there <= 0)
        return there;
    there = up_files_tree_look(&t->place, t->op->name, &st, err);
    if (there != 0)
        return there < 0 ? there : up_files_target_refuse(t, "has appeared", err);
    return up_files_tree_rename(&t->place, t->name[UP_FILES_NEW], t->op->name, err);
}

/* A directory that cannot be renamed is copied; the copy is complete and durable before anything is removed. */
static int keep_copy(const struct up_files_target *t, struct up_error *err)
{
    const struct up_files_place *p = &t->place;
    const char *part = t->name[UP_FILES_OLD_PART];

    if (up_files_tree_remove(p, part, err) < 0 || up_files_copy_dir(p, t->op->name, p->dir, part, err) < 0 ||
        up_files_tree_rename(p, part, t->name[UP_FILES_OLD], err) < 0 || up_files_tree_sync(p, err) < 0)
        return err->code;
    return up_files_tree_remove(p, t->op->name, err);
}

static int put_aside(const struct up_files_work *w, const struct up_files_target *t, uint32_t n,
                     struct up_error *err)
{
    struct up_storage *s = t->place.storage;
    struct up_stat st;
    int there = up_files_tree_look(&t->place, t->name[UP_FILES_OLD], &st, err);

    if (there < 0)
        return there;
    if (there > 0) /* a directory: the rest of it, if .old is a copy */
        return st.kind == UP_NODE_DIR ? up_files_foreign_set_aside(w, &t->place, n, err) : 0;
    if (s->ops->rename_at(s, t->place.dir, t->op->name, t->name[UP_FILES_OLD]) == 0)
        return 0;
    if (errno != EXDEV || t->found->st.kind != UP_NODE_DIR)
        return up_files_tree_failed(&t->place, t->op->name, "rename", err);
    return keep_copy(t, err);
}

/* What appeared where nothing was; what is empty may be ours. */
static int may_cover(const struct up_files_work *w, const struct up_files_target *t, uint32_t n,
                     struct up_error *err)
{
    struct up_stat st, fresh;
    int there = up_files_tree_look(&t->place, t->op->name, &st, err), waits;

    if (there <= 0 || up_files_weak_is_cut(&st))
        return there < 0 ? there : 0;
    there = up_files_weak_holds(w, &t->place, n, t->op->name, true, err);
    waits = up_files_tree_look(&t->place, t->name[UP_FILES_NEW], &fresh, err);
    if (there < 0 || waits < 0)
        return err->code;
    return !there && waits ? up_files_target_refuse(t, "has appeared", err) : 0;
}

/* What was deleted may be there again after a cut, whole or empty. Anything else is what a program made since. */
static int delete_weak(const struct up_files_work *w, const struct up_files_target *t, uint32_t n,
                       struct up_error *err)
{
    const char *old = t->name[UP_FILES_OLD];
    struct up_stat st, kept;
    int there = up_files_tree_look(&t->place, t->op->name, &st, err), moved, same;

    if (there <= 0)
        return there;
    moved = up_files_tree_look(&t->place, old, &kept, err);
    if (moved < 0 || (!moved && up_files_weak_keep(w, &t->place, n, t->op->name, false, err) < 0))
        return err->code;
    if (!moved)
        return up_files_tree_rename(&t->place, t->op->name, old, err);
    same = up_files_weak_holds(w, &t->place, n, t->op->name, false, err);
    if (same < 0)
        return same;
    return same || up_files_weak_is_cut(&st) ? up_files_tree_unlink(&t->place, t->op->name, err) : 0;
}

static int go_forward_weak(const struct up_files_work *w, const struct up_files_target *t, uint32_t n,
                           struct up_error *err)
{
    if (t->op->kind == UP_FILES_PUT) {
        if (t->found->there ? keep_old(w, t, n, err) < 0 : may_cover(w, t, n, err) < 0)
            return err->code;
        return up_files_weak_renew(w, &t->place, n, t->name[UP_FILES_NEW], true, err);
    }
    return delete_weak(w, t, n, err);
}

static int go_forward(const struct up_files_work *w, const struct up_files_target *t, uint32_t n,
                      struct up_error *err)
{
    if (up_files_weak_at(w, n))
        return go_forward_weak(w, t, n, err);
    if (up_files_weak_dir_at(w, n))
        return up_files_weak_dir_forward(w, &t->place, n, err);
    if (t->op->kind == UP_FILES_DELETE)
        return t->found->there ? put_aside(w, t, n, err) : 0;
    if (!t->found->there)
        return move_in_new(t, err);
    if (keep_old(w, t, n, err) < 0)
        return err->code;
    return move_over(t, err);
}

int up_files_op_forward(const struct up_files_work *w, uint32_t n, struct up_error *err)
{
    struct up_files_target t;

    if (!up_files_plan_is_step(&w->plan->op[n]))
        return 0;
    if (up_files_target_open(&t, w, n, err) < 0)
        return err->code;
    return up_files_target_finish(&t, go_forward(w, &t, n, err), err);
}
