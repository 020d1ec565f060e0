#include "package_spool.h"

#include "index_reader.h"
#include "minisign.h"
#include "package.h"
#include "storage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *path_of(const char *spool, const char *stem, const char *suffix, char path[UP_PATH_SIZE])
{
    snprintf(path, UP_PATH_SIZE, "%s/%s%s", spool, stem, suffix);
    return path;
}

/* Keep a small file in the spool, unless it is there already. */
static int keep(const struct up_package_spool *s, const char *suffix, const void *data, size_t size,
                struct up_error *err)
{
    char path[UP_PATH_SIZE], *old;
    size_t old_size;
    bool same;

    path_of(s->path, "manifest", suffix, path);
    if (up_storage_read_file(s->storage, path, UP_MANIFEST_MAX, &old, &old_size, NULL) == 0) {
        same = old_size == size && memcmp(old, data, size) == 0;
        free(old);
        if (same)
            return 0;
    }
    return up_storage_write_file(s->storage, path, data, size, 0644, err);
}

int up_package_spool_manifest(const struct up_package_spool *s, const struct up_manifest *m, const char *text,
                              size_t size, const char *sig, size_t sig_size, struct up_error *err)
{
    int rc = keep(s, ".json", text, size, err);

    if (rc == 0)
        rc = keep(s, ".minisig", sig, sig_size, err);
    for (int kind = 0; rc == 0 && kind < UP_PART_KINDS; kind++) {
        char path[UP_PATH_SIZE];

        path_of(s->path, up_manifest_part_name((enum up_part_kind)kind), ".idx", path);
        if (!up_manifest_part(m, (enum up_part_kind)kind) && s->storage->ops->unlink(s->storage, path) < 0 &&
            errno != ENOENT)
            rc = up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    }
    return rc;
}

/* Verify the index at `path`. Errors: also UP_WRITE when it cannot be read. */
static int check_index(struct up_storage *storage, const char *path, const struct up_part *part,
                       struct up_error *err)
{
    struct up_index_reader check;
    uint8_t chunk[4096];
    long long n = 1;
    int file = storage->ops->open(storage, path, UP_READ, 0), rc;

    if (file < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "%s: %s", path, strerror(errno));
    rc = up_index_reader_begin(&check, part, err);
    while (rc == 0 && n > 0 && check.fed <= part->index_size) {
        n = storage->ops->pread(storage, file, chunk, sizeof chunk, check.fed);
        if (n > 0)
            up_index_reader_feed(&check, chunk, (size_t)n);
    }
    if (rc == 0 && n < 0)
        rc = up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    if (rc == 0)
        rc = up_index_reader_end(&check, err);
    up_index_reader_release(&check);
    storage->ops->close(storage, file);
    return rc;
}

/* A good index that another process left may still be in the cache only. */
static bool make_durable(struct up_storage *storage, const char *path)
{
    int file = storage->ops->open(storage, path, UP_UPDATE, 0);
    bool good = file >= 0 && storage->ops->sync(storage, file) == 0;

    if (file >= 0)
        storage->ops->close(storage, file);
    return good;
}

int up_package_spool_begin(struct up_package_spool *s, const struct up_part *part, struct up_error *err)
{
    char path[UP_PATH_SIZE];

    path_of(s->path, up_manifest_part_name(part->kind), ".idx", path);
    if (check_index(s->storage, path, part, NULL) == 0 && make_durable(s->storage, path))
        return 1;
    /* Not written over: a file whose sync failed once stays unsure. */
    if (s->storage->ops->unlink(s->storage, path) < 0 && errno != ENOENT)
        return up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    s->file = s->storage->ops->open(s->storage, path, UP_WRITE_ONLY_NEW, 0644);
    if (s->file < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s", path, strerror(errno));
    return 0;
}

int up_package_spool_write(const struct up_package_spool *s, const void *data, size_t len, uint64_t offset,
                           struct up_error *err)
{
    if (s->storage->ops->pwrite(s->storage, s->file, data, len, offset) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: write of an index: %s", s->path,
                       strerror(errno));
    return 0;
}

int up_package_spool_end(struct up_package_spool *s, const struct up_part *part, struct up_error *err)
{
    char path[UP_PATH_SIZE];
    int rc = 0;

    if (s->storage->ops->sync(s->storage, s->file) < 0) {
        path_of(s->path, up_manifest_part_name(part->kind), ".idx", path);
        rc = up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: sync: %s", path, strerror(errno));
        s->storage->ops->unlink(s->storage, path);
    }
    up_package_spool_close(s);
    return rc;
}

int up_package_spool_sync(const struct up_package_spool *s, struct up_error *err)
{
    if (s->storage->ops->sync_dir(s->storage, s->path) < 0)
        return up_fail(err, UP_WRITE, "%s: %s", s->path, strerror(errno));
    return 0;
}

void up_package_spool_close(struct up_package_spool *s)
{
    if (s->file >= 0)
        s->storage->ops->close(s->storage, s->file);
    s->file = -1;
}

/* Manifest and signature out of a spool. */
static int load_manifest(struct up_manifest *m, struct up_package_layout *layout, struct up_storage *storage,
                         const struct up_keyring *ring, const char *spool, struct up_error *err)
{
    char path[UP_PATH_SIZE], *text = NULL, *sig = NULL;
    size_t size, sig_size;
    int rc = up_storage_read_file(storage, path_of(spool, "manifest", ".json", path), UP_MANIFEST_MAX, &text,
                                  &size, err);

    if (rc == 0)
        rc = up_storage_read_file(storage, path_of(spool, "manifest", ".minisig", path), UP_MINISIG_MAX, &sig,
                                  &sig_size, err);
    if (rc == 0)
        rc = up_manifest_verify(m, ring, text, size, sig, sig_size, err);
    if (rc == 0)
        up_package_layout_of(layout, m, size, sig_size);
    free(text);
    free(sig);
    return rc;
}

int up_package_check_index(struct up_storage *storage, const char *spool, const struct up_part *part,
                           struct up_error *err)
{
    char path[UP_PATH_SIZE];

    return check_index(storage, path_of(spool, up_manifest_part_name(part->kind), ".idx", path), part, err);
}

int up_package_load(struct up_manifest *m, struct up_package_layout *layout, struct up_storage *storage,
                    const struct up_keyring *ring, const char *spool, struct up_error *err)
{
    int rc = load_manifest(m, layout, storage, ring, spool, err);

    for (unsigned i = 0; rc == 0 && i < m->part_count; i++)
        rc = up_package_check_index(storage, spool, &m->part[i], err);
    return rc;
}

int up_package_load_part(struct up_manifest *m, struct up_storage *storage, const struct up_keyring *ring,
                         const char *spool, enum up_part_kind kind, struct up_error *err)
{
    struct up_package_layout layout;
    int rc = load_manifest(m, &layout, storage, ring, spool, err);

    if (rc < 0)
        return rc;
    if (!up_manifest_part(m, kind))
        return up_fail(err, UP_MISSING, "%s: the package has no %s", spool, up_manifest_part_name(kind));
    return up_package_check_index(storage, spool, up_manifest_part(m, kind), err);
}