/*
 * bare_files.h -- a bare archive of files, as vendors' tools make it, as the
 * content of a part files (files_archive.h).
 *
 * A .tar.gz (or .tar, .zip) of one folder, "NAME/" or "./NAME/": update.ini and
 * the files that it puts in place, nothing else, names in any encoding. What it
 * holds is checked as a folder is (files_folder.h); the same files give the same
 * content, whichever way they came.
 */
#ifndef UP_BARE_FILES_H
#define UP_BARE_FILES_H

#include "error.h"
#include "files_folder.h"

struct up_storage;
struct up_tree_tar;

/* Unpacked as `dir`, a path of its own whose parent exists; what lies there is
 * removed first. On success *out must be released with up_tree_tar_close(), and
 * dir removed after that; else nothing of it is left.
 * Errors: those of up_archive_reader_next() and up_files_folder_open();
 * UP_UNTRUSTED it is not one folder with an update.ini. */
UP_MUST_CHECK int up_bare_files_open(struct up_tree_tar **out, struct up_storage *storage,
                                     const char *archive, const char *dir, struct up_files_blanks *blanks,
                                     struct up_error *err);

#endif
