/*
 * files_named.h -- the paths that the operations of a plan name, and whether an update.ini
 * names all of them, too.
 */
#ifndef UP_FILES_NAMED_H
#define UP_FILES_NAMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "files_plan.h"
#include "update_ini.h"

/* The path of the target of operation `n`, also of what lies in a new directory. False: too long. */
bool up_files_named_path(const struct up_files_plan *plan, uint32_t n, char *out, size_t len);

struct up_storage;

/* Which root of a plan the directory at `path` is, also by its identity: a link or a mount may give it another path.
 * The number of its roots: none. */
uint32_t up_files_named_root(struct up_storage *s, const struct up_files_plan *plan, const char *path);

/* Whether a path is `top`, or lies below it. */
bool up_files_named_is_below(const char *path, const char *top);

/* Whether lines of `ini` put, make or delete the target of each operation, or delete a directory above it.
 * If not, `first` is the first path that none does. */
bool up_files_named_all(const struct up_files_plan *plan, const struct up_update_ini *ini, char *first,
                        size_t len);

#endif
