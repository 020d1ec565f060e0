/*
 * archive_extract.c -- extracts the entries that archive_reader.c reads, through the caller's storage.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "archive_reader.h"
#include "error.h"
#include "storage.h"

#define CHUNK 65536

struct extraction {
    struct up_archive_reader *archive;
    struct up_storage *storage;
    const char *dir; /* the directory under its temporary name */
    uint64_t files;
};

static int cannot(const char *what, const char *path, struct up_error *err)
{
    return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s: %s", path, what, strerror(errno));
}

static int join(char out[UP_PATH_SIZE], const char *dir, const char *name, struct up_error *err)
{
    if (snprintf(out, UP_PATH_SIZE, "%s/%s", dir, name) >= UP_PATH_SIZE)
        return up_fail(err, UP_WRITE, "%s/%s: path too long", dir, name);
    return 0;
}

/* Every directory above `path`, which lies below x->dir. */
static int make_parents(const struct extraction *x, const char *path, struct up_error *err)
{
    char parent[UP_PATH_SIZE];

    for (const char *slash = strchr(path + strlen(x->dir) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        memcpy(parent, path, (size_t)(slash - path));
        parent[slash - path] = '\0';
        if (x->storage->ops->mkdir(x->storage, parent, 0755) < 0 && errno != EEXIST)
            return cannot("mkdir", parent, err);
    }
    return 0;
}

static int copy(const struct extraction *x, int file, const char *path, struct up_error *err)
{
    uint8_t chunk[CHUNK];
    uint64_t at = 0;
    long n = up_archive_reader_read(x->archive, chunk, sizeof chunk, err);

    for (; n > 0; n = up_archive_reader_read(x->archive, chunk, sizeof chunk, err)) {
        if (x->storage->ops->pwrite(x->storage, file, chunk, (size_t)n, at) < 0)
            return cannot("write", path, err);
        at += (uint64_t)n;
    }
    if (n < 0)
        return (int)n;
    if (x->storage->ops->sync(x->storage, file) < 0)
        return cannot("sync", path, err);
    return 0;
}

static int put_file(struct extraction *x, const char *path, unsigned mode, struct up_error *err)
{
    int file = x->storage->ops->open(x->storage, path, UP_WRITE_ONLY_NEW, mode), rc;

    if (file < 0)
        return cannot("create", path, err);
    rc = copy(x, file, path, err);
    if (x->storage->ops->close(x->storage, file) < 0 && rc == 0)
        rc = cannot("close", path, err);
    x->files++;
    return rc;
}

static int put(struct extraction *x, const struct up_archive_entry *entry, struct up_error *err)
{
    char path[UP_PATH_SIZE];

    if (join(path, x->dir, entry->name, err) < 0 || make_parents(x, path, err) < 0)
        return err->code;
    if (entry->kind == UP_ARCHIVE_FILE)
        return put_file(x, path, entry->mode, err);
    if (x->storage->ops->mkdir(x->storage, path, 0755) < 0 && errno != EEXIST)
        return cannot("mkdir", path, err);
    return 0;
}

/* Sync every directory, so that the names are durable. */
struct sync_walk {
    struct up_storage *storage;
    const char *dir;
    int rc; /* of the call on a directory below */
    struct up_error *err;
};

static int sync_tree(struct up_storage *storage, const char *dir, struct up_error *err);

static int sync_below(void *user, const char *name, enum up_node_kind kind)
{
    struct sync_walk *walk = user;
    char path[UP_PATH_SIZE];

    if (kind != UP_NODE_DIR)
        return 0;
    walk->rc = join(path, walk->dir, name, walk->err);
    if (walk->rc == 0)
        walk->rc = sync_tree(walk->storage, path, walk->err);
    return walk->rc;
}

/* Archive_names allows no deeper names, so the recursion is bounded. */
static int sync_tree(struct up_storage *storage, const char *dir, struct up_error *err)
{
    struct sync_walk walk = {.storage = storage, .dir = dir, .err = err};

    if (storage->ops->list(storage, dir, sync_below, &walk) < 0)
        return cannot("list", dir, err);
    if (walk.rc < 0)
        return walk.rc;
    if (storage->ops->sync_dir(storage, dir) < 0)
        return cannot("sync", dir, err);
    return 0;
}

static int extract_all(struct extraction *x, struct up_error *err)
{
    struct up_archive_entry entry;
    int rc = 1;

    if (x->storage->ops->mkdir(x->storage, x->dir, 0755) < 0)
        return cannot("mkdir", x->dir, err);
    while (rc > 0) {
        rc = up_archive_reader_next(x->archive, &entry, err);
        if (rc > 0 && put(x, &entry, err) < 0)
            return err->code;
    }
    return rc < 0 ? rc : sync_tree(x->storage, x->dir, err);
}

int up_archive_reader_extract(struct up_archive_reader *a, struct up_storage *storage, const char *dir,
                              uint64_t *files, struct up_error *err)
{
    char part[UP_PATH_SIZE];
    struct extraction x = {.archive = a, .storage = storage, .dir = part};
    struct up_error ignored;
    struct up_stat st;
    int rc;

    if (up_archive_reader_entries(a) > 0)
        return up_fail(err, UP_USAGE, "archive: extract: entries were read before");
    if (snprintf(part, sizeof part, "%s.part", dir) >= (int)sizeof part)
        return up_fail(err, UP_WRITE, "%s: path too long", dir);
    if (storage->ops->stat(storage, dir, &st) == 0)
        return up_fail(err, UP_WRITE, "%s: it exists; extract to a new directory", dir);
    if (up_storage_remove_tree(storage, part, err) < 0)
        return err->code;
    rc = extract_all(&x, err);
    if (rc == 0 && storage->ops->rename(storage, part, dir) < 0)
        rc = cannot("rename", part, err);
    if (rc < 0) {
        (void)!up_storage_remove_tree(storage, part, &ignored);
        return rc;
    }
    rc = up_storage_sync_parent(storage, dir, err);
    if (rc < 0)
        (void)!up_storage_remove_tree(storage, dir, &ignored);
    else if (files)
        *files = x.files;
    return rc;
}
