/*
 * bare_unpack.h -- unpack a bare archive into a folder, which is flat unless it is that of a hotfix.
 *
 * A confined process (bare_child.h) reads the archive. This side writes the files
 * that it sends into a new directory. It does not trust them: names, number and
 * sizes are limited here, too. Their content is checked when the folder is opened
 * (files_folder.h).
 *
 *     start -> step until 0 -> close
 */
#ifndef UP_BARE_UNPACK_H
#define UP_BARE_UNPACK_H

#include <stdbool.h>

#include "error.h"

struct up_storage;
struct up_bare_unpack;

#define UP_BARE_BYTES ((uint64_t)256 << 20) /* of all files together */
#define UP_BARE_WALL_MS 30000               /* without a byte, until it is killed */

/*
 * `program` is the host, `user` the user that its process becomes if this one is
 * root (NULL: stay). `dir` is removed first, with everything in it. The files are
 * not durable: after a power cut the archive is unpacked again. Errors: UP_MISSING
 * no such archive; UP_WRITE; UP_INTERNAL the process cannot start.
 */
UP_MUST_CHECK int up_bare_unpack_start(struct up_bare_unpack **out, struct up_storage *storage,
                                       const char *program, const char *user, const char *archive,
                                       const char *dir, bool hotfix, struct up_error *err);
int up_bare_unpack_fd(const struct up_bare_unpack *u); /* readable if there is something to do */

/* 0: the folder is complete; UP_AGAIN: call again when the descriptor is readable, or after a second.
 * Errors: UP_UNTRUSTED not such an archive, or its process ended abnormally;
 * UP_CORRUPT it is damaged; UP_WRITE, UP_NOSPACE, UP_INTERNAL. */
UP_MUST_CHECK int up_bare_unpack_step(struct up_bare_unpack *u, struct up_error *err);
void up_bare_unpack_close(struct up_bare_unpack *u); /* kills and reaps; the folder stays. NULL is allowed */

#endif
