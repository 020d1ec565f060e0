/*
 * files_weak.h -- roots on a file system without hard links, which renames in two steps.
 *
 * When the power goes between the two, what was moved may be under both names, and whoever
 * checks the file system may cut either to nothing. So <state>/files keeps the old and the new
 * content of each target until the plan has ended. A target is compared by digest before a
 * step is taken for done, and written anew where it differs. Directories: files_weak_dir.h.
 */
#ifndef UP_FILES_WEAK_H
#define UP_FILES_WEAK_H

#include <stdbool.h>

#include "error.h"
#include "files_ops.h"
#include "files_tree.h"

/* Whether operation `n` puts or deletes a file in such a root. */
bool up_files_weak_at(const struct up_files_work *w, uint32_t n);

/* The name in <state>/files of what is kept for it. */
#define UP_FILES_WEAK_KEPT_SIZE (2 * UP_FILES_ID_SIZE + 24)
void up_files_weak_kept_name(const struct up_files_work *w, uint32_t n, bool new_content,
                             char out[UP_FILES_WEAK_KEPT_SIZE]);

/* Keep what is at `name` in the place, which must be the new or the old content of operation `n`.
 * Durable when it returns 0. Errors: UP_WRITE it is another one; UP_NOSPACE. */
UP_MUST_CHECK int up_files_weak_keep(const struct up_files_work *w, const struct up_files_place *p,
                                     uint32_t n, const char *name, bool new_content, struct up_error *err);

/* `name` of `from` as `to_name` of `to`, with its attributes; durable when it returns 0. Errors: UP_WRITE it does not
 * have that digest; UP_NOSPACE. */
UP_MUST_CHECK int up_files_weak_copy(const struct up_files_place *from, const char *name,
                                     const struct up_files_place *to, const char *to_name,
                                     const uint8_t *digest, struct up_error *err);

/* 1 the file `name` is there with the new or old content, 0 it is not, or an error. */
UP_MUST_CHECK int up_files_weak_holds(const struct up_files_work *w, const struct up_files_place *p,
                                      uint32_t n, const char *name, bool new_content, struct up_error *err);

/* The same, but 0 also if it cannot be read twice: a bad block under what can be written anew stops nothing. */
UP_MUST_CHECK int up_files_weak_is_whole(const struct up_files_work *w, const struct up_files_place *p,
                                         uint32_t n, const char *name, bool new_content,
                                         struct up_error *err);

/* The target gets it: from `beside`, a name in the place, where that is intact; else from what was kept, under a
 * name that was free. Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_files_weak_renew(const struct up_files_work *w, const struct up_files_place *p,
                                      uint32_t n, const char *beside, bool new_content, struct up_error *err);

/* An empty file: what a check of the file system may have left of one of ours. */
bool up_files_weak_is_cut(const struct up_stat *st);

#endif
