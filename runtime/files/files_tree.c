#include "files_tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

#define CHUNK 65536u
#define DEPTH 32 /* of directories below one another, each of which is open */

int up_files_tree_failed(const struct up_files_place *p, const char *name, const char *call,
                         struct up_error *err)
{
    return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s/%s%s%s: %s: %s", p->root, p->folder,
                   *p->folder ? "/" : "", name, call, strerror(errno));
}

static int no_place(const struct up_files_place *p, struct up_error *err)
{
    int code = errno == ENOENT ? UP_MISSING : UP_WRITE;

    if (errno == ELOOP || errno == ENOTDIR || errno == EXDEV)
        code = UP_INCOMPATIBLE;
    return up_fail(err, code, "%s/%s: %s", p->root, p->folder, strerror(errno));
}

/* A place below the .new of the directory that it lies in. */
static int inside(const struct up_files_plan *plan, const struct up_files_op *op, char out[UP_PATH_SIZE])
{
    const struct up_files_op *parent = &plan->op[op->parent];
    char name[UP_FILES_TEMPORARY_SIZE];

    up_files_plan_temporary(plan, op->parent, UP_FILES_NEW, name);
    return snprintf(out, UP_PATH_SIZE, "%s%s%s%s%s", parent->dir, *parent->dir ? "/" : "", name,
                    *op->dir ? "/" : "", op->dir);
}

static int open_below(struct up_files_place *p, const char *path, struct up_error *err)
{
    struct up_storage *s = p->storage;
    int root = s->ops->open_dir(s, UP_NO_DIR, p->root, false), why;

    if (root < 0)
        return no_place(p, err);
    p->dir = s->ops->open_dir(s, root, path, false);
    why = errno;
    s->ops->close(s, root);
    errno = why;
    return p->dir < 0 ? no_place(p, err) : 0;
}

int up_files_tree_open_at(struct up_files_place *p, struct up_storage *s, const char *root,
                          const char *folder, struct up_error *err)
{
    *p = (struct up_files_place){s, -1, root, folder, false};
    return open_below(p, folder, err);
}

int up_files_tree_open(struct up_files_place *p, struct up_storage *s, const struct up_files_plan *plan,
                       uint32_t n, struct up_error *err)
{
    const struct up_files_op *op = &plan->op[n];
    char path[UP_PATH_SIZE];

    *p = (struct up_files_place){s, -1, plan->root[op->root].path, op->dir, plan->root[op->root].plain};
    if (up_files_plan_is_step(op))
        snprintf(path, sizeof path, "%s", op->dir);
    else if (inside(plan, op, path) >= UP_PATH_SIZE)
        return up_fail(err, UP_INCOMPATIBLE, "%s/%s: path too long", p->root, op->dir);
    return open_below(p, path, err);
}

void up_files_tree_close(struct up_files_place *p)
{
    if (p->dir >= 0)
        p->storage->ops->close(p->storage, p->dir);
    p->dir = -1;
}

int up_files_tree_look(const struct up_files_place *p, const char *name, struct up_stat *out,
                       struct up_error *err)
{
    if (p->storage->ops->stat_at(p->storage, p->dir, name, out) == 0)
        return 1;
    return errno == ENOENT ? 0 : up_files_tree_failed(p, name, "stat", err);
}

int up_files_tree_sync(const struct up_files_place *p, struct up_error *err)
{
    return p->storage->ops->sync(p->storage, p->dir) < 0 ? up_files_tree_failed(p, "", "sync", err) : 0;
}

int up_files_tree_rename(const struct up_files_place *p, const char *from, const char *to,
                         struct up_error *err)
{
    if (p->storage->ops->rename_at(p->storage, p->dir, from, to) < 0)
        return up_files_tree_failed(p, to, "rename", err);
    return 0;
}

int up_files_tree_unlink(const struct up_files_place *p, const char *name, struct up_error *err)
{
    return p->storage->ops->unlink_at(p->storage, p->dir, name) < 0
               ? up_files_tree_failed(p, name, "unlink", err)
               : 0;
}

bool up_files_tree_has_no_links(int error)
{
    return error == EPERM || error == EOPNOTSUPP || error == EMLINK;
}

/* Hash an open file, and copy it into `to` unless that is -1. Returns 0 or -1. */
static int pour(struct up_storage *s, int from, int to, struct up_digest *hash)
{
    uint8_t *buf = malloc(CHUNK);
    uint64_t at = 0;
    long long got = -1;
    int rc = 0, why;

    while (buf && rc == 0) {
        got = s->ops->pread(s, from, buf, CHUNK, at);
        if (got <= 0)
            break;
        up_digest_update(hash, buf, (size_t)got);
        rc = to < 0 ? 0 : s->ops->pwrite(s, to, buf, (size_t)got, at);
        at += (uint64_t)got;
    }
    why = buf ? errno : ENOMEM;
    free(buf);
    errno = why;
    return got < 0 ? -1 : rc;
}

static int digest_of(const struct up_files_place *p, const char *name, int file, int to,
                     uint8_t out[UP_SHA256_SIZE], struct up_error *err)
{
    uint8_t sum[UP_DIGEST_MAX];
    struct up_digest *hash;
    int rc = up_digest_new(&hash, UP_SHA256, err);

    if (rc < 0)
        return rc;
    if (pour(p->storage, file, to, hash) < 0)
        rc = up_files_tree_failed(p, name, to < 0 ? "read" : "copy", err);
    up_digest_final(hash, sum);
    memcpy(out, sum, UP_SHA256_SIZE);
    up_digest_free(hash);
    return rc;
}

int up_files_tree_digest(const struct up_files_place *p, const char *name, uint8_t out[UP_SHA256_SIZE],
                         struct up_error *err)
{
    struct up_storage *s = p->storage;
    int file = s->ops->open_at(s, p->dir, name, UP_READ, 0);
    struct up_stat st;
    int rc;

    if (file < 0)
        return up_files_tree_failed(p, name, "open", err);
    if (s->ops->stat_file(s, file, &st) < 0 || s->ops->drop_cache(s, file, 0, st.size) < 0)
        rc = up_files_tree_failed(p, name, "read", err);
    else
        rc = digest_of(p, name, file, -1, out, err);
    s->ops->close(s, file);
    return rc;
}

int up_files_tree_copy(const struct up_files_place *p, const char *name, int to, struct up_error *err)
{
    struct up_storage *s = p->storage;
    int file = s->ops->open_at(s, p->dir, name, UP_READ, 0);
    uint8_t digest[UP_SHA256_SIZE];
    int rc;

    if (file < 0)
        return up_files_tree_failed(p, name, "open", err);
    rc = digest_of(p, name, file, to, digest, err);
    if (rc == 0 && (s->ops->copy_attributes(s, to, file) < 0 || s->ops->sync(s, to) < 0))
        rc = up_files_tree_failed(p, name, "copy", err);
    s->ops->close(s, file);
    return rc;
}

int up_files_tree_make_like(const struct up_files_place *p, int file, int like)
{
    struct up_storage *s = p->storage;
    int changed = s->ops->copy_attributes(s, file, like);
    struct up_stat st;

    if (changed < 0 || !p->plain)
        return changed;
    /* Setting the owner takes capabilities away. */
    if (s->ops->stat_file(s, like, &st) < 0 ||
        s->ops->set_attributes(s, file, st.owner, st.group, st.mode & 01777) < 0)
        return -1;
    return 1;
}

/* What is done with each name below a directory. */
struct walk {
    struct up_storage *storage;
    int dir;
    unsigned depth;
    bool removes;          /* or only looks */
    const char *found;     /* what keeps it from being removed, or NULL */
    uint64_t files, bytes; /* that it looked at */
    int why;               /* errno that ended it; 0: none */
};

static int each(void *user, const char *name, enum up_node_kind kind);

static int failed(struct walk *w, int error)
{
    w->why = error;
    return 1;
}

static int into(struct walk *w, const char *name)
{
    struct up_storage *s = w->storage;
    struct walk below = {.storage = s, .depth = w->depth + 1, .removes = w->removes};

    if (below.depth > DEPTH)
        return failed(w, ENAMETOOLONG);
    below.dir = s->ops->open_dir(s, w->dir, name, true);
    if (below.dir < 0)
        return failed(w, errno);
    if (s->ops->list_at(s, below.dir, each, &below) < 0 && !below.why)
        below.why = errno;
    s->ops->close(s, below.dir);
    w->found = below.found;
    w->files += below.files;
    w->bytes += below.bytes;
    if (below.why)
        return failed(w, below.why);
    if (w->removes && s->ops->rmdir_at(s, w->dir, name) < 0)
        return failed(w, errno);
    return w->found != NULL;
}

static int look(struct walk *w, const char *name)
{
    struct up_stat st;

    if (w->storage->ops->stat_at(w->storage, w->dir, name, &st) < 0)
        return failed(w, errno);
    w->files++;
    w->bytes += st.size;
    if (st.mount_point)
        w->found = "a mount lies below it";
    else if (st.fixed)
        w->found = "something immutable or append-only lies below it";
    return w->found != NULL;
}

static int each(void *user, const char *name, enum up_node_kind kind)
{
    struct walk *w = user;

    if (!w->removes && look(w, name) != 0)
        return 1;
    if (kind == UP_NODE_DIR)
        return into(w, name);
    if (w->removes && w->storage->ops->unlink_at(w->storage, w->dir, name) < 0)
        return failed(w, errno);
    return 0;
}

static int walk_failed(const struct walk *w, const struct up_files_place *p, const char *name,
                       struct up_error *err)
{
    errno = w->why;
    return up_files_tree_failed(p, name, w->removes ? "remove" : "list", err);
}

int up_files_tree_remove(const struct up_files_place *p, const char *name, struct up_error *err)
{
    struct walk w = {.storage = p->storage, .dir = p->dir, .removes = true};
    struct up_stat st;
    int there = up_files_tree_look(p, name, &st, err);

    if (there <= 0)
        return there;
    each(&w, name, st.kind);
    return w.why ? walk_failed(&w, p, name, err) : 0;
}

int up_files_tree_removable(const struct up_files_place *p, const char *name, struct up_error *err)
{
    struct walk w = {.storage = p->storage, .dir = p->dir};

    into(&w, name);
    if (w.why)
        return walk_failed(&w, p, name, err);
    if (w.found)
        return up_fail(err, UP_INCOMPATIBLE, "%s/%s%s%s: %s", p->root, p->folder, *p->folder ? "/" : "", name,
                       w.found);
    return 0;
}

int up_files_tree_measure(const struct up_files_place *p, const char *name, uint64_t *files, uint64_t *bytes,
                          struct up_error *err)
{
    struct walk w = {.storage = p->storage, .dir = p->dir};
    struct up_stat st;
    int there = up_files_tree_look(p, name, &st, err);

    if (there > 0)
        each(&w, name, st.kind);
    *files = w.files;
    *bytes = w.bytes;
    if (there < 0)
        return there;
    return w.why ? walk_failed(&w, p, name, err) : 0;
}
