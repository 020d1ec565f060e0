/*
 * pack.h -- make a package: the same input and key give the same bytes.
 *
 * Runs where packages are made, not on devices. One block a step, so that a
 * caller can show progress. OUT.data holds the blocks until the manifest is
 * known, OUT.files the content of an archive; OUT.new is renamed to OUT when it
 * is complete. Memory is two blocks and the indexes; for a delta see
 * delta_blocks.h.
 *
 *     open -> step until 0 -> close
 */
#ifndef UP_PACK_H
#define UP_PACK_H

#include "error.h"
#include "index.h"
#include "manifest.h"

struct up_pack; /* opaque; released with up_pack_close() */
struct up_secret;
struct up_storage;

struct up_pack_part {
    const char *path;          /* the directory with main.lua; the core's image; the folder with update.ini,
                                * or an archive of it (bare_files.h) */
    enum up_encoding encoding; /* UP_RAW, UP_ZSTD or UP_LZMA; blocks that do not shrink stay raw */
    uint32_t block_size;       /* 0: UP_BLOCK_DEFAULT; UP_DELTA_BLOCK_SIZE of a delta */
    bool trim;                 /* files: remove blanks after a '/' (files_folder.h) */
    const char *from;          /* core: the old image that a delta is made against; NULL: a full image */
    uint64_t from_version;     /* of the core that it is */
};

struct up_pack_options {
    const struct up_manifest *manifest; /* without digest and parts, which are set here */
    const struct up_pack_part *script;  /* NULL when the package has none */
    const struct up_pack_part *files;
    const struct up_pack_part *hotfix; /* the folder with lua and test.lua (script_archive.h); comes alone */
    const struct up_pack_part *core;
    const struct up_secret *key; /* must outlive the packer */
};

/*
 * Errors: UP_USAGE the manifest's fields are out of bounds or do not fit the
 * parts, a part is empty or too large, or a tree or folder cannot be packed
 * (step() says so of a hotfix);
 * UP_MISSING; UP_WRITE; UP_NOSPACE.
 */
UP_MUST_CHECK int up_pack_open(struct up_pack **out, struct up_storage *storage,
                               const struct up_pack_options *options, const char *path, struct up_error *err);

/* The next step: UP_AGAIN if there is more to do (there is nothing to wait
 * for), 0 when the package is complete and durable. */
UP_MUST_CHECK int up_pack_step(struct up_pack *p, struct up_error *err);

/* Content bytes encoded so far, and the total. Those of a delta count twice,
 * because they are compared first. */
void up_pack_progress(const struct up_pack *p, uint64_t *done, uint64_t *total);
/* The number of lines in update.ini with a blank after a '/' of the directory, before trimming. */
unsigned up_pack_blanks(const struct up_pack *p);
/* The packed manifest; complete once step() returned 0. */
const struct up_manifest *up_pack_manifest(const struct up_pack *p);
uint64_t up_pack_size(const struct up_pack *p); /* bytes of the package; 0 until then */
/* NULL is allowed. If called before the end, removes the unfinished files. */
void up_pack_close(struct up_pack *p);

#endif
