/*
 * sandbox_lock.h -- give up every right that is not needed for answering a
 * question.
 *
 * Permanent for the process. Afterwards it can read descriptor 0, write 1 and
 * allocate memory up to a limit, and nothing else: no file, no network,
 * no process, no signal to others.
 */
#ifndef UP_SANDBOX_LOCK_H
#define UP_SANDBOX_LOCK_H

#include "error.h"

#define UP_SANDBOX_CPU_MS 500          /* processor time for one question */
#define UP_SANDBOX_DATA_MAX (24 << 20) /* bytes of private memory, including the data of libraries */

/*
 * Lock the process down; as root, become `user` (NULL: stay) without groups.
 * What the kernel lacks (Landlock) is skipped; everything else must succeed.
 * Errors: UP_USAGE no such user; UP_INTERNAL.
 */
UP_MUST_CHECK int up_sandbox_lock(const char *user, struct up_error *err);
/* The same for work that takes `seconds` of processor time rather than 2. */
UP_MUST_CHECK int up_sandbox_lock_for(const char *user, unsigned seconds, struct up_error *err);

#endif
