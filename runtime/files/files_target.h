/*
 * files_target.h -- the target of one operation: its folder, open, and the names beside it.
 */
#ifndef UP_FILES_TARGET_H
#define UP_FILES_TARGET_H

#include <stdint.h>

#include "error.h"
#include "files_ops.h"
#include "files_tree.h"

struct up_files_target {
    struct up_files_place place;
    const struct up_files_op *op;
    const struct up_files_found *found; /* NULL while staging */
    char name[UP_FILES_TEMPORARIES][UP_FILES_TEMPORARY_SIZE];
};

/* Closed with up_files_target_finish() or up_files_tree_close(&t.place). Errors: those of up_files_tree_open(). */
UP_MUST_CHECK int up_files_target_open(struct up_files_target *out, const struct up_files_work *w, uint32_t n,
                                       struct up_error *err);
/* UP_INCOMPATIBLE: "<root>/<folder>/<name>: <why>". */
int up_files_target_refuse(const struct up_files_target *t, const char *why, struct up_error *err);
/* If rc is 0, sync the folder; close it; give rc or the error of the sync. Synced also when nothing was left
 * to do: whoever did it may have lost power before its sync. */
UP_MUST_CHECK int up_files_target_finish(struct up_files_target *t, int rc, struct up_error *err);

#endif
