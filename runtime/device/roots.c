#include "roots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "slot.h"
#include "slot_link.h"

#define MAPS_LIMIT (4u << 20)
#define DEPTH 128 /* of directories */

struct check {
    struct up_storage *storage;
    const struct up_config *config;
    struct up_error *err;
};

static int cannot_tell(const struct check *c, const char *path)
{
    return up_fail(c->err, UP_WRITE, "files.roots: %s: %s", path, strerror(errno));
}

/* 1 and its stat; 0 if nothing is there; or an error. */
static int look(const struct check *c, const char *path, struct up_stat *out)
{
    if (c->storage->ops->stat(c->storage, path, out) == 0)
        return 1;
    return errno == ENOENT || errno == ENOTDIR ? 0 : cannot_tell(c, path);
}

/* The directory that it is or lies in, by a path from which ".." leads up. If it does not exist: the nearest
 * one above that does. */
static int directory_of(const struct check *c, const char *path, char out[UP_PATH_SIZE])
{
    char at[UP_PATH_SIZE], *slash;
    struct up_stat st;

    if (strlen(path) >= sizeof at)
        return up_fail(c->err, UP_USAGE, "files.roots: %s: path too long", path);
    strcpy(at, path);
    for (;;) {
        int rc = up_slot_link_follow(c->storage, at, out, &st, c->err);

        if (rc < 0 && rc != UP_MISSING)
            return rc;
        if (rc > 0 && st.kind == UP_NODE_DIR)
            return 0;
        if (rc >= 0)
            strcpy(at, out);
        slash = strrchr(at, '/');
        if (!slash || !at[1])
            return up_fail(c->err, UP_WRITE, "files.roots: %s cannot be looked at", path);
        slash[slash == at] = '\0';
    }
}

static bool same(const struct up_stat *a, const struct up_stat *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* Whether `path` is the directory `top`, or lies in it: 1, 0 or an error. */
static int within(const struct check *c, const char *path, const struct up_stat *top)
{
    struct up_stat at, below = {.inode = 0};
    char up[UP_PATH_SIZE];
    size_t len;
    int rc = directory_of(c, path, up);

    for (int depth = 0; rc >= 0 && depth < DEPTH; depth++) {
        len = strlen(up);
        if (len + 4 > sizeof up)
            return up_fail(c->err, UP_INCOMPATIBLE, "files.roots: %s: path too long", path);
        memcpy(up + len, depth ? "/.." : "/.", depth ? 4 : 3);
        rc = look(c, up, &at);
        if (rc > 0 && same(&at, top))
            return 1;
        if (rc <= 0 || (depth && same(&at, &below))) /* it is / */
            return rc < 0 ? rc : 0;
        below = at;
    }
    return rc < 0 ? rc : up_fail(c->err, UP_INCOMPATIBLE, "files.roots: %s: too deep", path);
}

/* 1, its node and stat; 0 if it is not there; or an error. */
static int find_root(const struct check *c, uint32_t i, struct up_stat *out)
{
    char node[UP_PATH_SIZE];
    int rc = up_slot_link_follow(c->storage, c->config->files.root[i].path, node, out, c->err);

    return rc == UP_MISSING ? 0 : rc;
}

static int refuse(const struct check *c, uint32_t i, const char *how, const char *what, const char *path)
{
    return up_fail(c->err, UP_INCOMPATIBLE, "files.roots: the root %s %s %s, %s",
                   c->config->files.root[i].path, how, what, path);
}

/* Check something that this device lives on against every root. */
static int apart(const struct check *c, const char *what, const char *path)
{
    struct up_stat root, it;
    char node[UP_PATH_SIZE];
    int there, rc = 0;

    if (!path)
        return 0;
    there = up_slot_link_follow(c->storage, path, node, &it, c->err);
    if (there < 0 && there != UP_MISSING)
        return there;
    for (uint32_t i = 0; i < c->config->files.root_count; i++) {
        rc = find_root(c, i, &root);
        if (rc > 0)
            rc = within(c, path, &root);
        if (rc > 0)
            return refuse(c, i, "holds", what, path);
        if (rc == 0 && there > 0 && it.kind == UP_NODE_DIR)
            rc = within(c, c->config->files.root[i].path, &it);
        if (rc > 0)
            return refuse(c, i, "is in", what, path);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int apart_from_slot(const struct check *c, const char *slot)
{
    struct up_stat root;

    if (!slot || apart(c, "the slot", slot) < 0)
        return slot ? c->err->code : 0;
    for (uint32_t i = 0; i < c->config->files.root_count; i++) {
        int rc = find_root(c, i, &root);

        if (rc > 0)
            rc = up_slot_shared(c->storage, slot, c->config->files.root[i].path, c->err);
        if (rc > 0)
            return refuse(c, i, "is on", "the slot", slot);
        if (rc < 0 && rc != UP_MISSING)
            return rc;
    }
    return 0;
}

/* Check the files that are mapped into this process: the program and its libraries. */
static int apart_from_program(const struct check *c)
{
    char *maps, *rest, *line, *path, *last = NULL;
    int rc = up_storage_read_file(c->storage, "/proc/self/maps", MAPS_LIMIT, &maps, NULL, c->err);

    if (rc < 0)
        return rc == UP_MISSING ? 0 : rc;
    rc = 0;
    for (line = strtok_r(maps, "\n", &rest); line && rc == 0; line = strtok_r(NULL, "\n", &rest)) {
        path = strchr(line, '/');
        if (path && (!last || strcmp(path, last) != 0)) /* one line for each part of it */
            rc = apart(c, "this program or a library of it", path);
        last = path ? path : last;
    }
    free(maps);
    return rc;
}

static int apart_from_others(const struct check *c)
{
    struct up_stat root;

    for (uint32_t i = 0; i < c->config->files.root_count; i++) {
        int rc = find_root(c, i, &root);

        for (uint32_t j = 0; j < c->config->files.root_count && rc > 0; j++) {
            const char *other = c->config->files.root[j].path;
            int inside = i == j ? 0 : within(c, other, &root);

            if (inside > 0)
                return refuse(c, i, "holds", "another one", other);
            if (inside < 0)
                return inside;
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

int up_roots_check(const struct up_config *config, struct up_storage *s, struct up_error *err)
{
    const struct check c = {s, config, err};

    if (config->files.root_count == 0)
        return up_fail(err, UP_INCOMPATIBLE, "files: the configuration names no files.roots");
    if (apart(&c, "the state directory", config->state) < 0 ||
        apart(&c, "the directory of keys", config->keys) < 0 ||
        apart(&c, "the directory of the journal", config->journal_dir) < 0 ||
        apart(&c, "the configuration", config->path) < 0 ||
        apart(&c, "the file fw_env", config->fw_env) < 0 || apart_from_others(&c) < 0 ||
        apart_from_program(&c) < 0)
        return err->code;
    for (int i = 0; i < UP_SLOTS; i++)
        if (apart_from_slot(&c, config->slot[i]) < 0)
            return err->code;
    return 0;
}
