#include "files_ops.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "files_copy.h"
#include "files_foreign.h"
#include "files_tree.h"
#include "files_weak.h"
#include "files_weak_dir.h"

/* One operation at its place. */
struct at {
    struct up_files_place place;
    const struct up_files_op *op;
    const struct up_files_found *found; /* NULL while staging */
    char name[UP_FILES_TEMPORARIES][UP_FILES_TEMPORARY_SIZE];
};

static int open_at(struct at *a, const struct up_files_work *w, uint32_t n, struct up_error *err)
{
    a->op = &w->plan->op[n];
    a->found = w->found ? &w->found[n] : NULL;
    for (unsigned i = 0; i < UP_FILES_TEMPORARIES; i++)
        up_files_plan_temporary(w->plan, n, (enum up_files_plan_temporary)i, a->name[i]);
    return up_files_tree_open(&a->place, w->storage, w->plan, n, err);
}

static int refuse(const struct at *a, const char *why, struct up_error *err)
{
    return up_fail(err, UP_INCOMPATIBLE, "%s/%s%s%s: %s", a->place.root, a->place.folder,
                   *a->place.folder ? "/" : "", a->op->name, why);
}

/* `keeps`: what is there stays on record after the plan. */
static int may_touch(const struct at *a, const struct up_stat *st, bool keeps, struct up_error *err)
{
    if (st->mount_point)
        return refuse(a, "is a mount", err);
    if (st->fixed)
        return refuse(a, "is immutable or append-only", err);
    if (a->op->kind == UP_FILES_MAKE_DIR)
        return refuse(a, "is there already", err);
    if (keeps && st->kind != UP_NODE_FILE)
        return refuse(a, "is no file, and a hotfix changes only files", err);
    if (st->kind == UP_NODE_FILE || st->kind == UP_NODE_LINK)
        return 0;
    if (st->kind != UP_NODE_DIR || a->op->kind != UP_FILES_DELETE)
        return refuse(a, "is no file", err);
    return up_files_tree_removable(&a->place, a->op->name, err);
}

/* In a directory where names can be made but not removed, even our own names would stay. */
static int may_work_in(const struct at *a, struct up_error *err)
{
    struct up_stat st;

    if (a->place.storage->ops->stat_file(a->place.storage, a->place.dir, &st) < 0)
        return up_files_tree_failed(&a->place, "", "stat", err);
    return st.fixed ? refuse(a, "its folder is immutable or append-only", err) : 0;
}

int up_files_op_find(const struct up_files_work *w, uint32_t n, bool digest, struct up_files_found *out,
                     struct up_error *err)
{
    struct at a;
    int rc;

    *out = (struct up_files_found){0};
    if (!up_files_plan_is_step(&w->plan->op[n]))
        return 0;
    if (open_at(&a, w, n, err) < 0)
        return err->code;
    rc = may_work_in(&a, err);
    if (rc == 0)
        rc = up_files_tree_look(&a.place, a.op->name, &out->st, err);
    out->there = rc > 0;
    if (out->there)
        rc = may_touch(&a, &out->st, up_files_plan_keeps(w->plan), err);
    if (rc == 0 && digest && out->there && out->st.kind == UP_NODE_FILE)
        rc = up_files_tree_digest(&a.place, a.op->name, out->digest, err);
    up_files_tree_close(&a.place);
    return rc;
}

/* A copy instead of a link. Nothing else writes the target: its program was stopped. */
static int copy_old(const struct at *a, struct up_error *err)
{
    struct up_storage *s = a->place.storage;
    const char *part = a->name[UP_FILES_OLD_PART];
    uint8_t digest[UP_SHA256_SIZE];
    int file, rc;

    if (a->found->st.kind != UP_NODE_FILE)
        return refuse(a, "a link cannot be kept where the file system has no hard links", err);
    if (up_files_tree_remove(&a->place, part, err) < 0)
        return err->code;
    file = s->ops->open_at(s, a->place.dir, part, UP_WRITE_ONLY_NEW, 0600);
    if (file < 0)
        return up_files_tree_failed(&a->place, part, "create", err);
    rc = up_files_tree_copy(&a->place, a->op->name, file, err);
    s->ops->close(s, file);
    if (rc < 0 || up_files_tree_digest(&a->place, part, digest, err) < 0)
        return err->code;
    if (memcmp(digest, a->found->digest, sizeof digest) != 0)
        return up_fail(err, UP_WRITE, "%s/%s: changed while it was kept", a->place.root, a->op->name);
    return up_files_tree_rename(&a->place, part, a->name[UP_FILES_OLD], err);
}

static int keep_old(const struct up_files_work *w, const struct at *a, uint32_t n, struct up_error *err)
{
    struct up_storage *s = a->place.storage;
    const char *old = a->name[UP_FILES_OLD];
    struct up_stat st;
    int there = up_files_tree_look(&a->place, old, &st, err);

    if (there != 0)
        return there < 0 ? there : 0;
    if (up_files_weak_at(w, n) && up_files_weak_keep(w, &a->place, n, a->op->name, false, err) < 0)
        return err->code;
    if (s->ops->link_at(s, a->place.dir, a->op->name, old) < 0) {
        if (!up_files_tree_has_no_links(errno))
            return up_files_tree_failed(&a->place, old, "link", err);
        if (copy_old(a, err) < 0)
            return err->code;
    }
    return up_files_tree_sync(&a->place, err);
}

/* .new was made with the attributes that the target had while staging; they may have changed since. */
static int make_like_old(const struct at *a, struct up_error *err)
{
    struct up_storage *s = a->place.storage;
    const char *name = a->name[UP_FILES_NEW];
    int old = s->ops->open_at(s, a->place.dir, a->name[UP_FILES_OLD], UP_READ, 0), fresh, changed = -1,
        rc = 0;

    if (old < 0)
        return up_files_tree_failed(&a->place, a->name[UP_FILES_OLD], "open", err);
    fresh = s->ops->open_at(s, a->place.dir, name, UP_UPDATE, 0);
    if (fresh >= 0)
        changed = up_files_tree_make_like(&a->place, fresh, old);
    if (changed < 0 || (changed > 0 && s->ops->sync(s, fresh) < 0))
        rc = up_files_tree_failed(&a->place, name, "attributes", err);
    if (fresh >= 0)
        s->ops->close(s, fresh);
    s->ops->close(s, old);
    return rc;
}

/* .new takes the target's place; it is not there if that was done before. */
static int move_over(const struct at *a, struct up_error *err)
{
    struct up_stat st;
    int there = up_files_tree_look(&a->place, a->name[UP_FILES_NEW], &st, err);

    if (there <= 0)
        return there;
    if (a->found->st.kind == UP_NODE_FILE && make_like_old(a, err) < 0)
        return err->code;
    return up_files_tree_rename(&a->place, a->name[UP_FILES_NEW], a->op->name, err);
}

/* There was nothing here. As long as .new is there, what is here now belongs to somebody else. */
static int move_in_new(const struct at *a, struct up_error *err)
{
    struct up_stat st;
    int there = up_files_tree_look(&a->place, a->name[UP_FILES_NEW], &st, err);

    if (there <= 0)
        return there;
    there = up_files_tree_look(&a->place, a->op->name, &st, err);
    if (there != 0)
        return there < 0 ? there : refuse(a, "has appeared", err);
    return up_files_tree_rename(&a->place, a->name[UP_FILES_NEW], a->op->name, err);
}

/* A directory that cannot be renamed is copied; the copy is complete and durable before anything is removed. */
static int keep_copy(const struct at *a, struct up_error *err)
{
    const struct up_files_place *p = &a->place;
    const char *part = a->name[UP_FILES_OLD_PART];

    if (up_files_tree_remove(p, part, err) < 0 || up_files_copy_dir(p, a->op->name, p->dir, part, err) < 0 ||
        up_files_tree_rename(p, part, a->name[UP_FILES_OLD], err) < 0 || up_files_tree_sync(p, err) < 0)
        return err->code;
    return up_files_tree_remove(p, a->op->name, err);
}

static int put_aside(const struct up_files_work *w, const struct at *a, uint32_t n, struct up_error *err)
{
    struct up_storage *s = a->place.storage;
    struct up_stat st;
    int there = up_files_tree_look(&a->place, a->name[UP_FILES_OLD], &st, err);

    if (there < 0)
        return there;
    if (there > 0) /* a directory: the rest of it, if .old is a copy */
        return st.kind == UP_NODE_DIR ? up_files_foreign_set_aside(w, &a->place, n, err) : 0;
    if (s->ops->rename_at(s, a->place.dir, a->op->name, a->name[UP_FILES_OLD]) == 0)
        return 0;
    if (errno != EXDEV || a->found->st.kind != UP_NODE_DIR)
        return up_files_tree_failed(&a->place, a->op->name, "rename", err);
    return keep_copy(a, err);
}

/* What appeared where nothing was; what is empty may be ours. */
static int may_cover(const struct up_files_work *w, const struct at *a, uint32_t n, struct up_error *err)
{
    struct up_stat st, fresh;
    int there = up_files_tree_look(&a->place, a->op->name, &st, err), waits;

    if (there <= 0 || up_files_weak_is_cut(&st))
        return there < 0 ? there : 0;
    there = up_files_weak_holds(w, &a->place, n, a->op->name, true, err);
    waits = up_files_tree_look(&a->place, a->name[UP_FILES_NEW], &fresh, err);
    if (there < 0 || waits < 0)
        return err->code;
    return !there && waits ? refuse(a, "has appeared", err) : 0;
}

/* What was deleted may be there again after a cut, whole or empty. Anything else is what a program made since. */
static int delete_weak(const struct up_files_work *w, const struct at *a, uint32_t n, struct up_error *err)
{
    const char *old = a->name[UP_FILES_OLD];
    struct up_stat st, kept;
    int there = up_files_tree_look(&a->place, a->op->name, &st, err), moved, same;

    if (there <= 0)
        return there;
    moved = up_files_tree_look(&a->place, old, &kept, err);
    if (moved < 0 || (!moved && up_files_weak_keep(w, &a->place, n, a->op->name, false, err) < 0))
        return err->code;
    if (!moved)
        return up_files_tree_rename(&a->place, a->op->name, old, err);
    same = up_files_weak_holds(w, &a->place, n, a->op->name, false, err);
    if (same < 0)
        return same;
    return same || up_files_weak_is_cut(&st) ? up_files_tree_unlink(&a->place, a->op->name, err) : 0;
}

static int go_forward_weak(const struct up_files_work *w, const struct at *a, uint32_t n,
                           struct up_error *err)
{
    if (a->op->kind == UP_FILES_PUT) {
        if (a->found->there ? keep_old(w, a, n, err) < 0 : may_cover(w, a, n, err) < 0)
            return err->code;
        return up_files_weak_renew(w, &a->place, n, a->name[UP_FILES_NEW], true, err);
    }
    return delete_weak(w, a, n, err);
}

static int go_forward(const struct up_files_work *w, const struct at *a, uint32_t n, struct up_error *err)
{
    if (up_files_weak_at(w, n))
        return go_forward_weak(w, a, n, err);
    if (up_files_weak_dir_at(w, n))
        return up_files_weak_dir_forward(w, &a->place, n, err);
    if (a->op->kind == UP_FILES_DELETE)
        return a->found->there ? put_aside(w, a, n, err) : 0;
    if (!a->found->there)
        return move_in_new(a, err);
    if (keep_old(w, a, n, err) < 0)
        return err->code;
    return move_over(a, err);
}

/* Nothing was here. As long as .new waits, what is here now came by itself and is left alone;
 * unless it is what a file system that renames in two steps made of .new. */
static int take_away(const struct up_files_work *w, const struct at *a, uint32_t n, struct up_error *err)
{
    uint8_t digest[UP_SHA256_SIZE] = {0};
    struct up_stat st, fresh;
    int there = up_files_tree_look(&a->place, a->op->name, &st, err);

    if (there <= 0)
        return there;
    if (st.kind == UP_NODE_FILE && up_files_tree_digest(&a->place, a->op->name, digest, err) < 0)
        return err->code;
    if (st.kind == UP_NODE_FILE && memcmp(digest, a->op->digest, sizeof digest) == 0)
        return up_files_tree_unlink(&a->place, a->op->name, err);
    there = up_files_tree_look(&a->place, a->name[UP_FILES_NEW], &fresh, err);
    if (there != 0)
        return there < 0 ? there : 0;
    return up_files_foreign_set_aside(w, &a->place, n, err);
}

static int take_dir_away(const struct at *a, struct up_error *err)
{
    struct up_stat st;
    int there = up_files_tree_look(&a->place, a->name[UP_FILES_NEW], &st, err);

    if (there != 0)
        return there < 0 ? there : 0;
    there = up_files_tree_look(&a->place, a->op->name, &st, err);
    return there > 0 ? up_files_tree_rename(&a->place, a->op->name, a->name[UP_FILES_NEW], err) : there;
}

static int put_back(const struct up_files_work *w, const struct at *a, uint32_t n, struct up_error *err)
{
    struct up_stat old, now;
    int kept = up_files_tree_look(&a->place, a->name[UP_FILES_OLD], &old, err), there;

    if (kept <= 0)
        return kept;
    there = up_files_tree_look(&a->place, a->op->name, &now, err);
    if (there < 0)
        return there;
    if (there && now.inode == old.inode && now.device == old.device)
        return up_files_tree_unlink(&a->place, a->name[UP_FILES_OLD], err);
    if (there && (a->op->kind == UP_FILES_DELETE || now.kind == UP_NODE_DIR) &&
        up_files_foreign_set_aside(w, &a->place, n, err) < 0)
        return err->code;
    return up_files_tree_rename(&a->place, a->name[UP_FILES_OLD], a->op->name, err);
}

static int go_back_weak(const struct up_files_work *w, const struct at *a, uint32_t n, struct up_error *err)
{
    struct up_stat st;
    int there = up_files_tree_look(&a->place, a->op->name, &st, err), old;

    if (there < 0)
        return there;
    if (!a->found->there)
        return there && up_files_weak_is_cut(&st) ? up_files_tree_unlink(&a->place, a->op->name, err)
                                                  : take_away(w, a, n, err);
    old = up_files_weak_holds(w, &a->place, n, a->op->name, false, err);
    if (old != 0)
        return old < 0 ? old : 0;
    if (there && !up_files_weak_is_cut(&st) && (a->op->kind == UP_FILES_DELETE || st.kind == UP_NODE_DIR) &&
        up_files_foreign_set_aside(w, &a->place, n, err) < 0)
        return err->code;
    return up_files_weak_renew(w, &a->place, n, a->name[UP_FILES_OLD], false, err);
}

static int go_back(const struct up_files_work *w, const struct at *a, uint32_t n, struct up_error *err)
{
    if (up_files_weak_at(w, n))
        return go_back_weak(w, a, n, err);
    if (up_files_weak_dir_at(w, n))
        return up_files_weak_dir_back(w, &a->place, n, err);
    if (a->found->there)
        return put_back(w, a, n, err);
    if (a->op->kind == UP_FILES_PUT)
        return take_away(w, a, n, err);
    return a->op->kind == UP_FILES_MAKE_DIR ? take_dir_away(a, err) : 0;
}

/* Synced also when nothing was left to do: whoever did it may have lost power before its sync. */
static int finish(struct at *a, int rc, struct up_error *err)
{
    if (rc == 0)
        rc = up_files_tree_sync(&a->place, err);
    up_files_tree_close(&a->place);
    return rc;
}

int up_files_op_forward(const struct up_files_work *w, uint32_t n, struct up_error *err)
{
    struct at a;

    if (!up_files_plan_is_step(&w->plan->op[n]))
        return 0;
    if (open_at(&a, w, n, err) < 0)
        return err->code;
    return finish(&a, go_forward(w, &a, n, err), err);
}

int up_files_op_back(const struct up_files_work *w, uint32_t n, struct up_error *err)
{
    struct at a;

    if (!up_files_plan_is_step(&w->plan->op[n]))
        return 0;
    if (open_at(&a, w, n, err) < 0) /* what was not there before needs no folder either */
        return err->code == UP_MISSING && !w->found[n].there ? 0 : err->code;
    return finish(&a, go_back(w, &a, n, err), err);
}

/* .old may be a second link of what is there still. */
static int is_back(const struct at *a, bool *is, struct up_error *err)
{
    struct up_stat old, now;
    int kept, there = up_files_tree_look(&a->place, a->op->name, &now, err);

    if (there < 0)
        return there;
    *is = !there;
    if (!a->found->there)
        return 0;
    kept = up_files_tree_look(&a->place, a->name[UP_FILES_OLD], &old, err);
    *is = there && (!kept || (now.inode == old.inode && now.device == old.device));
    return kept < 0 ? kept : 0;
}

int up_files_op_check_staged(const struct up_files_work *w, uint32_t n, struct up_error *err)
{
    const char *name;
    struct up_stat st;
    struct at a;
    int there;

    if (w->plan->op[n].kind == UP_FILES_DELETE)
        return 0;
    if (open_at(&a, w, n, err) < 0)
        return err->code;
    name = up_files_plan_is_step(a.op) ? a.name[UP_FILES_NEW] : a.op->name;
    there = up_files_tree_look(&a.place, name, &st, err);
    if (there == 0)
        there = up_fail(err, UP_WRITE, "%s: what was staged for it is gone", a.op->name);
    up_files_tree_close(&a.place);
    return there < 0 ? there : 0;
}

/* In a weak root content tells, not names. */
static int is_done_weak(const struct up_files_work *w, const struct at *a, uint32_t n, bool forward, bool *is,
                        struct up_error *err)
{
    bool gone = forward ? a->op->kind == UP_FILES_DELETE : !a->found->there;
    struct up_stat st;
    int rc = gone ? up_files_tree_look(&a->place, a->op->name, &st, err)
                  : up_files_weak_holds(w, &a->place, n, a->op->name, forward, err);

    *is = gone ? rc == 0 : rc > 0;
    return rc < 0 ? rc : 0;
}

/* What took the place of another has the other as .old beside it; what went back has neither .new nor .old. */
static int is_on(const struct at *a, bool *is, struct up_error *err)
{
    struct up_stat now, old, ignored;
    int there = up_files_tree_look(&a->place, a->op->name, &now, err), fresh, kept;

    if (there < 0)
        return there;
    fresh = up_files_tree_look(&a->place, a->name[UP_FILES_NEW], &ignored, err);
    if (fresh < 0)
        return fresh;
    kept = up_files_tree_look(&a->place, a->name[UP_FILES_OLD], &old, err);
    if (kept < 0)
        return kept;
    if (a->op->kind == UP_FILES_DELETE)
        *is = !there;
    else
        *is = there && !fresh &&
              (!a->found->there || (kept && (now.inode != old.inode || now.device != old.device)));
    return 0;
}

int up_files_op_is_done(const struct up_files_work *w, uint32_t n, bool forward, bool *is,
                        struct up_error *err)
{
    struct at a;
    int rc;

    *is = true;
    if (!up_files_plan_is_step(&w->plan->op[n]))
        return 0;
    if (open_at(&a, w, n, err) < 0) {
        *is = !forward && !w->found[n].there;
        return err->code == UP_MISSING ? 0 : err->code;
    }
    if (up_files_weak_at(w, n))
        rc = is_done_weak(w, &a, n, forward, is, err);
    else
        rc = forward ? is_on(&a, is, err) : is_back(&a, is, err);
    up_files_tree_close(&a.place);
    return rc;
}

int up_files_op_sweep(const struct up_files_work *w, uint32_t n, struct up_error *err)
{
    struct at a;
    int rc = 0;

    if (!up_files_plan_is_step(&w->plan->op[n]))
        return 0;
    if (open_at(&a, w, n, err) < 0)
        return err->code == UP_MISSING ? 0 : err->code;
    for (unsigned i = 0; i < UP_FILES_TEMPORARIES && rc == 0; i++)
        rc = up_files_tree_remove(&a.place, a.name[i], err);
    return finish(&a, rc, err);
}
