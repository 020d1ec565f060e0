/*
 * bare_package.h -- turn an unsigned bare archive into the head of a package with
 * a files part.
 *
 * This makes everything that a transfer would fetch: in the spool, files.tar is
 * the content, complete and durable, and files.idx its index. There is no manifest
 * and no signature; the package's manifest is made from the caller's values. Its
 * digest is the SHA-256 of the archive's bytes, which identifies the payload for
 * ever. Its sequence is made from that digest (up_manifest_sequence_unsigned()), and is
 * compared with no floor.
 *
 *     open -> step until 0 -> take -> close
 *
 * A confined process unpacks the archive (bare_unpack.h).
 */
#ifndef UP_BARE_PACKAGE_H
#define UP_BARE_PACKAGE_H

#include <stdbool.h>

#include "error.h"
#include "manifest.h"

struct up_bare_package;
struct up_package;
struct up_storage;

struct up_bare_options {
    const char *program, *user;        /* of the process that unpacks; see up_bare_unpack_start() */
    const char *archive;               /* path */
    const char *dir;                   /* where it is unpacked temporarily; removed at the end */
    const char *spool;                 /* an existing directory, unless it is a hotfix */
    const char *project, *product_key; /* the device's own; the key as SHA-256 hex */
    const char *release, *files_version;
    bool trim; /* remove spaces around '/' in update.ini */
    /* Of a hotfix; else absent. Then `release` and `files_version` are absent, and the spool is made anew. */
    const char *hotfix_name, *hotfix_version;
    const char *base[UP_RELEASE_PARTS]; /* versions that run: it ends with them */
    bool lua;                           /* modules and test.lua are accepted */
    bool opaque;                        /* the bytes are for a handler of the script, and not unpacked */
};

/* Strings are copied. Errors: UP_USAGE one is too long; those of up_bare_unpack_start(). */
UP_MUST_CHECK int up_bare_package_open(struct up_bare_package **out, struct up_storage *storage,
                                       const struct up_bare_options *options, struct up_error *err);
/* Readable if there is something to do; -1: always. */
int up_bare_package_fd(const struct up_bare_package *b);

/* UP_AGAIN: call again; 0: done. Errors: UP_UNTRUSTED, UP_CORRUPT the archive is
 * at fault; UP_WRITE, UP_NOSPACE, UP_INTERNAL. */
UP_MUST_CHECK int up_bare_package_step(struct up_bare_package *b, struct up_error *err);

/* After step() has returned 0: the package with its manifest, to be released with
 * up_package_free(). NULL: it was taken before. */
struct up_package *up_bare_package_take(struct up_bare_package *b);
/* The number of lines in its update.ini with a space around a '/', removed or not. */
unsigned up_bare_package_blanks(const struct up_bare_package *b);
void up_bare_package_close(struct up_bare_package *b); /* NULL is allowed */

#endif
