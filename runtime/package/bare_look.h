/*
 * bare_look.h -- check the layout of a bare archive: one folder at the top with
 * update.ini and files in it, and nothing below.
 *
 * Private to this wing.
 */
#ifndef UP_BARE_LOOK_H
#define UP_BARE_LOOK_H

#include <stdbool.h>

#include "archive_reader.h"
#include "error.h"

/* The state of the check; begin with zeros. */
struct up_bare_look {
    char folder[UP_ARCHIVE_NAME_MAX + 1]; /* "" before the first entry */
    bool has_ini;
};

/* Names in any encoding; no more entries than an update.ini has lines. */
void up_bare_look_limits(struct up_archive_limits *out);

/* The next entry. *name is its name in the folder, NULL for the folder itself.
 * Errors: UP_UNTRUSTED. */
UP_MUST_CHECK int up_bare_look_take(struct up_bare_look *look, const struct up_archive_entry *entry,
                                    const char **name, struct up_error *err);
/* The archive is complete. Errors: UP_UNTRUSTED there was no update.ini. */
UP_MUST_CHECK int up_bare_look_end(const struct up_bare_look *look, struct up_error *err);

#endif
