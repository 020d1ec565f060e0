/*
 * record.h -- a small value that survives a power cut: the two-slot record.
 *
 * Two preallocated files, <path>.0 and <path>.1, each hold one record with a
 * sequence number and a CRC-32C. A write goes over the older one, is synced
 * and read back past the cache; the newer one is not touched, so at every
 * instant one of them is whole. Nothing is allocated on the medium after
 * create().
 */
#ifndef UP_RECORD_H
#define UP_RECORD_H

#include <stddef.h>
#include <stdint.h>

struct up_error;
struct up_storage;

#define UP_RECORD_HEAD 32 /* magic 8, sequence 8, length 4, zero 8, CRC 4 */

struct up_record {
    struct up_storage *storage;
    const char *path; /* without ".0"; stays the caller's */
    char magic[8];    /* what the record is; part of the check */
    size_t capacity;  /* bytes of each file */
};

/*
 * The first value. Each file appears under its name only when it holds the
 * value whole and durable, the second one last: before that, read() says
 * UP_NOTHING. Errors: UP_WRITE, UP_NOSPACE; UP_INTERNAL too long.
 */
int up_record_create(const struct up_record *r, const void *data, size_t len, struct up_error *err);

/*
 * The newest whole record into buf. Errors: UP_NOTHING create() never came to
 * its end; UP_STATELOST neither record is readable; UP_WRITE.
 */
int up_record_read(const struct up_record *r, void *buf, size_t size, size_t *len, struct up_error *err);

/* Replace the older record. Errors: UP_WRITE, UP_NOSPACE; UP_STATELOST neither
 * is readable, so nothing is written; UP_INTERNAL too long. */
int up_record_write(const struct up_record *r, const void *data, size_t len, struct up_error *err);

/* CRC-32C (Castagnoli, reflected 0x82F63B78) of a buffer. */
uint32_t up_crc32c(const void *data, size_t len);

#endif
