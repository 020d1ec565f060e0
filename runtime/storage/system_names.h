/*
 * system_names.h -- names and directories, for the system's storage.
 */
#ifndef UP_SYSTEM_NAMES_H
#define UP_SYSTEM_NAMES_H

#include "storage.h"

#include <sys/stat.h>

/* rename, link, stat, list, ... of storage.h. */
int up_system_name_sync_dir(struct up_storage *s, const char *path);
int up_system_name_rename(struct up_storage *s, const char *from, const char *to);
int up_system_name_link(struct up_storage *s, const char *from, const char *to);
int up_system_name_unlink(struct up_storage *s, const char *path);
int up_system_name_mkdir(struct up_storage *s, const char *path, unsigned mode);
int up_system_name_rmdir(struct up_storage *s, const char *path);
int up_system_name_symlink(struct up_storage *s, const char *target, const char *path);
int up_system_name_readlink(struct up_storage *s, const char *path, char *buf, size_t len);
int up_system_name_chmod(struct up_storage *s, const char *path, unsigned mode);
int up_system_name_stat(struct up_storage *s, const char *path, struct up_stat *out);
int up_system_name_space(struct up_storage *s, const char *path, uint64_t *free_bytes);

struct statfs;
/* The bytes that this process may still use: ext4 keeps its last blocks for root. */
uint64_t up_system_name_free(const struct statfs *fs);
int up_system_name_list(struct up_storage *s, const char *path, up_list_fn *fn, void *user);

/* The same for an open directory, which is closed. */
int up_system_name_list_open(int fd, up_list_fn *fn, void *user);

#endif
