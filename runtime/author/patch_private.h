/*
 * patch_private.h -- an open patch, for patch.c, patch_make.c and
 * patch_apply.c.
 */
#ifndef UP_PATCH_PRIVATE_H
#define UP_PATCH_PRIVATE_H

#include <stdbool.h>

#include "error.h"
#include "patch.h"
#include "storage.h"

struct up_patch {
    struct up_storage *storage;
    char out[UP_PATH_SIZE], fresh[UP_PATH_SIZE];
    int file; /* OUT.new; -1 while not open */
    bool done;
    uint64_t size;                                         /* of OUT */
    int (*work)(struct up_patch *p, struct up_error *err); /* the next piece: UP_AGAIN, 0 or an error */
    void (*progress)(const struct up_patch *p, uint64_t *done, uint64_t *total);
    void (*release)(struct up_patch *p); /* what follows */
    struct up_patch_make *make;
    struct up_patch_apply *apply;
};

/* What both begin with: set the names, write nothing. Errors: UP_USAGE, UP_INTERNAL. */
UP_MUST_CHECK int up_patch_new(struct up_patch **out, struct up_storage *storage, const char *path,
                               struct up_error *err);
/* Open OUT.new, empty. */
UP_MUST_CHECK int up_patch_create(struct up_patch *p, struct up_error *err);
UP_MUST_CHECK int up_patch_put(struct up_patch *p, const void *data, size_t len, uint64_t offset,
                               struct up_error *err);

#endif
