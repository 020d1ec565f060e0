/*
 * files_archive.h -- whether a tar is one that a device takes as its part files.
 *
 * Canonical to its last byte (tar_reader.h), without directories: update.ini
 * first, then each file that it puts in place (update_ini.h), once, in the order of
 * their bytes, and no other. Modes are all 0644: what a file becomes, its type
 * says. Verification (verify.h) asks it.
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
    char *text; /* update.ini, until it is whole */
    size_t filled;
    struct up_update_ini ini; /* of count 0 until then */
    struct up_files_member *member;
    size_t members; /* that came, without update.ini; in rising order */
};

void up_files_archive_begin(struct up_files_archive *a, uint64_t size);
/* Errors: UP_UNTRUSTED, with what is wrong; UP_INTERNAL. */
UP_MUST_CHECK int up_files_archive_feed(struct up_files_archive *a, const uint8_t *bytes, size_t len,
                                        struct up_error *err);
/* All of it came. Errors: UP_UNTRUSTED. */
UP_MUST_CHECK int up_files_archive_end(const struct up_files_archive *a, struct up_error *err);
/* Of what was begun, once or more often. */
void up_files_archive_free(struct up_files_archive *a);

/* The member of that name; NULL when there is none. */
const struct up_files_member *up_files_archive_find(const struct up_files_archive *a, const char *name);

#endif
