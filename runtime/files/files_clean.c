#include "files_clean.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "files_tree.h"
#include "update_ini.h"

#define DEPTH 32 /* of directories below one another, each of which is open */

struct clean {
    struct up_files_place place; /* the directory that is looked through */
    char path[UP_PATH_SIZE];     /* its path */
    unsigned depth;
    bool removes;
    struct up_files_strays *strays;
    struct up_error *err;
    int rc;
};

/* ".moult-<id>.here", ".spare"; ".moult-<id>-<n>.new", ".old", ".old.part" or ".try" */
static bool is_ours(const char *name)
{
    static const char *const ends[] = {".new", ".old", ".old.part", ".try"};
    const char *id = name + strlen(UP_FILES_TEMPORARY), *end = id + 2 * (size_t)UP_FILES_ID_SIZE;

    if (strncmp(name, UP_FILES_TEMPORARY, strlen(UP_FILES_TEMPORARY)) != 0 ||
        strspn(id, "0123456789abcdef") != (size_t)(end - id))
        return false;
    if (strcmp(end, ".here") == 0 || strcmp(end, ".spare") == 0)
        return true;
    if (*end != '-' || strspn(end + 1, "0123456789") == 0)
        return false;
    end += 1 + strspn(end + 1, "0123456789");
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strcmp(end, ends[i]) == 0)
            return true;
    return false;
}

static int look_through(struct clean *c);

static bool join(const struct clean *c, const char *name, char out[UP_PATH_SIZE])
{
    return snprintf(out, UP_PATH_SIZE, "%s/%s", c->path, name) < UP_PATH_SIZE;
}

static int into(struct clean *c, const char *name)
{
    struct up_storage *s = c->place.storage;
    struct clean below = *c;

    if (c->depth == DEPTH || !join(c, name, below.path))
        return 0;
    below.depth++;
    below.place.dir = s->ops->open_dir(s, c->place.dir, name, true);
    if (below.place.dir < 0) /* a mount, or it was removed meanwhile */
        return errno == EXDEV || errno == ENOENT ? 0 : up_files_tree_failed(&c->place, name, "open", c->err);
    (void)!look_through(&below);
    up_files_tree_close(&below.place);
    return below.rc;
}

static int each(void *user, const char *name, enum up_node_kind kind)
{
    struct clean *c = user;

    if (is_ours(name)) {
        if (c->strays->count++ == 0 && !join(c, name, c->strays->first))
            c->strays->first[0] = '\0';
        c->rc = c->removes ? up_files_tree_remove(&c->place, name, c->err) : 0;
    } else if (kind == UP_NODE_DIR) {
        c->rc = into(c, name);
    }
    return c->rc;
}

static int look_through(struct clean *c)
{
    uint32_t before = c->strays->count;

    if (c->place.storage->ops->list_at(c->place.storage, c->place.dir, each, c) < 0 && c->rc == 0)
        c->rc = up_files_tree_failed(&c->place, "", "list", c->err);
    if (c->rc == 0 && c->removes && c->strays->count > before)
        c->rc = up_files_tree_sync(&c->place, c->err);
    return c->rc;
}

int up_files_clean(struct up_storage *s, const struct up_files_root *roots, uint32_t root_count, bool remove,
                   struct up_files_strays *out, struct up_error *err)
{
    *out = (struct up_files_strays){0};
    for (uint32_t i = 0; i < root_count; i++) {
        struct clean c = {.removes = remove, .strays = out, .err = err};

        snprintf(c.path, sizeof c.path, "%s", roots[i].path);
        if (up_files_tree_open_at(&c.place, s, roots[i].path, "", err) < 0)
            return err->code;
        (void)!look_through(&c);
        up_files_tree_close(&c.place);
        if (c.rc < 0)
            return c.rc;
    }
    return 0;
}
