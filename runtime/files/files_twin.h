/*
 * files_twin.h -- data that is written once and must not be lost, in two equal files
 * named by their digest: "<folder>/<64 hex>.0" and ".1". With the digest the data
 * can be read as long as one of them is intact.
 */
#ifndef UP_FILES_TWIN_H
#define UP_FILES_TWIN_H

#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "error.h"

struct up_storage;

/* Both are durable when this returns 0. Errors: UP_NOSPACE, UP_WRITE. */
UP_MUST_CHECK int up_files_twin_write(struct up_storage *s, const char *folder, const void *data, size_t len,
                                      uint8_t digest[UP_SHA256_SIZE], struct up_error *err);

/* Into a fresh buffer that the caller frees. Errors: UP_STATELOST neither is intact; UP_INTERNAL. */
UP_MUST_CHECK int up_files_twin_read(struct up_storage *s, const char *folder,
                                     const uint8_t digest[UP_SHA256_SIZE], size_t limit, char **out,
                                     size_t *len, struct up_error *err);

#endif
