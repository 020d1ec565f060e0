#include "partial.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "fetch.h"
#include "source.h"
#include "storage.h"

#define CHUNK 65536
#define SYNC_EVERY (1u << 20) /* bytes that a power cut may cost */
#define RECORD_MAX 1024
#define SUFFIX_ROOM 8
static const char first[] = "moult-partial-1";

struct up_partial {
    struct up_storage *storage;
    struct up_source *source;
    char path[UP_PATH_SIZE];
    char key[UP_PARTIAL_KEY_MAX + 1];
    int file;
    bool recorded;               /* PATH.from describes the file */
    uint64_t have, synced, most; /* bytes; most: that it may become */
    uint8_t chunk[CHUNK];
};

static int cannot(const char *path, const char *what, struct up_error *err)
{
    return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s: %s", path, what, strerror(errno));
}

static const char *record_path(const char *path, char out[UP_PATH_SIZE + SUFFIX_ROOM])
{
    snprintf(out, UP_PATH_SIZE + SUFFIX_ROOM, "%s.from", path);
    return out;
}

uint64_t up_partial_size(struct up_storage *storage, const char *path)
{
    struct up_stat st;

    return storage->ops->stat(storage, path, &st) == 0 && st.kind == UP_NODE_FILE ? st.size : 0;
}

int up_partial_forget(struct up_storage *storage, const char *path, struct up_error *err)
{
    char record[UP_PATH_SIZE + SUFFIX_ROOM];

    /* The file first: a record without a file is harmless. */
    if (storage->ops->unlink(storage, path) < 0 && errno != ENOENT)
        return cannot(path, "unlink", err);
    if (storage->ops->unlink(storage, record_path(path, record)) < 0 && errno != ENOENT)
        return cannot(record, "unlink", err);
    return up_storage_sync_parent(storage, path, err);
}

/* The next line of a record, or NULL. */
static char *line_of(char **at)
{
    char *line = *at, *end = line ? strchr(line, '\n') : NULL;

    if (!end)
        return NULL;
    *end = '\0';
    *at = end + 1;
    return line;
}

static bool read_lines(char *text, const char *key, struct up_source_identity *id)
{
    const char *form = line_of(&text), *same = line_of(&text), *tag = line_of(&text),
               *modified = line_of(&text), *size = line_of(&text);

    if (!size || strcmp(form, first) != 0 || strcmp(same, key) != 0 || strlen(tag) >= sizeof id->tag ||
        strlen(modified) >= sizeof id->modified || (!tag[0] && !modified[0]))
        return false;
    strcpy(id->tag, tag);
    strcpy(id->modified, modified);
    id->size = strtoull(size, NULL, 10);
    return true;
}

/* Whether there is a record for this key. */
static bool read_record(struct up_partial *p, struct up_source_identity *id)
{
    char path[UP_PATH_SIZE + SUFFIX_ROOM], *text;
    struct up_error ignored;
    bool fits;

    if (up_storage_read_file(p->storage, record_path(p->path, path), RECORD_MAX, &text, NULL, &ignored) < 0)
        return false;
    fits = read_lines(text, p->key, id);
    free(text);
    return fits;
}

/* Must be durable before the first byte of the file. Without a record the download starts over next time. */
static int write_record(struct up_partial *p, struct up_error *err)
{
    char path[UP_PATH_SIZE + SUFFIX_ROOM], text[RECORD_MAX];
    struct up_source_identity id;
    int len;

    p->recorded = true;
    if (!up_source_http_is(p->source) || !up_source_http_identity(p->source, &id))
        return 0;
    len = snprintf(text, sizeof text, "%s\n%s\n%s\n%s\n%" PRIu64 "\n", first, p->key, id.tag, id.modified,
                   id.size);
    return up_storage_write_file(p->storage, record_path(p->path, path), text, (size_t)len, 0600, err);
}

/* Continue with the bytes that are in place, or empty the file. */
static int resume(struct up_partial *p, struct up_error *err)
{
    struct up_source_identity id;
    char record[UP_PATH_SIZE + SUFFIX_ROOM];

    p->have = p->synced = up_partial_size(p->storage, p->path);
    p->recorded = p->have > 0 && up_source_http_is(p->source) && read_record(p, &id) && p->have <= id.size;
    if (p->recorded) {
        up_source_http_expect(p->source, &id);
        return 0;
    }
    p->have = p->synced = 0;
    if (p->storage->ops->truncate(p->storage, p->file, 0) < 0 ||
        p->storage->ops->sync(p->storage, p->file) < 0)
        return cannot(p->path, "truncate", err);
    if (p->storage->ops->unlink(p->storage, record_path(p->path, record)) < 0 && errno != ENOENT)
        return cannot(record, "unlink", err);
    return up_storage_sync_parent(p->storage, p->path, err);
}

int up_partial_open(struct up_partial **out, struct up_storage *storage, const char *path, const char *key,
                    struct up_source *source, uint64_t most, struct up_error *err)
{
    struct up_partial *p;
    int rc;

    if (strlen(path) >= sizeof p->path || strlen(key) >= sizeof p->key || strchr(key, '\n'))
        return up_fail(err, UP_USAGE, "%.100s: the path or the key is too long", path);
    p = calloc(1, sizeof *p);
    if (!p)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", path);
    p->storage = storage;
    p->source = source;
    p->most = most;
    strcpy(p->path, path);
    strcpy(p->key, key);
    p->file = storage->ops->open(storage, path, UP_CREATE, 0600);
    rc = p->file < 0 ? cannot(path, "open", err) : resume(p, err);
    if (rc < 0)
        up_partial_close(p);
    else
        *out = p;
    return rc;
}

static int make_durable(struct up_partial *p, struct up_error *err)
{
    if (p->storage->ops->sync(p->storage, p->file) < 0)
        return cannot(p->path, "sync", err);
    p->synced = p->have;
    return 0;
}

static int keep(struct up_partial *p, size_t len, struct up_error *err)
{
    if (p->have + len > p->most)
        return up_fail(err, UP_UNTRUSTED, "%s: more than %" PRIu64 " bytes", p->path, p->most);
    if (!p->recorded && write_record(p, err) < 0)
        return err->code;
    if (p->storage->ops->pwrite(p->storage, p->file, p->chunk, len, p->have) < 0)
        return cannot(p->path, "write", err);
    p->have += len;
    return p->have - p->synced < SYNC_EVERY ? 0 : make_durable(p, err);
}

int up_partial_step(struct up_partial *p, struct up_error *err)
{
    struct up_error ignored;
    long n;

    if (p->have > 0 && p->have == p->source->size)
        return make_durable(p, err);
    n = p->source->ops->read(p->source, p->have, p->chunk, sizeof p->chunk, err);
    if (n == UP_CORRUPT)
        (void)!up_partial_forget(p->storage, p->path, &ignored);
    if (n < 0)
        return (int)n;
    if (n > 0)
        return keep(p, (size_t)n, err) < 0 ? err->code : 1;
    if (p->have == 0)
        return up_fail(err, UP_CORRUPT, "%s: the server sent an empty file", p->path);
    return make_durable(p, err);
}

uint64_t up_partial_have(const struct up_partial *p)
{
    return p->have;
}

uint64_t up_partial_total(const struct up_partial *p)
{
    return p->source->size;
}

void up_partial_close(struct up_partial *p)
{
    struct up_error ignored;

    if (!p)
        return;
    if (p->file >= 0)
        p->storage->ops->close(p->storage, p->file);
    if (p->file >= 0 && p->have == 0)
        (void)!up_partial_forget(p->storage, p->path, &ignored);
    free(p);
}
