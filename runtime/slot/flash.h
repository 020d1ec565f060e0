/*
 * flash.h -- an image on a medium that does not belong to this device: the firmware
 * of a second chip, in a file, a block device, raw flash or a UBI volume.
 *
 * It is written as a slot is, by the rules of its medium (slot.h). What is not
 * written here is a slot, under whatever name: see up_flash_open().
 *
 *     open -> (erase*) -> write* -> sync -> (read | digest)* -> close
 *
 * Nothing is promised before up_flash_sync() returned 0: after a power cut the
 * image may be old, new, mixed, or not there, and it is written again from its
 * start. What lies before the image stays as it is. So does what lies behind
 * it, but for the rest of its last erase block on NOR, all of the partition on
 * NAND and in a UBI volume, and a regular file, which ends with the image.
 * A power cut may besides damage what a block device programs in one unit with it.
 */
#ifndef UP_FLASH_H
#define UP_FLASH_H

#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "error.h"
#include "slot.h"
#include "storage.h"

struct up_flash_image; /* opaque; released with up_flash_close() */

struct up_flash_place {
    const char *path;       /* absolute; a link is followed once */
    uint64_t offset;        /* of the image; 0 on NAND and UBI, of a whole erase block on NOR */
    uint64_t size;          /* of the image; 0: all there is, only to read */
    const char *const *own; /* paths that this device lives on, NULL at the end; NULL: none */
};

/*
 * For writing: refused are a medium that one of `own` is, lies on or holds, and
 * what is inside one of them; what the running system has its root on; what is
 * mounted or in use, whole or in part. Media are compared by their numbers, not
 * by name. A regular file is made when it is missing, its directory is not.
 * The place is copied, the storage is not.
 *
 * Errors: UP_USAGE one of `own`, a place that the medium cannot have, or no
 * medium; UP_BUSY the root, mounted or in use; UP_NOSPACE too large;
 * UP_MISSING; UP_WRITE read-only, or it cannot be told; UP_INTERNAL.
 */
UP_MUST_CHECK int up_flash_open(struct up_flash_image **out, struct up_storage *storage,
                                const struct up_flash_place *place, struct up_error *err);

/* To read only: nothing is refused. Errors: as up_flash_open(). */
UP_MUST_CHECK int up_flash_open_read(struct up_flash_image **out, struct up_storage *storage,
                                     const struct up_flash_place *place, struct up_error *err);

/* What was written and not synced is in no state. Safe with NULL. */
void up_flash_close(struct up_flash_image *f);

/* What the medium was when it was opened; valid as long as the image is open. */
const struct up_slot_view *up_flash_view(const struct up_flash_image *f);
uint64_t up_flash_size(const struct up_flash_image *f);

/*
 * Make it blank, before anything was written: 1 call again, 0 it is. One erase
 * block a call, or zeros where there are none. Writing does it by itself.
 * Errors: UP_USAGE something was written, or it is open to read; UP_WRITE; UP_NOSPACE.
 */
UP_MUST_CHECK int up_flash_erase(struct up_flash_image *f, struct up_error *err);

/*
 * Offsets are those of the image. On raw flash and UBI each follows the one
 * before, from 0 on. After UP_WRITE or UP_NOSPACE it has to be opened anew.
 * Errors: UP_USAGE out of order, beyond the image, or it is open to read; UP_WRITE; UP_NOSPACE.
 */
UP_MUST_CHECK int up_flash_write(struct up_flash_image *f, const void *data, size_t len, uint64_t offset,
                                 struct up_error *err);

/* What was written is on the medium, and reads come from there.
 * Errors: UP_USAGE not all of a UBI volume came; UP_WRITE; UP_NOSPACE. */
UP_MUST_CHECK int up_flash_sync(struct up_flash_image *f, struct up_error *err);

/* Bytes read; fewer than asked only at the end of the image.
 * Errors: UP_USAGE something is not synced yet; UP_WRITE. */
UP_MUST_CHECK long long up_flash_read(struct up_flash_image *f, void *buf, size_t len, uint64_t offset,
                                      struct up_error *err);

/*
 * Digest of the image as the medium has it, a MiB a call: 1 call again, 0 it is
 * in `out`. What is written in between starts it anew. Errors: as up_flash_read(); UP_INTERNAL.
 */
UP_MUST_CHECK int up_flash_digest(struct up_flash_image *f, enum up_digest_kind kind,
                                  uint8_t out[UP_DIGEST_MAX], size_t *len, struct up_error *err);

#endif
