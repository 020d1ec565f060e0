/*
 * system_mounts.h -- whether a slot is in use by a mount.
 *
 * Part of the operating system behind the storage seam; nothing else calls it.
 */
#ifndef UP_SYSTEM_MOUNTS_H
#define UP_SYSTEM_MOUNTS_H

/*
 * The enum up_mounted of a block device or regular file (links are followed) in
 * this process's mount namespace: itself, one of its partitions, a device
 * stacked on it (device mapper, RAID), or a loop device it backs; -1 with errno
 * when that cannot be told. It is writable when one of those file systems is,
 * whatever its mounts say, and as flash that UBI works on. A directory or the
 * like is never mounted in this sense.
 */
int up_system_mounts(const char *path);

#endif
