/*
 * files_ops.h -- what each operation of a plan does, forward, back and when its
 * traces are swept.
 *
 * Each can be done again after a cut, from the plan, what was found, and what is
 * there:
 *
 *                    forward                            back
 *   put, over one    no .old: make it, sync; .new:      .old is the target (same inode): unlink it;
 *                    rename it over; no .new: done      .old: rename it over; no .old: done
 *   put, none there  .new: rename it; else done         the plan's content: unlink it; .new: done;
 *                                                       else set it aside
 *   make a folder    .new: rename it; else done         .new: done; else rename it to .new
 *   delete           .old: done; target: rename it to   .old: set a target aside, then
 *                    .old; else done                    rename .old back
 *
 * A target that exists before and after is never missing in between, and is never
 * written in place. .old is a hard link or, where the file system has none, a copy
 * that is complete before it gets this name. A symbolic link is kept as a link. What
 * another program put at a target meanwhile is set aside (files_foreign.h), also a
 * directory in the place of a file. In a root without hard links files_weak.h and
 * files_weak_dir.h compare content before.
 *
 * Forward is in files_forward.c, back in files_back.c.
 */
#ifndef UP_FILES_OPS_H
#define UP_FILES_OPS_H

#include <stdint.h>

#include "error.h"
#include "files_found.h"
#include "files_plan.h"
#include "storage.h"

struct up_files_work {
    struct up_storage *storage;
    const char *folder; /* <state>/files */
    const struct up_files_plan *plan;
    const struct up_files_found *found; /* of each operation; NULL while staging */
};

/* What is at the target, and whether the operation may be done to it. `digest`: also hash
 * a file; all 0 if it cannot be read and need not be copied. Errors: UP_INCOMPATIBLE a mount,
 * what is immutable or append-only, a kind that is not touched, or something where nothing must
 * be; UP_MISSING no folder; UP_WRITE. */
UP_MUST_CHECK int up_files_op_find(const struct up_files_work *w, uint32_t n, bool digest,
                                   struct up_files_found *out, struct up_error *err);

/* Durable when they return 0. Errors: UP_WRITE, UP_NOSPACE; UP_INCOMPATIBLE
 * something appeared where there was nothing. */
UP_MUST_CHECK int up_files_op_forward(const struct up_files_work *w, uint32_t n, struct up_error *err);
UP_MUST_CHECK int up_files_op_back(const struct up_files_work *w, uint32_t n, struct up_error *err);
/* Whether what is to be put in place is there. Errors: UP_WRITE it is gone: a record that failed can be
 * ahead of what was removed after it; those of up_files_tree_look(). */
UP_MUST_CHECK int up_files_op_check_staged(const struct up_files_work *w, uint32_t n, struct up_error *err);
/* Whether nothing is left to do forward, or back, as far as names tell. Errors: those of up_files_tree_look(). */
UP_MUST_CHECK int up_files_op_is_done(const struct up_files_work *w, uint32_t n, bool forward, bool *is,
                                      struct up_error *err);
/* Make what waits beside its target durable, and the names there, whoever made them. Errors: UP_WRITE. */
UP_MUST_CHECK int up_files_op_settle(const struct up_files_work *w, uint32_t n, struct up_error *err);
/* Remove .new, .old, .old.part and the leftovers of a try. */
UP_MUST_CHECK int up_files_op_sweep(const struct up_files_work *w, uint32_t n, struct up_error *err);

#endif
