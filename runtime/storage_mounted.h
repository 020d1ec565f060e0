/*
 * storage_mounted.h -- whether a slot is in use by a mount.
 *
 * Part of the operating system behind the storage seam; nothing else calls it.
 */
#ifndef UP_STORAGE_MOUNTED_H
#define UP_STORAGE_MOUNTED_H

/*
 * 1 when the block device or regular file at path (links are followed) is
 * mounted in this process's mount namespace: itself, one of its partitions, a
 * device stacked on it (device mapper, RAID), or a loop device it backs; 0 when
 * not; -1 with errno when that cannot be told. A directory or the like is
 * never mounted in this sense.
 */
int up_storage_mounted(const char *path);

#endif
