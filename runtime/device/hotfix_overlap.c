/*
 * hotfix_overlap.c -- whether a later hotfix lies on an earlier one: both have a
 * module of the same name, or changed the same file.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "hotfix_private.h"
#include "hotfix_set.h"

struct compare {
    const struct up_device *d;
    const char *a, *b; /* folders of the two */
    struct up_error *err;
    int rc; /* 1: they overlap */
};

static int compare_folders(struct compare *c);

static int compare_one(void *user, const char *name, enum up_node_kind kind)
{
    struct compare *c = user, below = *c;
    char a[UP_PATH_SIZE], b[UP_PATH_SIZE];
    struct up_stat st;

    if (snprintf(a, sizeof a, "%s/%s", c->a, name) >= (int)sizeof a ||
        snprintf(b, sizeof b, "%s/%s", c->b, name) >= (int)sizeof b)
        return 0;
    if (c->d->storage->ops->stat(c->d->storage, b, &st) < 0) {
        c->rc = errno == ENOENT ? 0 : up_fail(c->err, UP_WRITE, "%s: %s", b, strerror(errno));
        return c->rc != 0;
    }
    below.a = a;
    below.b = b;
    c->rc = kind == UP_NODE_DIR && st.kind == UP_NODE_DIR ? compare_folders(&below) : 1;
    return c->rc != 0;
}

static int compare_folders(struct compare *c)
{
    c->rc = 0;
    if (c->d->storage->ops->list(c->d->storage, c->a, compare_one, c) < 0 && c->rc == 0)
        return up_fail(c->err, UP_WRITE, "%s: %s", c->a, strerror(errno));
    return c->rc;
}

static int compare_lua(const struct up_device *d, const struct up_hotfix *a, const struct up_hotfix *b,
                       struct up_error *err)
{
    char first[UP_PATH_SIZE], second[UP_PATH_SIZE];
    struct compare c = {.d = d, .a = first, .b = second, .err = err};

    int has = up_hotfix_has(d, a->id, "lua", err);

    if (has > 0)
        has = up_hotfix_has(d, b->id, "lua", err);
    if (has <= 0)
        return has;
    up_hotfix_path(d, a->id, "lua", first, sizeof first);
    up_hotfix_path(d, b->id, "lua", second, sizeof second);
    return compare_folders(&c);
}

/* `b` is the later one. What `a` replaced is put back over it; nothing is, if that is lost. What `b` changed is not
 * known, if that is lost. */
static int compare_files(const struct up_device *d, const struct up_hotfix *a, const struct up_hotfix *b,
                         struct up_error *err)
{
    const char *state = d->config->state;
    struct up_files_kept one, other;
    int rc = up_hotfix_set_open_kept(&one, d->storage, state, a, err);

    if (rc < 0)
        return rc == UP_NOTHING ? 0 : rc;
    rc = up_hotfix_set_open_kept(&other, d->storage, state, b, err);
    if (rc == 0) {
        rc = up_files_kept_touches(d->storage, &one.plan, &other.plan);
        up_files_kept_close(&other);
    }
    up_files_kept_close(&one);
    return rc == UP_NOTHING ? b->files : rc;
}

int up_hotfix_overlaps(const struct up_device *d, const struct up_hotfix *a, const struct up_hotfix *b,
                       struct up_error *err)
{
    int rc = compare_lua(d, a, b, err);

    return rc == 0 ? compare_files(d, a, b, err) : rc;
}
