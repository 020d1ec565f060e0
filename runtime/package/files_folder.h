/*
 * files_folder.h -- a folder as the content of a part files (files_archive.h),
 * checked whole: update.ini by every rule (update_ini.h), the files it puts in
 * place, and nothing else.
 */
#ifndef UP_FILES_FOLDER_H
#define UP_FILES_FOLDER_H

#include <stdbool.h>

#include "error.h"

struct up_storage;
struct up_tree_tar;

/* Blanks after a '/' in directories (update_ini.h). */
struct up_files_blanks {
    bool remove;    /* take them out of the content's update.ini */
    unsigned lines; /* that have one: filled */
};

/* Messages call the folder `shown`. On success *out must be released with
 * up_tree_tar_close().
 * Errors: UP_USAGE, with the line and the field of update.ini that are wrong, or
 * the file that is; those of up_tree_tar_open(). */
UP_MUST_CHECK int up_files_folder_open(struct up_tree_tar **out, struct up_storage *storage, const char *dir,
                                       const char *shown, struct up_files_blanks *blanks,
                                       struct up_error *err);

#endif
