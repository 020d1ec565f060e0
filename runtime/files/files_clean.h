/*
 * files_clean.h -- temporary names of ours that belong to no plan: a partition was away
 * while its plan ended, or a record was lost.
 *
 * Nobody removes them by themselves; a person may order it while no plan is open. What was
 * set aside for others (files_foreign.h) is not ours.
 */
#ifndef UP_FILES_CLEAN_H
#define UP_FILES_CLEAN_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "files_plan.h"
#include "storage.h"

struct up_files_strays {
    uint32_t count;
    char first[UP_PATH_SIZE]; /* path of one of them */
};

/* Find them below each root, within its file system, and with `remove` do that. Errors: UP_MISSING no
 * such root; UP_WRITE. */
UP_MUST_CHECK int up_files_clean(struct up_storage *s, const struct up_files_root *roots, uint32_t root_count,
                                 bool remove, struct up_files_strays *out, struct up_error *err);

#endif
