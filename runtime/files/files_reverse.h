/*
 * files_reverse.h -- plans that have ended, put back as a part of another plan.
 *
 * Each operation of theirs is reversed: what was there comes back, what was new goes.
 * The plan that they become a part of may change the same names; then it has the last word.
 */
#ifndef UP_FILES_REVERSE_H
#define UP_FILES_REVERSE_H

#include "error.h"
#include "files.h"
#include "files_kept.h"
#include "files_plan.h"

struct up_files_reverse {
    struct up_files_source own; /* content of the plan's own operations */
    struct up_files_kept *kept; /* the newest first: of one name, what the last of them found comes back */
    uint32_t count;
};

/* Add what puts them back to `plan`, which has room for UP_FILES_OPS operations, and points into them afterwards.
 * What would lie in a folder that is gone is left out. Errors: UP_NOSPACE too many operations or roots; UP_WRITE. */
UP_MUST_CHECK int up_files_reverse(struct up_files_plan *plan, const struct up_files_reverse *reverse,
                                   struct up_error *err);
/* For up_files_fill() of that plan. */
struct up_files_source up_files_reverse_source(struct up_files_reverse *reverse);

#endif
