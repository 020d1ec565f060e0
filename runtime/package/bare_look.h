/*
 * bare_look.h -- check the layout of a bare archive. Of files: one folder at the top
 * with update.ini and files in it, and nothing below. A hotfix: lua/, files/ and
 * test.lua, at the top or in one folder.
 *
 * Private to this wing.
 */
#ifndef UP_BARE_LOOK_H
#define UP_BARE_LOOK_H

#include <stdbool.h>

#include "archive_reader.h"
#include "error.h"

#define UP_BARE_NAME_MAX 255 /* bytes of a name in the folder of a hotfix */

/* The state of the check; begin with zeros. */
struct up_bare_look {
    bool hotfix;                          /* set by the caller */
    char folder[UP_ARCHIVE_NAME_MAX + 1]; /* at the top; "": none, or not known yet */
    bool begun, has_any;                  /* has_any: of files update.ini, of a hotfix a file */
};

/* Names in any encoding; no more entries than an update.ini has lines. */
void up_bare_look_limits(struct up_archive_limits *out, bool hotfix);

/* The next entry. *name is its name in the folder, NULL for a directory.
 * Errors: UP_UNTRUSTED. */
UP_MUST_CHECK int up_bare_look_take(struct up_bare_look *look, const struct up_archive_entry *entry,
                                    const char **name, struct up_error *err);
/* The archive is complete. Errors: UP_UNTRUSTED there was no update.ini, or nothing of a hotfix. */
UP_MUST_CHECK int up_bare_look_end(const struct up_bare_look *look, struct up_error *err);

/* Whether a file in the folder of a hotfix can have this name. */
bool up_bare_look_is_hotfix_name(const char *name);

#endif
