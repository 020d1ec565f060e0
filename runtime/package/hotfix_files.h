/*
 * hotfix_files.h -- the files of a hotfix: its folder files/ with an update.ini, and
 * exactly the files that it puts in place.
 *
 * A hotfix changes single files. Directories belong to a release: undoing one that was
 * made would remove what a program wrote into it since. Drivers need a restart, which a
 * hotfix does without.
 */
#ifndef UP_HOTFIX_FILES_H
#define UP_HOTFIX_FILES_H

#include <stddef.h>

#include "error.h"
#include "files.h"
#include "files_make.h"
#include "storage.h"
#include "update_ini.h"

struct up_hotfix_files {
    struct up_storage *storage;
    char folder[UP_PATH_SIZE];
    struct up_update_ini ini;
    struct up_files_content *content; /* of each file, by the ini's names; room for every entry */
    size_t count;
};

/* `hotfix` is its folder. Released with up_hotfix_files_close(), unless this fails. Errors: UP_UNTRUSTED, with
 * what is wrong; UP_MISSING no update.ini; UP_WRITE, UP_INTERNAL. */
UP_MUST_CHECK int up_hotfix_files_open(struct up_hotfix_files *f, struct up_storage *s, const char *hotfix,
                                       struct up_error *err);
void up_hotfix_files_close(struct up_hotfix_files *f);
/* For up_files_fill(), as long as they are open. */
struct up_files_source up_hotfix_files_source(struct up_hotfix_files *f);

#endif
