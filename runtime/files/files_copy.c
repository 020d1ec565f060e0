#include "files_copy.h"

#include <string.h>

#include "error.h"

#define DEPTH 32 /* of directories below one another, each of which is open */

struct copy {
    struct up_files_place from;
    int to;
    unsigned depth;
    struct up_error *err;
    int rc;
};

static int copy_dir(const struct copy *in, const char *name, const char *to_name);

static int copy_file(const struct copy *c, const char *name)
{
    struct up_storage *s = c->from.storage;
    int to = s->ops->open_at(s, c->to, name, UP_WRITE_ONLY_NEW, 0600), rc;

    if (to < 0)
        return up_files_tree_failed(&c->from, name, "copy", c->err);
    rc = up_files_tree_copy(&c->from, name, to, c->err);
    s->ops->close(s, to);
    return rc;
}

static int each(void *user, const char *name, enum up_node_kind kind)
{
    struct copy *c = user;
    struct up_storage *s = c->from.storage;

    if (kind == UP_NODE_FILE)
        c->rc = copy_file(c, name);
    else if (kind == UP_NODE_DIR)
        c->rc = copy_dir(c, name, name);
    else if (kind != UP_NODE_LINK)
        c->rc = up_fail(c->err, UP_INCOMPATIBLE, "%s/%s: %s in it is neither file, directory nor link",
                        c->from.root, c->from.folder, name);
    else if (s->ops->copy_link_at(s, c->from.dir, name, c->to) < 0)
        c->rc = up_files_tree_failed(&c->from, name, "copy", c->err);
    return c->rc;
}

/* Copy what is in an open directory, then the attributes of the directory itself. */
static int fill(struct copy *c)
{
    struct up_storage *s = c->from.storage;

    if (s->ops->list_at(s, c->from.dir, each, c) < 0 && c->rc == 0)
        c->rc = up_files_tree_failed(&c->from, "", "list", c->err);
    if (c->rc == 0 && (s->ops->copy_attributes(s, c->to, c->from.dir) < 0 || s->ops->sync(s, c->to) < 0))
        c->rc = up_files_tree_failed(&c->from, "", "copy", c->err);
    return c->rc;
}

static int copy_dir(const struct copy *in, const char *name, const char *to_name)
{
    struct up_storage *s = in->from.storage;
    struct copy c = {.from = in->from, .depth = in->depth + 1, .err = in->err};

    if (c.depth > DEPTH)
        return up_fail(in->err, UP_INCOMPATIBLE, "%s/%s: %s in it is too deep", c.from.root, c.from.folder,
                       name);
    if (s->ops->mkdir_at(s, in->to, to_name, 0700) < 0)
        return up_files_tree_failed(&in->from, to_name, "mkdir", in->err);
    c.from.dir = s->ops->open_dir(s, in->from.dir, name, true);
    if (c.from.dir < 0)
        return up_files_tree_failed(&in->from, name, "open", in->err);
    c.to = s->ops->open_dir(s, in->to, to_name, true);
    c.rc = c.to < 0 ? up_files_tree_failed(&in->from, to_name, "open", in->err) : fill(&c);
    if (c.to >= 0)
        s->ops->close(s, c.to);
    s->ops->close(s, c.from.dir);
    return c.rc;
}

int up_files_copy_dir(const struct up_files_place *p, const char *name, int to_dir, const char *to,
                      struct up_error *err)
{
    const struct copy top = {.from = *p, .to = to_dir, .err = err};

    return copy_dir(&top, name, to);
}
