/*
 * files_staging.c -- the first half of files.h: a plan is put on record,
 * and every new file lies beside its target.
 */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "files.h"
#include "files_here.h"
#include "files_tree.h"
#include "files_try.h"
#include "files_twin.h"
#include "files_weak.h"

#define CHUNK 65536u

int up_files_begin(struct up_files *f, const struct up_files_plan *plan, struct up_error *err)
{
    struct up_files_stage next = {.step = UP_FILES_STAGING};
    uint8_t *bytes;
    size_t len;
    int rc;

    if (f->stage.step != UP_FILES_NONE)
        return up_fail(err, UP_BUSY, "files: a plan is %s", up_files_stage_step_name(f->stage.step));
    if (up_storage_make_dir(f->storage, f->folder, 0700, err) < 0 || up_files_tidy(f, err) < 0 ||
        up_files_stage_prepare(&f->record, err) < 0 || up_files_plan_encode(plan, &bytes, &len, err) < 0)
        return err->code;
    rc = up_files_twin_write(f->storage, f->folder, bytes, len, next.plan, err);
    if (rc == 0)
        rc = up_files_plan_decode(&f->plan, bytes, len, err);
    free(bytes);
    /* Before the stage: from staging on nothing is done without them. */
    if (rc == 0)
        rc = up_files_here_make(f->storage, &f->plan, err);
    if (rc == 0)
        rc = up_files_stage_write(&f->record, &next, err);
    if (rc < 0)
        up_files_plan_free(&f->plan);
    else
        f->stage = next;
    return rc;
}

static int write_content(const struct up_files_place *p, const struct up_files_op *op, const char *name,
                         int file, const struct up_files_source *source, struct up_error *err)
{
    struct up_storage *s = p->storage;
    uint8_t *buf = malloc(CHUNK);
    uint64_t at = 0;

    if (!buf)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", name);
    err->code = 0;
    while (at < op->size && err->code == 0) {
        size_t want = op->size - at < CHUNK ? (size_t)(op->size - at) : CHUNK;
        long long got = source->read(source->user, op->content, buf, want, at, err);

        if (got >= 0 && (size_t)got < want)
            (void)!up_fail(err, UP_UNTRUSTED, "%s: shorter than the plan says", op->name);
        else if (got >= 0 && s->ops->pwrite(s, file, buf, want, at) < 0)
            (void)!up_files_tree_failed(p, name, "write", err);
        at += want;
    }
    free(buf);
    return err->code;
}

/* Like an open file, which is closed. */
static int make_like(const struct up_files_place *p, const char *name, int file, int like,
                     struct up_error *err)
{
    int rc =
        up_files_tree_make_like(p, file, like) < 0 ? up_files_tree_failed(p, name, "attributes", err) : 0;

    p->storage->ops->close(p->storage, like);
    return rc;
}

/* The attributes of the file that it replaces; a new one gets the owner of its folder. */
static int give_attributes(const struct up_files_place *p, const struct up_files_op *op, int file,
                           const struct up_files_source *source, struct up_error *err)
{
    struct up_storage *s = p->storage;
    struct up_stat st;
    int there = up_files_plan_is_step(op) ? up_files_tree_look(p, op->name, &st, err) : 0, like;

    if (there < 0)
        return there;
    if (there > 0 && st.kind == UP_NODE_FILE) {
        like = s->ops->open_at(s, p->dir, op->name, UP_READ, 0);
        return like < 0 ? up_files_tree_failed(p, op->name, "open", err)
                        : make_like(p, op->name, file, like, err);
    }
    like = source && source->like ? source->like(source->user, op->content) : -1;
    if (like >= 0)
        return make_like(p, op->name, file, like, err);
    if (s->ops->stat_file(s, p->dir, &st) < 0 ||
        s->ops->set_attributes(s, file, st.owner, st.group, op->mode) < 0)
        return up_files_tree_failed(p, op->name, "attributes", err);
    return 0;
}

static int make_file(const struct up_files_place *p, const struct up_files_op *op, const char *name,
                     const struct up_files_source *source, struct up_error *err)
{
    struct up_storage *s = p->storage;
    uint8_t digest[UP_SHA256_SIZE];
    int file = s->ops->open_at(s, p->dir, name, UP_WRITE_ONLY_NEW, 0600), rc;

    if (file < 0)
        return up_files_tree_failed(p, name, "create", err);
    rc = write_content(p, op, name, file, source, err);
    if (rc == 0)
        rc = give_attributes(p, op, file, source, err);
    if (rc == 0 && s->ops->sync(s, file) < 0)
        rc = up_files_tree_failed(p, name, "sync", err);
    s->ops->close(s, file);
    if (rc < 0 || up_files_tree_digest(p, name, digest, err) < 0)
        return err->code;
    if (memcmp(digest, op->digest, sizeof digest) != 0)
        return up_fail(err, UP_UNTRUSTED, "%s: its content is not what the plan says", op->name);
    return up_files_tree_sync(p, err);
}

static int make_dir(const struct up_files_place *p, const struct up_files_op *op, const char *name,
                    struct up_error *err)
{
    struct up_storage *s = p->storage;
    int dir, rc;

    if (s->ops->mkdir_at(s, p->dir, name, 0700) < 0)
        return up_files_tree_failed(p, name, "mkdir", err);
    dir = s->ops->open_dir(s, p->dir, name, true);
    if (dir < 0)
        return up_files_tree_failed(p, name, "open", err);
    rc = give_attributes(p, op, dir, NULL, err);
    if (rc == 0 && s->ops->sync(s, dir) < 0)
        rc = up_files_tree_failed(p, name, "sync", err);
    s->ops->close(s, dir);
    return rc < 0 ? rc : up_files_tree_sync(p, err);
}

static int fill_one(const struct up_files_work *w, uint32_t n, const struct up_files_source *source,
                    struct up_error *err)
{
    const struct up_files_op *op = &w->plan->op[n];
    char name[UP_FILES_TEMPORARY_SIZE];
    struct up_files_found found;
    struct up_files_place p;
    int rc = 0;

    if (up_files_op_find(w, n, false, &found, err) < 0 ||
        up_files_tree_open(&p, w->storage, w->plan, n, err) < 0)
        return err->code;
    up_files_plan_temporary(w->plan, n, UP_FILES_NEW, name);
    if (up_files_plan_is_step(op))
        rc = up_files_try(&p, w->plan, n, found.there, err);
    if (rc == 0 && (op->kind == UP_FILES_PUT || op->kind == UP_FILES_INSIDE))
        rc = make_file(&p, op, op->kind == UP_FILES_PUT ? name : op->name, source, err);
    else if (rc == 0 && op->kind != UP_FILES_DELETE)
        rc = make_dir(&p, op, op->kind == UP_FILES_MAKE_DIR ? name : op->name, err);
    if (rc == 0 && w->plan->root[op->root].weak && (op->kind == UP_FILES_PUT || op->kind == UP_FILES_INSIDE))
        rc = up_files_weak_keep(w, &p, n, op->kind == UP_FILES_PUT ? name : op->name, true, err);
    up_files_tree_close(&p);
    return rc;
}

int up_files_fill(struct up_files *f, const struct up_files_source *source, struct up_error *err)
{
    const struct up_files_work w = {f->storage, f->folder, &f->plan, NULL};
    struct up_files_stage next = f->stage;

    if (f->stage.step == UP_FILES_STAGED)
        return 0;
    if (f->stage.step != UP_FILES_STAGING || f->lost)
        return up_fail(err, UP_BUSY, "files: a plan is %s", up_files_stage_step_name(f->stage.step));
    if (up_files_check_here(f, err) < 0)
        return err->code;
    for (uint32_t n = 0; n < f->plan.op_count; n++)
        if (up_files_op_sweep(&w, n, err) < 0)
            return err->code;
    if (up_files_try_room(&w, err) < 0)
        return err->code;
    for (uint32_t n = 0; n < f->plan.op_count; n++)
        if (fill_one(&w, n, source, err) < 0)
            return err->code;
    next.step = UP_FILES_STAGED;
    if (up_files_stage_write(&f->record, &next, err) < 0)
        return err->code;
    f->stage = next;
    return 0;
}
