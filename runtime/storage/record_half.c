/*
 * record_half.c -- one of the two files of a record.
 */
#include "record_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "error.h"
#include "storage.h"

#define TRIES 3 /* flash that is read at a bad moment may answer the next time */
#define SECTOR 4096u

static int beside(const struct up_record *r, int i, char out[UP_RECORD_PATH], struct up_error *err)
{
    if (snprintf(out, UP_RECORD_PATH, "%s.%d", r->path, i) >= UP_RECORD_PATH)
        return up_fail(err, UP_USAGE, "%s: path too long", r->path);
    return 0;
}

int up_record_half_path(const struct up_record *r, int i, char out[UP_RECORD_PATH], struct up_error *err)
{
    if (i == 0 || !r->second)
        return beside(r, i, out, err);
    if (snprintf(out, UP_RECORD_PATH, "%s", r->second) >= UP_RECORD_PATH)
        return up_fail(err, UP_USAGE, "%s: path too long", r->second);
    return 0;
}

/* Covers head and value, with the CRC field as zero. */
static uint32_t record_crc(const uint8_t *bytes, size_t len)
{
    uint8_t head[UP_RECORD_HEAD];
    uint32_t parts[2];

    memcpy(head, bytes, sizeof head);
    up_put32(head + 28, 0);
    parts[0] = up_crc32c(head, sizeof head);
    parts[1] = up_crc32c(bytes + UP_RECORD_HEAD, len);
    up_put32(head, parts[0]);
    up_put32(head + 4, parts[1]);
    return up_crc32c(head, 8);
}

uint32_t up_record_half_crc(const uint8_t *bytes)
{
    return up_get32(bytes + 28);
}

static void classify(const struct up_record *r, int i, struct up_half *h, size_t got)
{
    h->state = UP_HALF_BROKEN;
    if (got < UP_RECORD_HEAD || memcmp(h->bytes, r->magic, 8) != 0)
        return;
    h->sequence = up_get64(h->bytes + 8);
    h->len = up_get32(h->bytes + 16);
    h->crc = up_record_half_crc(h->bytes);
    if (h->len > got - UP_RECORD_HEAD || h->crc != record_crc(h->bytes, h->len) ||
        (r->fits && !r->fits(h->bytes + UP_RECORD_HEAD, h->len)))
        return;
    h->state = UP_HALF_WHOLE;
    h->unsure = h->unsure || (r->failed == i + 1 && r->failed_crc == h->crc);
}

/* Drop the whole file: a folio that extends beyond a range is not dropped with it. */
static bool drop_cache(struct up_storage *s, int file, size_t capacity)
{
    uint64_t len = capacity > UP_RECORD_SPREAD ? capacity : UP_RECORD_SPREAD;

    /* The first call may report the failure of an earlier write; that is reported once. */
    for (int try = 0; try < TRIES; try++)
        if (s->ops->drop_cache(s, file, 0, len) >= 0)
            return true;
    return false;
}

static long long read_file(const struct up_record *r, const char *path, struct up_half *h)
{
    struct up_storage *s = r->storage;
    int file = s->ops->open(s, path, UP_READ, 0), why;
    long long got;

    if (file < 0)
        return -1;
    h->unsure = !drop_cache(s, file, r->capacity);
    got = s->ops->pread(s, file, h->bytes, r->capacity, 0);
    why = errno;
    s->ops->close(s, file);
    errno = why;
    return got;
}

/* Whether the failure is about this process and not about the file. */
static bool is_ours(int error)
{
    return error == EACCES || error == EPERM || error == EMFILE || error == ENFILE || error == ENOMEM;
}

/* Read it once. Errors: UP_WRITE we may not look. */
static int look(const struct up_record *r, int i, struct up_half *h, struct up_error *err)
{
    char path[UP_RECORD_PATH];
    long long got;

    if (up_record_half_path(r, i, path, err) < 0)
        return err->code;
    h->state = UP_HALF_UNREADABLE;
    h->unsure = h->astray = false;
    got = read_file(r, path, h);
    if (got < 0 && errno == ENOENT && i == 1 && r->second) {
        h->astray = true;
        if (beside(r, i, path, err) < 0)
            return err->code;
        got = read_file(r, path, h);
    }
    if (got >= 0)
        classify(r, i, h, (size_t)got);
    else if (errno == ENOENT)
        h->state = UP_HALF_ABSENT;
    else if (is_ours(errno))
        return up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    return 0;
}

int up_record_half_read(const struct up_record *r, int i, struct up_half *h, struct up_error *err)
{
    for (int try = 0; try < TRIES; try++) {
        if (look(r, i, h, err) < 0)
            return err->code;
        if (h->state == UP_HALF_WHOLE || h->state == UP_HALF_ABSENT)
            return 0;
    }
    return 0;
}

void up_record_half_format(const struct up_record *r, uint64_t sequence, const void *value, size_t len,
                           uint8_t *out)
{
    memset(out, 0, r->capacity);
    memcpy(out, r->magic, 8);
    up_put64(out + 8, sequence);
    up_put32(out + 16, (uint32_t)len);
    memcpy(out + UP_RECORD_HEAD, value, len);
    up_put32(out + 28, record_crc(out, len));
}

void up_record_half_pass(uint8_t *bytes)
{
    up_put64(bytes + 8, up_get64(bytes + 8) + 1);
    up_put32(bytes + 28, record_crc(bytes, up_get32(bytes + 16)));
}

/* Write whole sectors, so that none must be read first; the bytes after the value do not matter. */
static size_t front(const struct up_record *r, const uint8_t *bytes)
{
    size_t len = UP_RECORD_HEAD + up_get32(bytes + 16);

    len = (len + SECTOR - 1) / SECTOR * SECTOR;
    return len < r->capacity ? len : r->capacity;
}

static int read_back(const struct up_record *r, int i, const uint8_t *bytes, struct up_half *scratch,
                     struct up_error *err)
{
    char path[UP_RECORD_PATH];

    if (up_record_half_path(r, i, path, err) < 0 || up_record_half_read(r, i, scratch, err) < 0)
        return err->code;
    if (scratch->state != UP_HALF_WHOLE || memcmp(scratch->bytes, bytes, front(r, bytes)) != 0)
        return up_fail(err, UP_WRITE, "%s: read back differs from what was written", path);
    return 0;
}

int up_record_half_sync(const struct up_record *r, int i)
{
    struct up_storage *s = r->storage;
    char path[UP_RECORD_PATH];
    struct up_error ignored;
    int file, rc;

    if (up_record_half_path(r, i, path, &ignored) < 0)
        return -1;
    file = s->ops->open(s, path, UP_READ, 0);
    if (file < 0)
        return -1;
    rc = s->ops->sync(s, file);
    s->ops->close(s, file);
    (void)!up_storage_sync_parent(s, path, &ignored);
    return rc;
}

int up_record_half_overwrite(const struct up_record *r, int i, const uint8_t *bytes, struct up_half *scratch,
                             struct up_error *err)
{
    struct up_storage *s = r->storage;
    char path[UP_RECORD_PATH];
    int file, rc = 0;

    if (up_record_half_path(r, i, path, err) < 0)
        return err->code;
    file = s->ops->open(s, path, UP_UPDATE, 0);
    if (file < 0)
        return up_fail(err, UP_WRITE, "%s: open: %s", path, strerror(errno));
    if (s->ops->pwrite(s, file, bytes, front(r, bytes), 0) < 0)
        rc = up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: write: %s", path, strerror(errno));
    else if (s->ops->sync(s, file) < 0)
        rc = up_fail(err, UP_WRITE, "%s: sync: %s", path, strerror(errno));
    s->ops->close(s, file);
    return rc < 0 ? rc : read_back(r, i, bytes, scratch, err);
}

/* Bytes that no file system can compress or share between files. They are not
 * secret, so do not wait for good random numbers. Whole sectors. */
static void fill(const struct up_record *r, const char *path, uint8_t *out, size_t len)
{
    uint64_t state = r->storage->ops->now(r->storage) << 32 ^ up_crc32c(path, strlen(path));

    for (size_t at = 0; at < len; at += sizeof state) { /* splitmix64 */
        uint64_t word = state += 0x9e3779b97f4a7c15u;

        word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
        word = (word ^ word >> 27) * 0x94d049bb133111ebu;
        word ^= word >> 31;
        memcpy(out + at, &word, sizeof word);
    }
}

int up_record_half_replace(const struct up_record *r, int i, const uint8_t *bytes, struct up_half *scratch,
                           struct up_error *err)
{
    size_t start = (r->capacity + SECTOR - 1) / SECTOR * SECTOR;
    size_t len = start > UP_RECORD_SPREAD ? r->capacity : UP_RECORD_SPREAD;
    uint8_t *whole = calloc(1, len);
    char path[UP_RECORD_PATH];
    int rc;

    if (!whole)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", r->path);
    rc = up_record_half_path(r, i, path, err);
    if (rc == 0) {
        memcpy(whole, bytes, r->capacity);
        if (len > start)
            fill(r, path, whole + start, len - start);
        rc = up_storage_write_file(r->storage, path, whole, len, 0600, err);
        if (rc == UP_NOSPACE)
            rc = up_storage_write_file(r->storage, path, whole, r->capacity, 0600, err);
    }
    free(whole);
    if (rc == 0)
        rc = read_back(r, i, bytes, scratch, err);
    if (rc == 0 && i == 1 && r->second && beside(r, i, path, err) == 0)
        r->storage->ops->unlink(r->storage, path);
    return rc;
}
