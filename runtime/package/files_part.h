/*
 * files_part.h -- a verified files part in the state directory: its update.ini,
 * and the content of each file by number.
 *
 * It is read once from end to end and checked like a package (files_archive.h).
 * Content that is read later is not verified again: the code that writes it
 * somewhere compares the digest.
 */
#ifndef UP_FILES_PART_H
#define UP_FILES_PART_H

#include <stdint.h>

#include "error.h"
#include "files.h"
#include "files_archive.h"
#include "files_make.h"
#include "storage.h"

struct up_files_part {
    struct up_storage *storage;
    int file;
    struct up_files_archive archive;  /* with its update.ini */
    struct up_files_content *content; /* of each member of the archive, in its order */
    uint64_t *offset;                 /* where it lies */
};

/* Released with up_files_part_close(), unless this fails. Errors: UP_UNTRUSTED with what is
 * wrong; UP_MISSING no such file; UP_WRITE, UP_INTERNAL. */
UP_MUST_CHECK int up_files_part_open(struct up_files_part *part, struct up_storage *s, const char *path,
                                     struct up_error *err);
void up_files_part_close(struct up_files_part *part);

/* For up_files_fill(), as long as the part is open. */
struct up_files_source up_files_part_source(struct up_files_part *part);

#endif
