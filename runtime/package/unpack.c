#include "unpack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "script_archive.h"
#include "storage.h"
#include "tar.h"

#define PATH_SIZE 1536
#define CHUNK 65536

struct up_unpack {
    struct up_storage *storage;
    int archive;
    uint64_t size;
    uint64_t at;               /* offset in the archive: the next header, or the content of `entry` */
    struct up_tar_entry entry; /* the entry whose file is open */
    int file;                  /* -1: none is */
    uint64_t done;             /* bytes of it */
    bool resumes;              /* the directory existed */
    bool same;                 /* the file existed, and is correct so far */
    bool syncing;              /* the second pass, which syncs the directories */
    struct up_script_archive check;
    char dir[PATH_SIZE];
    uint8_t chunk[CHUNK], now[CHUNK];
};

static int join(char out[PATH_SIZE], const char *dir, const char *name, struct up_error *err)
{
    if (snprintf(out, PATH_SIZE, "%s/%s", dir, name) >= PATH_SIZE)
        return up_fail(err, UP_WRITE, "%s/%s: path too long", dir, name);
    return 0;
}

/* Whether an earlier run got as far as this entry: 1 or 0; anything else at its path is removed. */
static int there(const struct up_unpack *u, const char *path, const struct up_stat *wanted,
                 struct up_error *err)
{
    struct up_stat st;

    if (u->storage->ops->stat(u->storage, path, &st) < 0) {
        if (errno == ENOENT)
            return 0;
        return up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    }
    if (st.kind == wanted->kind && st.mode == wanted->mode &&
        (st.kind == UP_NODE_DIR || st.size == wanted->size))
        return 1;
    return up_storage_remove_tree(u->storage, path, err);
}

/* 1: it existed. */
static int make_dir(struct up_unpack *u, const char *path, unsigned mode, struct up_error *err)
{
    const struct up_stat wanted = {.kind = UP_NODE_DIR, .mode = mode};
    int rc = there(u, path, &wanted, err);

    if (rc != 0)
        return rc;
    if (u->storage->ops->mkdir(u->storage, path, mode) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: mkdir: %s", path, strerror(errno));
    return 0;
}

int up_unpack_open(struct up_unpack **out, struct up_storage *storage, const char *archive, uint64_t size,
                   enum up_script_archive_kind kind, const char *dir, struct up_error *err)
{
    struct up_unpack *u;
    int rc;

    if (strlen(dir) >= sizeof u->dir)
        return up_fail(err, UP_USAGE, "%s: path too long", dir);
    u = calloc(1, sizeof *u);
    if (!u)
        return up_fail(err, UP_INTERNAL, "script: out of memory");
    u->storage = storage;
    u->size = size;
    up_script_archive_begin(&u->check, kind, size);
    u->file = -1;
    strcpy(u->dir, dir);
    u->archive = storage->ops->open(storage, archive, UP_READ, 0);
    if (u->archive < 0) {
        up_fail(err, UP_WRITE, "%s: open: %s", archive, strerror(errno));
        goto fail;
    }
    rc = make_dir(u, dir, 0755, err);
    if (rc < 0)
        goto fail;
    u->resumes = rc > 0;
    *out = u;
    return 0;
fail:
    up_unpack_close(u);
    return err->code;
}

void up_unpack_close(struct up_unpack *u)
{
    if (!u)
        return;
    if (u->file >= 0)
        u->storage->ops->close(u->storage, u->file);
    if (u->archive >= 0)
        u->storage->ops->close(u->storage, u->archive);
    free(u);
}

static int read_archive(struct up_unpack *u, void *buf, size_t len, uint64_t at, struct up_error *err)
{
    if (u->storage->ops->pread(u->storage, u->archive, buf, len, at) != (long long)len)
        return up_fail(err, UP_WRITE, "%s spool: read: %s", u->check.tar.what, strerror(errno));
    return 0;
}

/* The checker sees these bytes; otherwise they do not matter here. */
static int check_on(struct up_unpack *u, uint64_t at, uint64_t len, struct up_error *err)
{
    uint8_t bytes[UP_TAR_BLOCK];

    if (read_archive(u, bytes, (size_t)len, at, err) < 0)
        return err->code;
    return up_script_archive_feed(&u->check, bytes, (size_t)len, err);
}

/* The member is complete: skip its padding and go on to the next header. */
static int end_member(struct up_unpack *u, struct up_error *err)
{
    uint64_t padded = up_tar_padded(u->entry.size);

    if (!u->syncing && check_on(u, u->at + u->entry.size, padded - u->entry.size, err) < 0)
        return err->code;
    u->at += padded;
    return UP_AGAIN;
}

/* Write `chunk` to its place, unless it is there already. */
static int put(struct up_unpack *u, size_t n, struct up_error *err)
{
    struct up_storage *s = u->storage;

    if (u->same) {
        long long got = s->ops->pread(s, u->file, u->now, n, u->done);

        u->same = got == (long long)n && memcmp(u->now, u->chunk, n) == 0;
    }
    if (!u->same && s->ops->pwrite(s, u->file, u->chunk, n, u->done) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s/%s: write: %s", u->dir, u->entry.name,
                       strerror(errno));
    u->done += n;
    return 0;
}

/* Process the next piece of the open file. */
static int copy(struct up_unpack *u, struct up_error *err)
{
    struct up_storage *s = u->storage;
    uint64_t left = u->entry.size - u->done;
    size_t n = left < CHUNK ? (size_t)left : CHUNK;

    if (n > 0) {
        if (read_archive(u, u->chunk, n, u->at + u->done, err) < 0 ||
            up_script_archive_feed(&u->check, u->chunk, n, err) < 0 || put(u, n, err) < 0)
            return err->code;
        if (u->done < u->entry.size)
            return UP_AGAIN;
    }
    if (s->ops->sync(s, u->file) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s/%s: sync: %s", u->dir, u->entry.name,
                       strerror(errno));
    s->ops->close(s, u->file);
    u->file = -1;
    return end_member(u, err);
}

/* Whether reading the file shows what is on the medium: after a failed sync the
 * cache may hold something else. */
static bool passes_cache(struct up_unpack *u)
{
    int how = u->storage->ops->drop_cache(u->storage, u->file, 0, u->entry.size);

    return how == UP_READ_DIRECT || how == UP_READ_DROPPED;
}

/* Open a file to be filled; if an earlier run may have filled it, compare first. */
static int open_file(struct up_unpack *u, const char *path, struct up_error *err)
{
    const struct up_stat wanted = {.kind = UP_NODE_FILE, .mode = u->entry.mode, .size = u->entry.size};
    int rc = u->resumes ? there(u, path, &wanted, err) : 0;

    if (rc < 0)
        return rc;
    u->done = 0;
    u->same = rc > 0;
    u->file = u->storage->ops->open(u->storage, path, u->same ? UP_UPDATE : UP_WRITE_ONLY_NEW, u->entry.mode);
    if (u->file < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s: %s", path,
                       u->same ? "open" : "create", strerror(errno));
    u->same = u->same && passes_cache(u);
    return UP_AGAIN;
}

static int make_member(struct up_unpack *u, struct up_error *err)
{
    char path[PATH_SIZE];

    if (join(path, u->dir, u->entry.name, err) < 0)
        return err->code;
    if (!u->entry.directory)
        return open_file(u, path, err);
    return make_dir(u, path, u->entry.mode, err) < 0 ? err->code : end_member(u, err);
}

static int sync_member(struct up_unpack *u, struct up_error *err)
{
    char path[PATH_SIZE];

    if (u->entry.directory) {
        if (join(path, u->dir, u->entry.name, err) < 0)
            return err->code;
        if (u->storage->ops->sync_dir(u->storage, path) < 0)
            return up_fail(err, UP_WRITE, "%s: sync: %s", path, strerror(errno));
    }
    return end_member(u, err);
}

/* After the last member: a second pass for the directories, then the top directory. */
static int end_archive(struct up_unpack *u, struct up_error *err)
{
    if (!u->syncing) {
        if (check_on(u, u->at + UP_TAR_BLOCK, UP_TAR_BLOCK, err) < 0 ||
            up_script_archive_end(&u->check, err) < 0)
            return err->code;
        u->syncing = true;
        u->at = 0;
        return UP_AGAIN;
    }
    if (u->storage->ops->sync_dir(u->storage, u->dir) < 0)
        return up_fail(err, UP_WRITE, "%s: sync: %s", u->dir, strerror(errno));
    return 0;
}

int up_unpack_step(struct up_unpack *u, struct up_error *err)
{
    uint8_t header[UP_TAR_BLOCK];
    int more;

    if (u->file >= 0)
        return copy(u, err);
    if (u->size - u->at < UP_TAR_BLOCK)
        return up_fail(err, UP_UNTRUSTED, "script: the archive ends without its end mark");
    if (read_archive(u, header, sizeof header, u->at, err) < 0 ||
        (!u->syncing && up_script_archive_feed(&u->check, header, sizeof header, err) < 0))
        return err->code;
    more = up_tar_get(&u->entry, header, err);
    if (more <= 0)
        return more < 0 ? more : end_archive(u, err);
    u->at += UP_TAR_BLOCK;
    return u->syncing ? sync_member(u, err) : make_member(u, err);
}
