#include "generation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "storage.h"
#include "tar.h"

#define PATH_SIZE 1536
#define CHUNK 65536

/* One extraction. */
struct work {
    struct up_storage *storage;
    const char *dir; /* the unfinished directory */
    int spool;
    uint64_t size;
    uint8_t *chunk;
    struct up_error *err;
};

static int join(char out[PATH_SIZE], const char *dir, const char *name, struct up_error *err)
{
    if (snprintf(out, PATH_SIZE, "%s/%s", dir, name) >= PATH_SIZE)
        return up_fail(err, UP_WRITE, "%s/%s: path too long", dir, name);
    return 0;
}

/* In a directory that was just made, these come from the archive alone: a name
 * twice, a member below a file or below a directory that is none of its members. */
static int code_of(int error)
{
    return error == EEXIST || error == ENOENT || error == ENOTDIR ? UP_UNTRUSTED
                                                                  : up_code_of_errno(error, UP_WRITE);
}

static int extract_file(struct work *w, const struct up_tar_entry *entry, uint64_t at)
{
    struct up_storage *s = w->storage;
    char path[PATH_SIZE];
    int file, rc = 0;

    if (join(path, w->dir, entry->name, w->err) < 0)
        return w->err->code;
    file = s->ops->open(s, path, UP_WRITE_ONLY_NEW, entry->mode);
    if (file < 0)
        return up_fail(w->err, code_of(errno), "%s: create: %s", path, strerror(errno));
    for (uint64_t done = 0; done < entry->size && rc == 0;) {
        size_t n = entry->size - done < CHUNK ? (size_t)(entry->size - done) : CHUNK;

        if (s->ops->pread(s, w->spool, w->chunk, n, at + done) != (long long)n)
            rc = up_fail(w->err, UP_WRITE, "script spool: read: %s", strerror(errno));
        else if (s->ops->pwrite(s, file, w->chunk, n, done) < 0)
            rc = up_fail(w->err, up_code_of_errno(errno, UP_WRITE), "%s: write: %s", path, strerror(errno));
        done += n;
    }
    if (rc == 0 && s->ops->sync(s, file) < 0)
        rc = up_fail(w->err, up_code_of_errno(errno, UP_WRITE), "%s: sync: %s", path, strerror(errno));
    s->ops->close(s, file);
    return rc;
}

static int visit_extract(struct work *w, const struct up_tar_entry *entry, uint64_t at)
{
    char path[PATH_SIZE];

    if (!entry->directory)
        return extract_file(w, entry, at);
    if (join(path, w->dir, entry->name, w->err) < 0)
        return w->err->code;
    if (w->storage->ops->mkdir(w->storage, path, entry->mode) < 0)
        return up_fail(w->err, code_of(errno), "%s: mkdir: %s", path, strerror(errno));
    return 0;
}

static int visit_sync(struct work *w, const struct up_tar_entry *entry, uint64_t at)
{
    char path[PATH_SIZE];

    (void)at;
    if (!entry->directory)
        return 0;
    if (join(path, w->dir, entry->name, w->err) < 0)
        return w->err->code;
    if (w->storage->ops->sync_dir(w->storage, path) < 0)
        return up_fail(w->err, UP_WRITE, "%s: sync: %s", path, strerror(errno));
    return 0;
}

/* What nobody reads must be zeros: at most a block of them. */
static int check_zeros(struct work *w, uint64_t at, uint64_t len)
{
    uint8_t bytes[UP_TAR_BLOCK];

    if (w->storage->ops->pread(w->storage, w->spool, bytes, (size_t)len, at) != (long long)len)
        return up_fail(w->err, UP_WRITE, "script spool: read: %s", strerror(errno));
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return up_fail(w->err, UP_UNTRUSTED, "script: bytes where the archive must have zeros");
    return 0;
}

/* Call visit for each member. The archive must be canonical to its last byte
 * and its names must rise, which also excludes duplicates. */
static int walk(struct work *w, int (*visit)(struct work *, const struct up_tar_entry *, uint64_t))
{
    char last[UP_TAR_NAME_MAX + 1] = "";
    struct up_tar_entry entry;
    uint64_t at = 0;

    for (;;) {
        int more;

        if (w->size - at < UP_TAR_BLOCK)
            return up_fail(w->err, UP_UNTRUSTED, "script: the archive ends without its end mark");
        if (w->storage->ops->pread(w->storage, w->spool, w->chunk, UP_TAR_BLOCK, at) != UP_TAR_BLOCK)
            return up_fail(w->err, UP_WRITE, "script spool: read: %s", strerror(errno));
        more = up_tar_get(&entry, w->chunk, w->err);
        if (more < 0)
            return more;
        if (more == 0)
            return w->size - at == UP_TAR_END
                       ? check_zeros(w, at + UP_TAR_BLOCK, UP_TAR_BLOCK)
                       : up_fail(w->err, UP_UNTRUSTED, "script: bytes after the end mark");
        at += UP_TAR_BLOCK;
        if (strcmp(last, entry.name) >= 0)
            return up_fail(w->err, UP_UNTRUSTED, "script: member %s out of order", entry.name);
        if (w->size - at < up_tar_padded(entry.size))
            return up_fail(w->err, UP_UNTRUSTED, "script: member %s is cut short", entry.name);
        if (visit(w, &entry, at) < 0 ||
            check_zeros(w, at + entry.size, up_tar_padded(entry.size) - entry.size) < 0)
            return w->err->code;
        at += up_tar_padded(entry.size);
        strcpy(last, entry.name);
    }
}

static int fill(struct work *w, const char *main_path)
{
    struct up_stat st;

    if (walk(w, visit_extract) < 0 || walk(w, visit_sync) < 0)
        return w->err->code;
    if (w->storage->ops->stat(w->storage, main_path, &st) < 0) {
        if (errno != ENOENT)
            return up_fail(w->err, UP_WRITE, "%s: %s", main_path, strerror(errno));
        st.kind = UP_NODE_OTHER;
    }
    if (st.kind != UP_NODE_FILE)
        return up_fail(w->err, UP_UNTRUSTED, "script: has no main.lua");
    if (w->storage->ops->sync_dir(w->storage, w->dir) < 0)
        return up_fail(w->err, UP_WRITE, "%s: sync: %s", w->dir, strerror(errno));
    return 0;
}

int up_generation_extract(struct up_storage *storage, const char *spool, uint64_t size,
                          const char *script_dir, uint32_t n, struct up_error *err)
{
    struct work w = {.storage = storage, .spool = -1, .size = size, .err = err};
    char dir[PATH_SIZE], unfinished[PATH_SIZE], main_path[PATH_SIZE];
    int rc;

    if (snprintf(dir, sizeof dir, "%s/%" PRIu32, script_dir, n) >= (int)sizeof dir ||
        snprintf(unfinished, sizeof unfinished, "%s.new", dir) >= (int)sizeof unfinished ||
        snprintf(main_path, sizeof main_path, "%s/main.lua", unfinished) >= (int)sizeof main_path)
        return up_fail(err, UP_USAGE, "%s: path too long", script_dir);
    if (up_storage_remove_tree(storage, dir, err) < 0 || up_storage_remove_tree(storage, unfinished, err) < 0)
        return err->code;
    w.dir = unfinished;
    w.chunk = malloc(CHUNK);
    if (!w.chunk)
        return up_fail(err, UP_INTERNAL, "script: out of memory");
    w.spool = storage->ops->open(storage, spool, UP_READ, 0);
    if (w.spool < 0)
        rc = up_fail(err, UP_WRITE, "%s: open: %s", spool, strerror(errno));
    else if (storage->ops->mkdir(storage, unfinished, 0755) < 0)
        rc = up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: mkdir: %s", unfinished, strerror(errno));
    else
        rc = fill(&w, main_path);
    if (w.spool >= 0)
        storage->ops->close(storage, w.spool);
    free(w.chunk);
    if (rc < 0)
        return rc;
    if (storage->ops->rename(storage, unfinished, dir) < 0 || storage->ops->sync_dir(storage, script_dir) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: put in place: %s", dir, strerror(errno));
    return 0;
}

/* What up_generation_clean() removes: names are collected first, since a
 * directory is not changed while it is listed. */
struct doomed {
    const uint32_t *keep;
    unsigned keep_count, count;
    char name[16][64]; /* a round; called again while it was full */
};

static int collect(void *user, const char *name, enum up_node_kind kind)
{
    struct doomed *d = user;
    char canonical[16];
    uint32_t n = (uint32_t)strtoul(name, NULL, 10);

    (void)kind;
    if (strcmp(name, "current") == 0)
        return 0;
    snprintf(canonical, sizeof canonical, "%" PRIu32, n);
    for (unsigned i = 0; i < d->keep_count; i++)
        if (d->keep[i] == n && strcmp(name, canonical) == 0)
            return 0;
    if (strlen(name) < sizeof d->name[0])
        strcpy(d->name[d->count++], name);
    return d->count == sizeof d->name / sizeof d->name[0];
}

int up_generation_clean(struct up_storage *storage, const char *script_dir, const uint32_t *keep,
                        unsigned count, struct up_error *err)
{
    struct doomed d = {.keep = keep, .keep_count = count};
    char path[PATH_SIZE];
    unsigned removed;
    int rc;

    do {
        rc = 0;
        d.count = removed = 0;
        if (storage->ops->list(storage, script_dir, collect, &d) < 0)
            return up_fail(err, UP_WRITE, "%s: list: %s", script_dir, strerror(errno));
        for (unsigned i = 0; i < d.count; i++)
            if (join(path, script_dir, d.name[i], err) < 0 || up_storage_remove_tree(storage, path, err) < 0)
                rc = err->code;
            else
                removed++;
    } while (removed > 0);
    return rc;
}

int up_generation_link(struct up_storage *storage, const char *script_dir, uint32_t n, struct up_error *err)
{
    char path[PATH_SIZE], fresh[PATH_SIZE], target[16], now[16];

    if (join(path, script_dir, "current", err) < 0 || join(fresh, script_dir, "current.new", err) < 0)
        return err->code;
    snprintf(target, sizeof target, "%" PRIu32, n);
    if (storage->ops->readlink(storage, path, now, sizeof now) >= 0 && strcmp(now, target) == 0)
        return 0;
    if (storage->ops->unlink(storage, fresh) < 0 && errno != ENOENT)
        return up_fail(err, UP_WRITE, "%s: unlink: %s", fresh, strerror(errno));
    if (storage->ops->symlink(storage, target, fresh) < 0 || storage->ops->rename(storage, fresh, path) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: link: %s", path, strerror(errno));
    return 0;
}
