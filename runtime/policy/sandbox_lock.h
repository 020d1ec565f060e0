/*
 * sandbox_lock.h -- give up every right that answering a question does not need.
 *
 * Irreversible, for the rest of the process. Afterwards descriptors 0 and 1
 * can be read and written, memory can be had up to a limit, and that is all:
 * no file, no network, no process, no signal to others.
 */
#ifndef UP_SANDBOX_LOCK_H
#define UP_SANDBOX_LOCK_H

#include "error.h"

#define UP_SANDBOX_CPU_MS 500          /* processor time for one question */
#define UP_SANDBOX_DATA_MAX (24 << 20) /* bytes of private memory, libraries' data included */

/*
 * Lock the process down; as root, become `user` (NULL: stay) without groups.
 * What the kernel lacks (Landlock) is left out, everything else must succeed.
 * Errors: UP_USAGE no such user; UP_INTERNAL.
 */
UP_MUST_CHECK int up_sandbox_lock(const char *user, struct up_error *err);

#endif
