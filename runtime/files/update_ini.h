/*
 * update_ini.h -- what a part `files` does to a device: its update.ini, read and
 * checked whole.
 *
 * One entry a line, four fields with a TAB between them:
 *
 *     name  directory  operation  type          MIT  /mnt/app/Bin  4  2
 *
 * name       of the file or directory, 1 to 64 bytes; also its name in the package
 * directory  absolute; that which holds it
 * operation  sum of at most one of 1 add, 2 delete, 4 upgrade, and of 8 stop and
 *            16 start, which are for executables only
 * type       1 directory (added or deleted), 2 executable, 4 configuration, 8 driver
 *
 * Names are bytes of any encoding. Lines end in LF or CRLF. A byte order mark,
 * blank lines and a last line without its end are taken. All else is refused,
 * with the line and the field.
 *
 * Two lines may name one target: one changes it, another stops or starts it.
 * Nothing else lies at or below the target of another line, but what is put into
 * a directory that an earlier line adds, and stops below a directory that is
 * deleted. Whether a file system folds case, what lies there already and which
 * places are allowed is for the device to compare.
 *
 * Pure: bytes in, entries out, in the order of the lines.
 */
#ifndef UP_UPDATE_INI_H
#define UP_UPDATE_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

#define UP_UPDATE_INI "update.ini"
#define UP_UPDATE_INI_MAX 262144u    /* bytes of an update.ini */
#define UP_UPDATE_INI_LINES_MAX 1024 /* entries in one */
#define UP_UPDATE_INI_NAME_MAX 64    /* bytes of a name */
#define UP_UPDATE_INI_PATH_MAX 512   /* bytes of a directory, a '/' and a name */
#define UP_FILES_TEMPORARY ".moult-" /* so begin names that are ours, and no other */

enum up_file_operation {
    UP_FILE_KEEP,   /* only stopped or started */
    UP_FILE_PUT,    /* added or upgraded: the file of the package in its place */
    UP_FILE_DELETE, /* a file, or a directory with all that is in it */
    UP_FILE_MKDIR,  /* a directory is added */
};

enum up_file_type {
    UP_FILE_DIRECTORY = 1,
    UP_FILE_EXECUTABLE = 2,
    UP_FILE_CONFIGURATION = 4,
    UP_FILE_DRIVER = 8,
};

struct up_update_ini_entry {
    unsigned line; /* from 1 */
    enum up_file_operation operation;
    enum up_file_type type;
    bool stop, start;
    const char *directory; /* absolute, without '/' at its end unless it is "/" */
    const char *path;      /* directory and name */
    const char *name;      /* the last part of path; with UP_FILE_PUT also the file of the package */
};

struct up_update_ini {
    size_t count; /* 1 to UP_UPDATE_INI_LINES_MAX */
    struct up_update_ini_entry *entry;
    char *text; /* that the entries point into */
};

/* Read it. *ini is to be released with up_update_ini_free(), also after a failure.
 * Errors (err may be NULL): UP_UNTRUSTED, "update.ini line 3: operation: ..."; UP_INTERNAL. */
UP_MUST_CHECK int up_update_ini_parse(struct up_update_ini *ini, const char *text, size_t len,
                                      struct up_error *err);

/* Count the lines in which a blank follows a '/' of the directory, which is mostly a slip. With `remove`,
 * remove these blanks and reduce *len. Takes any text, before it is parsed. */
unsigned up_update_ini_blanks(char *text, size_t *len, bool remove);

/* Whether `name` is a file that the package must hold. */
bool up_update_ini_has_file(const struct up_update_ini *ini, const char *name);

void up_update_ini_free(struct up_update_ini *ini);

/* "put", "delete", "mkdir" or "keep"; "directory", "executable", "configuration" or "driver". */
const char *up_update_ini_operation_name(enum up_file_operation operation);
const char *up_update_ini_type_name(enum up_file_type type);

#endif
