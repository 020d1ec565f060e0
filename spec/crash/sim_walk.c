/*
 * sim_walk.c -- from a path to a node, as the system would go.
 */
#include "sim_tree.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define MAX_FOLLOWED 40

struct walk {
    const struct tree *tree;
    unsigned trail[64]; /* directories from the root to here, for ".." */
    size_t depth;
    unsigned followed;
};

static int walk_on(struct walk *w, const char *path, bool follow, struct place *out);

static int fail(int error)
{
    errno = error;
    return -1;
}

/* Enter one component that is not the last, or follow a link that is. */
static int step_into(struct walk *w, const struct place *at, struct place *out)
{
    const struct inode *inode = at->ino ? w->tree->nodes[at->ino].inode : NULL;

    if (!inode)
        return fail(ENOENT);
    if (inode->kind == UP_NODE_LINK) {
        if (++w->followed > MAX_FOLLOWED)
            return fail(ELOOP);
        return walk_on(w, inode->target->text, true, out);
    }
    *out = *at;
    return 0;
}

static int enter(struct walk *w, unsigned ino)
{
    if (!ino)
        return fail(ENOENT);
    if (w->tree->nodes[ino].inode->kind != UP_NODE_DIR)
        return fail(ENOTDIR);
    if (w->depth == sizeof w->trail / sizeof w->trail[0])
        return fail(ENAMETOOLONG);
    w->trail[w->depth++] = ino;
    return 0;
}

/* Look one name up in the directory where the walk stands. */
static int look(struct walk *w, const char *name, size_t len, struct place *out)
{
    if (len >= sizeof out->name)
        return fail(ENAMETOOLONG);
    out->dir = w->trail[w->depth - 1];
    memcpy(out->name, name, len);
    out->name[len] = '\0';
    out->ino = dir_find(w->tree->nodes[out->dir].inode, out->name);
    return 0;
}

static int walk_on(struct walk *w, const char *path, bool follow, struct place *out)
{
    if (*path == '/')
        w->depth = 1;
    *out = (struct place){.dir = w->trail[w->depth - 1], .ino = w->trail[w->depth - 1]};
    for (;;) {
        size_t len;
        const char *rest;
        bool last;

        path += strspn(path, "/");
        if (!*path)
            return 0;
        len = strcspn(path, "/");
        rest = path + len;
        last = rest[strspn(rest, "/")] == '\0';
        if (len <= 2 && memcmp(path, "..", len) == 0) {
            if (len == 2 && w->depth > 1)
                w->depth--;
            *out = (struct place){.dir = w->trail[w->depth - 1], .ino = w->trail[w->depth - 1]};
            path = rest;
            continue;
        }
        if (look(w, path, len, out) < 0)
            return -1;
        if (last && (!follow || !out->ino || w->tree->nodes[out->ino].inode->kind != UP_NODE_LINK))
            return *rest && out->ino && w->tree->nodes[out->ino].inode->kind != UP_NODE_DIR ? fail(ENOTDIR)
                                                                                            : 0;
        if (step_into(w, &(struct place){out->dir, "", out->ino}, out) < 0)
            return -1;
        if (last)
            return 0;
        if (enter(w, out->ino) < 0)
            return -1;
        path = rest;
    }
}

int tree_walk(const struct tree *tree, const char *path, bool follow, struct place *out)
{
    struct walk w = {.tree = tree, .trail = {SIM_ROOT}, .depth = 1};

    if (!*path)
        return fail(ENOENT);
    if (strlen(path) >= PATH_MAX)
        return fail(ENAMETOOLONG);
    return walk_on(&w, path, follow, out);
}
