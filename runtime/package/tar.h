/*
 * tar.h -- canonical ustar: the same members always give the same bytes.
 *
 * Owner, group and mtime are 0, owner names are empty, modes are fixed, padding
 * is zero. Because a header is a function of (name, kind, mode, size), a reader
 * generates it again and compares; nothing unexpected can hide in one. Any tar
 * program can list and extract the result.
 */
#ifndef UP_TAR_H
#define UP_TAR_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

#define UP_TAR_BLOCK 512
#define UP_TAR_NAME_MAX 255 /* ustar: 155 of prefix, '/', 100 of name */
#define UP_TAR_END 1024     /* two zero blocks end an archive */

struct up_tar_entry {
    char name[UP_TAR_NAME_MAX + 1]; /* relative, no "." or ".." part, no empty part, no trailing '/' */
    bool directory;
    unsigned mode; /* 0644 or 0755; directories 0755 */
    uint64_t size; /* below 8 GiB; directories 0 */
};

/* Errors: UP_USAGE the name does not fit or is not allowed, size too large.
 * err may be NULL, also of up_tar_get(). */
UP_MUST_CHECK int up_tar_put(uint8_t out[UP_TAR_BLOCK], const struct up_tar_entry *entry,
                             struct up_error *err);

/* Decode a header and check that it is canonical. Returns 1 for an entry, 0 for
 * a block of zeros, UP_UNTRUSTED for anything else. */
UP_MUST_CHECK int up_tar_get(struct up_tar_entry *entry, const uint8_t in[UP_TAR_BLOCK],
                             struct up_error *err);

/* `size` rounded up to whole blocks. */
uint64_t up_tar_padded(uint64_t size);

#endif
