#include "files_foreign.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "storage.h"

/* Where file `n` of this plan goes; its folder is made. */
static int make_path(const struct up_files_work *w, uint32_t n, char out[UP_PATH_SIZE], struct up_error *err)
{
    char folder[UP_PATH_SIZE], id[2 * UP_FILES_ID_SIZE + 1];

    up_hex(w->plan->id, UP_FILES_ID_SIZE, id);
    if (snprintf(folder, sizeof folder, "%s/foreign", w->folder) >= (int)sizeof folder ||
        snprintf(out, UP_PATH_SIZE, "%s/%s-%u", folder, id, n) >= UP_PATH_SIZE)
        return up_fail(err, UP_USAGE, "%s: path too long", w->folder);
    return up_storage_make_dir(w->storage, folder, 0700, err);
}

static int copy_to(const struct up_files_place *place, const char *name, const char *path,
                   struct up_error *err)
{
    struct up_storage *s = place->storage;
    int file = s->ops->open(s, path, UP_CREATE, 0600), rc;

    if (file < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s", path, strerror(errno));
    if (s->ops->truncate(s, file, 0) < 0)
        rc = up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    else
        rc = up_files_tree_copy(place, name, file, err);
    s->ops->close(s, file);
    return rc < 0 ? rc : up_storage_sync_parent(s, path, err);
}

struct kept {
    struct up_storage *storage;
    const char *folder, *own; /* the name that will be written over */
    unsigned count;
    uint64_t bytes;
};

static int add(void *user, const char *name, enum up_node_kind kind)
{
    struct kept *k = user;
    char path[UP_PATH_SIZE];
    struct up_stat st;

    (void)kind;
    if (strcmp(name, k->own) == 0)
        return 0;
    k->count++;
    if (snprintf(path, sizeof path, "%s/%s", k->folder, name) < (int)sizeof path &&
        k->storage->ops->stat(k->storage, path, &st) == 0)
        k->bytes += st.size;
    return 0;
}

/* Whether a file of `size` bytes may lie at `path`, with what is in that folder. */
static bool may_keep(struct up_storage *s, const char *path, uint64_t size)
{
    char folder[UP_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    struct kept kept = {.storage = s, .folder = folder, .own = slash + 1, .bytes = size};

    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    return s->ops->list(s, folder, add, &kept) == 0 && kept.count < UP_FILES_FOREIGN_COUNT &&
           kept.bytes <= UP_FILES_FOREIGN_BYTES;
}

static int copy(const struct up_files_work *w, const struct up_files_place *place, uint32_t n, uint64_t size,
                struct up_error *err)
{
    char path[UP_PATH_SIZE];
    int rc;

    if (make_path(w, n, path, err) < 0)
        return err->code;
    if (!may_keep(w->storage, path, size))
        return up_fail(err, UP_NOSPACE, "%s: its folder holds as much as it may", path);
    rc = copy_to(place, w->plan->op[n].name, path, err);
    if (rc < 0) /* half a file only takes space */
        w->storage->ops->unlink(w->storage, path);
    return rc;
}

int up_files_foreign_set_aside(const struct up_files_work *w, const struct up_files_place *place, uint32_t n,
                               struct up_error *err)
{
    const char *name = w->plan->op[n].name;
    char aside[UP_FILES_TEMPORARY_SIZE];
    struct up_stat st;
    int there = up_files_tree_look(place, name, &st, err);

    if (there <= 0)
        return there;
    if (st.kind == UP_NODE_FILE && copy(w, place, n, st.size, err) == 0)
        return up_files_tree_unlink(place, name, err);
    up_files_plan_temporary(w->plan, n, UP_FILES_FOREIGN, aside);
    if (place->storage->ops->rename_at(place->storage, place->dir, name, aside) == 0)
        return 0;
    if (errno == EXDEV &&
        st.kind == UP_NODE_DIR) /* in the lower layer of an overlay, so it is not another program's */
        return up_files_tree_remove(place, name, err);
    return up_files_tree_failed(place, aside, "rename", err);
}
