/*
 * files_here.h -- a file in each root which shows that the root is mounted, and is the
 * one that the plan was made for.
 *
 * Where even renaming takes room (btrfs), a second file beside it keeps some: a disk
 * that is full must not keep the tree from going back.
 */
#ifndef UP_FILES_HERE_H
#define UP_FILES_HERE_H

#include "error.h"
#include "files_plan.h"
#include "storage.h"

/* Create it in every root, durably. Errors: UP_MISSING no such root; UP_NOSPACE, UP_WRITE. */
UP_MUST_CHECK int up_files_here_make(struct up_storage *s, const struct up_files_plan *plan,
                                     struct up_error *err);
/* Errors: UP_MISSING "root R is not there"; UP_WRITE that cannot be told now. */
UP_MUST_CHECK int up_files_here_check(struct up_storage *s, const struct up_files_plan *plan,
                                      struct up_error *err);
UP_MUST_CHECK int up_files_here_check_root(struct up_storage *s, const struct up_files_plan *plan, uint32_t i,
                                           struct up_error *err);
/* Free the space that was kept for going back, in every root that is there. Errors: UP_WRITE. */
UP_MUST_CHECK int up_files_here_give_room(struct up_storage *s, const struct up_files_plan *plan,
                                          struct up_error *err);
/* Remove it from every root that is there. Errors: UP_WRITE. */
UP_MUST_CHECK int up_files_here_remove(struct up_storage *s, const struct up_files_plan *plan,
                                       struct up_error *err);

#endif
