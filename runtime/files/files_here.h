/*
 * files_here.h -- the file in each root that says that it is the one which the plan
 * was made for, and is mounted.
 */
#ifndef UP_FILES_HERE_H
#define UP_FILES_HERE_H

#include "error.h"
#include "files_plan.h"
#include "storage.h"

/* In every root, durable. Errors: UP_MISSING no such root; UP_NOSPACE, UP_WRITE. */
UP_MUST_CHECK int up_files_here_make(struct up_storage *s, const struct up_files_plan *plan,
                                     struct up_error *err);
/* Errors: UP_MISSING "root R is not there". */
UP_MUST_CHECK int up_files_here_check(struct up_storage *s, const struct up_files_plan *plan,
                                      struct up_error *err);
/* From every root that is there. Errors: UP_WRITE. */
UP_MUST_CHECK int up_files_here_remove(struct up_storage *s, const struct up_files_plan *plan,
                                       struct up_error *err);

#endif
