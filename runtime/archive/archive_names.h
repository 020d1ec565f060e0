/*
 * archive_names.h -- checks the names of an archive's entries: which are
 * allowed, and that none occurs twice.
 *
 * Private to this wing.
 */
#ifndef UP_ARCHIVE_NAMES_H
#define UP_ARCHIVE_NAMES_H

#include "archive_reader.h"
#include "error.h"

struct up_archive_names; /* opaque; released with up_archive_names_free() */

struct up_archive_names *up_archive_names_new(void); /* NULL: out of memory */
void up_archive_names_free(struct up_archive_names *names);

/*
 * Clean `raw`, the name in the archive, into `out`: without "./", doubled
 * slashes and a trailing slash. Returns 0, or 1 for the top directory itself
 * ("./").
 * Errors: UP_UNTRUSTED the name leads out of the directory, is too long, or has
 * forbidden characters; UP_NOSPACE too deep.
 */
UP_MUST_CHECK int up_archive_name_clean(char out[UP_ARCHIVE_NAME_MAX + 1], const char *raw,
                                        const struct up_archive_limits *limits, struct up_error *err);

/* Record a clean name. Errors: UP_UNTRUSTED it occurred before, or is a file
 * where a directory must be, or the other way round; UP_INTERNAL out of memory. */
UP_MUST_CHECK int up_archive_names_add(struct up_archive_names *names, const char *name,
                                       enum up_archive_kind kind, struct up_error *err);

#endif
