/*
 * index_reader.h -- verify an index while it streams by, whatever its size.
 *
 *     begin -> feed* -> end
 */
#ifndef UP_INDEX_READER_H
#define UP_INDEX_READER_H

#include "error.h"
#include "index.h"

struct up_digest;

struct up_index_reader {
    const struct up_part *part; /* must stay valid */
    struct up_digest *digest;
    struct up_index_head head;    /* valid once the first bytes were fed */
    uint64_t fed;                 /* bytes so far */
    uint64_t stored;              /* sum of the stored lengths so far */
    uint8_t rest[UP_INDEX_ENTRY]; /* an entry that arrived in pieces */
    size_t held;
    int rc; /* of the first invalid head or entry, and why */
    struct up_error why;
};

/* Errors: UP_INTERNAL. After success the reader must be released. */
UP_MUST_CHECK int up_index_reader_begin(struct up_index_reader *c, const struct up_part *part,
                                        struct up_error *err);
void up_index_reader_release(struct up_index_reader *c); /* also after a failed begin, and twice */

/* The next bytes, in pieces of any length. Errors in them are reported at the
 * end: before the digest is known to fit, they mean nothing. */
void up_index_reader_feed(struct up_index_reader *c, const void *data, size_t len);

/* After the last byte: check digest, length and every entry, and that the
 * stored blocks fill <part>.dat exactly. Errors: UP_UNTRUSTED. */
UP_MUST_CHECK int up_index_reader_end(struct up_index_reader *c, struct up_error *err);

#endif
