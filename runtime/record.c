#include "record.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "error.h"
#include "storage.h"

#define PATH_SIZE 1024
#define LONG_BUFFER 1024u
#define READ_TRIES 3 /* flash that is read at the wrong moment may answer the next time */

enum half_state { HALF_ABSENT, HALF_BROKEN, HALF_WHOLE };

/* One of the two files as read. */
struct half {
    enum half_state state;
    uint64_t sequence;
    size_t len;
    uint8_t *bytes; /* capacity bytes; the payload starts at UP_RECORD_HEAD */
};

/* Four bits at a time: the table of the 16 remainders. */
static const uint32_t remainders[16] = {
    0x00000000u, 0x105ec76fu, 0x20bd8edeu, 0x30e349b1u, 0x417b1dbcu, 0x5125dad3u, 0x61c69362u, 0x7198540du,
    0x82f63b78u, 0x92a8fc17u, 0xa24bb5a6u, 0xb21572c9u, 0xc38d26c4u, 0xd3d3e1abu, 0xe330a81au, 0xf36e6f75u};

static uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
    crc ^= byte;
    crc = crc >> 4 ^ remainders[crc & 15];
    return crc >> 4 ^ remainders[crc & 15];
}

/* Four bytes at a time, of `len`, a multiple of four. The tables pay for
 * themselves from about a kilobyte on. */
static uint32_t crc_words(uint32_t crc, const uint8_t *p, size_t len)
{
    uint32_t table[4][256];

    for (unsigned i = 0; i < 256; i++)
        table[0][i] = crc_byte(0, (uint8_t)i);
    for (unsigned i = 0; i < 256; i++)
        for (int t = 1; t < 4; t++)
            table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 255];
    for (; len > 0; p += 4, len -= 4) {
        crc ^= up_get32(p);
        crc =
            table[3][crc & 255] ^ table[2][crc >> 8 & 255] ^ table[1][crc >> 16 & 255] ^ table[0][crc >> 24];
    }
    return crc;
}

uint32_t up_crc32c(const void *data, size_t len)
{
    const uint8_t *p = data;
    uint32_t crc = 0xffffffffu;

    if (len >= LONG_BUFFER) {
        size_t whole = len / 4 * 4;

        crc = crc_words(crc, p, whole);
        p += whole;
        len -= whole;
    }
    while (len--)
        crc = crc_byte(crc, *p++);
    return ~crc;
}

static int half_path(const struct up_record *r, int i, char out[PATH_SIZE], struct up_error *err)
{
    if (snprintf(out, PATH_SIZE, "%s.%d", r->path, i) >= PATH_SIZE)
        return up_fail(err, UP_USAGE, "%s: path too long", r->path);
    return 0;
}

/* Covers head and payload; the CRC field itself counts as zero. */
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

static void classify(const struct up_record *r, struct half *h, size_t got)
{
    h->state = HALF_BROKEN;
    if (got < UP_RECORD_HEAD || memcmp(h->bytes, r->magic, 8) != 0)
        return;
    h->sequence = up_get64(h->bytes + 8);
    h->len = up_get32(h->bytes + 16);
    if (h->len > got - UP_RECORD_HEAD || up_get32(h->bytes + 28) != record_crc(h->bytes, h->len))
        return;
    h->state = HALF_WHOLE;
}

static int half_read(const struct up_record *r, int i, struct half *h, bool past_cache, struct up_error *err)
{
    struct up_storage *s = r->storage;
    char path[PATH_SIZE];
    long long got = -1;
    int file;

    if (half_path(r, i, path, err) < 0)
        return err->code;
    file = s->ops->open(s, path, UP_READ, 0);
    if (file < 0 && errno == ENOENT) {
        h->state = HALF_ABSENT;
        return 0;
    }
    if (file < 0)
        return up_fail(err, UP_WRITE, "%s: open: %s", path, strerror(errno));
    if (past_cache)
        s->ops->drop_cache(s, file, 0, r->capacity);
    for (int try = 0; try < READ_TRIES && got < 0; try++)
        got = s->ops->pread(s, file, h->bytes, r->capacity, 0);
    s->ops->close(s, file);
    /* An unreadable half is a broken one: the other may be whole. */
    h->state = HALF_BROKEN;
    if (got >= 0)
        classify(r, h, (size_t)got);
    return 0;
}

static int both_read(const struct up_record *r, struct half h[2], struct up_error *err)
{
    memset(h, 0, 2 * sizeof *h);
    for (int i = 0; i < 2; i++) {
        h[i].bytes = malloc(r->capacity);
        if (!h[i].bytes) {
            free(h[0].bytes);
            return up_fail(err, UP_INTERNAL, "%s: out of memory", r->path);
        }
    }
    for (int i = 0; i < 2; i++)
        if (half_read(r, i, &h[i], false, err) < 0) {
            free(h[0].bytes);
            free(h[1].bytes);
            return err->code;
        }
    return 0;
}

/* The newer whole half, or -1. */
static int newest(const struct half h[2])
{
    bool whole[2] = {h[0].state == HALF_WHOLE, h[1].state == HALF_WHOLE};

    if (whole[0] && whole[1])
        return h[1].sequence > h[0].sequence;
    return whole[0] ? 0 : whole[1] ? 1 : -1;
}

int up_record_read(const struct up_record *r, void *buf, size_t size, size_t *len, struct up_error *err)
{
    struct half h[2];
    int rc, at;

    rc = both_read(r, h, err);
    if (rc < 0)
        return rc;
    at = newest(h);
    /* create() makes the second file last. */
    if (h[1].state == HALF_ABSENT)
        rc = up_fail(err, UP_NOTHING, "%s: no record yet", r->path);
    else if (at < 0)
        rc = up_fail(err, UP_STATELOST, "%s: both records are unreadable", r->path);
    else if (h[at].len > size)
        rc = up_fail(err, UP_INTERNAL, "%s: record of %zu bytes", r->path, h[at].len);
    else {
        memcpy(buf, h[at].bytes + UP_RECORD_HEAD, h[at].len);
        *len = h[at].len;
    }
    free(h[0].bytes);
    free(h[1].bytes);
    return rc;
}

/* A whole file's bytes, freshly allocated; NULL when memory is short. */
static uint8_t *format(const struct up_record *r, uint64_t sequence, const void *data, size_t len)
{
    uint8_t *bytes = calloc(1, r->capacity);

    if (!bytes)
        return NULL;
    memcpy(bytes, r->magic, 8);
    up_put64(bytes + 8, sequence);
    up_put32(bytes + 16, (uint32_t)len);
    memcpy(bytes + UP_RECORD_HEAD, data, len);
    up_put32(bytes + 28, record_crc(bytes, len));
    return bytes;
}

static int check_length(const struct up_record *r, size_t len, struct up_error *err)
{
    if (len > r->capacity - UP_RECORD_HEAD)
        return up_fail(err, UP_INTERNAL, "%s: record of %zu bytes is too long", r->path, len);
    return 0;
}

int up_record_create(const struct up_record *r, const void *data, size_t len, struct up_error *err)
{
    char path[PATH_SIZE];

    if (check_length(r, len, err) < 0)
        return err->code;
    for (int i = 0; i < 2; i++) {
        uint8_t *bytes = format(r, (uint64_t)i + 1, data, len);
        int rc = bytes ? half_path(r, i, path, err) : up_fail(err, UP_INTERNAL, "%s: out of memory", r->path);

        if (rc == 0)
            rc = up_storage_write_file(r->storage, path, bytes, r->capacity, 0600, err);
        free(bytes);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Overwrite half i in place, sync, and compare what the medium gives back. */
static int half_write(const struct up_record *r, int i, const uint8_t *bytes, struct half *scratch,
                      struct up_error *err)
{
    struct up_storage *s = r->storage;
    char path[PATH_SIZE];
    int file, rc = 0;

    if (half_path(r, i, path, err) < 0)
        return err->code;
    file = s->ops->open(s, path, UP_UPDATE, 0);
    if (file < 0)
        return up_fail(err, UP_WRITE, "%s: open: %s", path, strerror(errno));
    if (s->ops->pwrite(s, file, bytes, r->capacity, 0) < 0)
        rc = up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: write: %s", path, strerror(errno));
    else if (s->ops->sync(s, file) < 0)
        rc = up_fail(err, UP_WRITE, "%s: sync: %s", path, strerror(errno));
    s->ops->close(s, file);
    if (rc == 0)
        rc = half_read(r, i, scratch, true, err);
    if (rc == 0 && (scratch->state != HALF_WHOLE || memcmp(scratch->bytes, bytes, r->capacity) != 0))
        rc = up_fail(err, UP_WRITE, "%s: read back differs from what was written", path);
    return rc;
}

int up_record_write(const struct up_record *r, const void *data, size_t len, struct up_error *err)
{
    struct half h[2];
    uint8_t *bytes = NULL;
    int rc, at;

    if (check_length(r, len, err) < 0 || both_read(r, h, err) < 0)
        return err->code;
    at = newest(h);
    /* Not knowing which half is the older one, a write could destroy the newer. */
    if (at < 0)
        rc = up_fail(err, UP_STATELOST, "%s: both records are unreadable", r->path);
    else if (!(bytes = format(r, h[at].sequence + 1, data, len)))
        rc = up_fail(err, UP_INTERNAL, "%s: out of memory", r->path);
    else
        rc = half_write(r, !at, bytes, &h[!at], err);
    free(bytes);
    free(h[0].bytes);
    free(h[1].bytes);
    return rc;
}
