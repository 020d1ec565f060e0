/*
 * files_try.h -- whether a switch can do what the plan says, tried on temporary
 * names before anything live changes.
 */
#ifndef UP_FILES_TRY_H
#define UP_FILES_TRY_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "files_ops.h"
#include "files_plan.h"
#include "files_tree.h"

/* Before anything is made: whether every file system has the bytes and files that the plan needs there, with
 * the copies that are kept where there are no hard links. Errors: UP_NOSPACE; those of up_files_op_find(). */
UP_MUST_CHECK int up_files_try_room(const struct up_files_work *w, struct up_error *err);

/* Operation `n` in its folder, `there`: whether its target is. Its temporary names are free. Creates,
 * links, renames over and unlinks; the first operation of each folder also makes a file of every name
 * that the plan has there, in an empty directory. Errors: UP_INCOMPATIBLE no hard link, two names that
 * are one, a target that has another spelling; UP_NOSPACE, UP_WRITE. */
UP_MUST_CHECK int up_files_try(const struct up_files_place *p, const struct up_files_plan *plan, uint32_t n,
                               bool there, struct up_error *err);

/* The folder of operation `n` once more, after every stop. Errors: those of up_files_try(). */
UP_MUST_CHECK int up_files_try_again(const struct up_files_work *w, uint32_t n, struct up_error *err);

#endif
