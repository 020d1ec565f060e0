/*
 * files_found.h -- what was there before a switch, for each operation of a plan.
 *
 * Recorded after all programs are stopped, because an application goes on writing
 * until then; durable before the first target changes.
 */
#ifndef UP_FILES_FOUND_H
#define UP_FILES_FOUND_H

#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "error.h"
#include "files_plan.h"
#include "storage.h"

#define UP_FILES_FOUND_LIMIT (UP_FILES_OPS * 128u) /* bytes of what is encoded */

struct up_files_found {
    bool there;
    struct up_stat st;              /* kind, size, mode, owner, group, inode */
    uint8_t digest[UP_SHA256_SIZE]; /* of a file */
};

/* Into a fresh buffer that the caller frees. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_files_found_encode(const struct up_files_found *found, uint32_t count, uint8_t **out,
                                        size_t *len, struct up_error *err);
/* Into a fresh array that the caller frees. Errors: UP_INCOMPATIBLE malformed, or of another number of
 * operations; UP_INTERNAL. */
UP_MUST_CHECK int up_files_found_decode(struct up_files_found **out, uint32_t count, const uint8_t *data,
                                        size_t len, struct up_error *err);

#endif
