/*
 * patch.h -- the difference between two files, stored in a file.
 *
 * The format of `moult delta`: blocks like those of a delta package, without
 * signature and manifest. Integers are little-endian.
 *
 *     0  8  magic "MOULTPD1"
 *     8  8  bytes of the old file
 *    16 32  SHA-256 of the old file
 *    48  8  bytes of the new file
 *    56 32  SHA-256 of the new file
 *    88  4  bytes of a block
 *    92     the index (index.h), then the stored blocks
 *
 * Host side. One piece of work a step. OUT.new is renamed to OUT when it is
 * complete.
 *
 *     make | apply -> step until 0 -> close
 */
#ifndef UP_PATCH_H
#define UP_PATCH_H

#include "error.h"
#include "index.h"

#define UP_PATCH_HEAD 92

struct up_patch; /* opaque; released with up_patch_close() */
struct up_storage;

/* `encoding` is for blocks that gain nothing from the old file: UP_RAW, UP_ZSTD
 * or UP_LZMA. Memory: see delta_blocks.h. Errors: those of
 * up_delta_blocks_open(); UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_patch_make(struct up_patch **out, struct up_storage *storage, const char *old_path,
                                const char *new_path, const char *path, enum up_encoding encoding,
                                struct up_error *err);

/* Memory: the index, two blocks and a decoder. Errors: UP_CORRUPT not a patch,
 * or damaged; UP_INCOMPATIBLE the old file has another size; UP_MISSING;
 * UP_WRITE; UP_NOSPACE. */
UP_MUST_CHECK int up_patch_apply(struct up_patch **out, struct up_storage *storage, const char *old_path,
                                 const char *patch_path, const char *path, struct up_error *err);

/*
 * UP_AGAIN if there is more to do (there is nothing to wait for), 0 when the
 * file is complete and durable. Errors: those above; UP_INCOMPATIBLE the old
 * file has other content; UP_CORRUPT a block or the whole file has a wrong
 * digest.
 */
UP_MUST_CHECK int up_patch_step(struct up_patch *p, struct up_error *err);

/* In arbitrary units; total is above zero. */
void up_patch_progress(const struct up_patch *p, uint64_t *done, uint64_t *total);
uint64_t up_patch_size(const struct up_patch *p); /* bytes of OUT; 0 until then */
/* NULL is allowed. If called before the end, removes the unfinished files. */
void up_patch_close(struct up_patch *p);

#endif
