#include "files_kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "files_named.h"
#include "files_tree.h"
#include "files_weak.h"

#define PLAN "plan"
#define FOUND "found"
#define NUMBER_SIZE 12
#define TARGET_SIZE (2 * UP_PATH_SIZE + UP_FILES_NAME_SIZE)

static int put(const struct up_files_place *to, const char *name, const void *data, size_t len,
               struct up_error *err)
{
    struct up_storage *s = to->storage;
    int file = s->ops->open_at(s, to->dir, name, UP_WRITE_ONLY_NEW, 0600), rc = 0;

    if (file < 0)
        return up_files_tree_failed(to, name, "create", err);
    if (s->ops->pwrite(s, file, data, len, 0) < 0 || s->ops->sync(s, file) < 0)
        rc = up_files_tree_failed(to, name, "write", err);
    s->ops->close(s, file);
    return rc;
}

static int keep_one(const struct up_files_work *w, const struct up_files_place *to, uint32_t n,
                    struct up_error *err)
{
    char old[UP_FILES_TEMPORARY_SIZE], name[NUMBER_SIZE];
    struct up_files_place place;
    int rc;

    if (!up_files_plan_is_step(&w->plan->op[n]) || !w->found[n].there)
        return 0;
    up_files_plan_temporary(w->plan, n, UP_FILES_OLD, old);
    snprintf(name, sizeof name, "%u", n);
    if (up_files_tree_open(&place, w->storage, w->plan, n, err) < 0)
        return err->code;
    rc = up_files_weak_copy(&place, old, to, name, w->found[n].digest, err);
    up_files_tree_close(&place);
    return rc;
}

static int keep_all(const struct up_files_work *w, const struct up_files_place *to, struct up_error *err)
{
    uint8_t *bytes;
    size_t len;
    int rc = 0;

    for (uint32_t n = 0; n < w->plan->op_count && rc == 0; n++)
        rc = keep_one(w, to, n, err);
    if (rc == 0)
        rc = up_files_found_encode(w->found, w->plan->op_count, &bytes, &len, err);
    if (rc < 0)
        return rc;
    rc = put(to, FOUND, bytes, len, err);
    free(bytes);
    if (rc == 0)
        rc = up_files_plan_encode(w->plan, &bytes, &len, err);
    if (rc < 0)
        return rc;
    rc = put(to, PLAN, bytes, len, err);
    free(bytes);
    return rc < 0 ? rc : up_files_tree_sync(to, err);
}

int up_files_kept_write(const struct up_files_work *w, const char *state, struct up_error *err)
{
    struct up_files_place to;
    char folder[UP_PATH_SIZE];
    int rc;

    if (snprintf(folder, sizeof folder, "%s/%s", state, w->plan->keep) >= (int)sizeof folder)
        return up_fail(err, UP_USAGE, "%s: path too long", state);
    if (up_storage_remove_tree(w->storage, folder, err) < 0 ||
        up_storage_make_dir(w->storage, folder, 0700, err) < 0 ||
        up_files_tree_open_at(&to, w->storage, folder, "", err) < 0)
        return err->code;
    rc = keep_all(w, &to, err);
    up_files_tree_close(&to);
    return rc < 0 ? rc : up_storage_sync_parent(w->storage, folder, err);
}

/* <folder>/<name>, whole. One that is too large is damaged. */
static int read_one(const struct up_files_kept *k, const char *name, size_t limit, char **out, size_t *len,
                    struct up_error *err)
{
    char path[UP_PATH_SIZE];
    int rc;

    if (snprintf(path, sizeof path, "%s/%s", k->folder, name) >= (int)sizeof path)
        return up_fail(err, UP_USAGE, "%s: path too long", k->folder);
    rc = up_storage_read_file(k->storage, path, limit, out, len, err);
    return rc == UP_USAGE ? up_fail(err, UP_INCOMPATIBLE, "%s: too large", path) : rc;
}

static int read_found(struct up_files_kept *k, struct up_error *err)
{
    char *bytes;
    size_t len;
    int rc = read_one(k, FOUND, UP_FILES_FOUND_LIMIT, &bytes, &len, err);

    if (rc < 0)
        return rc;
    rc = up_files_found_decode(&k->found, k->plan.op_count, (const uint8_t *)bytes, len, err);
    free(bytes);
    return rc;
}

int up_files_kept_open(struct up_files_kept *k, struct up_storage *s, const char *folder,
                       struct up_error *err)
{
    char *bytes;
    size_t len;
    int rc;

    memset(k, 0, sizeof *k);
    k->storage = s;
    if (snprintf(k->folder, sizeof k->folder, "%s", folder) >= (int)sizeof k->folder)
        return up_fail(err, UP_USAGE, "%s: path too long", folder);
    rc = read_one(k, PLAN, UP_FILES_PLAN_LIMIT, &bytes, &len, err);
    if (rc < 0)
        return rc;
    rc = up_files_plan_decode(&k->plan, (const uint8_t *)bytes, len, err);
    free(bytes);
    if (rc == 0)
        rc = read_found(k, err);
    if (rc < 0)
        up_files_kept_close(k);
    return rc;
}

void up_files_kept_close(struct up_files_kept *k)
{
    up_files_plan_free(&k->plan);
    free(k->found);
}

int up_files_kept_file(const struct up_files_kept *k, uint32_t n)
{
    char path[UP_PATH_SIZE + NUMBER_SIZE];

    snprintf(path, sizeof path, "%s/%u", k->folder, n);
    return k->storage->ops->open(k->storage, path, UP_READ, 0);
}

/* Of what an operation changes, with `root` for the path of its root; false: it is a part of what another one makes. */
static bool path_of(const struct up_files_op *op, const char *root, char out[TARGET_SIZE])
{
    return up_files_plan_is_step(op) &&
           snprintf(out, TARGET_SIZE, "%s/%s%s%s", strcmp(root, "/") == 0 ? "" : root, op->dir,
                    *op->dir ? "/" : "", op->name) < TARGET_SIZE;
}

bool up_files_kept_touches(struct up_storage *s, const struct up_files_plan *a, const struct up_files_plan *b)
{
    char one[TARGET_SIZE], other[TARGET_SIZE];
    const char *root[UP_FILES_ROOTS]; /* of b, as a calls them */

    for (uint32_t n = 0; n < b->root_count; n++) {
        uint32_t i = up_files_named_root(s, a, b->root[n].path);

        root[n] = i < a->root_count ? a->root[i].path : b->root[n].path;
    }
    for (uint32_t i = 0; i < a->op_count; i++) {
        if (!path_of(&a->op[i], a->root[a->op[i].root].path, one))
            continue;
        for (uint32_t n = 0; n < b->op_count; n++)
            if (path_of(&b->op[n], root[b->op[n].root], other) &&
                (up_files_named_is_below(one, other) || up_files_named_is_below(other, one)))
                return true;
    }
    return false;
}
