/*
 * package.h -- the head of a package, and where everything lies in it.
 *
 * A package is a canonical ustar: manifest.json, manifest.minisig, every
 * <part>.idx, every <part>.dat. Only the first two sizes are read from the
 * file, and capped; from the verified manifest on every byte outside the
 * stored blocks is a function of the manifest (package_layout.c) and compared.
 *
 *     open -> step until 0 -> manifest, layout -> free
 */
#ifndef UP_PACKAGE_H
#define UP_PACKAGE_H

#include "error.h"
#include "index.h"
#include "manifest.h"
#include "source.h"

struct up_keyring;
struct up_storage;
struct up_package; /* the head while it is read */

/* Offsets in the file, in bytes. */
struct up_package_layout {
    uint64_t manifest_size, signature_size;
    uint64_t index_offset[UP_PART_KINDS]; /* by part number of the manifest */
    uint64_t data_offset[UP_PART_KINDS];
    uint64_t head_size; /* up to the tar header of the first .dat */
    uint64_t size;      /* of the whole file */
};

/*
 * Read and verify the head from `source`, which must outlive the package.
 * With `spool` (a directory that exists) the head is kept there as
 * manifest.json, manifest.minisig and <part>.idx, each synced; files of the
 * same manifest already there are verified and not fetched again. Without
 * it, indexes are verified and forgotten. Errors: UP_USAGE its path is too long.
 */
UP_MUST_CHECK int up_package_open(struct up_package **out, struct up_source *source,
                                  struct up_storage *storage, const struct up_keyring *ring,
                                  const char *spool, struct up_error *err);

/*
 * Go on: 0 when the whole head is verified, UP_AGAIN to wait for the source.
 * Nothing of the manifest is looked at before its signature is verified.
 * Errors: UP_UNTRUSTED, UP_INCOMPATIBLE, UP_CORRUPT (size of the object),
 * UP_WRITE, UP_NOSPACE, and those of the source.
 */
UP_MUST_CHECK int up_package_step(struct up_package *p, struct up_error *err);

/* The head of a package that was made here, of what nobody signed (bare_package.h):
 * only its manifest, which is copied, and the `size` of what it was made of are
 * known. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_package_unsigned(struct up_package **out, const struct up_manifest *m, uint64_t size,
                                      struct up_error *err);

/* Bytes of the file that came so far. After a failure of the source step() may be called again. */
uint64_t up_package_offset(const struct up_package *p);
/* 1 once the manifest is verified, which is before the indexes are read. */
int up_package_has_manifest(const struct up_package *p);
const struct up_manifest *up_package_manifest(const struct up_package *p);
const struct up_package_layout *up_package_layout(const struct up_package *p);
void up_package_free(struct up_package *p); /* NULL is allowed; the source stays open */

/* Read manifest and layout from a spool directory that step() filled, with
 * the signature checked again. In package_spool.c. Errors: UP_MISSING, UP_UNTRUSTED, ... */
UP_MUST_CHECK int up_package_load(struct up_manifest *m, struct up_package_layout *layout,
                                  struct up_storage *storage, const struct up_keyring *ring,
                                  const char *spool, struct up_error *err);

/* The same of a folder that holds no index but that of `kind`. UP_MISSING also
 * when the manifest has no such part. */
UP_MUST_CHECK int up_package_load_part(struct up_manifest *m, struct up_storage *storage,
                                       const struct up_keyring *ring, const char *spool,
                                       enum up_part_kind kind, struct up_error *err);

/* Whether the spooled index of a part is the one that its manifest names.
 * Errors: UP_MISSING, UP_UNTRUSTED, UP_WRITE. */
UP_MUST_CHECK int up_package_check_index(struct up_storage *storage, const char *spool,
                                         const struct up_part *part, struct up_error *err);

/* Where things lie, given the first two sizes. */
void up_package_layout_of(struct up_package_layout *layout, const struct up_manifest *m,
                          uint64_t manifest_size, uint64_t signature_size);

/*
 * What must stand in the file at [offset, offset + len) outside of the
 * members' contents: headers, padding, end of archive. The range must not
 * touch the contents of manifest, signature, an index or a .dat.
 */
void up_package_layout_fill(const struct up_package_layout *layout, const struct up_manifest *m,
                            uint64_t offset, void *out, size_t len);

#endif
