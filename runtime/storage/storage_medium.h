/*
 * storage_medium.h -- what a path is on, and the name of that at every boot.
 *
 * Part of the system's storage; only that calls it.
 */
#ifndef UP_STORAGE_MEDIUM_H
#define UP_STORAGE_MEDIUM_H

struct up_medium;

/*
 * See medium in storage.h; 0, or -1 with errno: ELOOP more than UP_MEDIUM_DEPTH
 * devices on top of one another. Needs sysfs for what is below a device, and
 * /proc for file systems without a device number of their own.
 */
int up_storage_medium(const char *path, struct up_medium *out);

#endif
