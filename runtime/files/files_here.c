#include "files_here.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "files_tree.h"

#define CHUNK 65536u
/* Bytes. On a full btrfs, space that becomes free first fills the reserve of the file system. */
#define SPARE (4u << 20)

static int open_root(struct up_files_place *p, struct up_storage *s, const struct up_files_plan *plan,
                     uint32_t i, struct up_error *err)
{
    *p = (struct up_files_place){s, -1, plan->root[i].path, "", false};
    p->dir = s->ops->open_dir(s, UP_NO_DIR, p->root, false);
    if (p->dir < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "root %s: %s", p->root, strerror(errno));
    return 0;
}

/* 1 it holds the value; 0 it does not, or is not there; or an error. */
static int holds(const struct up_files_place *p, const char *name, const uint8_t *value, bool from_medium,
                 struct up_error *err)
{
    struct up_storage *s = p->storage;
    int file = s->ops->open_at(s, p->dir, name, UP_READ, 0), rc = 0;
    uint8_t found[UP_FILES_HERE_SIZE];
    long long len = 0;

    if (file < 0)
        return errno == ENOENT ? 0 : up_files_tree_failed(p, name, "open", err);
    if (from_medium && s->ops->drop_cache(s, file, 0, sizeof found) < 0)
        rc = up_files_tree_failed(p, name, "drop cache", err);
    if (rc == 0)
        len = s->ops->pread(s, file, found, sizeof found, 0);
    if (len < 0)
        rc = up_files_tree_failed(p, name, "read", err);
    s->ops->close(s, file);
    return rc < 0 ? rc : len == sizeof found && memcmp(found, value, sizeof found) == 0;
}

static int make_one(const struct up_files_place *p, const char *name, const uint8_t *value,
                    struct up_error *err)
{
    struct up_storage *s = p->storage;
    int file = s->ops->open_at(s, p->dir, name, UP_CREATE, 0600), rc = 0;

    if (file < 0)
        return up_files_tree_failed(p, name, "create", err);
    if (s->ops->pwrite(s, file, value, UP_FILES_HERE_SIZE, 0) < 0 || s->ops->sync(s, file) < 0)
        rc = up_files_tree_failed(p, name, "write", err);
    s->ops->close(s, file);
    if (rc == 0)
        rc = holds(p, name, value, true, err);
    if (rc == 0)
        rc =
            up_fail(err, UP_WRITE, "root %s: %s reads back differently from what was written", p->root, name);
    return rc < 0 ? rc : up_files_tree_sync(p, err);
}

/* Bytes that no file system can compress. */
static int fill_spare(const struct up_files_place *p, const char *name, int file, struct up_error *err)
{
    struct up_storage *s = p->storage;
    uint8_t *bytes = malloc(CHUNK);
    int rc = bytes ? 0 : up_fail(err, UP_INTERNAL, "files: out of memory");

    for (uint64_t at = 0; at < SPARE && rc == 0; at += CHUNK)
        if (s->ops->random(s, bytes, CHUNK) < 0 || s->ops->pwrite(s, file, bytes, CHUNK, at) < 0)
            rc = up_files_tree_failed(p, name, "write", err);
    free(bytes);
    if (rc == 0 && s->ops->sync(s, file) < 0)
        rc = up_files_tree_failed(p, name, "sync", err);
    return rc;
}

static int make_spare(const struct up_files_place *p, const char *name, struct up_error *err)
{
    struct up_storage *s = p->storage;
    struct up_space space;
    int file, rc;

    if (s->ops->space_at(s, p->dir, &space) < 0)
        return up_files_tree_failed(p, name, "space", err);
    if (!space.moves)
        return 0;
    file = s->ops->open_at(s, p->dir, name, UP_CREATE, 0600);
    if (file < 0)
        return up_files_tree_failed(p, name, "create", err);
    rc = fill_spare(p, name, file, err);
    s->ops->close(s, file);
    return rc;
}

int up_files_here_make(struct up_storage *s, const struct up_files_plan *plan, struct up_error *err)
{
    char name[UP_FILES_TEMPORARY_SIZE], spare[UP_FILES_TEMPORARY_SIZE];
    struct up_files_place p;

    up_files_plan_here(plan, name);
    up_files_plan_spare(plan, spare);
    for (uint32_t i = 0; i < plan->root_count; i++) {
        int rc = open_root(&p, s, plan, i, err);

        if (rc < 0)
            return rc;
        rc = make_spare(&p, spare, err);
        if (rc == 0)
            rc = make_one(&p, name, plan->root[i].here, err);
        up_files_tree_close(&p);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int up_files_here_check_root(struct up_storage *s, const struct up_files_plan *plan, uint32_t i,
                             struct up_error *err)
{
    char name[UP_FILES_TEMPORARY_SIZE];
    struct up_files_place p;
    int here;

    up_files_plan_here(plan, name);
    if (open_root(&p, s, plan, i, err) < 0)
        return err->code;
    here = holds(&p, name, plan->root[i].here, false, err);
    up_files_tree_close(&p);
    if (here == 0)
        return up_fail(
            err, UP_MISSING,
            "root %s is not there: mount it, or, if it was made anew, order `moult settle --accept`", p.root);
    if (here < 0) {
        struct up_error why = *err;

        return up_fail(err, here, "%s; if it stays unreadable, remove it, then order `moult settle --accept`",
                       why.message);
    }
    return 0;
}

int up_files_here_check(struct up_storage *s, const struct up_files_plan *plan, struct up_error *err)
{
    for (uint32_t i = 0; i < plan->root_count; i++)
        if (up_files_here_check_root(s, plan, i, err) < 0)
            return err->code;
    return 0;
}

/* Files of ours, in every root that is there. */
static int remove_each(struct up_storage *s, const struct up_files_plan *plan, const char *const *names,
                       size_t count, struct up_error *err)
{
    struct up_files_place p;

    for (uint32_t i = 0; i < plan->root_count; i++) {
        int rc = open_root(&p, s, plan, i, err);

        if (rc == UP_MISSING)
            continue;
        for (size_t k = 0; k < count && rc == 0; k++)
            rc = up_files_tree_remove(&p, names[k], err);
        if (rc == 0)
            rc = up_files_tree_sync(&p, err);
        up_files_tree_close(&p);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int up_files_here_give_room(struct up_storage *s, const struct up_files_plan *plan, struct up_error *err)
{
    char spare[UP_FILES_TEMPORARY_SIZE];
    const char *const name = spare;

    up_files_plan_spare(plan, spare);
    return remove_each(s, plan, &name, 1, err);
}

int up_files_here_remove(struct up_storage *s, const struct up_files_plan *plan, struct up_error *err)
{
    char here[UP_FILES_TEMPORARY_SIZE], spare[UP_FILES_TEMPORARY_SIZE];
    const char *const names[] = {spare, here};

    up_files_plan_here(plan, here);
    up_files_plan_spare(plan, spare);
    return remove_each(s, plan, names, 2, err);
}
