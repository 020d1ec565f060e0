#include "files_weak_dir.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "files_copy.h"
#include "files_foreign.h"
#include "files_weak.h"

#define DEPTH 32 /* of directories below one another, as in files_copy.c */

bool up_files_weak_dir_at(const struct up_files_work *w, uint32_t n)
{
    const struct up_files_op *op = &w->plan->op[n];

    if (!w->plan->root[op->root].weak)
        return false;
    return op->kind == UP_FILES_MAKE_DIR || (op->kind == UP_FILES_DELETE && w->found && w->found[n].there &&
                                             w->found[n].st.kind == UP_NODE_DIR);
}

/* A directory of a place: 1 something is in it, 0 nothing, -1 it is not there, or an error below that. */
#define ABSENT -1

static int any(void *user, const char *name, enum up_node_kind kind)
{
    (void)name, (void)kind;
    *(int *)user = 1;
    return 1;
}

static int look_into(const struct up_files_place *p, const char *name, int *state, struct up_error *err)
{
    struct up_storage *s = p->storage;
    struct up_stat st;
    int there = up_files_tree_look(p, name, &st, err), dir, rc = 0;

    *state = there > 0 ? 1 : ABSENT;
    if (there <= 0 || st.kind != UP_NODE_DIR)
        return there < 0 ? there : 0;
    *state = 0;
    dir = s->ops->open_dir(s, p->dir, name, true);
    if (dir < 0)
        return up_files_tree_failed(p, name, "open", err);
    if (s->ops->list_at(s, dir, any, state) < 0)
        rc = up_files_tree_failed(p, name, "list", err);
    s->ops->close(s, dir);
    return rc;
}

/* What a directory and its other name hold. */
struct pair {
    char other[UP_FILES_TEMPORARY_SIZE];
    int target, beside; /* as look_into() says */
};

static int look_at_both(const struct up_files_work *w, const struct up_files_place *p, uint32_t n,
                        struct pair *out, struct up_error *err)
{
    const struct up_files_op *op = &w->plan->op[n];

    up_files_plan_temporary(w->plan, n, op->kind == UP_FILES_MAKE_DIR ? UP_FILES_NEW : UP_FILES_OLD,
                            out->other);
    return look_into(p, op->name, &out->target, err) < 0 ? err->code
                                                         : look_into(p, out->other, &out->beside, err);
}

static bool has_inside(const struct up_files_plan *plan, uint32_t n)
{
    for (uint32_t k = n + 1; k < plan->op_count; k++)
        if (!up_files_plan_is_step(&plan->op[k]) && plan->op[k].parent == n)
            return true;
    return false;
}

/* Both names of a new directory are there. Whether a rename that was cut left them, or the target is somebody's. */
static bool is_one(const struct up_files_work *w, uint32_t n, const struct pair *pair)
{
    return pair->target == 0 || (pair->beside == 0 && has_inside(w->plan, n));
}

/*
 * A new directory.
 */

/* One thing in it: there, and whole. */
static int fill_one(const struct up_files_work *w, uint32_t n, uint32_t k, struct up_error *err)
{
    const struct up_files_op *made = &w->plan->op[n], *op = &w->plan->op[k];
    char folder[UP_PATH_SIZE], part[UP_FILES_TEMPORARY_SIZE], fresh[UP_FILES_TEMPORARY_SIZE];
    struct up_storage *s = w->storage;
    struct up_files_place p;
    struct up_stat st;
    int rc;

    if (snprintf(folder, sizeof folder, "%s%s%s%s%s", made->dir, *made->dir ? "/" : "", made->name,
                 *op->dir ? "/" : "", op->dir) >= (int)sizeof folder)
        return up_fail(err, UP_INCOMPATIBLE, "%s/%s: path too long", made->dir, made->name);
    if (up_files_tree_open_at(&p, s, w->plan->root[op->root].path, folder, err) < 0)
        return err->code;
    up_files_plan_temporary(w->plan, k, UP_FILES_OLD_PART, part);
    up_files_plan_temporary(w->plan, k, UP_FILES_NEW, fresh);
    rc = up_files_tree_look(&p, op->name, &st, err);
    if (op->kind == UP_FILES_INSIDE)
        rc = rc < 0 ? rc : up_files_weak_renew(w, &p, k, fresh, true, err);
    else if (rc == 0 && s->ops->mkdir_at(s, p.dir, op->name, op->mode) < 0)
        rc = up_files_tree_failed(&p, op->name, "mkdir", err);
    if (rc >= 0)
        rc = up_files_tree_remove(&p, part, err);
    if (rc == 0)
        rc = up_files_tree_sync(&p, err);
    up_files_tree_close(&p);
    return rc;
}

static int fill(const struct up_files_work *w, uint32_t n, struct up_error *err)
{
    for (uint32_t k = n + 1; k < w->plan->op_count; k++)
        if (!up_files_plan_is_step(&w->plan->op[k]) && w->plan->op[k].parent == n &&
            fill_one(w, n, k, err) < 0)
            return err->code;
    return 0;
}

static int make(const struct up_files_work *w, const struct up_files_place *p, uint32_t n,
                struct up_error *err)
{
    const struct up_files_op *op = &w->plan->op[n];
    struct up_storage *s = p->storage;
    struct pair pair;

    if (look_at_both(w, p, n, &pair, err) < 0)
        return err->code;
    if (pair.target != ABSENT && pair.beside != ABSENT) {
        if (!is_one(w, n, &pair))
            return up_fail(err, UP_INCOMPATIBLE, "%s/%s%s%s: has appeared", p->root, p->folder,
                           *p->folder ? "/" : "", op->name);
        /* Whichever is empty goes. */
        if (up_files_tree_remove(p, pair.target == 0 ? op->name : pair.other, err) < 0)
            return err->code;
        pair.target = pair.target == 0 ? ABSENT : pair.target;
    }
    if (pair.target == ABSENT && pair.beside != ABSENT &&
        up_files_tree_rename(p, pair.other, op->name, err) < 0)
        return err->code;
    if (pair.target == ABSENT && pair.beside == ABSENT && s->ops->mkdir_at(s, p->dir, op->name, op->mode) < 0)
        return up_files_tree_failed(p, op->name, "mkdir", err);
    return fill(w, n, err);
}

static int unmake(const struct up_files_work *w, const struct up_files_place *p, uint32_t n,
                  struct up_error *err)
{
    const struct up_files_op *op = &w->plan->op[n];
    struct pair pair;

    if (look_at_both(w, p, n, &pair, err) < 0)
        return err->code;
    if (pair.target == ABSENT)
        return 0;
    if (pair.beside == ABSENT)
        return up_files_tree_rename(p, op->name, pair.other, err);
    return is_one(w, n, &pair) ? up_files_tree_remove(p, op->name, err) : 0;
}

/*
 * A directory that is deleted.
 */

static int keep(const struct up_files_work *w, const struct up_files_place *p, uint32_t n,
                struct up_error *err)
{
    char kept[UP_FILES_WEAK_KEPT_SIZE], part[UP_FILES_WEAK_KEPT_SIZE + sizeof ".part"];
    struct up_files_place state;
    struct up_stat st;
    int rc;

    up_files_weak_kept_name(w, n, false, kept);
    snprintf(part, sizeof part, "%s.part", kept);
    if (up_files_tree_open_at(&state, w->storage, w->folder, "", err) < 0)
        return err->code;
    rc = up_files_tree_look(&state, kept, &st, err);
    if (rc == 0)
        rc = up_files_tree_remove(&state, part, err) < 0 ||
                     up_files_copy_dir(p, w->plan->op[n].name, state.dir, part, err) < 0 ||
                     up_files_tree_sync(&state, err) < 0 || up_files_tree_rename(&state, part, kept, err) < 0
                 ? err->code
                 : up_files_tree_sync(&state, err);
    up_files_tree_close(&state);
    return rc < 0 ? rc : 0;
}

static int put_away(const struct up_files_work *w, const struct up_files_place *p, uint32_t n,
                    struct up_error *err)
{
    const char *name = w->plan->op[n].name;
    struct pair pair;

    if (look_at_both(w, p, n, &pair, err) < 0)
        return err->code;
    if (pair.target == ABSENT)
        return 0;
    if (pair.beside == ABSENT)
        return keep(w, p, n, err) < 0 ? err->code : up_files_tree_rename(p, name, pair.other, err);
    /* With both full, the target is what a program made meanwhile. */
    return pair.target == 0 || pair.beside == 0 ? up_files_tree_remove(p, name, err) : 0;
}

/* What was kept, and where it has to be. */
struct restore {
    struct up_files_place from, to;
    const char *part; /* a temporary name */
    unsigned depth;
    struct up_error *err;
    int rc;
};

static int restore_dir(const struct restore *in, const char *name, const char *to_name);

static int restore_file(const struct restore *r, const char *name)
{
    uint8_t was[UP_SHA256_SIZE], is[UP_SHA256_SIZE];
    struct up_storage *s = r->to.storage;
    struct up_stat st;
    int file, rc;

    if (up_files_tree_digest(&r->from, name, was, r->err) < 0)
        return r->err->code;
    /* What cannot be looked at, or read, is written anew. */
    if (up_files_tree_look(&r->to, name, &st, r->err) > 0 && st.kind == UP_NODE_FILE &&
        up_files_tree_digest(&r->to, name, is, r->err) == 0 && memcmp(was, is, sizeof is) == 0)
        return 0;
    if (up_files_tree_remove(&r->to, r->part, r->err) < 0)
        return r->err->code;
    file = s->ops->open_at(s, r->to.dir, r->part, UP_WRITE_ONLY_NEW, 0600);
    if (file < 0)
        return up_files_tree_failed(&r->to, r->part, "create", r->err);
    rc = up_files_tree_copy(&r->from, name, file, r->err);
    s->ops->close(s, file);
    return rc < 0 ? rc : up_files_tree_rename(&r->to, r->part, name, r->err);
}

static int restore_link(const struct restore *r, const char *name)
{
    struct up_storage *s = r->to.storage;

    if (up_files_tree_remove(&r->to, name, r->err) < 0)
        return r->err->code;
    return s->ops->copy_link_at(s, r->from.dir, name, r->to.dir) < 0
               ? up_files_tree_failed(&r->to, name, "copy", r->err)
               : 0;
}

static int restore_each(void *user, const char *name, enum up_node_kind kind)
{
    struct restore *r = user;

    if (kind == UP_NODE_DIR)
        r->rc = restore_dir(r, name, name);
    else
        r->rc = kind == UP_NODE_LINK ? restore_link(r, name) : restore_file(r, name);
    return r->rc;
}

/* All that is in an open directory. */
static int restore_all(struct restore *r)
{
    struct up_storage *s = r->from.storage;

    if (s->ops->list_at(s, r->from.dir, restore_each, r) < 0 && r->rc == 0)
        r->rc = up_files_tree_failed(&r->from, "", "list", r->err);
    if (r->rc == 0)
        r->rc = up_files_tree_remove(&r->to, r->part, r->err);
    if (r->rc == 0 && s->ops->copy_attributes(s, r->to.dir, r->from.dir) < 0)
        r->rc = up_files_tree_failed(&r->to, "", "attributes", r->err);
    return r->rc == 0 ? up_files_tree_sync(&r->to, r->err) : r->rc;
}

static int restore_dir(const struct restore *in, const char *name, const char *to_name)
{
    struct restore r = {in->from, in->to, in->part, in->depth + 1, in->err, 0};
    struct up_storage *s = in->from.storage;

    if (r.depth > DEPTH)
        return up_fail(in->err, UP_INCOMPATIBLE, "%s: %s in it is too deep", in->to.root, to_name);
    if (s->ops->mkdir_at(s, in->to.dir, to_name, 0700) < 0 && errno != EEXIST)
        return up_files_tree_failed(&in->to, to_name, "mkdir", in->err);
    r.from.dir = s->ops->open_dir(s, in->from.dir, name, true);
    if (r.from.dir < 0)
        return up_files_tree_failed(&in->from, name, "open", in->err);
    r.to.dir = s->ops->open_dir(s, in->to.dir, to_name, true);
    r.rc = r.to.dir < 0 ? up_files_tree_failed(&in->to, to_name, "open", in->err) : restore_all(&r);
    if (r.to.dir >= 0)
        s->ops->close(s, r.to.dir);
    s->ops->close(s, r.from.dir);
    return r.rc;
}

/* The fuller of both names becomes the target; what another program made there is set aside. */
static int choose_name(const struct up_files_work *w, const struct up_files_place *p, uint32_t n,
                       struct up_error *err)
{
    const char *name = w->plan->op[n].name;
    struct pair pair;

    if (look_at_both(w, p, n, &pair, err) < 0)
        return err->code;
    if (pair.beside == ABSENT || (pair.target == 1 && pair.beside == 0))
        return 0;
    if (pair.target == 1 && up_files_foreign_set_aside(w, p, n, err) < 0)
        return err->code;
    if (pair.target == 0 && up_files_tree_remove(p, name, err) < 0)
        return err->code;
    return up_files_tree_rename(p, pair.other, name, err);
}

static int bring_back(const struct up_files_work *w, const struct up_files_place *p, uint32_t n,
                      struct up_error *err)
{
    char kept[UP_FILES_WEAK_KEPT_SIZE], part[UP_FILES_TEMPORARY_SIZE], old[UP_FILES_TEMPORARY_SIZE];
    struct restore r = {.to = *p, .part = part, .err = err};
    struct up_stat st;
    int rc;

    up_files_weak_kept_name(w, n, false, kept);
    up_files_plan_temporary(w->plan, n, UP_FILES_OLD_PART, part);
    up_files_plan_temporary(w->plan, n, UP_FILES_OLD, old);
    if (up_files_tree_open_at(&r.from, w->storage, w->folder, "", err) < 0)
        return err->code;
    rc = up_files_tree_look(&r.from, kept, &st, err);
    if (rc > 0) /* else it was not touched */
        rc = choose_name(w, p, n, err) < 0 || restore_dir(&r, kept, w->plan->op[n].name) < 0 ||
                     up_files_tree_sync(p, err) < 0
                 ? err->code
                 : up_files_tree_remove(p, old, err);
    up_files_tree_close(&r.from);
    return rc;
}

int up_files_weak_dir_forward(const struct up_files_work *w, const struct up_files_place *p, uint32_t n,
                              struct up_error *err)
{
    return w->plan->op[n].kind == UP_FILES_MAKE_DIR ? make(w, p, n, err) : put_away(w, p, n, err);
}

int up_files_weak_dir_back(const struct up_files_work *w, const struct up_files_place *p, uint32_t n,
                           struct up_error *err)
{
    return w->plan->op[n].kind == UP_FILES_MAKE_DIR ? unmake(w, p, n, err) : bring_back(w, p, n, err);
}
