/*
 * archive_zip.h -- check that the two tables of a zip agree.
 *
 * A zip describes each entry twice: in a local header before the content, and
 * in the central directory at the end. Programs differ in which one they
 * believe, so an attacker who wants one program to see a file and another not
 * to makes the two differ.
 *
 * Private to this wing.
 */
#ifndef UP_ARCHIVE_ZIP_H
#define UP_ARCHIVE_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* The bytes of the zip. read() gives all of them and 0, or UP_WRITE. */
struct up_archive_bytes {
    int (*read)(void *user, uint64_t at, void *buf, size_t len, struct up_error *err);
    void *user;
    uint64_t size;
};

/*
 * Check that the entries fill the archive from its first byte, in the order of
 * the directory and without overlap, and that names, methods and sizes are
 * equal in both places. Errors: UP_CORRUPT they differ, or the zip is larger
 * than 4 GiB; UP_WRITE.
 */
UP_MUST_CHECK int up_archive_zip_check(const struct up_archive_bytes *in, struct up_error *err);

#endif
