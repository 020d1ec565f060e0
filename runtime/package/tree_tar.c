#include "tree_tar.h"

#include "error.h"
#include "storage.h"
#include "tar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct up_tree_tar {
    struct up_storage *storage;
    char *dir;
    struct up_tar_entry *entry;
    size_t count, room;
    uint64_t size;
    size_t at;       /* the current entry, `count` at the end */
    uint64_t within; /* bytes of it that were given out: header, content, padding */
    int file;        /* its file, -1 while not open */
    bool drop_cache; /* drop the cache of each file before it is read */
    char *first;     /* content for the first entry in place of its file's; NULL: its file's */
    uint8_t header[UP_TAR_BLOCK];
};

struct listing {
    struct up_tree_tar *tree;
    char parent[UP_TAR_NAME_MAX + 1]; /* relative, "" for the top */
    struct up_error *err;
    int rc;
};

static int full_path(const struct up_tree_tar *t, const char *name, char path[UP_PATH_SIZE],
                     struct up_error *err)
{
    if ((size_t)snprintf(path, UP_PATH_SIZE, "%s%s%s", t->dir, *name ? "/" : "", name) >= UP_PATH_SIZE)
        return up_fail(err, UP_USAGE, "%s: the path is too long", t->dir);
    return 0;
}

static struct up_tar_entry *append(struct up_tree_tar *t)
{
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        struct up_tar_entry *entry = realloc(t->entry, room * sizeof *entry);

        if (!entry)
            return NULL;
        t->entry = entry;
        t->room = room;
    }
    memset(&t->entry[t->count], 0, sizeof *t->entry);
    return &t->entry[t->count++];
}

/* Turn what the storage reports about a name into a header. */
static int take_name(struct listing *l, const char *name)
{
    struct up_tree_tar *t = l->tree;
    struct up_tar_entry *entry = append(t);
    char path[UP_PATH_SIZE];
    struct up_stat st;
    int rc;

    if (!entry)
        return up_fail(l->err, UP_INTERNAL, "%s: out of memory", t->dir);
    if ((size_t)snprintf(entry->name, sizeof entry->name, "%s%s%s", l->parent, *l->parent ? "/" : "", name) >=
        sizeof entry->name)
        return up_fail(l->err, UP_USAGE, "%s/%s/%s: the name is too long for a package", t->dir, l->parent,
                       name);
    rc = full_path(t, entry->name, path, l->err);
    if (rc < 0)
        return rc;
    if (t->storage->ops->stat(t->storage, path, &st) < 0)
        return up_fail(l->err, UP_WRITE, "%s: %s", path, strerror(errno));
    if (st.kind != UP_NODE_FILE && st.kind != UP_NODE_DIR)
        return up_fail(l->err, UP_USAGE, "%s: a %s; a package holds regular files and directories only", path,
                       st.kind == UP_NODE_LINK ? "symbolic link" : "device, socket or pipe");
    entry->directory = st.kind == UP_NODE_DIR;
    entry->mode = entry->directory || (st.mode & 0100) ? 0755 : 0644;
    entry->size = entry->directory ? 0 : st.size;
    t->size += UP_TAR_BLOCK + up_tar_padded(entry->size);
    rc = up_tar_put(t->header, entry, l->err);
    return rc < 0 && l->err ? up_fail_in(l->err, t->dir) : rc;
}

static int list_name(void *user, const char *name, enum up_node_kind kind)
{
    struct listing *l = user;

    (void)kind; /* some storages do not know it while listing */
    l->rc = take_name(l, name);
    return l->rc < 0;
}

static int cannot_list(int error)
{
    if (error == ENOENT)
        return UP_MISSING;
    return error == ENOTDIR ? UP_USAGE : UP_WRITE;
}

static int list_dir(struct up_tree_tar *t, const char *name, struct up_error *err)
{
    struct listing l = {.tree = t, .err = err};
    char path[UP_PATH_SIZE];
    int rc = full_path(t, name, path, err);

    if (rc < 0)
        return rc;
    snprintf(l.parent, sizeof l.parent, "%s", name);
    if (t->storage->ops->list(t->storage, path, list_name, &l) < 0 && l.rc == 0)
        return up_fail(err, cannot_list(errno), "%s: %s", path, strerror(errno));
    return l.rc;
}

static int by_name(const void *a, const void *b)
{
    const struct up_tar_entry *x = a, *y = b;

    return strcmp(x->name, y->name);
}

int up_tree_tar_open(struct up_tree_tar **out, struct up_storage *storage, const char *dir,
                     struct up_error *err)
{
    struct up_tree_tar *t = calloc(1, sizeof *t);
    int rc;

    if (t) {
        t->file = -1;
        t->storage = storage;
        t->dir = strdup(dir);
    }
    if (!t || !t->dir) {
        up_tree_tar_close(t);
        return up_fail(err, UP_INTERNAL, "%s: out of memory", dir);
    }
    rc = list_dir(t, "", err);
    /* Directories are appended as they are found, so this loop visits them all. */
    for (size_t i = 0; rc == 0 && i < t->count; i++)
        if (t->entry[i].directory) {
            char name[UP_TAR_NAME_MAX + 1];

            memcpy(name, t->entry[i].name, sizeof name); /* a copy, because appending moves the entries */
            rc = list_dir(t, name, err);
        }
    if (rc < 0) {
        up_tree_tar_close(t);
        return rc;
    }
    if (t->count)
        qsort(t->entry, t->count, sizeof *t->entry, by_name);
    t->size += UP_TAR_END;
    *out = t;
    return 0;
}

void up_tree_tar_close(struct up_tree_tar *t)
{
    if (!t)
        return;
    if (t->file >= 0)
        t->storage->ops->close(t->storage, t->file);
    free(t->entry);
    free(t->first);
    free(t->dir);
    free(t);
}

uint64_t up_tree_tar_size(const struct up_tree_tar *t)
{
    return t->size;
}

bool up_tree_tar_has(const struct up_tree_tar *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (!t->entry[i].directory && strcmp(t->entry[i].name, name) == 0)
            return true;
    return false;
}

int up_tree_tar_flatten(struct up_tree_tar *t, const char *first, struct up_error *err)
{
    struct up_tar_entry entry;

    for (size_t i = 0; i < t->count; i++) {
        if (t->entry[i].directory)
            return up_fail(err, UP_USAGE, "%s/%s: a directory; files lie side by side", t->dir,
                           t->entry[i].name);
        t->entry[i].mode = 0644;
    }
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->entry[i].name, first) == 0) {
            entry = t->entry[i];
            memmove(&t->entry[1], &t->entry[0], i * sizeof entry);
            t->entry[0] = entry;
            return 0;
        }
    return up_fail(err, UP_USAGE, "%s: has no %s", t->dir, first);
}

int up_tree_tar_replace(struct up_tree_tar *t, const char *bytes, size_t len, struct up_error *err)
{
    struct up_tar_entry *entry = &t->entry[0];

    t->first = malloc(len ? len : 1);
    if (!t->first)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", t->dir);
    memcpy(t->first, bytes, len);
    t->size += up_tar_padded(len) - up_tar_padded(entry->size);
    entry->size = len;
    return 0;
}

const char *up_tree_tar_name(const struct up_tree_tar *t, size_t i)
{
    return i < t->count ? t->entry[i].name : NULL;
}

void up_tree_tar_drop_cache(struct up_tree_tar *t)
{
    t->drop_cache = true;
}

static int start_entry(struct up_tree_tar *t, const struct up_tar_entry *entry, struct up_error *err)
{
    char path[UP_PATH_SIZE];
    int rc = up_tar_put(t->header, entry, err);

    if (rc < 0 || entry->directory || (t->first && t->at == 0))
        return rc;
    rc = full_path(t, entry->name, path, err);
    if (rc < 0)
        return rc;
    t->file = t->storage->ops->open(t->storage, path, UP_READ, 0);
    if (t->file < 0)
        return up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    if (t->drop_cache && t->storage->ops->drop_cache(t->storage, t->file, 0, entry->size) < 0)
        return up_fail(err, UP_WRITE, "%s: drop cache: %s", path, strerror(errno));
    return 0;
}

/* The entry was given out completely: its file must not have grown meanwhile. */
static int end_entry(struct up_tree_tar *t, const struct up_tar_entry *entry, struct up_error *err)
{
    char byte;
    bool grown = t->file >= 0 && t->storage->ops->pread(t->storage, t->file, &byte, 1, entry->size) != 0;

    if (t->file >= 0)
        t->storage->ops->close(t->storage, t->file);
    t->file = -1;
    t->at++;
    t->within = 0;
    return grown ? up_fail(err, UP_USAGE, "%s/%s: changed while it was read", t->dir, entry->name) : 0;
}

/* Up to len bytes of the entry: their number, or an error. */
static long long read_entry(struct up_tree_tar *t, const struct up_tar_entry *entry, uint8_t *out, size_t len,
                            struct up_error *err)
{
    uint64_t content = UP_TAR_BLOCK + entry->size, end = UP_TAR_BLOCK + up_tar_padded(entry->size);
    uint64_t body = t->within < content ? content : end,
             stop = t->within < UP_TAR_BLOCK ? UP_TAR_BLOCK : body;
    size_t n = stop - t->within < len ? (size_t)(stop - t->within) : len;

    if (t->within < UP_TAR_BLOCK)
        memcpy(out, t->header + t->within, n);
    else if (t->within >= content)
        memset(out, 0, n);
    else if (t->first && t->at == 0)
        memcpy(out, t->first + (t->within - UP_TAR_BLOCK), n);
    else if (t->storage->ops->pread(t->storage, t->file, out, n, t->within - UP_TAR_BLOCK) != (long long)n)
        return up_fail(err, UP_USAGE, "%s/%s: cannot be read, or changed while it was read", t->dir,
                       entry->name);
    t->within += n;
    return (long long)n;
}

int up_tree_tar_read(struct up_tree_tar *t, void *buf, size_t len, struct up_error *err)
{
    uint8_t *out = buf;
    int rc = 0;

    while (rc == 0 && len > 0 && t->at < t->count) {
        const struct up_tar_entry *entry = &t->entry[t->at];
        long long n;

        if (t->within == 0)
            rc = start_entry(t, entry, err);
        if (rc < 0)
            break;
        n = read_entry(t, entry, out, len, err);
        if (n < 0)
            return (int)n;
        out += n;
        len -= (size_t)n;
        if (t->within == UP_TAR_BLOCK + up_tar_padded(entry->size))
            rc = end_entry(t, entry, err);
    }
    if (rc == 0)
        memset(out, 0, len);
    return rc;
}
