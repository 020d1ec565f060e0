/*
 * files_weak_dir.h -- directories in roots on a file system without hard links (files_weak.h).
 *
 * A cut in the middle of their rename leaves them under both names, and whoever checks the file
 * system may empty either. So <state>/files keeps each file of a new directory, and a copy of
 * each directory that is deleted. What is found empty is filled from there.
 */
#ifndef UP_FILES_WEAK_DIR_H
#define UP_FILES_WEAK_DIR_H

#include <stdbool.h>

#include "error.h"
#include "files_ops.h"
#include "files_tree.h"

/* Whether operation `n` makes a directory in such a root, or deletes one that was found. */
bool up_files_weak_dir_at(const struct up_files_work *w, uint32_t n);

/* As up_files_op_forward() and up_files_op_back(), for the open folder of operation `n`; its names are not
 * synced yet. */
UP_MUST_CHECK int up_files_weak_dir_forward(const struct up_files_work *w, const struct up_files_place *p,
                                            uint32_t n, struct up_error *err);
UP_MUST_CHECK int up_files_weak_dir_back(const struct up_files_work *w, const struct up_files_place *p,
                                         uint32_t n, struct up_error *err);

#endif
