/*
 * archive_zip.h -- whether the two tables of a zip tell the same.
 *
 * Each entry of a zip is described twice: in front of it, and in the directory
 * at the end. Programs differ in which they believe, and whoever wants a file
 * to be seen by one and not by another lets the two differ.
 *
 * Private to this wing.
 */
#ifndef UP_ARCHIVE_ZIP_H
#define UP_ARCHIVE_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* The bytes of the zip. read: all of them and 0, or UP_WRITE. */
struct up_archive_bytes {
    int (*read)(void *user, uint64_t at, void *buf, size_t len, struct up_error *err);
    void *user;
    uint64_t size;
};

/*
 * The entries fill the archive from its first byte in the directory's order,
 * none overlaps another, and names, methods and sizes are equal in both places.
 * Errors: UP_CORRUPT they differ, or it is a zip of more than 4 GiB; UP_WRITE.
 */
UP_MUST_CHECK int up_archive_zip_check(const struct up_archive_bytes *in, struct up_error *err);

#endif
