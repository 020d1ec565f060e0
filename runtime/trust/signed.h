/*
 * signed.h -- a small signed file, with its signature beside it: FILE.minisig.
 */
#ifndef UP_SIGNED_H
#define UP_SIGNED_H

#include "error.h"
#include "minisign.h"

/*
 * Read `path` (at most `limit` bytes) and verify it with `ring`. On success the
 * caller frees *text, which is NUL-terminated, and compares `comment`, the
 * trusted comment, which says what was signed. Errors: UP_MISSING the file or
 * its signature; UP_UNTRUSTED; UP_USAGE larger; UP_WRITE.
 */
UP_MUST_CHECK int up_signed_load(char **text, size_t *len, char comment[UP_TRUSTED_COMMENT_MAX],
                                 struct up_storage *storage, const struct up_keyring *ring, const char *path,
                                 size_t limit, struct up_error *err);

#endif
