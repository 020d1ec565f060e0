/*
 * system_sysfs.h -- parse what the kernel shows of devices and mounts.
 *
 * Part of the system's storage; only that calls it.
 */
#ifndef UP_SYSTEM_SYSFS_H
#define UP_SYSTEM_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The first line of a small file, without its line end; false if there is none. */
bool up_system_sysfs_line(const char *path, char *out, size_t size);

/* The number of the device in the sysfs directory `dir`. */
bool up_system_sysfs_device(const char *dir, dev_t *device);

/* Decode mountinfo's \040 and the like, in place. */
void up_system_sysfs_unescape(char *text);

#endif
