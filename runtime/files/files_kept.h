/*
 * files_kept.h -- what a plan replaced, kept in a folder of the state after the plan has
 * ended, so that it can be put back later (files_reverse.h).
 *
 * The folder holds the plan, what was found, and for each operation n the old file as
 * "n", with its attributes. It is durable before the plan counts as switched.
 */
#ifndef UP_FILES_KEPT_H
#define UP_FILES_KEPT_H

#include "error.h"
#include "files_found.h"
#include "files_ops.h"
#include "files_plan.h"
#include "storage.h"

struct up_files_kept {
    struct up_storage *storage;
    char folder[UP_PATH_SIZE];
    struct up_files_plan plan;
    struct up_files_found *found;
};

/* The tree is changed, and each .old lies beside its target: keep them in <state>/<plan.keep>. Errors: UP_NOSPACE,
 * UP_WRITE. */
UP_MUST_CHECK int up_files_kept_write(const struct up_files_work *w, const char *state, struct up_error *err);

/* Released with up_files_kept_close(), unless this fails. Errors: UP_MISSING there is nothing; UP_INCOMPATIBLE it
 * cannot be read; UP_WRITE, UP_INTERNAL. */
UP_MUST_CHECK int up_files_kept_open(struct up_files_kept *k, struct up_storage *s, const char *folder,
                                     struct up_error *err);
void up_files_kept_close(struct up_files_kept *k);
/* The old file of operation n: an open handle, or -1. */
int up_files_kept_file(const struct up_files_kept *k, uint32_t n);

/* Whether both change one name, or one changes what lies below a name of the other. Roots are told by identity. */
bool up_files_kept_touches(struct up_storage *s, const struct up_files_plan *a,
                           const struct up_files_plan *b);

#endif
