/*
 * record.h -- the two-slot record: a small value that survives a power cut, a
 * failed write and the loss of a file.
 *
 * Two files, <path>.0 and <path>.1, each begin with one record: a sequence
 * number, a CRC-32C and the value. The newest intact record counts. One intact
 * file is enough for everything.
 *
 * A write replaces the older record, and is synced and read back. The newer one
 * is not touched, so at any time one of them is intact. Which one is newer is
 * decided by what is on the medium: every read drops the cache first, because
 * after a failed sync the cache holds what the medium does not. A record that
 * another process wrote is synced, and so is its name, before anything is decided
 * by it: that process may have been killed in between.
 *
 * A file that is missing, unreadable, or whose last write failed is created
 * again and replaces the old one by rename. If that fails, the intact file is
 * replaced in the same way. What was acknowledged survives; after a failed
 * write, the old or the new value does.
 *
 * Overwriting allocates nothing. Each file is UP_RECORD_SPREAD bytes long, so
 * that the two records share no sector or erase block of simple media; see
 * record_private.h.
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
    char magic[8];      /* identifies the record's content; included in the CRC */
    size_t capacity;    /* bytes of head and value */
    const char *second; /* the second file if it is not <path>.1; or NULL */
    /* Whether the value is valid; a record with an invalid value counts as
     * broken, and the other one is used. NULL: any value is valid. */
    bool (*fits)(const uint8_t *value, size_t len);
    /* What the process knows; zero at first. */
    uint32_t durable;    /* CRC of the last record that it made durable */
    uint32_t failed_crc; /* CRC of the one that it failed to write */
    uint8_t failed;      /* the file, 1 or 2, whose state is unknown since; 0: none */
};

/*
 * Create the record. Each file appears under its name only when it holds the
 * complete value and is durable. From the first file on the record exists; the
 * second file is best effort. Errors: UP_WRITE, UP_NOSPACE; UP_INTERNAL too
 * long.
 */
UP_MUST_CHECK int up_record_create(struct up_record *r, const void *data, size_t len, struct up_error *err);

/*
 * Read the newest intact record into buf, and make it durable unless this
 * process knows that it is; what cannot be is read again from the medium.
 * Errors: UP_NOTHING neither file exists; UP_STATELOST a file exists, but none
 * can be read; UP_WRITE no permission.
 */
UP_MUST_CHECK int up_record_read(struct up_record *r, void *buf, size_t size, size_t *len,
                                 struct up_error *err);

/* Write the next value. Errors: UP_WRITE, UP_NOSPACE; UP_STATELOST, UP_NOTHING
 * as for read(), and nothing is written; UP_INTERNAL too long. */
UP_MUST_CHECK int up_record_write(struct up_record *r, const void *data, size_t len, struct up_error *err);

/*
 * Maintenance, for when the device is idle: a missing or broken file is created
 * again, one that is shorter than UP_RECORD_SPREAD or in the second file's
 * former place is rewritten, and leftovers of a power cut are removed. Writes
 * nothing if all is well. A file that cannot be read may hold the newest value
 * and be readable later: that is noted in <path>.unread, and only if it is
 * unreadable in a later boot still, the file is created again. Errors: those of
 * write(); the old content is kept.
 */
UP_MUST_CHECK int up_record_tend(struct up_record *r, struct up_error *err);

struct up_record_view {
    char path[UP_RECORD_PATH];
    const char *state; /* "whole", "absent", "broken", "unreadable" */
    bool noted;        /* one of the two could not be read when the record was tended last */
    uint64_t size;     /* of the file */
};

/* The state of both files, for people. Errors: UP_WRITE no permission; UP_USAGE. */
UP_MUST_CHECK int up_record_inspect(const struct up_record *r, struct up_record_view out[2],
                                    struct up_error *err);

#endif
