/*
 * unpack.h -- the canonical tar of a script into a directory, piece by piece:
 * the other way round than tree_tar.h.
 *
 * Regular files and directories only; the archive must be canonical to its
 * last byte and have a main.lua. All that is written is synced, but not the
 * name of the directory itself.
 *
 *     open -> step until 0 -> close
 */
#ifndef UP_UNPACK_H
#define UP_UNPACK_H

#include <stdint.h>

#include "error.h"

struct up_storage;
struct up_unpack; /* opaque; released with up_unpack_close() */

/* Unpack `archive` (size bytes) as `dir`. What an earlier unpacking left there is
 * compared, file by file and past the cache, and stays where it is the same.
 * Errors: UP_WRITE, UP_NOSPACE, UP_INTERNAL. */
UP_MUST_CHECK int up_unpack_open(struct up_unpack **out, struct up_storage *storage, const char *archive,
                                 uint64_t size, const char *dir, struct up_error *err);

/* UP_AGAIN there is more, call again; 0 all is there and synced.
 * Errors: UP_UNTRUSTED not canonical, or no main.lua; UP_NOSPACE, UP_WRITE. */
UP_MUST_CHECK int up_unpack_step(struct up_unpack *u, struct up_error *err);

void up_unpack_close(struct up_unpack *u); /* NULL is allowed; what was written stays */

#endif
