/*
 * tree_tar.h -- read a directory as a canonical tar, piece by piece.
 *
 * Only regular files and directories, in the order of their names, with modes
 * 0644 or 0755; the same tree gives the same bytes. Memory grows with the
 * number of names, not with the contents.
 */
#ifndef UP_TREE_TAR_H
#define UP_TREE_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct up_storage;
struct up_tree_tar; /* opaque; released with up_tree_tar_close() */

/* List the tree. Errors: UP_USAGE something that is neither a file nor a
 * directory, or a name that does not fit into an archive; UP_MISSING; UP_WRITE. */
UP_MUST_CHECK int up_tree_tar_open(struct up_tree_tar **out, struct up_storage *storage, const char *dir,
                                   struct up_error *err);
void up_tree_tar_close(struct up_tree_tar *t);

/* The size of the whole archive in bytes. */
uint64_t up_tree_tar_size(const struct up_tree_tar *t);
/* Whether `name`, relative to the tree, is a regular file in it. */
bool up_tree_tar_has(const struct up_tree_tar *t, const char *name);

/* Arrange it as a files part: no directories, all modes 0644, and `first`
 * before the others. Call before reading. Errors: UP_USAGE a directory, or
 * `first` is missing. */
UP_MUST_CHECK int up_tree_tar_flatten(struct up_tree_tar *t, const char *first, struct up_error *err);
/* Replace the content of that first file; the bytes are copied. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_tree_tar_replace(struct up_tree_tar *t, const char *bytes, size_t len,
                                      struct up_error *err);
/* The name of file `i`, from 0; NULL past the last. */
const char *up_tree_tar_name(const struct up_tree_tar *t, size_t i);

/* From now on read every file past the cache. */
void up_tree_tar_drop_cache(struct up_tree_tar *t);

/* Exactly the next len bytes; past the end they are zeros. Errors: UP_USAGE a
 * file changed since the tree was opened; UP_WRITE. */
UP_MUST_CHECK int up_tree_tar_read(struct up_tree_tar *t, void *buf, size_t len, struct up_error *err);

#endif
