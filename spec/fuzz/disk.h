/*
 * disk.h -- files in plain memory, for runs by the million.
 *
 * A storage without power cuts, counters or faults: what the crash simulator
 * costs a run is more than the parser that is looked at. It resolves names as
 * the system does, "." and ".." among them, so that a parser that lets one
 * through is seen. It has files and directories only; an operation that it
 * lacks is a null pointer. Memory of removed files is used again.
 *
 * The fence: outside of it nothing may be changed; who tries aborts.
 */
#ifndef FUZZ_DISK_H
#define FUZZ_DISK_H

#include "storage.h"

struct disk;

struct disk *disk_new(void); /* with a root directory */
struct up_storage *disk_storage(struct disk *d);
/* Only the root is left, every file closed, no fence. */
void disk_clear(struct disk *d);

/* Fixtures; the parents must be there. */
void disk_put(struct disk *d, const char *path, const void *data, size_t len);
void disk_put_dir(struct disk *d, const char *path);
void disk_remove(struct disk *d, const char *path);
/* Content, until the next change; NULL when there is no such file. */
uint8_t *disk_get(struct disk *d, const char *path, size_t *len);
bool disk_exists(struct disk *d, const char *path);
unsigned disk_open_files(const struct disk *d);
/* The same for equal names, kinds, modes and contents. */
uint64_t disk_fingerprint(const struct disk *d);

/* From now on only what begins with `path` may change: with "/a/7" also
 * "/a/7.new" and what is in both. It must outlive the fence; NULL: none. */
void disk_fence(struct disk *d, const char *path);

#endif
