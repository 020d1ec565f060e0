/*
 * record_private.h -- one of the two files of a record, for record.c and
 * record_half.c: read, overwritten, made anew.
 *
 * A file begins with the record: magic 8, sequence 8, length 4, zero 8, CRC 4,
 * value. Behind it, from the next 4096 bytes on and up to UP_RECORD_SPREAD, it
 * holds bytes that nothing can make smaller and nobody reads: they keep the
 * two records apart on the medium. Only making a file anew writes them.
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
    UP_HALF_BROKEN,     /* what it holds is no record */
    UP_HALF_WHOLE
};

struct up_half {
    enum up_half_state state;
    bool unsure; /* what was read may be in the cache only */
    bool astray; /* it was found beside the first file and belongs elsewhere */
    uint64_t sequence;
    uint32_t crc;
    size_t len;
    uint8_t *bytes; /* capacity of them, the caller's; the value starts at UP_RECORD_HEAD */
};

/* Where file i belongs, into out. Errors: UP_USAGE too long. */
UP_MUST_CHECK int up_half_path(const struct up_record *r, int i, char out[UP_RECORD_PATH],
                               struct up_error *err);

/* What the medium holds, past the cache. Whatever is wrong with the file is
 * told by its state. Errors: UP_WRITE we may not look (rights, memory, open files). */
UP_MUST_CHECK int up_half_read(const struct up_record *r, int i, struct up_half *h, struct up_error *err);

/* The bytes of a record into `out`, capacity of them. */
void up_half_format(const struct up_record *r, uint64_t sequence, const void *value, size_t len,
                    uint8_t *out);
uint32_t up_half_crc(const uint8_t *bytes);

/* Make what is in the cache of it durable; said of a file that was read. 0 or -1. */
int up_half_sync(const struct up_record *r, int i);

/* Write the record over the front of the file, sync, and compare what the
 * medium gives back; `scratch` is overwritten. Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_half_overwrite(const struct up_record *r, int i, const uint8_t *bytes,
                                    struct up_half *scratch, struct up_error *err);

/* The same by a new file that takes the place of the old one when it is whole
 * and durable: until then the old one is untouched. Takes UP_RECORD_SPREAD
 * bytes, or just the front when there is no room for more. */
UP_MUST_CHECK int up_half_replace(const struct up_record *r, int i, const uint8_t *bytes,
                                  struct up_half *scratch, struct up_error *err);

#endif
