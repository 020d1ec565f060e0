/*
 * files_tidy.c -- of files.h: what is left in stage none. The .here files
 * of a plan go before the plan, which alone knows where they are. What belongs to a
 * suspended plan stays.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "files.h"
#include "files_here.h"

#define KEPT 4 /* its plan, what was found, what ran; what is kept of weak roots */

struct tidy {
    struct up_files *files;
    char keep[KEPT][2 * UP_SHA256_SIZE + 1]; /* how the names of a suspended plan begin */
    unsigned kept;
    struct up_error *err;
    bool removed;
    bool sure; /* that the record says none: a write that failed may reach the medium later */
    int rc;
};

static int make_sure(struct tidy *t)
{
    const struct up_files_stage none = {.step = UP_FILES_NONE};

    if (!t->sure)
        t->rc = up_files_stage_write_both(&t->files->record, &none, t->err);
    t->sure = t->rc == 0;
    return t->rc;
}

/* The files of the two records, and what belongs to others. */
static bool stays(const struct tidy *t, const char *name)
{
    if (strcmp(name, "stage.0") == 0 || strcmp(name, "stage.1") == 0 || strcmp(name, "foreign") == 0 ||
        (t->kept > 0 && strncmp(name, "suspended.", 10) == 0))
        return true;
    for (unsigned i = 0; i < t->kept; i++)
        if (strncmp(name, t->keep[i], strlen(t->keep[i])) == 0)
            return true;
    return false;
}

/* 1: nothing may be removed, because it is not known what belongs to the suspended plan. */
static int find_kept(struct tidy *t, const struct up_files *f, struct up_error *err)
{
    struct up_files below;
    int rc = up_files_open_suspended(f, &below, err);

    if (rc < 0)
        return rc == UP_INTERNAL ? rc : 1;
    if (rc == 0)
        return 0;
    up_hex(below.stage.plan, UP_SHA256_SIZE, t->keep[t->kept++]);
    up_hex(below.stage.found, UP_SHA256_SIZE, t->keep[t->kept++]);
    up_hex(below.stage.ran, UP_SHA256_SIZE, t->keep[t->kept++]);
    up_hex(below.plan.id, UP_FILES_ID_SIZE, t->keep[t->kept++]);
    up_files_close(&below);
    return 0;
}

/* What is not a plan has none. */
static int remove_here(struct up_files *f, const char *path, struct up_error *err)
{
    struct up_files_plan plan;
    size_t len;
    char *bytes;
    int rc = up_storage_read_file(f->storage, path, UP_FILES_PLAN_LIMIT, &bytes, &len, err);

    if (rc < 0)
        return rc;
    rc = up_files_plan_decode(&plan, (const uint8_t *)bytes, len, err);
    free(bytes);
    if (rc < 0)
        return rc == UP_INTERNAL ? rc : 0;
    rc = up_files_here_remove(f->storage, &plan, err);
    up_files_plan_free(&plan);
    return rc;
}

static int tidy_one(void *user, const char *name, enum up_node_kind kind)
{
    struct tidy *t = user;
    struct up_storage *s = t->files->storage;
    char path[UP_PATH_SIZE];

    if ((kind != UP_NODE_FILE && kind != UP_NODE_DIR) || stays(t, name))
        return 0;
    if (snprintf(path, sizeof path, "%s/%s", t->files->folder, name) >= (int)sizeof path)
        return 0;
    if (make_sure(t) < 0)
        return t->rc;
    if (kind == UP_NODE_DIR) { /* kept of a weak root */
        t->rc = up_storage_remove_tree(s, path, t->err);
        t->removed = true;
        return t->rc;
    }
    t->rc = remove_here(t->files, path, t->err);
    if (t->rc == UP_WRITE || t->rc == UP_MISSING) { /* perhaps it can be read the next time */
        t->rc = 0;
        return 0;
    }
    if (t->rc == UP_USAGE)
        t->rc = 0; /* too large for a plan */
    if (t->rc == 0 && s->ops->unlink(s, path) < 0)
        t->rc = up_fail(t->err, UP_WRITE, "%s: %s", path, strerror(errno));
    t->removed = true;
    return t->rc;
}

int up_files_tidy(struct up_files *f, struct up_error *err)
{
    struct tidy t = {.files = f, .err = err, .sure = f->ended};
    struct up_storage *s = f->storage;
    int rc = find_kept(&t, f, err);

    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (s->ops->list(s, f->folder, tidy_one, &t) < 0 && t.rc == 0)
        return errno == ENOENT ? 0 : up_fail(err, UP_WRITE, "%s: %s", f->folder, strerror(errno));
    if (t.rc == 0 && t.removed && s->ops->sync_dir(s, f->folder) < 0)
        return up_fail(err, UP_WRITE, "%s: sync: %s", f->folder, strerror(errno));
    return t.rc;
}
