/*
 * tar_reader.h -- parse a canonical tar as a stream: members, their content, zero
 * padding, an end mark, and nothing after it.
 *
 *     begin -> take* -> end     bytes in order, in pieces of any size
 */
#ifndef UP_TAR_READER_H
#define UP_TAR_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "tar.h"

struct up_tar_reader {
    const char *what;  /* for messages: "script", "files", "hotfix" */
    uint64_t size, at; /* bytes of the archive, and how many were read */
    uint64_t content;  /* bytes of the member still to come */
    uint64_t padding;  /* zeros after them */
    bool ended;        /* only zeros may follow */
    size_t filled;
    uint8_t header[UP_TAR_BLOCK];
    struct up_tar_entry entry; /* the last member */
};

enum up_tar_piece {
    UP_TAR_FRAME,   /* what is between headers and contents, or part of a header */
    UP_TAR_MEMBER,  /* the end of a header: `entry` is new */
    UP_TAR_CONTENT, /* bytes of `entry` */
};

/* `what` must outlive it. */
void up_tar_reader_begin(struct up_tar_reader *r, const char *what, uint64_t size);
/* The next *taken of len bytes (not 0): the kind of piece that they are.
 * Errors: UP_UNTRUSTED, with what is wrong. */
UP_MUST_CHECK int up_tar_reader_take(struct up_tar_reader *r, const uint8_t *bytes, size_t len, size_t *taken,
                                     struct up_error *err);
/* The archive is complete. Errors: UP_UNTRUSTED. */
UP_MUST_CHECK int up_tar_reader_end(const struct up_tar_reader *r, struct up_error *err);

#endif
