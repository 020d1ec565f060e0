#include "files_here.h"

#include <errno.h>
#include <string.h>

#include "error.h"
#include "files_tree.h"

static int open_root(struct up_files_place *p, struct up_storage *s, const struct up_files_plan *plan,
                     uint32_t i, struct up_error *err)
{
    *p = (struct up_files_place){s, -1, plan->root[i].path, ""};
    p->dir = s->ops->open_dir(s, UP_NO_DIR, p->root, false);
    if (p->dir < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "root %s: %s", p->root, strerror(errno));
    return 0;
}

static int make_one(const struct up_files_place *p, const char *name, const uint8_t *value,
                    struct up_error *err)
{
    struct up_storage *s = p->storage;
    int file = s->ops->open_at(s, p->dir, name, UP_CREATE, 0600), rc = 0;

    if (file < 0)
        return up_files_failed(p, name, "create", err);
    if (s->ops->pwrite(s, file, value, UP_FILES_HERE_SIZE, 0) < 0 || s->ops->sync(s, file) < 0)
        rc = up_files_failed(p, name, "write", err);
    s->ops->close(s, file);
    return rc < 0 ? rc : up_files_sync(p, err);
}

int up_files_here_make(struct up_storage *s, const struct up_files_plan *plan, struct up_error *err)
{
    char name[UP_FILES_TEMPORARY_SIZE];
    struct up_files_place p;

    up_files_here(plan, name);
    for (uint32_t i = 0; i < plan->root_count; i++) {
        int rc = open_root(&p, s, plan, i, err);

        if (rc < 0)
            return rc;
        rc = make_one(&p, name, plan->root[i].here, err);
        up_files_place_close(&p);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool holds(const struct up_files_place *p, const char *name, const uint8_t *value)
{
    struct up_storage *s = p->storage;
    int file = s->ops->open_at(s, p->dir, name, UP_READ, 0);
    uint8_t found[UP_FILES_HERE_SIZE];
    bool same;

    if (file < 0)
        return false;
    same = s->ops->pread(s, file, found, sizeof found, 0) == sizeof found &&
           memcmp(found, value, sizeof found) == 0;
    s->ops->close(s, file);
    return same;
}

int up_files_here_check(struct up_storage *s, const struct up_files_plan *plan, struct up_error *err)
{
    char name[UP_FILES_TEMPORARY_SIZE];
    struct up_files_place p;
    bool here;

    up_files_here(plan, name);
    for (uint32_t i = 0; i < plan->root_count; i++) {
        if (open_root(&p, s, plan, i, err) < 0)
            return err->code;
        here = holds(&p, name, plan->root[i].here);
        up_files_place_close(&p);
        if (!here)
            return up_fail(err, UP_MISSING, "root %s is not there", p.root);
    }
    return 0;
}

int up_files_here_remove(struct up_storage *s, const struct up_files_plan *plan, struct up_error *err)
{
    char name[UP_FILES_TEMPORARY_SIZE];
    struct up_files_place p;
    int rc;

    up_files_here(plan, name);
    for (uint32_t i = 0; i < plan->root_count; i++) {
        rc = open_root(&p, s, plan, i, err);
        if (rc == UP_MISSING)
            continue;
        if (rc == 0)
            rc = up_files_remove(&p, name, err);
        if (rc == 0)
            rc = up_files_sync(&p, err);
        up_files_place_close(&p);
        if (rc < 0)
            return rc;
    }
    return 0;
}
