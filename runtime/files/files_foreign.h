/*
 * files_foreign.h -- what somebody else put where a step that goes back must put
 * something else, or nothing.
 *
 * It is theirs and is never lost, and it never keeps the tree from going back: a file
 * becomes <state>/files/foreign/<id>-<n>. What is none, or finds no room there (or as much is there already as may be), stays in
 * its folder as .moult-<id>-<n>.foreign, which nothing sweeps.
 */
#ifndef UP_FILES_FOREIGN_H
#define UP_FILES_FOREIGN_H

#include <stdint.h>

#include "error.h"
#include "files_ops.h"
#include "files_tree.h"

/* How much of it lies in <state>/files/foreign/, which is for an update, too. */
#define UP_FILES_FOREIGN_COUNT 64
#define UP_FILES_FOREIGN_BYTES (16u << 20)

/* Take away what is at the target of operation `n`, in its folder. Durable in <state> only.
 * Errors: UP_WRITE. */
UP_MUST_CHECK int up_files_set_aside(const struct up_files_work *w, const struct up_files_place *place,
                                     uint32_t n, struct up_error *err);

#endif
