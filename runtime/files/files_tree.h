/*
 * files_tree.h -- single steps on a tree, each relative to an open folder. Links
 * are not followed, and mounts are not crossed.
 */
#ifndef UP_FILES_TREE_H
#define UP_FILES_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "error.h"
#include "files_plan.h"
#include "storage.h"

/* A folder of a tree, open. Root and folder are for messages, and stay the plan's. */
struct up_files_place {
    struct up_storage *storage;
    int dir;
    const char *root, *folder;
    bool plain; /* as the root's, of a plan */
};

/* Open the folder in which operation `n` works; inside a new directory, that is a folder below its .new.
 * Closed with up_files_tree_close(). Errors: UP_MISSING there is no such folder; UP_INCOMPATIBLE a link or
 * a file is on the way; UP_WRITE. */
UP_MUST_CHECK int up_files_tree_open(struct up_files_place *p, struct up_storage *s,
                                     const struct up_files_plan *plan, uint32_t n, struct up_error *err);
/* The folder `folder` below `root`; both stay the caller's. */
UP_MUST_CHECK int up_files_tree_open_at(struct up_files_place *p, struct up_storage *s, const char *root,
                                        const char *folder, struct up_error *err);
void up_files_tree_close(struct up_files_place *p);

/* UP_NOSPACE or UP_WRITE by errno: "<root>/<folder>/<name>: <call>: <cause>". */
int up_files_tree_failed(const struct up_files_place *p, const char *name, const char *call,
                         struct up_error *err);

/* 1 there is something of that name, 0 nothing, or UP_WRITE. */
UP_MUST_CHECK int up_files_tree_look(const struct up_files_place *p, const char *name, struct up_stat *out,
                                     struct up_error *err);
UP_MUST_CHECK int up_files_tree_sync(const struct up_files_place *p, struct up_error *err);
UP_MUST_CHECK int up_files_tree_rename(const struct up_files_place *p, const char *from, const char *to,
                                       struct up_error *err);
UP_MUST_CHECK int up_files_tree_unlink(const struct up_files_place *p, const char *name,
                                       struct up_error *err);
/* Whether this errno of link() says that the file system has no hard links, or not as many. */
bool up_files_tree_has_no_links(int error);

/* SHA-256 of a file as it is on the medium. Errors: UP_WRITE, UP_INTERNAL. */
UP_MUST_CHECK int up_files_tree_digest(const struct up_files_place *p, const char *name,
                                       uint8_t out[UP_SHA256_SIZE], struct up_error *err);
/* Copy content and attributes of file `name` into the open file `to`, and sync it. */
UP_MUST_CHECK int up_files_tree_copy(const struct up_files_place *p, const char *name, int to,
                                     struct up_error *err);
/* Make an open file like another one, as far as it may be: 1 something had to be changed, 0 nothing, or -1. */
int up_files_tree_make_like(const struct up_files_place *p, int file, int like);
/* Remove it, a directory with all below it. Does nothing if it is missing. Errors: UP_WRITE, also for a mount. */
UP_MUST_CHECK int up_files_tree_remove(const struct up_files_place *p, const char *name,
                                       struct up_error *err);
/* Whether a directory can be removed with everything below it. Errors: UP_INCOMPATIBLE there is a mount, or
 * something immutable; UP_WRITE. */
UP_MUST_CHECK int up_files_tree_removable(const struct up_files_place *p, const char *name,
                                          struct up_error *err);
/* How many files and directories it is, itself one of them, and how many bytes they hold. Errors: UP_WRITE. */
UP_MUST_CHECK int up_files_tree_measure(const struct up_files_place *p, const char *name, uint64_t *files,
                                        uint64_t *bytes, struct up_error *err);

#endif
