/*
 * files_copy.h -- a directory is kept as a copy.
 *
 * An overlay cannot rename a directory of its lower layer (EXDEV); one that an update
 * deletes there is copied, durably, and removed after that.
 */
#ifndef UP_FILES_COPY_H
#define UP_FILES_COPY_H

#include "error.h"
#include "files_tree.h"

/* The directory `name` as `to` beside it, which is not there, with all below it: content, links,
 * owners, modes, extended attributes. Durable but for the name `to`. Errors: UP_INCOMPATIBLE a mount
 * or what is neither file, directory nor link lies in it, or it is too deep; UP_NOSPACE, UP_WRITE. */
UP_MUST_CHECK int up_files_copy_dir(const struct up_files_place *p, const char *name, const char *to,
                                    struct up_error *err);

#endif
