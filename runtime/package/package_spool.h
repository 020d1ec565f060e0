/*
 * package_spool.h -- the head of a package, kept in a directory while it comes
 * and afterwards: manifest.json, manifest.minisig, <part>.idx.
 *
 *     manifest -> (begin -> write* -> end) for each part -> sync
 *
 * up_package_load() and its like (package.h) read it again.
 */
#ifndef UP_PACKAGE_SPOOL_H
#define UP_PACKAGE_SPOOL_H

#include "error.h"
#include "manifest.h"

struct up_storage;

struct up_package_spool {
    struct up_storage *storage;
    char *path; /* of the directory */
    int file;   /* the index that is written, -1: none */
};

/*
 * Make the spool one of this manifest, whose text and signature are given.
 * Indexes of another one are found out by their digests; those of parts that
 * this one lacks are removed. Errors: UP_WRITE, UP_NOSPACE.
 */
UP_MUST_CHECK int up_package_spool_manifest(const struct up_package_spool *s, const struct up_manifest *m,
                                            const char *text, size_t size, const char *sig, size_t sig_size,
                                            struct up_error *err);

/* Begin the index of a part; 1: a good one is there already, and durable.
 * Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_package_spool_begin(struct up_package_spool *s, const struct up_part *part,
                                         struct up_error *err);
UP_MUST_CHECK int up_package_spool_write(const struct up_package_spool *s, const void *data, size_t len,
                                         uint64_t offset, struct up_error *err);
/* Make the index durable. If that fails it is removed, because nobody knows what is on the medium. */
UP_MUST_CHECK int up_package_spool_end(struct up_package_spool *s, const struct up_part *part,
                                       struct up_error *err);
/* Make the names durable. */
UP_MUST_CHECK int up_package_spool_sync(const struct up_package_spool *s, struct up_error *err);
void up_package_spool_close(struct up_package_spool *s); /* the index, if one is open */

#endif
