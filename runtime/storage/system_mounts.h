/*
 * system_mounts.h -- whether a slot is in use by a mount.
 *
 * Part of the system's storage; only that calls it.
 */
#ifndef UP_SYSTEM_MOUNTS_H
#define UP_SYSTEM_MOUNTS_H

/*
 * The enum up_mounted of a block device or regular file (links are followed) in
 * this process's mount namespace: mounted directly, through a partition, a
 * device on top of it (device mapper, RAID), or a loop device; -1 with errno if
 * that cannot be determined. It is writable if one of those file systems is,
 * whatever its mounts say, and if UBI is attached to it. A directory or the
 * like is never mounted in this sense.
 */
int up_system_mounts(const char *path);

#endif
