/*
 * slot.h -- a core slot: a regular file or a block device, written front to
 * back.
 *
 * Bytes are not durable until the file is synced; a power cut before that
 * leaves the slot in an unspecified state, which is why a slot is marked not
 * bootable before its first byte is written, and armed only after sync and
 * read-back.
 */
#ifndef UP_SLOT_H
#define UP_SLOT_H

#include <stdint.h>

struct up_error;
struct up_storage;

/* Capacity in bytes: of a block device its size; of a regular file what it
 * holds and what the file system has free. A file that is not there yet
 * counts as empty. Errors: UP_MISSING its directory is not there; UP_WRITE;
 * UP_USAGE neither a file nor a block device. */
int up_slot_capacity(struct up_storage *storage, const char *path, uint64_t *out, struct up_error *err);

/*
 * Open for writing; the storage's file number, to be closed by the caller.
 * Errors: UP_BUSY mounted or in use; UP_WRITE; UP_NOSPACE.
 */
int up_slot_open(struct up_storage *storage, const char *path, struct up_error *err);

#endif
