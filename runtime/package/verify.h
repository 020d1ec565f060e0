/*
 * verify.h -- check a whole package to the end of the file: signature, indexes,
 * every block as stored and as decoded, all bytes in between, and that a script
 * is an archive that a device extracts (script_archive.h), and files are one
 * that it accepts (files_archive.h). Copy and delta blocks, which need the old
 * image, are checked as stored.
 *
 * For package files, where they are made; a device does the same while it
 * installs. One block a step; memory is two blocks.
 *
 *     open -> step until 0 -> close
 */
#ifndef UP_VERIFY_H
#define UP_VERIFY_H

#include "error.h"
#include "package.h"

struct up_files_archive;
struct up_verify; /* opaque; released with up_verify_close() */

struct up_verify_counts {
    uint64_t blocks[UP_ENCODINGS]; /* of all parts, by encoding */
    uint64_t done, total;          /* content bytes */
};

/* `source` and `ring` must outlive it; the source must be a file.
 * Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_verify_open(struct up_verify **out, struct up_source *source, struct up_storage *storage,
                                 const struct up_keyring *ring, struct up_error *err);

/* Go on: UP_AGAIN while there is more to check, 0 when all of it is good.
 * Errors: those of up_package_step; UP_CORRUPT a block, or bytes after the end;
 * UP_UNTRUSTED bytes between the members. */
UP_MUST_CHECK int up_verify_step(struct up_verify *v, struct up_error *err);

void up_verify_counts(const struct up_verify *v, struct up_verify_counts *out);
/* NULL until the signature is verified. */
const struct up_manifest *up_verify_manifest(const struct up_verify *v);
/* What its files part contains; NULL until that was checked completely, and without one. */
const struct up_files_archive *up_verify_files(const struct up_verify *v);
const struct up_package_layout *up_verify_layout(const struct up_verify *v);
void up_verify_close(struct up_verify *v); /* NULL is allowed */

#endif
