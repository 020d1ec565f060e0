/*
 * slot_link.h -- the node that the name of a slot leads to.
 *
 * /dev/mmcblk0p2 is another partition after the next kernel, so boards name
 * slots by links: /dev/disk/by-partlabel/rootfs_a. A link is followed once,
 * before anything is looked at, so that what is judged is what is opened.
 */
#ifndef UP_SLOT_LINK_H
#define UP_SLOT_LINK_H

#include "error.h"
#include "storage.h"

/*
 * Follow path to its node, whose name goes to `node` and what it is to *st: 1.
 * 0 when there is nothing at path, which is then in `node`. Errors: UP_MISSING
 * a link leads to nothing; UP_USAGE too many links, or too long; UP_WRITE.
 */
UP_MUST_CHECK int up_slot_follow(struct up_storage *storage, const char *path, char node[UP_PATH_SIZE],
                                 struct up_stat *st, struct up_error *err);

#endif
