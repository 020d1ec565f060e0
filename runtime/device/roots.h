/*
 * roots.h -- whether the directories that packages may put files into are apart
 * from one another, and from all that this device lives on.
 */
#ifndef UP_ROOTS_H
#define UP_ROOTS_H

#include "config.h"
#include "error.h"
#include "storage.h"

/*
 * By device and inode, whatever their names: no root is another one, or in it; the state, the keys,
 * the journal's second directory, the configuration, the slots, fw_env and this program with its
 * libraries are in none, and none is in them or on a slot. What does not exist is skipped. Errors:
 * UP_INCOMPATIBLE it is so, or there are no roots; UP_WRITE it cannot be determined; UP_INTERNAL.
 */
UP_MUST_CHECK int up_roots_check(const struct up_config *config, struct up_storage *s, struct up_error *err);

#endif
