/*
 * record_private.h -- one of the two files of a record, for record.c and
 * record_half.c: read, overwrite, recreate.
 *
 * A file begins with the record: magic 8, sequence 8, length 4, zero 8, CRC 4,
 * value. After it, from the next multiple of 4096 up to UP_RECORD_SPREAD, are
 * incompressible bytes that nobody reads: they keep the two records apart on
 * the medium. Only recreating a file writes them.
 */
#ifndef UP_RECORD_PRIVATE_H
#define UP_RECORD_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "record.h"

enum up_half_state {
    UP_HALF_ABSENT,
    UP_HALF_UNREADABLE, /* it cannot be opened or read */
    UP_HALF_BROKEN,     /* its content is not a valid record */
    UP_HALF_WHOLE
};

struct up_half {
    enum up_half_state state;
    bool unsure; /* the content may be in the cache only */
    bool astray; /* found beside the first file although it belongs elsewhere */
    uint64_t sequence;
    uint32_t crc;
    size_t len;
    uint8_t *bytes; /* capacity of them, the caller's; the value starts at UP_RECORD_HEAD */
};

/* The path of file i. Errors: UP_USAGE too long. */
UP_MUST_CHECK int up_record_half_path(const struct up_record *r, int i, char out[UP_RECORD_PATH],
                                      struct up_error *err);

/* Read from the medium, past the cache, several times if it is not whole. Whatever is wrong with the file becomes
 * its state. Errors: UP_WRITE we may not look (rights, memory, open files). */
UP_MUST_CHECK int up_record_half_read(const struct up_record *r, int i, struct up_half *h,
                                      struct up_error *err);

/* Write the record's bytes, at most capacity, to `out`. */
void up_record_half_format(const struct up_record *r, uint64_t sequence, const void *value, size_t len,
                           uint8_t *out);
uint32_t up_record_half_crc(const uint8_t *bytes);
/* Make the formatted bytes those of the sequence number after their own. */
void up_record_half_pass(uint8_t *bytes);

/* Make the cached content of a file that was read durable, and, as far as that can be done, its name: a failure there
 * is no reason to rely on the older file. 0 or -1. */
int up_record_half_sync(const struct up_record *r, int i);

/* Write the record over the beginning of the file, sync, and compare what the
 * medium returns; `scratch` is overwritten. Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_record_half_overwrite(const struct up_record *r, int i, const uint8_t *bytes,
                                           struct up_half *scratch, struct up_error *err);

/* The same with a new file, which replaces the old one when it is complete and
 * durable; until then the old one is untouched. Needs UP_RECORD_SPREAD bytes,
 * or only the record's length if there is no more room. */
UP_MUST_CHECK int up_record_half_replace(const struct up_record *r, int i, const uint8_t *bytes,
                                         struct up_half *scratch, struct up_error *err);

#endif
