/*
 * storage_waits.h -- the system's storage, with the time that its calls take on
 * record (waits.h): for system.c.
 */
#ifndef UP_STORAGE_WAITS_H
#define UP_STORAGE_WAITS_H

struct up_storage_ops;

/* The same table, where each call that may wait for the medium, or for a
 * command, is noted. There is one: the first caller's. */
const struct up_storage_ops *up_storage_waits(const struct up_storage_ops *inner);

#endif
