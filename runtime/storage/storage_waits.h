/*
 * storage_waits.h -- the system's storage, recording the time that its calls
 * take (waits.h); for system.c.
 */
#ifndef UP_STORAGE_WAITS_H
#define UP_STORAGE_WAITS_H

struct up_storage_ops;

/* A copy of the table in which each call that may wait for the medium, or for a
 * command, is recorded. There is only one: that of the first caller. */
const struct up_storage_ops *up_storage_waits(const struct up_storage_ops *inner);

#endif
