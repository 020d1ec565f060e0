/*
 * device_settle.h -- `moult settle`: before an init system starts programs, the tree of
 * files is made whole.
 *
 * It does what a start of the device would do to the tree, but plays no boot
 * loader, and stops and starts nothing. On trial it counts one start for each boot
 * of the kernel, because a bad program may reset the board before `moult run` gets
 * its turn. The first start of `run` in that boot uses this count.
 */
#ifndef UP_DEVICE_SETTLE_H
#define UP_DEVICE_SETTLE_H

#include <stdbool.h>

#include "error.h"
#include "files_clean.h"

struct up_config;
struct up_storage;

enum up_settled {
    UP_SETTLED_WHOLE, /* there was nothing to do */
    UP_SETTLED_WAITS, /* an update is staged, and the tree is the old one */
    UP_SETTLED_OLD,
    UP_SETTLED_NEW,
    UP_SETTLED_TRIAL,   /* the tree is the new one, on trial */
    UP_SETTLED_ACCEPTED /* it was neither, and is taken as it is */
};

/* 0: programs may start. Errors: UP_BUSY another process holds the lock; UP_USAGE not
 * provisioned; others: the tree is not whole, or that cannot be told: try again later. */
UP_MUST_CHECK int up_device_settle(enum up_settled *out, struct up_storage *storage,
                                   const struct up_config *config, struct up_error *err);
/* The same; and a tree that cannot be made whole counts as whole from now on, because the owner says that it is as it
 * should be. What was open of updates of files is dropped, and the next release with files is installed whole. */
UP_MUST_CHECK int up_device_settle_accepting(enum up_settled *out, struct up_storage *storage,
                                             const struct up_config *config, struct up_error *err);
/* Temporary names that belong to no plan (files_clean.h); `remove`: remove them, which takes the lock.
 * Errors: UP_BUSY another process holds it, or an update is under way; UP_MISSING, UP_WRITE. */
UP_MUST_CHECK int up_device_settle_files(bool remove, struct up_files_strays *out, struct up_storage *storage,
                                         const struct up_config *config, struct up_error *err);
/* "whole", "waits", "old", "new", "trial", "accepted" */
const char *up_device_settled_name(enum up_settled settled);

#endif
