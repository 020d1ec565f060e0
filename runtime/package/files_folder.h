/*
 * files_folder.h -- read a folder as the content of a files part
 * (files_archive.h). It is checked completely: update.ini by every rule
 * (update_ini.h), and that the folder has exactly the files that it puts in place.
 */
#ifndef UP_FILES_FOLDER_H
#define UP_FILES_FOLDER_H

#include <stdbool.h>

#include "error.h"

struct up_storage;
struct up_tree_tar;

/* Spaces after a '/' in directories (update_ini.h). */
struct up_files_blanks {
    bool remove;    /* remove them from the content's update.ini */
    unsigned lines; /* out: the number of lines that have one */
};

/* Messages call the folder `shown`. On success *out must be released with
 * up_tree_tar_close().
 * Errors: UP_USAGE, with the line and the field of update.ini that are wrong, or
 * the file that is; those of up_tree_tar_open(). */
UP_MUST_CHECK int up_files_folder_open(struct up_tree_tar **out, struct up_storage *storage, const char *dir,
                                       const char *shown, struct up_files_blanks *blanks,
                                       struct up_error *err);

#endif
