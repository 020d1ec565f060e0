/*
 * system_dirs.h -- names below directory handles, for the system behind the
 * storage seam.
 *
 * The kernel keeps a path beneath its directory (openat2). Before Linux 5.6, and
 * where a filter of system calls knows no openat2, the path is gone one
 * component at a time without following links, and mounts are told by
 * /proc/self/fdinfo.
 */
#ifndef UP_SYSTEM_DIRS_H
#define UP_SYSTEM_DIRS_H

#include "storage.h"

/* open_dir, open_at, ... of storage.h. */
int up_system_dir_open(struct up_storage *s, int dir, const char *path, bool one_mount);
int up_system_dir_open_at(struct up_storage *s, int dir, const char *name, unsigned flags, unsigned mode);
int up_system_dir_stat_at(struct up_storage *s, int dir, const char *name, struct up_stat *out);
int up_system_dir_list_at(struct up_storage *s, int dir, up_list_fn *fn, void *user);
int up_system_dir_rename_at(struct up_storage *s, int dir, const char *from, const char *to);
int up_system_dir_link_at(struct up_storage *s, int dir, const char *from, const char *to);
int up_system_dir_unlink_at(struct up_storage *s, int dir, const char *name);
int up_system_dir_rmdir_at(struct up_storage *s, int dir, const char *name);
int up_system_dir_mkdir_at(struct up_storage *s, int dir, const char *name, unsigned mode);
int up_system_dir_copy_link_at(struct up_storage *s, int dir, const char *name, int to);
int up_system_dir_space_at(struct up_storage *s, int dir, struct up_space *out);
int up_system_dir_set_attributes(struct up_storage *s, int file, uint32_t owner, uint32_t group,
                                 unsigned mode);
int up_system_dir_copy_attributes(struct up_storage *s, int file, int from);

/* How open_dir() goes where there is no openat2; for its check. */
int up_system_dir_walk(int dir, const char *path, bool one_mount);

#endif
