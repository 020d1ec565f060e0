/*
 * archive_names.h -- the names of an archive's entries: what a name may be, and
 * that none comes twice.
 *
 * Private to this wing.
 */
#ifndef UP_ARCHIVE_NAMES_H
#define UP_ARCHIVE_NAMES_H

#include <stdbool.h>

#include "archive_reader.h"
#include "error.h"

struct up_archive_names; /* opaque; released with up_archive_names_free() */

struct up_archive_names *up_archive_names_new(void); /* NULL: no memory */
void up_archive_names_free(struct up_archive_names *names);

/*
 * `raw`, as the archive has it, without "./", doubled slashes and a slash at the end: in `out`.
 * 0, or 1 for the uppermost directory itself ("./").
 * Errors: UP_UNTRUSTED the name leads out, is too long, or holds what no name should;
 * UP_NOSPACE too deep.
 */
UP_MUST_CHECK int up_archive_name_clean(char out[UP_ARCHIVE_NAME_MAX + 1], const char *raw,
                                        const struct up_archive_limits *limits, struct up_error *err);

/* Take note of a clean name. Errors: UP_UNTRUSTED it was there, or a file is where a
 * directory has to be, or the other way round; UP_INTERNAL no memory. */
UP_MUST_CHECK int up_archive_names_add(struct up_archive_names *names, const char *name,
                                       enum up_archive_kind kind, struct up_error *err);

#endif
