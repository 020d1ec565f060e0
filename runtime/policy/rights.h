/*
 * rights.h -- the user that a device's script runs as, and who may access the
 * state.
 */
#ifndef UP_RIGHTS_H
#define UP_RIGHTS_H

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
 * Look up a user and groups: those named, NULL at the end, or if `groups` is
 * NULL all that the system gives the user. Errors: UP_USAGE no such user or
 * group, or too many.
 */
UP_MUST_CHECK int up_rights_find(struct up_rights *out, const char *user, const char *const groups[],
                                 struct up_error *err);

/* Errors: UP_USAGE no such group. */
UP_MUST_CHECK int up_rights_group(gid_t *out, const char *name, struct up_error *err);

/* Whether this process can become that user: it is root, or is that user. Errors: UP_USAGE it cannot. */
UP_MUST_CHECK int up_rights_can_take(const struct up_rights *r, struct up_error *err);

/*
 * Become that user permanently, and check it. Load before what later code
 * needs. The working directory, open descriptors and PR_SET_PDEATHSIG stay. Not
 * for a process with threads. Errors: UP_USAGE, UP_INTERNAL; then nothing of
 * the user's may run. err may be NULL. */
UP_MUST_CHECK int up_rights_take(const struct up_rights *r, struct up_error *err);

/*
 * Let other users pass through the state directory to `script/` and to the
 * control socket, and to nothing else there: 0711, 0755 for script/, 0700 for
 * keys/. All other files of a state are 0600 and directories 0700. Errors:
 * UP_WRITE.
 */
UP_MUST_CHECK int up_rights_open_state(struct up_storage *storage, const char *state, struct up_error *err);

/*
 * As that user, in a process of its own: can the file `may` be read, and can
 * any of the others (NULL at the end) be read or written, too? 0; *found is the
 * first of them, or NULL. Errors: UP_REFUSED `may` cannot be read; UP_INTERNAL,
 * also if that is not known within five seconds.
 */
UP_MUST_CHECK int up_rights_try(const struct up_rights *r, const char *may, const char *const not_read[],
                                const char *const not_written[], const char **found, struct up_error *err);

#endif
