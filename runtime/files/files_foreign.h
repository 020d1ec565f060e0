/*
 * files_foreign.h -- what another program put at a target that must be put back.
 *
 * It is never lost, and it never keeps the tree from going back: a file is moved to
 * <state>/files/foreign/<id>-<n>. Anything else, and a file that cannot be copied (it
 * is unreadable, there is no room, the folder is at its limit), stays in its folder as
 * .moult-<id>-<n>.foreign, which nothing sweeps.
 */
#ifndef UP_FILES_FOREIGN_H
#define UP_FILES_FOREIGN_H

#include <stdint.h>

#include "error.h"
#include "files_ops.h"
#include "files_tree.h"

/* Limits of <state>/files/foreign/: the rest of the space is for updates. */
#define UP_FILES_FOREIGN_COUNT 64
#define UP_FILES_FOREIGN_BYTES (16u << 20)

/* Set aside what is at the target of operation `n`, in its folder. Only the change in <state> is durable.
 * Errors: UP_WRITE. */
UP_MUST_CHECK int up_files_foreign_set_aside(const struct up_files_work *w,
                                             const struct up_files_place *place, uint32_t n,
                                             struct up_error *err);

#endif
