#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "record_private.h"
#include "storage.h"

/* Both files as read; `bytes` has room for a third record, to be written. */
struct both {
    struct up_half half[2];
    uint8_t *bytes;
};

static void both_free(struct both *b)
{
    free(b->half[0].bytes);
    free(b->half[1].bytes);
    free(b->bytes);
    memset(b, 0, sizeof *b);
}

/* To be released with both_free(), whatever this returns. */
static int both_read(const struct up_record *r, struct both *b, struct up_error *err)
{
    memset(b, 0, sizeof *b);
    b->bytes = malloc(r->capacity);
    for (int i = 0; i < 2; i++)
        b->half[i].bytes = malloc(r->capacity);
    if (!b->bytes || !b->half[0].bytes || !b->half[1].bytes)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", r->path);
    if (up_record_half_read(r, 0, &b->half[0], err) < 0 || up_record_half_read(r, 1, &b->half[1], err) < 0)
        return err->code;
    /* Amends were made, and its name may not be durable: of two equal ones, the other counts. */
    if (r->failed && b->half[0].state == UP_HALF_WHOLE && b->half[1].state == UP_HALF_WHOLE &&
        b->half[0].crc == b->half[1].crc)
        b->half[r->failed - 1].unsure = true;
    return 0;
}

static bool whole(const struct both *b, int i)
{
    return b->half[i].state == UP_HALF_WHOLE;
}

/*
 * The index of the record that counts, or -1. A record that may be in the cache
 * only counts if there is no other: it was never acknowledged, or the error
 * would have been reported since.
 */
static int newest(const struct both *b)
{
    const struct up_half *h = b->half;

    if (!whole(b, 1))
        return whole(b, 0) ? 0 : -1;
    if (!whole(b, 0))
        return 1;
    if (h[0].unsure != h[1].unsure)
        return h[0].unsure;
    return h[1].sequence > h[0].sequence;
}

static int check_any(const struct up_record *r, const struct both *b, struct up_error *err)
{
    if (newest(b) >= 0)
        return 0;
    if (b->half[0].state == UP_HALF_ABSENT && b->half[1].state == UP_HALF_ABSENT)
        return up_fail(err, UP_NOTHING, "%s: no record yet", r->path);
    return up_fail(err, UP_STATELOST, "%s: both records are unreadable", r->path);
}

/* What decides must be on the medium, or a power cut takes it back when it was acted on. A process that was killed may
 * have left it in the cache: sync it, or else read what the medium holds. */
static int settle(struct up_record *r, struct both *b, struct up_error *err)
{
    int at = newest(b), rc;

    if (b->half[at].crc == r->durable)
        return 0;
    if (up_record_half_sync(r, at) == 0) {
        r->durable = b->half[at].crc;
        return 0;
    }
    both_free(b);
    rc = both_read(r, b, err);
    return rc < 0 ? rc : check_any(r, b, err);
}

int up_record_read(struct up_record *r, void *buf, size_t size, size_t *len, struct up_error *err)
{
    struct both b;
    int rc = both_read(r, &b, err);

    if (rc == 0)
        rc = check_any(r, &b, err);
    if (rc == 0)
        rc = settle(r, &b, err);
    if (rc == 0) {
        const struct up_half *h = &b.half[newest(&b)];

        if (h->len > size)
            rc = up_fail(err, UP_INTERNAL, "%s: holds %zu bytes, more than are asked for", r->path, h->len);
        else
            memcpy(buf, h->bytes + UP_RECORD_HEAD, h->len);
        *len = h->len;
    }
    both_free(&b);
    return rc;
}

static int check_length(const struct up_record *r, size_t len, struct up_error *err)
{
    if (len > r->capacity - UP_RECORD_HEAD)
        return up_fail(err, UP_INTERNAL, "%s: record of %zu bytes is too long", r->path, len);
    return 0;
}

/* File i may be there, and its name not be durable: it is not overwritten in place. */
static void doubt(struct up_record *r, int i, const uint8_t *bytes)
{
    r->failed = (uint8_t)(i + 1);
    r->failed_crc = bytes ? up_record_half_crc(bytes) : 0;
}

int up_record_create(struct up_record *r, const void *data, size_t len, struct up_error *err)
{
    struct up_half scratch = {.bytes = malloc(r->capacity)};
    uint8_t *bytes = malloc(r->capacity);
    struct up_error ignored;
    int rc = check_length(r, len, err);

    if (!bytes || !scratch.bytes)
        rc = up_fail(err, UP_INTERNAL, "%s: out of memory", r->path);
    if (rc == 0) {
        up_record_half_format(r, 2, data, len, bytes);
        rc = up_record_half_replace(r, 0, bytes, &scratch, err);
    }
    /* The index of the older one, which is overwritten next. */
    if (rc == 0) {
        r->durable = up_record_half_crc(bytes);
        up_record_half_format(r, 1, data, len, bytes);
        if (up_record_half_replace(r, 1, bytes, &scratch, &ignored) < 0)
            doubt(r, 1, bytes);
    }
    free(bytes);
    free(scratch.bytes);
    return rc;
}

/* The newest record may not be durable, and the other is about to be
 * overwritten: sync it, or else keep the other one. */
static void secure(const struct up_record *r, struct both *b)
{
    int at = newest(b);

    if (whole(b, !at) && b->half[at].crc != r->durable && up_record_half_sync(r, at) < 0)
        b->half[at].unsure = true;
}

/* A write to file i failed: make the cache agree with the medium again. Until
 * that succeeds, this file is the next to be written. */
static void make_amends(struct up_record *r, struct both *b, int i)
{
    struct up_half *good = &b->half[!i], *bad = &b->half[i];
    struct up_error ignored;

    doubt(r, i, b->bytes);
    if (good->state == UP_HALF_WHOLE && !good->unsure &&
        up_record_half_replace(r, i, good->bytes, bad, &ignored) == 0)
        r->failed = 0;
}

/* The other file, which holds the older value, is replaced in the place of file i,
 * which is missing. If it comes back, it must not be taken for the newer one. */
static int put_elsewhere(struct up_record *r, struct both *b, int i, struct up_error *err)
{
    doubt(r, i, b->bytes);
    up_record_half_pass(b->bytes);
    return up_record_half_replace(r, !i, b->bytes, &b->half[!i], err);
}

/* Write b->bytes to file i; the other file counts meanwhile. */
static int put(struct up_record *r, struct both *b, int i, struct up_error *err)
{
    struct up_half *h = &b->half[i];
    bool missing = h->state == UP_HALF_ABSENT || h->state == UP_HALF_UNREADABLE;
    bool ours = r->failed == i + 1;
    bool anew = missing || ours || h->unsure || h->astray;
    int rc = anew ? up_record_half_replace(r, i, b->bytes, h, err)
                  : up_record_half_overwrite(r, i, b->bytes, h, err);

    /* No room for a new file, and the old one holds nothing that was acknowledged. */
    if (rc == UP_NOSPACE && (ours || h->state == UP_HALF_UNREADABLE))
        rc = up_record_half_overwrite(r, i, b->bytes, h, err);
    if (rc < 0 && missing)
        return put_elsewhere(r, b, i, err);
    if (rc < 0)
        make_amends(r, b, i);
    else if (ours)
        r->failed = 0;
    return rc;
}

static int write_next(struct up_record *r, struct both *b, const void *data, size_t len, struct up_error *err)
{
    uint64_t sequence = 0;
    int at, rc;

    for (int i = 0; i < 2; i++)
        if (whole(b, i) && b->half[i].sequence > sequence)
            sequence = b->half[i].sequence;
    up_record_half_format(r, sequence + 1, data, len, b->bytes);
    secure(r, b);
    at = newest(b);
    rc = put(r, b, !at, err);
    if (rc == 0)
        r->durable = up_record_half_crc(b->bytes);
    return rc;
}

int up_record_write(struct up_record *r, const void *data, size_t len, struct up_error *err)
{
    struct both b;
    int rc;

    if (check_length(r, len, err) < 0)
        return err->code;
    rc = both_read(r, &b, err);
    /* Without knowing which record is older, a write could destroy the newer one. */
    if (rc == 0)
        rc = check_any(r, &b, err);
    if (rc == 0)
        rc = write_next(r, &b, data, len, err);
    both_free(&b);
    return rc;
}

static uint64_t size_of(const struct up_record *r, const char *path)
{
    struct up_stat st;

    return r->storage->ops->stat(r->storage, path, &st) == 0 ? st.size : 0;
}

/* Remove what a power cut left of making that file. */
static void remove_remains(const struct up_record *r, const char *path)
{
    char name[UP_RECORD_PATH + 12];

    snprintf(name, sizeof name, "%s.new", path);
    r->storage->ops->unlink(r->storage, name);
}

static int tend_half(struct up_record *r, struct both *b, int i, struct up_error *err)
{
    struct up_half *h = &b->half[i];
    char path[UP_RECORD_PATH];

    if (up_record_half_path(r, i, path, err) < 0)
        return err->code;
    if (whole(b, i) && !h->unsure && (h->astray || size_of(r, path) < UP_RECORD_SPREAD)) {
        memcpy(b->bytes, h->bytes, r->capacity);
        if (up_record_half_replace(r, i, b->bytes, h, err) < 0) {
            doubt(r, i, NULL); /* under either name is what was there before */
            return err->code;
        }
    }
    remove_remains(r, path);
    return 0;
}

static void mark_path(const struct up_record *r, char out[UP_RECORD_PATH + 8])
{
    snprintf(out, UP_RECORD_PATH + 8, "%s.unread", r->path);
}

static bool is_noted(const struct up_record *r)
{
    struct up_stat st;
    char path[UP_RECORD_PATH + 8];

    mark_path(r, path);
    return r->storage->ops->stat(r->storage, path, &st) == 0;
}

/*
 * Whether file i could not be read in an earlier boot either, nor at any time
 * that the record was tended since. The first time is noted in a file, which need
 * not be durable: what a power cut leaves of it is of another boot.
 */
static bool stays_unreadable(const struct up_record *r, int i)
{
    char path[UP_RECORD_PATH + 8], boot[37], now[48], *text;
    struct up_error ignored;
    bool same_file, stays;

    if (r->storage->ops->boot_id(r->storage, boot) < 0)
        return false;
    snprintf(now, sizeof now, "%d %s\n", i, boot);
    mark_path(r, path);
    if (up_storage_read_file(r->storage, path, sizeof now, &text, NULL, NULL) < 0)
        text = NULL;
    same_file = text && text[0] == now[0];
    stays = same_file && strcmp(text, now) != 0;
    free(text);
    if (!same_file)
        (void)!up_storage_replace_file(r->storage, path, now, strlen(now), 0600, &ignored);
    return stays;
}

/* Neither file's state leaves a doubt: what was noted is over. */
static void forget_note(const struct up_record *r)
{
    char path[UP_RECORD_PATH + 8];

    mark_path(r, path);
    r->storage->ops->unlink(r->storage, path);
    remove_remains(r, path);
}

/* A file may be made anew when it is certain that it does not hold the newest value. */
static bool may_restore(const struct up_record *r, const struct both *b)
{
    for (int i = 0; i < 2; i++)
        if (b->half[i].state == UP_HALF_UNREADABLE)
            return stays_unreadable(r, i);
    return true;
}

static int restore(struct up_record *r, struct both *b, struct up_error *err)
{
    const struct up_half *h = &b->half[newest(b)];
    int rc = write_next(r, b, h->bytes + UP_RECORD_HEAD, h->len, err);

    both_free(b);
    return rc < 0 ? rc : both_read(r, b, err);
}

int up_record_tend(struct up_record *r, struct up_error *err)
{
    struct both b;
    int rc = both_read(r, &b, err);

    if (rc == 0)
        rc = check_any(r, &b, err);
    if (rc == 0 && !(whole(&b, 0) && whole(&b, 1)) && may_restore(r, &b))
        rc = restore(r, &b, err);
    for (int i = 0; rc == 0 && i < 2; i++)
        rc = tend_half(r, &b, i, err);
    if (rc == 0 && whole(&b, 0) && whole(&b, 1))
        forget_note(r);
    both_free(&b);
    return rc;
}

int up_record_inspect(const struct up_record *r, struct up_record_view out[2], struct up_error *err)
{
    static const char *const states[] = {"absent", "unreadable", "broken", "whole"};
    struct both b;
    int rc = both_read(r, &b, err);

    for (int i = 0; rc == 0 && i < 2; i++) {
        rc = up_record_half_path(r, i, out[i].path, err);
        out[i].state = states[b.half[i].state];
        out[i].noted = rc == 0 && is_noted(r);
        if (rc == 0)
            out[i].size = size_of(r, out[i].path);
    }
    both_free(&b);
    return rc;
}
