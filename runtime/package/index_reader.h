/*
 * index_reader.h -- an index verified while it streams by, whatever its size.
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
    struct up_index_head head;    /* once the first bytes were fed */
    uint64_t fed;                 /* bytes so far */
    uint64_t stored;              /* sum of the stored lengths so far */
    uint8_t rest[UP_INDEX_ENTRY]; /* an entry that came in pieces */
    size_t held;
    int rc; /* of the first head or entry that is wrong, and why */
    struct up_error why;
};

/* Errors: UP_INTERNAL. After success the check must be released. */
UP_MUST_CHECK int up_index_reader_begin(struct up_index_reader *c, const struct up_part *part,
                                        struct up_error *err);
void up_index_reader_release(struct up_index_reader *c); /* also after a failed begin, and twice */

/* The next bytes, in pieces of any length. What is wrong in them is told at
 * the end: before the digest is known to fit, it means nothing. */
void up_index_reader_feed(struct up_index_reader *c, const void *data, size_t len);

/* After the last byte: digest, length, every entry, and that the stored
 * blocks fill <part>.dat exactly. Errors: UP_UNTRUSTED. */
UP_MUST_CHECK int up_index_reader_end(struct up_index_reader *c, struct up_error *err);

#endif
