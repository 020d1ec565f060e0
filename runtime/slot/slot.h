/*
 * slot.h -- where a core image lies: a regular file, a block device, raw flash
 * (MTD, NOR or NAND) or a UBI volume, all written the same way.
 *
 * Offsets are those of the content, from 0. A power cut before up_slot_sync()
 * leaves a slot in an unspecified state, which is why it is marked not bootable
 * before its first byte is written, and armed only after sync and read-back.
 * What each medium requires:
 *
 *   file, block   nothing. Blocks in place are found again after a cut.
 *   NOR, NAND     before the first byte, what lies beyond it is erased, from the
 *                 end on; then each erase block is written when all of it is
 *                 known or at up_slot_flush(): erased, then its pages in order,
 *                 those at its end left out that would hold only 0xff. What lay
 *                 in it before the first byte written is put back. Content goes
 *                 over the good blocks in order, as U-Boot reads it, so offsets
 *                 past a bad one are farther on. A block that fails is given up
 *                 when another takes the content, and only then marked. So after
 *                 a cut, what reads right ends with the block that was being
 *                 written, but for blank ones; up_slot_refresh() makes sure of
 *                 it. A cut costs at most one erase block of what was in place.
 *   UBI           the whole image in order from byte 0 (UBI_IOCVOLUP); UBI
 *                 itself marks the volume damaged until the last byte. Nothing
 *                 is kept of one begun and not ended.
 *
 *     open -> (write | zero)* at rising offsets -> sync -> read* -> close
 *
 * Past the end of the content nothing is promised; a regular file ends there.
 */
#ifndef UP_SLOT_H
#define UP_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "storage.h"

struct up_slot; /* opaque; released with up_slot_close() */

enum up_slot_use {
    UP_SLOT_READ,  /* compare only: nothing is written */
    UP_SLOT_WRITE, /* refused if mounted or in use; a missing file is created */
    UP_SLOT_SPOOL  /* a regular file of ours, created if missing */
};

/* Capacity in bytes: for a device its size without bad blocks; for a regular
 * file its size plus the free space of the file system. A missing file counts
 * as empty. Errors: UP_MISSING its directory does not exist; UP_WRITE; UP_USAGE
 * neither a file nor a device that can be a slot. */
UP_MUST_CHECK int up_slot_capacity(struct up_storage *storage, const char *path, uint64_t *out,
                                   struct up_error *err);

/* Traits of a medium: callers ask for these and not for the kind. The media are
 * listed in slot_media.c. */
struct up_slot_traits {
    const char *name;  /* "file", "block", "nor", "nand", "ubi" */
    const char *title; /* for people: "regular file" */
    bool made;         /* a file: created if missing, grows, and ends with its content */
    bool cached;       /* read and written through the system's cache */
    bool erasable;     /* has erase blocks, which are erased before they are written */
    bool bad_blocks;   /* erase blocks can be bad, or go bad */
    bool atomic;       /* replaced as a whole: incomplete content is not kept */
    bool in_order;     /* written from front to back; earlier content is erased first */
};

/* What is at a path, for doctor: examined and opened, but not written. */
struct up_slot_view {
    char node[UP_PATH_SIZE]; /* what the path leads to; the path itself if it is not a link */
    char identity[UP_IDENTITY_SIZE];
    const struct up_slot_traits *traits; /* static */
    struct up_flash flash;               /* kind UP_FLASH_NONE: no flash */
    bool there;                          /* false only for a regular file that would be created */
    bool mounted;                        /* itself or through a loop device */
    bool writable;                       /* for this user */
    char why[64];                        /* why not */
    uint64_t capacity;                   /* as up_slot_capacity() */
    uint64_t size;                       /* of what exists; bad blocks included */
    uint32_t blocks;                     /* erase blocks of an erasable medium */
    uint32_t bad;                        /* of these */
    enum up_read_back read_back;         /* how what was written is read back */
};

/* Errors: those of up_slot_capacity(). */
UP_MUST_CHECK int up_slot_inspect(struct up_slot_view *out, struct up_storage *storage, const char *path,
                                  struct up_error *err);

/*
 * The name that the medium at path has at every boot, whatever its node is
 * called then: "PARTUUID=...", "MTD=..." (see storage.h); "" if it has none,
 * like a regular file, and after an error. Errors: UP_MISSING; UP_WRITE it cannot be determined.
 */
UP_MUST_CHECK int up_slot_identity(struct up_storage *storage, const char *path, char out[UP_IDENTITY_SIZE],
                                   struct up_error *err);

/*
 * Whether two paths lead to one medium, or one of them to something that the
 * other is on: a partition and its disk, a loop device and its file, two names
 * of a node, two loop devices that show the same bytes of a file. Each may be a
 * file, a directory or a device. 1, 0 or an error: UP_MISSING one of the paths
 * does not exist; UP_WRITE it cannot be determined.
 */
UP_MUST_CHECK int up_slot_shared(struct up_storage *storage, const char *one, const char *other,
                                 struct up_error *err);

/*
 * Whether a path, which need not exist, is in the directory, however deep. 1, 0
 * or an error.
 */
UP_MUST_CHECK int up_slot_inside(struct up_storage *storage, const char *path, const char *dir,
                                 struct up_error *err);

/*
 * Whether these can be the two slots of this state: different media, neither on
 * top of the other, the state on neither, and neither inside the state. A path
 * that does not exist is skipped, and so is NULL. Errors: UP_USAGE they cannot;
 * UP_WRITE it cannot be determined.
 */
UP_MUST_CHECK int up_slot_check(struct up_storage *storage, const char *const slot[2], const char *state,
                                struct up_error *err);

/*
 * `size` is that of the content. Links are followed. The path is copied, the
 * storage is not. Errors: UP_BUSY mounted or in use; UP_WRITE, also for a
 * read-only flash; UP_NOSPACE; UP_USAGE not something that can be a slot;
 * UP_MISSING nothing to read, a dangling link, or a missing device.
 */
UP_MUST_CHECK int up_slot_open(struct up_slot **out, struct up_storage *storage, const char *path,
                               enum up_slot_use use, uint64_t size, struct up_error *err);

/* What up_slot_flush() has not written yet is dropped. Safe with NULL. */
void up_slot_close(struct up_slot *s);

const struct up_slot_traits *up_slot_traits(const struct up_slot *s);

/*
 * Write data or zeros; on flash without gaps from the first byte written on.
 * Errors: UP_WRITE, UP_NOSPACE; the slot cannot be used after that.
 */
UP_MUST_CHECK int up_slot_write(struct up_slot *s, const void *data, size_t len, uint64_t offset,
                                struct up_error *err);
UP_MUST_CHECK int up_slot_zero(struct up_slot *s, size_t len, uint64_t offset, struct up_error *err);

/* Write buffered data to the medium. Errors as up_slot_write(). */
UP_MUST_CHECK int up_slot_flush(struct up_slot *s, struct up_error *err);

/*
 * Prepare for writing from `offset` on: 1 call again, 0 ready. One erase for
 * each call, which may take a second; without these calls the first write does
 * all of it. Errors: UP_WRITE, UP_NOSPACE.
 */
UP_MUST_CHECK int up_slot_prepare(struct up_slot *s, uint64_t offset, struct up_error *err);

/*
 * Before anything was written: make the content blank from `offset` on, which
 * is 0 or the start of an erase block: raw flash is erased, a volume emptied. 1
 * call again, 0 done; one erase for each call. A medium without erase blocks is
 * left alone. Errors: as up_slot_prepare().
 */
UP_MUST_CHECK int up_slot_erase(struct up_slot *s, uint64_t offset, struct up_error *err);

/*
 * After a power cut, when the content reads correctly from 0 to *end: pages
 * that were being written when the power failed may read correctly only for a
 * while, so they are written again from *from on, and must be verified again;
 * *end is then what may be kept. *from is *end if nothing had to be done.
 */
UP_MUST_CHECK int up_slot_refresh(struct up_slot *s, uint64_t *end, uint64_t *from, struct up_error *err);

/* Flush, make durable, and end a regular file at the content's size. Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_slot_sync(struct up_slot *s, struct up_error *err);

/* Until something is written, reads come from the medium: an enum up_read_back,
 * UP_READ_DIRECT on flash. Errors: UP_WRITE. */
UP_MUST_CHECK int up_slot_drop_cache(struct up_slot *s, struct up_error *err);

/* Bytes read; fewer than requested at the end and where a flash cannot be read.
 * Flush before reading. Errors: UP_WRITE. */
UP_MUST_CHECK long long up_slot_read(struct up_slot *s, void *buf, size_t len, uint64_t offset,
                                     struct up_error *err);

#endif
