/*
 * system_sysfs.h -- how the kernel writes what it tells of devices and mounts.
 *
 * Part of the operating system behind the storage seam; nothing else calls it.
 */
#ifndef UP_SYSTEM_SYSFS_H
#define UP_SYSTEM_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The first line of a small file, without its end; false when there is none. */
bool up_system_sysfs_line(const char *path, char *out, size_t size);

/* The number of the device that sysfs shows as the directory `dir`. */
bool up_system_sysfs_device(const char *dir, dev_t *device);

/* Undo mountinfo's \040 and the like, in place. */
void up_system_sysfs_unescape(char *text);

#endif
