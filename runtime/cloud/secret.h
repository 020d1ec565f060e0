/*
 * secret.h -- secrets in files that nobody else may read.
 *
 * A device's secret is in a file of its own or in the configuration. Either
 * must be a regular file without any permission for group and others. The
 * content never appears in a message.
 */
#ifndef UP_SECRET_H
#define UP_SECRET_H

#include "error.h"

#define UP_SECRET_MAX 256 /* bytes; clouds hand out some 30 */

struct up_storage;

/* Errors: UP_MISSING no such file; UP_USAGE others may read or write it, or it
 * is not a regular file; UP_WRITE other failures. */
UP_MUST_CHECK int up_secret_check(struct up_storage *storage, const char *path, struct up_error *err);

/*
 * Check the file and read its single line, without the line end,
 * NUL-terminated.
 *
 * Errors: as up_secret_check(); UP_USAGE empty, longer than UP_SECRET_MAX bytes,
 * more than one line, or with a byte that is not printable.
 */
UP_MUST_CHECK int up_secret_read(struct up_storage *storage, const char *path, char out[UP_SECRET_MAX + 1],
                                 struct up_error *err);

#endif
