/*
 * rights.h -- the user that a device's script runs as, and who is let near.
 */
#ifndef UP_RIGHTS_H
#define UP_RIGHTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

#define UP_RIGHTS_GROUPS 32 /* besides the first one */

struct up_storage;

struct up_rights {
    char user[33];
    char home[256];
    uid_t uid;
    gid_t gid;
    gid_t groups[UP_RIGHTS_GROUPS];
    unsigned count;
};

/*
 * Look up a user and his groups: those named, NULL at the end, or with `groups`
 * NULL all that the system gives him.
 * Errors: UP_USAGE there is no such user or group, or too many.
 */
UP_MUST_CHECK int up_rights_find(struct up_rights *out, const char *user, const char *const groups[],
                                 struct up_error *err);

/* Errors: UP_USAGE there is no such group. */
UP_MUST_CHECK int up_rights_group(gid_t *out, const char *name, struct up_error *err);

/* Whether this process can become that user: it is root, or is that user.
 * Errors: UP_USAGE it cannot. */
UP_MUST_CHECK int up_rights_can_take(const struct up_rights *r, struct up_error *err);

/*
 * Become that user, for good, and check that it is so. What runs before it must
 * have been loaded; the working directory, open descriptors and the parent's
 * death as our end (PR_SET_PDEATHSIG) stay. Not for a process with threads.
 * Errors: UP_USAGE, UP_INTERNAL; then nothing of the user's may run. err
 * may be NULL.
 */
UP_MUST_CHECK int up_rights_take(const struct up_rights *r, struct up_error *err);

/*
 * Let others pass through the state directory to `script/` and to the control
 * socket, and to nothing else there: 0711, 0755 for script/, 0700 for keys/. All
 * other files of a state are made 0600 and directories 0700.
 * Errors: UP_WRITE.
 */
UP_MUST_CHECK int up_rights_open_state(struct up_storage *storage, const char *state, struct up_error *err);

/*
 * As that user, in a process of its own: whether `may` (a file) can be read, and
 * what of the others (NULL at the end) can be read, or written, too. 0; *found
 * is the first of them, or NULL.
 * Errors: UP_REFUSED `may` cannot be read; UP_INTERNAL.
 */
UP_MUST_CHECK int up_rights_try(const struct up_rights *r, const char *may, const char *const not_read[],
                                const char *const not_written[], const char **found, struct up_error *err);

#endif
