#include "generation_reader.h"

#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "digest.h"
#include "error.h"
#include "tree_tar.h"

#define CHUNK ((size_t)64 << 10)

struct up_generation_reader {
    struct up_tree_tar *tree;
    struct up_blocks *blocks;       /* NULL: nothing to compare with */
    struct up_digest *whole, *part; /* of the tar, and of the current block */
    uint64_t left;                  /* bytes of the tar */
    struct up_block block;          /* the current block, */
    uint32_t number, missing;       /* its number, and its bytes still to come */
    uint8_t digest[UP_DIGEST_MAX];  /* valid when nothing is left */
    uint8_t chunk[CHUNK];
};

/* Whatever the storage reports about an unreadable tree, it counts as damaged. */
static int damaged(struct up_error *err)
{
    if (err->code != UP_INTERNAL)
        err->code = UP_CORRUPT;
    return err->code;
}

static int begin(struct up_generation_reader *r, struct up_storage *storage, const char *dir,
                 struct up_error *err)
{
    if (up_digest_new(&r->whole, UP_SHA256, err) < 0 || up_digest_new(&r->part, UP_SHA256, err) < 0)
        return err->code;
    if (up_tree_tar_open(&r->tree, storage, dir, err) < 0)
        return damaged(err);
    up_tree_tar_drop_cache(r->tree);
    r->left = up_tree_tar_size(r->tree);
    if (r->blocks && r->left != up_blocks_content(r->blocks))
        return up_fail(err, UP_CORRUPT, "%s: does not hold the files that were signed", dir);
    return 0;
}

int up_generation_reader_open(struct up_generation_reader **out, struct up_storage *storage, const char *dir,
                              struct up_blocks *blocks, struct up_error *err)
{
    struct up_generation_reader *r = calloc(1, sizeof *r);

    if (!r)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", dir);
    r->blocks = blocks;
    if (begin(r, storage, dir, err) < 0) {
        up_generation_reader_close(r);
        return err->code;
    }
    *out = r;
    return 0;
}

void up_generation_reader_close(struct up_generation_reader *r)
{
    if (!r)
        return;
    up_tree_tar_close(r->tree);
    up_digest_free(r->whole);
    up_digest_free(r->part);
    free(r);
}

/* Account the bytes just read to their block. */
static int compare(struct up_generation_reader *r, size_t len, struct up_error *err)
{
    uint8_t digest[UP_DIGEST_MAX];

    up_digest_update(r->part, r->chunk, len);
    r->missing -= (uint32_t)len;
    if (r->missing > 0)
        return 0;
    up_digest_final(r->part, digest);
    if (memcmp(digest, r->block.digest, sizeof r->block.digest) != 0)
        return up_fail(err, UP_CORRUPT, "script: block %u of the extracted files is not what was signed",
                       r->number);
    r->number++;
    return 0;
}

int up_generation_reader_step(struct up_generation_reader *r, struct up_error *err)
{
    size_t len = r->left < CHUNK ? (size_t)r->left : CHUNK;

    if (r->blocks && r->missing == 0 && r->left > 0) {
        if (up_blocks_get(r->blocks, r->number, &r->block, err) < 0)
            return err->code;
        r->missing = r->block.length;
    }
    if (r->blocks && r->missing < len)
        len = r->missing;
    if (up_tree_tar_read(r->tree, r->chunk, len, err) < 0)
        return damaged(err);
    up_digest_update(r->whole, r->chunk, len);
    r->left -= len;
    if (r->blocks && compare(r, len, err) < 0)
        return err->code;
    if (r->left > 0)
        return UP_AGAIN;
    up_digest_final(r->whole, r->digest);
    return 0;
}

const uint8_t *up_generation_reader_digest(const struct up_generation_reader *r)
{
    return r->digest;
}
