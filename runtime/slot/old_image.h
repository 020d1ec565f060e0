/*
 * old_image.h -- the image in a slot, as the source for blocks of a new one.
 *
 * The slot is opened read-only and read into the caller's memory. Nothing is
 * mapped, so content that changes or becomes unreadable meanwhile gives a wrong
 * digest or an error, never a fault.
 */
#ifndef UP_OLD_IMAGE_H
#define UP_OLD_IMAGE_H

#include <stdint.h>

#include "delta.h"
#include "error.h"

struct up_digest;
struct up_old_image; /* opaque; released with up_old_image_close() */
struct up_storage;

/* The first `size` bytes of the slot at path. Errors: UP_INCOMPATIBLE it cannot
 * be read, with the reason; UP_INTERNAL. */
UP_MUST_CHECK int up_old_image_open(struct up_old_image **out, struct up_storage *storage, const char *path,
                                    uint64_t size, struct up_error *err);
void up_old_image_close(struct up_old_image *o); /* NULL is allowed */

/* For up_delta_decode(); valid as long as the image. Its errors: UP_INCOMPATIBLE. */
const struct up_old *up_old_image_old(const struct up_old_image *o);
/* Exactly len bytes, within the size. Errors: UP_INCOMPATIBLE. */
UP_MUST_CHECK int up_old_image_read(struct up_old_image *o, void *buf, size_t len, uint64_t offset,
                                    struct up_error *err);
/* The next read comes from the medium; best effort. */
void up_old_image_drop_cache(struct up_old_image *o);

#endif
