/*
 * bare_unpack.h -- take a bare archive apart, as the flat folder that it holds.
 *
 * A process behind walls (bare_child.h) reads it; this side writes what that one
 * sends, as plain files of one new directory, and believes none of it: names,
 * number and sizes are bounded here, too. What the files are is checked by
 * whoever opens the folder (files_folder.h).
 *
 *     start -> step until 0 -> close
 */
#ifndef UP_BARE_UNPACK_H
#define UP_BARE_UNPACK_H

#include "error.h"

struct up_storage;
struct up_bare_unpack;

#define UP_BARE_BYTES ((uint64_t)256 << 20) /* of all files together */
#define UP_BARE_WALL_MS 30000               /* without a byte, until it is killed */

/*
 * `program` is the host, `user` whom its process becomes as root (NULL: nobody
 * else). `dir` is removed first, with all in it. The files are not durable: after
 * a power cut it is done again. Errors: UP_MISSING no such archive; UP_WRITE;
 * UP_INTERNAL the process cannot start.
 */
UP_MUST_CHECK int up_bare_unpack_start(struct up_bare_unpack **out, struct up_storage *storage,
                                       const char *program, const char *user, const char *archive,
                                       const char *dir, struct up_error *err);
int up_bare_unpack_fd(const struct up_bare_unpack *u); /* readable if there is something to do */

/* 0: the folder is complete; UP_AGAIN: call again, when the descriptor is readable or a second later.
 * Errors: UP_UNTRUSTED it is not such an archive, or its process ended otherwise;
 * UP_CORRUPT it is damaged; UP_WRITE, UP_NOSPACE, UP_INTERNAL. */
UP_MUST_CHECK int up_bare_unpack_step(struct up_bare_unpack *u, struct up_error *err);
void up_bare_unpack_close(struct up_bare_unpack *u); /* kills and reaps; the folder stays. NULL is allowed */

#endif
