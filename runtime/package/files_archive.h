/*
 * files_archive.h -- check that a tar is one that a device accepts as its files
 * part.
 *
 * Canonical to the last byte (tar_reader.h), without directories: update.ini
 * first, then exactly the files that it puts in place (update_ini.h), in the
 * order of their bytes. All modes are 0644, because the type of a file decides
 * its mode on the device. Used by verify.h.
 *
 *     begin -> feed* -> end -> free     bytes in order, in pieces of any size
 */
#ifndef UP_FILES_ARCHIVE_H
#define UP_FILES_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "tar_reader.h"
#include "update_ini.h"

struct up_files_member {
    char name[UP_UPDATE_INI_NAME_MAX + 1];
    uint64_t size; /* bytes */
};

struct up_files_archive {
    struct up_tar_reader tar;
    char *text; /* update.ini, until it is complete */
    size_t filled;
    struct up_update_ini ini; /* its count is 0 until then */
    struct up_files_member *member;
    size_t members; /* that came, without update.ini; in rising order */
};

void up_files_archive_begin(struct up_files_archive *a, uint64_t size);
/* Errors: UP_UNTRUSTED, with what is wrong; UP_INTERNAL. */
UP_MUST_CHECK int up_files_archive_feed(struct up_files_archive *a, const uint8_t *bytes, size_t len,
                                        struct up_error *err);
/* The archive is complete. Errors: UP_UNTRUSTED. */
UP_MUST_CHECK int up_files_archive_end(const struct up_files_archive *a, struct up_error *err);
/* May be called more than once. */
void up_files_archive_free(struct up_files_archive *a);

/* The member with that name; NULL: there is none. */
const struct up_files_member *up_files_archive_find(const struct up_files_archive *a, const char *name);

#endif
