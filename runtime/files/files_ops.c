#include "files_ops.h"

#include <string.h>

#include "error.h"
#include "files_target.h"
#include "files_tree.h"
#include "files_weak.h"
#include "log.h"

/* `keeps`: what is there stays on record after the plan. */
static int may_touch(const struct up_files_target *t, const struct up_stat *st, bool keeps,
                     struct up_error *err)
{
    if (st->mount_point)
        return up_files_target_refuse(t, "is a mount", err);
    if (st->fixed)
        return up_files_target_refuse(t, "is immutable or append-only", err);
    if (t->op->kind == UP_FILES_MAKE_DIR)
        return up_files_target_refuse(t, "is there already", err);
    if (keeps && st->kind != UP_NODE_FILE)
        return up_files_target_refuse(t, "is no file, and a hotfix changes only files", err);
    if (st->kind == UP_NODE_FILE || st->kind == UP_NODE_LINK)
        return 0;
    if (st->kind != UP_NODE_DIR || t->op->kind != UP_FILES_DELETE)
        return up_files_target_refuse(t, "is no file", err);
    return up_files_tree_removable(&t->place, t->op->name, err);
}

/* In a directory where names can be made but not removed, even our own names would stay. */
static int may_work_in(const struct up_files_target *t, struct up_error *err)
{
    struct up_stat st;

    if (t->place.storage->ops->stat_file(t->place.storage, t->place.dir, &st) < 0)
        return up_files_tree_failed(&t->place, "", "stat", err);
    return st.fixed ? up_files_target_refuse(t, "its folder is immutable or append-only", err) : 0;
}

/* Its old file is kept as a second name alone, so one with a bad block under it can be replaced or deleted as well: an
 * update may be what mends it. Elsewhere it has to be copied. */
static int digest_found(const struct up_files_work *w, const struct up_files_target *t,
                        struct up_files_found *out, struct up_error *err)
{
    int rc = up_files_tree_digest(&t->place, t->op->name, out->digest, err);

    if (rc != UP_WRITE || w->plan->root[t->op->root].weak || up_files_plan_keeps(w->plan))
        return rc;
    up_log("files: %s; the update goes on without", err->message);
    memset(out->digest, 0, sizeof out->digest);
    return 0;
}

int up_files_op_find(const struct up_files_work *w, uint32_t n, bool digest, struct up_files_found *out,
                     struct up_error *err)
{
    struct up_files_target t;
    int rc;

    *out = (struct up_files_found){0};
    if (!up_files_plan_is_step(&w->plan->op[n]))
        return 0;
    if (up_files_target_open(&t, w, n, err) < 0)
        return err->code;
    rc = may_work_in(&t, err);
    if (rc == 0)
        rc = up_files_tree_look(&t.place, t.op->name, &out->st, err);
    out->there = rc > 0;
    if (out->there)
        rc = may_touch(&t, &out->st, up_files_plan_keeps(w->plan), err);
    if (rc == 0 && digest && out->there && out->st.kind == UP_NODE_FILE)
        rc = digest_found(w, &t, out, err);
    up_files_tree_close(&t.place);
    return rc;
}

/* .old may be a second link of what is there still. */
static int is_back(const struct up_files_target *t, bool *is, struct up_error *err)
{
    struct up_stat old, now;
    int kept, there = up_files_tree_look(&t->place, t->op->name, &now, err);

    if (there < 0)
        return there;
    *is = !there;
    if (!t->found->there)
        return 0;
    kept = up_files_tree_look(&t->place, t->name[UP_FILES_OLD], &old, err);
    *is = there && (!kept || (now.inode == old.inode && now.device == old.device));
    return kept < 0 ? kept : 0;
}

int up_files_op_check_staged(const struct up_files_work *w, uint32_t n, struct up_error *err)
{
    const char *name;
    struct up_stat st;
    struct up_files_target t;
    int there;

    if (w->plan->op[n].kind == UP_FILES_DELETE)
        return 0;
    if (up_files_target_open(&t, w, n, err) < 0)
        return err->code;
    name = up_files_plan_is_step(t.op) ? t.name[UP_FILES_NEW] : t.op->name;
    there = up_files_tree_look(&t.place, name, &st, err);
    if (there == 0)
        there = up_fail(err, UP_WRITE, "%s: what was staged for it is gone", t.op->name);
    up_files_tree_close(&t.place);
    return there < 0 ? there : 0;
}

/* In a weak root content tells, not names. */
static int is_done_weak(const struct up_files_work *w, const struct up_files_target *t, uint32_t n,
                        bool forward, bool *is, struct up_error *err)
{
    bool gone = forward ? t->op->kind == UP_FILES_DELETE : !t->found->there;
    struct up_stat st;
    int rc = gone ? up_files_tree_look(&t->place, t->op->name, &st, err)
                  : up_files_weak_holds(w, &t->place, n, t->op->name, forward, err);

    *is = gone ? rc == 0 : rc > 0;
    return rc < 0 ? rc : 0;
}

/* What took the place of another has the other as .old beside it; what went back has neither .new nor .old. */
static int is_on(const struct up_files_target *t, bool *is, struct up_error *err)
{
    struct up_stat now, old, ignored;
    int there = up_files_tree_look(&t->place, t->op->name, &now, err), fresh, kept;

    if (there < 0)
        return there;
    fresh = up_files_tree_look(&t->place, t->name[UP_FILES_NEW], &ignored, err);
    if (fresh < 0)
        return fresh;
    kept = up_files_tree_look(&t->place, t->name[UP_FILES_OLD], &old, err);
    if (kept < 0)
        return kept;
    if (t->op->kind == UP_FILES_DELETE)
        *is = !there;
    else
        *is = there && !fresh &&
              (!t->found->there || (kept && (now.inode != old.inode || now.device != old.device)));
    return 0;
}

int up_files_op_is_done(const struct up_files_work *w, uint32_t n, bool forward, bool *is,
                        struct up_error *err)
{
    struct up_files_target t;
    int rc;

    *is = true;
    if (!up_files_plan_is_step(&w->plan->op[n]))
        return 0;
    if (up_files_target_open(&t, w, n, err) < 0) {
        *is = !forward && !w->found[n].there;
        return err->code == UP_MISSING ? 0 : err->code;
    }
    if (up_files_weak_at(w, n))
        rc = is_done_weak(w, &t, n, forward, is, err);
    else
        rc = forward ? is_on(&t, is, err) : is_back(&t, is, err);
    up_files_tree_close(&t.place);
    return rc;
}

/* What waits for its place may have got its last attributes in the cache only. */
static int settle_new(const struct up_files_target *t, struct up_error *err)
{
    struct up_storage *s = t->place.storage;
    const char *name = t->name[UP_FILES_NEW];
    struct up_stat st;
    int there = up_files_tree_look(&t->place, name, &st, err), file, rc = 0;

    if (there <= 0 || st.kind != UP_NODE_FILE)
        return there < 0 ? there : 0;
    file = s->ops->open_at(s, t->place.dir, name, UP_READ, 0);
    if (file < 0)
        return up_files_tree_failed(&t->place, name, "open", err);
    if (s->ops->sync(s, file) < 0)
        rc = up_files_tree_failed(&t->place, name, "sync", err);
    s->ops->close(s, file);
    return rc;
}

int up_files_op_settle(const struct up_files_work *w, uint32_t n, struct up_error *err)
{
    struct up_files_target t;

    if (!up_files_plan_is_step(&w->plan->op[n]))
        return 0;
    if (up_files_target_open(&t, w, n, err) < 0)
        return err->code == UP_MISSING ? 0 : err->code;
    return up_files_target_finish(&t, settle_new(&t, err), err);
}

int up_files_op_sweep(const struct up_files_work *w, uint32_t n, struct up_error *err)
{
    struct up_files_target t;
    int rc = 0;

    if (!up_files_plan_is_step(&w->plan->op[n]))
        return 0;
    if (up_files_target_open(&t, w, n, err) < 0)
        return err->code == UP_MISSING ? 0 : err->code;
    for (unsigned i = 0; i < UP_FILES_TEMPORARIES && rc == 0; i++)
        rc = up_files_tree_remove(&t.place, t.name[i], err);
    return up_files_target_finish(&t, rc, err);
}
