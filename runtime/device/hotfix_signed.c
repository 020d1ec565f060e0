/*
 * hotfix_signed.c -- whether the files of a hotfix still are what was signed.
 */
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "device_private.h"
#include "digest.h"
#include "error.h"
#include "hotfix_private.h"
#include "tree_tar.h"

/* One block of the tree, as a tar again: 1 it is another. */
static int compare(struct up_tree_tar *tree, const struct up_block *block, uint8_t *buffer,
                   struct up_error *err)
{
    uint8_t digest[UP_SHA256_SIZE];

    if (up_tree_tar_read(tree, buffer, block->length, err) < 0)
        return err->code;
    up_sha256(buffer, block->length, digest);
    return memcmp(digest, block->digest, sizeof digest) != 0;
}

static int compare_all(struct up_tree_tar *tree, struct up_blocks *blocks, struct up_error *err)
{
    uint8_t *buffer = malloc(up_blocks_size(blocks));
    struct up_block block;
    int rc = buffer ? up_tree_tar_size(tree) != up_blocks_content(blocks)
                    : up_fail(err, UP_INTERNAL, "hotfix: out of memory");

    up_tree_tar_drop_cache(tree);
    for (uint32_t i = 0; rc == 0 && i < up_blocks_count(blocks); i++) {
        rc = up_blocks_get(blocks, i, &block, err);
        if (rc == 0)
            rc = compare(tree, &block, buffer, err);
    }
    free(buffer);
    return rc;
}

bool up_hotfix_is_changed(const struct up_device *d, const char *id)
{
    char head[UP_PATH_SIZE], path[UP_PATH_SIZE];
    struct up_tree_tar *tree = NULL;
    struct up_blocks *blocks = NULL;
    struct up_manifest m;
    struct up_error ignored;
    int rc = up_hotfix_load(d, id, &m, &ignored);

    if (rc == 0)
        rc = up_blocks_open(&blocks, d->storage, up_hotfix_head(d, id, head), up_manifest_part(&m, UP_HOTFIX),
                            &ignored);
    if (rc == 0)
        rc = up_tree_tar_open(&tree, d->storage, up_hotfix_path(d, id, "", path, sizeof path), &ignored);
    if (rc == 0)
        rc = compare_all(tree, blocks, &ignored);
    up_tree_tar_close(tree);
    up_blocks_close(blocks);
    return rc == 1;
}
