/*
 * script_archive.h -- check that a tar is one that a device accepts as its
 * script, or as a hotfix.
 *
 * Canonical to the last byte (tar_reader.h); ascending names, each below a
 * directory that came before it. A script has a main.lua. A hotfix has the
 * folder `lua` with a file in it, or `files` with an update.ini (hotfix_files.h),
 * or both, and perhaps test.lua; it replaces no module that decides what runs:
 * main, policy, sys, update and all below update. An opaque one, which nobody signed, is
 * one file. Used by unpack.h, verify.h and
 * pack.h.
 *
 *     begin -> feed* -> end     bytes in order, in pieces of any size
 */
#ifndef UP_SCRIPT_ARCHIVE_H
#define UP_SCRIPT_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "tar_reader.h"

#define UP_OPAQUE_NAME "patch.bin" /* the one file of an opaque hotfix */

enum up_script_archive_kind { UP_ARCHIVE_OF_SCRIPT, UP_ARCHIVE_OF_HOTFIX, UP_ARCHIVE_OF_OPAQUE };

struct up_script_archive {
    struct up_tar_reader tar;
    enum up_script_archive_kind kind;
    bool has_main;                  /* of a hotfix: a file below lua/; of an opaque one: its file */
    bool has_folder, has_files;     /* of a hotfix: files/, and the update.ini in it */
    char last[UP_TAR_NAME_MAX + 1]; /* name of the last member */
    /* Lengths of the prefixes of `last` that are members; and which of them are directories. */
    unsigned starts;
    uint16_t length[UP_TAR_NAME_MAX + 1];
    bool directory[UP_TAR_NAME_MAX + 1];
};

void up_script_archive_begin(struct up_script_archive *a, enum up_script_archive_kind kind, uint64_t size);
/* Errors: UP_UNTRUSTED, with what is wrong. */
UP_MUST_CHECK int up_script_archive_feed(struct up_script_archive *a, const uint8_t *bytes, size_t len,
                                         struct up_error *err);
/* The archive is complete. Errors: UP_UNTRUSTED. */
UP_MUST_CHECK int up_script_archive_end(const struct up_script_archive *a, struct up_error *err);

#endif
