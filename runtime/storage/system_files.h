/*
 * system_files.h -- open files, for the system's storage.
 *
 * Calls are repeated after EINTR, short reads and writes are continued, and no
 * descriptor survives an exec. Opening does not block, so that a pipe in place
 * of a file is an error and not a hang.
 */
#ifndef UP_SYSTEM_FILES_H
#define UP_SYSTEM_FILES_H

#include "storage.h"

#include <sys/stat.h>

/* open, close, pread, ... of storage.h. */
int up_system_file_open(struct up_storage *s, const char *path, unsigned flags, unsigned mode);
int up_system_file_close(struct up_storage *s, int file);
long long up_system_file_pread(struct up_storage *s, int file, void *buf, size_t len, uint64_t offset);
int up_system_file_pwrite(struct up_storage *s, int file, const void *buf, size_t len, uint64_t offset);
int up_system_file_sync(struct up_storage *s, int file);
int up_system_file_stat(struct up_storage *s, int file, struct up_stat *out);
int up_system_file_truncate(struct up_storage *s, int file, uint64_t size);
int up_system_file_zero_range(struct up_storage *s, int file, uint64_t offset, uint64_t len);
int up_system_file_drop_cache(struct up_storage *s, int file, uint64_t offset, uint64_t len);
int up_system_file_start_writeback(struct up_storage *s, int file, uint64_t offset, uint64_t len);
int up_system_file_lock(struct up_storage *s, int file);

/* Flags of open(2) for those of storage.h. */
int up_system_file_how(unsigned flags);
/* open(2), again after EINTR. */
int up_system_file_open_again(const char *path, int flags, mode_t mode);
/* Close without losing the errno of the failure being reported. */
void up_system_file_close_quietly(int fd);
enum up_node_kind up_system_file_kind(mode_t mode);
/* The size of a block device, which stat(2) does not report. */
void up_system_file_fill_stat(struct up_stat *out, const struct stat *st);
/* Whether it is immutable or append-only; false where the kernel does not tell (before Linux 4.11). */
bool up_system_file_fixed(int fd);

#endif
