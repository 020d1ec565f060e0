/*
 * slot_link.h -- the node that a slot's path leads to.
 *
 * /dev/mmcblk0p2 may be another partition with the next kernel, so boards name
 * slots by links: /dev/disk/by-partlabel/rootfs_a. A link is followed once,
 * before anything is examined, so that what is checked is what is opened.
 */
#ifndef UP_SLOT_LINK_H
#define UP_SLOT_LINK_H

#include "error.h"
#include "storage.h"

/*
 * Follow path to its node; `node` becomes its name and *st its status: 1. 0 if
 * nothing exists at path, which is then in `node`. Errors: UP_MISSING a
 * dangling link; UP_USAGE too many links, or too long; UP_WRITE.
 */
UP_MUST_CHECK int up_slot_link_follow(struct up_storage *storage, const char *path, char node[UP_PATH_SIZE],
                                      struct up_stat *st, struct up_error *err);

#endif
