/*
 * unpack.h -- unpack the canonical tar of a script, or of a hotfix, into a directory, piece by
 * piece; the inverse of tree_tar.h.
 *
 * Only regular files and directories; the archive must be canonical to the last
 * byte and contain what it must (script_archive.h). Everything written is synced, except the name of
 * the directory itself.
 *
 *     open -> step until 0 -> close
 */
#ifndef UP_UNPACK_H
#define UP_UNPACK_H

#include <stdint.h>

#include "error.h"
#include "script_archive.h"

struct up_storage;
struct up_unpack; /* opaque; released with up_unpack_close() */

/* Unpack `archive` (size bytes) as `dir`. What an earlier run left there is
 * compared, file by file and past the cache, and kept where it is the same.
 * Errors: UP_WRITE, UP_NOSPACE, UP_INTERNAL. */
UP_MUST_CHECK int up_unpack_open(struct up_unpack **out, struct up_storage *storage, const char *archive,
                                 uint64_t size, enum up_script_archive_kind kind, const char *dir,
                                 struct up_error *err);

/* UP_AGAIN if there is more, 0 when everything is written and synced. Errors:
 * UP_UNTRUSTED not canonical, or something is missing; UP_NOSPACE, UP_WRITE. */
UP_MUST_CHECK int up_unpack_step(struct up_unpack *u, struct up_error *err);

void up_unpack_close(struct up_unpack *u); /* NULL is allowed; what was written stays */

#endif
