/*
 * status.h -- the state of a device, for people and programs: read from the
 * journal each time.
 */
#ifndef UP_STATUS_H
#define UP_STATUS_H

#include "device.h"
#include "error.h"

/* The pair in force: the confirmed one, whatever is being fetched, armed or on trial. */
const struct up_pair *up_status_confirmed(const struct up_device *d);
/* The pair that is to run now. */
const struct up_pair *up_status_running(const struct up_device *d);
/* The pair whose script is to run now: another one's if its own is damaged, or does not fit the files as they are. */
const struct up_pair *up_status_script(const struct up_device *d);

/*
 * Whether the tree of files is mixed, as up_device_mixed() says, and the first path at
 * which that shows. Only the owner of the lock knows for sure: UP_DEVICE_READ may look
 * while a switch is under way, and UP_DEVICE_CHILD is never told.
 */
bool up_status_mixed(const struct up_device *d, char *path, size_t len);

struct up_status_progress {
    enum up_part_kind part; /* being fetched, or the last one */
    uint64_t done, total;   /* stored bytes of all parts that are taken */
};

/*
 * The progress of the open transaction: its head is read from <state>/tx, its
 * blocks are counted up to the last hint, so a running transfer may be further.
 * Errors: UP_UNTRUSTED, UP_WRITE, ...; UP_NOTHING no transaction.
 */
UP_MUST_CHECK int up_status_progress(const struct up_device *d, struct up_status_progress *out,
                                     struct up_error *err);

#endif
