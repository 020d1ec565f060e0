#include "files_named.h"

#include <stdio.h>
#include <string.h>

#include "storage.h"

bool up_files_named_path(const struct up_files_plan *plan, uint32_t n, char *out, size_t len)
{
    const struct up_files_op *op = &plan->op[n];
    char above[UP_PATH_SIZE];

    if (up_files_plan_is_step(op))
        snprintf(above, sizeof above, "%s",
                 strcmp(plan->root[op->root].path, "/") == 0 ? "" : plan->root[op->root].path);
    else if (!up_files_named_path(plan, op->parent, above, sizeof above))
        return false;
    return snprintf(out, len, "%s/%s%s%s", above, op->dir, *op->dir ? "/" : "", op->name) < (int)len;
}

static bool look(struct up_storage *s, const char *path, struct up_stat *out)
{
    int dir = s->ops->open_dir(s, UP_NO_DIR, path, false), rc;

    if (dir < 0)
        return false;
    rc = s->ops->stat_file(s, dir, out);
    s->ops->close(s, dir);
    return rc == 0;
}

uint32_t up_files_named_root(struct up_storage *s, const struct up_files_plan *plan, const char *path)
{
    struct up_stat it, other;
    uint32_t i = 0;

    while (i < plan->root_count && strcmp(plan->root[i].path, path) != 0)
        i++;
    if (i < plan->root_count || !look(s, path, &it))
        return i;
    i = 0;
    while (i < plan->root_count &&
           !(look(s, plan->root[i].path, &other) && other.device == it.device && other.inode == it.inode))
        i++;
    return i;
}

bool up_files_named_is_below(const char *path, const char *top)
{
    size_t len = strlen(top);

    return strncmp(path, top, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool is_named(const struct up_update_ini *ini, const char *path)
{
    for (size_t i = 0; i < ini->count; i++) {
        const struct up_update_ini_entry *e = &ini->entry[i];

        if (e->operation != UP_FILE_KEEP && strcmp(e->path, path) == 0)
            return true;
        if (e->operation == UP_FILE_DELETE && up_files_named_is_below(path, e->path))
            return true;
    }
    return false;
}

bool up_files_named_all(const struct up_files_plan *plan, const struct up_update_ini *ini, char *first,
                        size_t len)
{
    for (uint32_t n = 0; n < plan->op_count; n++)
        if (!up_files_named_path(plan, n, first, len) || !is_named(ini, first))
            return false;
    return plan->op_count > 0;
}
