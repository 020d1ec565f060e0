/*
 * storage_medium.h -- what a path lies on, and what it is called at every boot.
 *
 * Part of the operating system behind the storage seam; nothing else calls it.
 */
#ifndef UP_STORAGE_MEDIUM_H
#define UP_STORAGE_MEDIUM_H

struct up_medium;

/*
 * As storage.h says of medium; 0, or -1 with errno: ELOOP more than
 * UP_MEDIUM_DEPTH devices above one another. Needs sysfs for what is below a
 * device, /proc for file systems without a device number of their own.
 */
int up_storage_medium(const char *path, struct up_medium *out);

#endif
