/*
 * record.h -- a small value that survives a power cut, a write that fails and
 * the loss of a file: the two-slot record.
 *
 * Two files, <path>.0 and <path>.1, each begin with one record: a sequence
 * number, a CRC-32C and the value. The newest whole one counts. One whole file
 * is enough for everything.
 *
 * A write goes over the older record and is synced and read back; the newer
 * one is not touched, so at every instant one of them is whole. Which is the
 * newer is judged by what the medium gives: every reading drops the cache
 * first, because after a sync that failed the cache holds what the medium does
 * not. A record that another process wrote is synced before the other may be
 * overwritten: that process may have been killed in between.
 *
 * A file that is missing, that cannot be read or whose last write failed is
 * made anew and takes the old one's place by rename. If that cannot be done,
 * the whole one is exchanged in the same way. What was acknowledged survives;
 * of a write that failed, the old or the new value does.
 *
 * Overwriting allocates nothing. Each file is made UP_RECORD_SPREAD bytes
 * long, so that the two records do not share a sector or an erase block of
 * plain media; record_private.h says how.
 */
#ifndef UP_RECORD_H
#define UP_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct up_storage;

#define UP_RECORD_HEAD 32 /* magic 8, sequence 8, length 4, zero 8, CRC 4 */
#define UP_RECORD_SPREAD 65536
#define UP_RECORD_PATH 1024

struct up_record {
    struct up_storage *storage;
    const char *path;   /* without ".0"; stays the caller's */
    char magic[8];      /* what the record is; part of the check */
    size_t capacity;    /* bytes of head and value */
    const char *second; /* where the second file lies when it is not <path>.1; or NULL */
    /* Whether the value can be understood; a record whose value cannot counts
     * as broken, and the other one is taken. NULL: whatever it is. */
    bool (*fits)(const uint8_t *value, size_t len);
    /* What the process has learned; zero at first. */
    uint32_t durable;    /* CRC of the record that it last made durable */
    uint32_t failed_crc; /* of the one that it failed to write */
    uint8_t failed;      /* to which file, 1 or 2, whose state is unknown since; 0: none */
};

/*
 * The first value. Each file appears under its name only when it holds the
 * value whole and durable. From the first one on there is a record; the second
 * is made as well as that can be. Errors: UP_WRITE, UP_NOSPACE; UP_INTERNAL
 * too long.
 */
UP_MUST_CHECK int up_record_create(struct up_record *r, const void *data, size_t len, struct up_error *err);

/*
 * The newest whole record into buf. Errors: UP_NOTHING neither file is there;
 * UP_STATELOST one is, and none can be read; UP_WRITE we may not look.
 */
UP_MUST_CHECK int up_record_read(const struct up_record *r, void *buf, size_t size, size_t *len,
                                 struct up_error *err);

/* The next value. Errors: UP_WRITE, UP_NOSPACE; UP_STATELOST, UP_NOTHING as
 * read() says, and nothing is written; UP_INTERNAL too long. */
UP_MUST_CHECK int up_record_write(struct up_record *r, const void *data, size_t len, struct up_error *err);

/*
 * For a quiet hour: a file that is missing or broken is made anew, one that is
 * shorter than UP_RECORD_SPREAD or lies where the second one used to is
 * rewritten, and what a power cut left of such work is removed. Writes nothing
 * when all is well. Errors: those of write(); what was there is still there.
 */
UP_MUST_CHECK int up_record_tend(struct up_record *r, struct up_error *err);

struct up_record_view {
    char path[UP_RECORD_PATH];
    const char *state; /* "whole", "absent", "broken", "unreadable" */
    uint64_t size;     /* of the file */
};

/* What there is of a record, for people. Errors: UP_WRITE we may not look; UP_USAGE. */
UP_MUST_CHECK int up_record_inspect(const struct up_record *r, struct up_record_view out[2],
                                    struct up_error *err);

#endif
