#include "generation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "storage.h"
#include "unpack.h"

static int join(char out[UP_PATH_SIZE], const char *dir, const char *name, struct up_error *err)
{
    if (snprintf(out, UP_PATH_SIZE, "%s/%s", dir, name) >= UP_PATH_SIZE)
        return up_fail(err, UP_WRITE, "%s/%s: path too long", dir, name);
    return 0;
}

int up_generation_path(char out[UP_PATH_SIZE], const char *script_dir, uint32_t n, const char *suffix,
                       struct up_error *err)
{
    if (snprintf(out, UP_PATH_SIZE, "%s/%" PRIu32 "%s", script_dir, n, suffix) >= UP_PATH_SIZE)
        return up_fail(err, UP_USAGE, "%s: path too long", script_dir);
    return 0;
}

struct up_generation_maker {
    struct up_storage *storage;
    struct up_unpack *unpack;
    char script_dir[UP_PATH_SIZE], dir[UP_PATH_SIZE], unfinished[UP_PATH_SIZE];
};

/* An earlier call may have ended with the finished tree, which is then checked once more. */
static int find_earlier(struct up_generation_maker *m, struct up_error *err)
{
    struct up_storage *s = m->storage;
    struct up_stat st;

    if (s->ops->stat(s, m->dir, &st) < 0) {
        if (errno == ENOENT)
            return 0;
        return up_fail(err, UP_WRITE, "%s: %s", m->dir, strerror(errno));
    }
    if (up_storage_remove_tree(s, m->unfinished, err) < 0)
        return err->code;
    if (s->ops->rename(s, m->dir, m->unfinished) < 0)
        return up_fail(err, UP_WRITE, "%s: put aside: %s", m->dir, strerror(errno));
    return 0;
}

int up_generation_maker_open(struct up_generation_maker **out, struct up_storage *storage, const char *spool,
                             uint64_t size, const char *script_dir, uint32_t n, struct up_error *err)
{
    struct up_generation_maker *m = calloc(1, sizeof *m);

    if (!m)
        return up_fail(err, UP_INTERNAL, "script: out of memory");
    m->storage = storage;
    if (up_generation_path(m->dir, script_dir, n, "", err) < 0 ||
        up_generation_path(m->unfinished, script_dir, n, ".new", err) < 0 || find_earlier(m, err) < 0 ||
        up_unpack_open(&m->unpack, storage, spool, size, UP_ARCHIVE_OF_SCRIPT, m->unfinished, err) < 0) {
        up_generation_maker_close(m);
        return err->code;
    }
    snprintf(m->script_dir, sizeof m->script_dir, "%s", script_dir);
    *out = m;
    return 0;
}

void up_generation_maker_close(struct up_generation_maker *m)
{
    if (!m)
        return;
    up_unpack_close(m->unpack);
    free(m);
}

int up_generation_maker_step(struct up_generation_maker *m, struct up_error *err)
{
    struct up_storage *s = m->storage;
    struct up_error ignored;
    int rc = up_unpack_step(m->unpack, err);

    if (rc == 0 && (s->ops->rename(s, m->unfinished, m->dir) < 0 || s->ops->sync_dir(s, m->script_dir) < 0))
        rc = up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: put in place: %s", m->dir, strerror(errno));
    if (rc < 0 && rc != UP_AGAIN)
        (void)!up_storage_remove_tree(s, m->unfinished, &ignored);
    return rc;
}

void up_generation_discard(struct up_storage *storage, const char *script_dir, uint32_t n)
{
    char dir[UP_PATH_SIZE];
    struct up_error ignored;

    if (up_generation_path(dir, script_dir, n, "", &ignored) == 0)
        (void)!up_storage_remove_tree(storage, dir, &ignored);
}

/* Names for up_generation_clean(), collected first because a directory must not
 * change while it is listed. */
struct doomed {
    const uint32_t *keep;
    unsigned keep_count, count;
    char name[16][64]; /* for one round; called again if it was full */
};

/* What stays beside a generation while it is named, including unfinished work. */
static bool belongs(const char *suffix)
{
    static const char *const suffixes[] = {"", ".tar", ".head", ".good", ".bad", ".new", ".mend", ".old"};

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (strcmp(suffix, suffixes[i]) == 0)
            return true;
    return false;
}

static int collect(void *user, const char *name, enum up_node_kind kind)
{
    struct doomed *d = user;
    char canonical[16];
    uint32_t n = (uint32_t)strtoul(name, NULL, 10);
    size_t len;

    (void)kind;
    if (strcmp(name, "current") == 0)
        return 0;
    len = (size_t)snprintf(canonical, sizeof canonical, "%" PRIu32, n);
    for (unsigned i = 0; i < d->keep_count; i++)
        if (d->keep[i] == n && strncmp(name, canonical, len) == 0 && belongs(name + len))
            return 0;
    if (strlen(name) < sizeof d->name[0])
        strcpy(d->name[d->count++], name);
    return d->count == sizeof d->name / sizeof d->name[0];
}

int up_generation_clean(struct up_storage *storage, const char *script_dir, const uint32_t *keep,
                        unsigned count, struct up_error *err)
{
    struct doomed d = {.keep = keep, .keep_count = count};
    char path[UP_PATH_SIZE];
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
    char path[UP_PATH_SIZE], fresh[UP_PATH_SIZE], target[16], now[16];

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
