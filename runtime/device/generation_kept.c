/*
 * generation_kept.c -- what stays beside a generation: archive, head, marks.
 */
#include "generation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "error.h"
#include "generation_reader.h"
#include "minisign.h"
#include "package.h"
#include "storage.h"

#define CHUNK ((size_t)64 << 10)
#define LETTERS_MAX 8
#define NEWEST_MAX 32 /* generations that are considered */

static int join(char out[UP_PATH_SIZE], const char *dir, const char *name, struct up_error *err)
{
    if (snprintf(out, UP_PATH_SIZE, "%s/%s", dir, name) >= UP_PATH_SIZE)
        return up_fail(err, UP_USAGE, "%s/%s: path too long", dir, name);
    return 0;
}

/* Copy an open file into another, and sync that. */
static int copy_bytes(struct up_storage *s, int from, int to)
{
    uint8_t *chunk = malloc(CHUNK);
    uint64_t at = 0;
    long long n = chunk ? 1 : -1;

    if (!chunk)
        errno = ENOMEM;
    while (n > 0) {
        n = s->ops->pread(s, from, chunk, CHUNK, at);
        if (n > 0 && s->ops->pwrite(s, to, chunk, (size_t)n, at) < 0)
            n = -1;
        at += n > 0 ? (uint64_t)n : 0;
    }
    free(chunk);
    if (n != 0 || s->ops->sync(s, to) < 0)
        return -1;
    return s->ops->drop_cache(s, to, 0, at);
}

/* Copy one file of the head. A copy and not a link: after a failed sync, what
 * is in the spool may be in the cache only. */
static int keep_file(struct up_storage *s, const char *spool, const char *head, const char *name,
                     struct up_error *err)
{
    char from[UP_PATH_SIZE], to[UP_PATH_SIZE];
    int in, out, rc = -1;

    if (join(from, spool, name, err) < 0 || join(to, head, name, err) < 0)
        return err->code;
    in = s->ops->open(s, from, UP_READ, 0);
    if (in < 0)
        return up_fail(err, UP_WRITE, "%s: open: %s", from, strerror(errno));
    out = s->ops->open(s, to, UP_WRITE_ONLY_NEW, 0644);
    if (out >= 0)
        rc = copy_bytes(s, in, out);
    if (rc < 0)
        up_fail(err, errno == ENOMEM ? UP_INTERNAL : up_code_of_errno(errno, UP_WRITE), "%s: copy: %s", to,
                strerror(errno));
    s->ops->close(s, in);
    if (out >= 0)
        s->ops->close(s, out);
    return rc < 0 ? err->code : 0;
}

int up_generation_keep(struct up_storage *s, const char *spool, const char *script_dir, uint32_t n,
                       struct up_error *err)
{
    static const char *const names[] = {"manifest.json", "manifest.minisig", "script.idx"};
    char archive[UP_PATH_SIZE], head[UP_PATH_SIZE], from[UP_PATH_SIZE];

    if (up_generation_path(archive, script_dir, n, ".tar", err) < 0 ||
        up_generation_path(head, script_dir, n, ".head", err) < 0 ||
        join(from, spool, "script.tar", err) < 0 || up_storage_remove_tree(s, archive, err) < 0 ||
        up_storage_remove_tree(s, head, err) < 0)
        return err->code;
    if (s->ops->mkdir(s, head, 0755) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: mkdir: %s", head, strerror(errno));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (keep_file(s, spool, head, names[i], err) < 0)
            return err->code;
    if (s->ops->sync_dir(s, head) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: sync: %s", head, strerror(errno));
    if (s->ops->link(s, from, archive) < 0 && s->ops->rename(s, from, archive) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: keep: %s", archive, strerror(errno));
    return 0;
}

int up_generation_exchange(struct up_storage *s, const char *script_dir, uint32_t n, struct up_error *err)
{
    char dir[UP_PATH_SIZE], mended[UP_PATH_SIZE], old[UP_PATH_SIZE];

    if (up_generation_path(dir, script_dir, n, "", err) < 0 ||
        up_generation_path(mended, script_dir, n, ".mend", err) < 0 ||
        up_generation_path(old, script_dir, n, ".old", err) < 0 || up_storage_remove_tree(s, old, err) < 0)
        return err->code;
    if (s->ops->rename(s, dir, old) < 0 && errno != ENOENT)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: move away: %s", dir, strerror(errno));
    if (s->ops->rename(s, mended, dir) < 0) {
        up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: put in place: %s", mended, strerror(errno));
        s->ops->rename(s, old, dir);
        return err->code;
    }
    if (s->ops->sync_dir(s, script_dir) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: sync: %s", script_dir, strerror(errno));
    return up_storage_remove_tree(s, old, err);
}

int up_generation_settle(struct up_storage *s, const char *script_dir, uint32_t n, struct up_error *err)
{
    char dir[UP_PATH_SIZE], mended[UP_PATH_SIZE], old[UP_PATH_SIZE];
    struct up_stat st;

    if (up_generation_path(dir, script_dir, n, "", err) < 0 ||
        up_generation_path(mended, script_dir, n, ".mend", err) < 0 ||
        up_generation_path(old, script_dir, n, ".old", err) < 0)
        return err->code;
    /* A damaged tree is better than none. */
    if (s->ops->stat(s, dir, &st) < 0 && errno == ENOENT && s->ops->rename(s, old, dir) < 0 &&
        errno != ENOENT)
        return up_fail(err, UP_WRITE, "%s: put back: %s", dir, strerror(errno));
    if (up_storage_remove_tree(s, old, err) < 0)
        return err->code;
    return up_storage_remove_tree(s, mended, err);
}

/* The letters in a mark; "": there is none. */
static void read_mark(struct up_storage *s, const char *path, char out[LETTERS_MAX])
{
    size_t len = 0;
    char *text;

    out[0] = '\0';
    if (up_storage_read_file(s, path, LETTERS_MAX - 1, &text, &len, NULL) < 0)
        return;
    len = strcspn(text, "\n");
    memcpy(out, text, len);
    out[len] = '\0';
    free(text);
}

int up_generation_mark(struct up_storage *s, const char *script_dir, uint32_t n, const char *letters,
                       struct up_error *err)
{
    char path[UP_PATH_SIZE], now[LETTERS_MAX], text[LETTERS_MAX + 1];

    if (up_generation_path(path, script_dir, n, ".good", err) < 0)
        return err->code;
    read_mark(s, path, now);
    if (strcmp(now, letters) == 0)
        return 0;
    snprintf(text, sizeof text, "%.*s\n", LETTERS_MAX - 2, letters);
    return up_storage_write_file(s, path, text, strlen(text), 0644, err);
}

void up_generation_note_damage(struct up_storage *s, const char *script_dir, uint32_t n, const char *text)
{
    char path[UP_PATH_SIZE], now[512];
    struct up_error ignored;

    if (up_generation_path(path, script_dir, n, ".bad", &ignored) < 0)
        return;
    up_generation_damage(s, script_dir, n, now, sizeof now);
    if (!text)
        s->ops->unlink(s, path);
    else if (strcmp(now, text) != 0 &&
             up_storage_make_dir(s, script_dir, 0755, &ignored) == 0) /* it may be what was lost */
        (void)!up_storage_write_file(s, path, text, strlen(text), 0644, &ignored);
}

void up_generation_damage(struct up_storage *s, const char *script_dir, uint32_t n, char *out, size_t len)
{
    char path[UP_PATH_SIZE], *text;
    struct up_error ignored;

    out[0] = '\0';
    if (up_generation_path(path, script_dir, n, ".bad", &ignored) < 0 ||
        up_storage_read_file(s, path, 4096, &text, NULL, &ignored) < 0)
        return;
    snprintf(out, len, "%s", text);
    free(text);
}

/*
 * The newest confirmed generations.
 */

struct marked {
    struct up_storage *storage;
    const char *script_dir;
    uint32_t number[NEWEST_MAX]; /* descending */
    bool fits[NEWEST_MAX];       /* it was confirmed with the core of that slot */
    unsigned count;
    char letter;
};

static int collect_marked(void *user, const char *name, enum up_node_kind kind)
{
    struct marked *m = user;
    uint32_t n = (uint32_t)strtoul(name, NULL, 10);
    char canonical[24], path[UP_PATH_SIZE], letters[LETTERS_MAX];
    unsigned at = 0;

    (void)kind;
    snprintf(canonical, sizeof canonical, "%" PRIu32 ".good", n);
    if (strcmp(name, canonical) != 0 || join(path, m->script_dir, name, NULL) < 0)
        return 0;
    while (at < m->count && m->number[at] > n)
        at++;
    if (at == NEWEST_MAX)
        return 0;
    m->count += m->count < NEWEST_MAX;
    memmove(&m->number[at + 1], &m->number[at], (m->count - 1 - at) * sizeof m->number[0]);
    memmove(&m->fits[at + 1], &m->fits[at], (m->count - 1 - at) * sizeof m->fits[0]);
    read_mark(m->storage, path, letters);
    m->number[at] = n;
    m->fits[at] = !m->letter || strchr(letters, m->letter);
    return 0;
}

/* Whether the tree of n is what its signed head says. */
static int prove(struct up_storage *s, const char *script_dir, const struct up_keyring *ring, uint32_t n,
                 struct up_error *err)
{
    char dir[UP_PATH_SIZE], head[UP_PATH_SIZE];
    struct up_generation_reader *reader;
    struct up_blocks *blocks;
    struct up_manifest m;
    int rc;

    if (up_generation_path(dir, script_dir, n, "", err) < 0 ||
        up_generation_path(head, script_dir, n, ".head", err) < 0 ||
        up_package_load_part(&m, s, ring, head, UP_SCRIPT, err) < 0 ||
        up_blocks_open(&blocks, s, head, up_manifest_part(&m, UP_SCRIPT), err) < 0)
        return err->code;
    rc = up_generation_reader_open(&reader, s, dir, blocks, err);
    if (rc == 0) {
        do
            rc = up_generation_reader_step(reader, err);
        while (rc == UP_AGAIN);
        up_generation_reader_close(reader);
    }
    up_blocks_close(blocks);
    return rc;
}

/* Those of the slot first, if there are any; the others do not form a pair with what runs. */
static void choose(struct marked *m)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < m->count; i++)
        if (m->fits[i])
            m->number[kept++] = m->number[i];
    if (kept > 0)
        m->count = kept;
}

int up_generation_newest(struct up_storage *s, const char *script_dir, const char *keys, char letter,
                         uint32_t *n, struct up_error *err)
{
    struct marked m = {.storage = s, .script_dir = script_dir, .letter = letter};
    struct up_keyring *ring;
    struct up_error later;
    int rc;

    *n = 0;
    if (s->ops->list(s, script_dir, collect_marked, &m) < 0)
        return up_fail(err, UP_WRITE, "%s: list: %s", script_dir, strerror(errno));
    choose(&m);
    if (m.count == 0)
        return up_fail(err, UP_MISSING, "%s: no generation is marked as confirmed", script_dir);
    *n = m.number[0];
    if (up_keyring_open(&ring, s, keys, err) < 0)
        return err->code;
    rc = prove(s, script_dir, ring, *n, err);
    for (unsigned i = 1; rc < 0 && i < m.count; i++)
        if (prove(s, script_dir, ring, m.number[i], &later) == 0) {
            *n = m.number[i];
            rc = 0;
        }
    up_keyring_free(ring);
    return rc;
}
