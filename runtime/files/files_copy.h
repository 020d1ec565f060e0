/*
 * files_copy.h -- a directory is kept as a copy.
 *
 * An overlay cannot rename a directory of its lower layer (EXDEV); one that an update
 * deletes there is copied, durably, and removed after that. Its files are no operations of
 * the plan: that is made before programs are stopped, and they may still write into the
 * directory. The copy takes no more room than moving each file would, because an overlay
 * copies what it moves.
 */
#ifndef UP_FILES_COPY_H
#define UP_FILES_COPY_H

#include "error.h"
#include "files_tree.h"

/* Copy the directory `name`, with everything below it, to `to` in the open directory `to_dir`, which must not
 * have it: content, links, owners, modes, extended attributes. The copy is durable, but not yet its name. Errors:
 * UP_INCOMPATIBLE it is too deep, or something in it is a mount or neither file, directory nor link;
 * UP_NOSPACE, UP_WRITE. */
UP_MUST_CHECK int up_files_copy_dir(const struct up_files_place *p, const char *name, int to_dir,
                                    const char *to, struct up_error *err);

#endif
