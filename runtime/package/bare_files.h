/*
 * bare_files.h -- read a bare archive of files, as vendors' tools make it, as the
 * content of a files part (files_archive.h).
 *
 * It is a .tar.gz (or .tar, .zip) of one folder, "NAME/" or "./NAME/", with
 * update.ini and exactly the files that it puts in place; names may have any
 * encoding. The content is checked like a folder (files_folder.h), and the same
 * files give the same content, from a folder or an archive.
 */
#ifndef UP_BARE_FILES_H
#define UP_BARE_FILES_H

#include "error.h"
#include "files_folder.h"

struct up_storage;
struct up_tree_tar;

/* It is unpacked as `dir`, whose parent must exist; an existing `dir` is removed
 * first. On success *out must be released with up_tree_tar_close() and `dir`
 * removed after that; on failure nothing is left.
 * Errors: those of up_archive_reader_next() and up_files_folder_open();
 * UP_UNTRUSTED it is not one folder with an update.ini. */
UP_MUST_CHECK int up_bare_files_open(struct up_tree_tar **out, struct up_storage *storage,
                                     const char *archive, const char *dir, struct up_files_blanks *blanks,
                                     struct up_error *err);

#endif
