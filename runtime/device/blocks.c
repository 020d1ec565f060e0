#include "blocks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block_mac.h"
#include "bytes.h"
#include "digest.h"
#include "error.h"
#include "slot.h"
#include "storage.h"

#define ENTRIES_AHEAD 64

struct up_blocks {
    struct up_storage *storage;
    struct up_digest *digest;
    struct up_index_head head;
    enum up_part_kind kind;
    int file;
    uint32_t first, held; /* entries in `ahead` */
    uint8_t ahead[ENTRIES_AHEAD * UP_INDEX_ENTRY];
    uint8_t *content; /* one block, allocated when first needed */
    uint32_t zeros;   /* length of the block whose digest of zeros is cached; 0: none */
    uint8_t zeros_digest[32];
};

int up_blocks_open(struct up_blocks **out, struct up_storage *storage, const char *spool,
                   const struct up_part *part, struct up_error *err)
{
    struct up_blocks *b = calloc(1, sizeof *b);
    uint8_t head[UP_INDEX_HEAD];
    char path[UP_PATH_SIZE];
    long long got;

    if (!b)
        return up_fail(err, UP_INTERNAL, "index: out of memory");
    b->storage = storage;
    b->kind = part->kind;
    b->file = -1;
    if (snprintf(path, sizeof path, "%s/%s.idx", spool, up_manifest_part_name(part->kind)) >=
        (int)sizeof path) {
        up_fail(err, UP_USAGE, "%s: path too long", spool);
        goto fail;
    }
    b->file = storage->ops->open(storage, path, UP_READ, 0);
    if (b->file < 0) {
        up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "%s: open: %s", path, strerror(errno));
        goto fail;
    }
    got = storage->ops->pread(storage, b->file, head, sizeof head, 0);
    if (got != (long long)sizeof head) {
        if (got < 0)
            up_fail(err, UP_WRITE, "%s: read: %s", path, strerror(errno));
        else
            up_fail(err, UP_CORRUPT, "%s: shorter than its head", path);
        goto fail;
    }
    if (up_index_get_head(&b->head, head, part, err) < 0 || up_digest_new(&b->digest, UP_SHA256, err) < 0)
        goto fail;
    *out = b;
    return 0;
fail:
    up_blocks_close(b);
    return err->code;
}

void up_blocks_close(struct up_blocks *b)
{
    if (!b)
        return;
    if (b->file >= 0)
        b->storage->ops->close(b->storage, b->file);
    up_digest_free(b->digest);
    free(b->content);
    free(b);
}

uint32_t up_blocks_count(const struct up_blocks *b)
{
    return b->head.block_count;
}

uint32_t up_blocks_size(const struct up_blocks *b)
{
    return b->head.block_size;
}

uint64_t up_blocks_content(const struct up_blocks *b)
{
    return b->head.content_size;
}

int up_blocks_get(struct up_blocks *b, uint32_t i, struct up_block *out, struct up_error *err)
{
    if (i < b->first || i >= b->first + b->held) {
        long long got = b->storage->ops->pread(b->storage, b->file, b->ahead, sizeof b->ahead,
                                               UP_INDEX_HEAD + (uint64_t)i * UP_INDEX_ENTRY);

        b->first = i;
        b->held = got < 0 ? 0 : (uint32_t)(got / UP_INDEX_ENTRY);
        if (got < 0)
            return up_fail(err, UP_WRITE, "%s index: read: %s", up_manifest_part_name(b->kind),
                           strerror(errno));
        if (b->held == 0)
            return up_fail(err, UP_CORRUPT, "%s index: ends before entry %u", up_manifest_part_name(b->kind),
                           i);
    }
    return up_index_get_block(out, b->ahead + (size_t)(i - b->first) * UP_INDEX_ENTRY, &b->head, i, err);
}

/* Whether the content just read matches the block. */
static bool has_digest(struct up_blocks *b, const struct up_block *block)
{
    uint8_t digest[UP_DIGEST_MAX];

    if (block->encoding == UP_ZEROS && !up_all_zeros(b->content, block->length))
        return false;
    if (block->encoding == UP_ZEROS && b->zeros == block->length)
        return memcmp(b->zeros_digest, block->digest, sizeof block->digest) == 0;
    up_digest_update(b->digest, b->content, block->length);
    up_digest_final(b->digest, digest);
    if (block->encoding == UP_ZEROS) {
        b->zeros = block->length;
        memcpy(b->zeros_digest, digest, sizeof b->zeros_digest);
    }
    return memcmp(digest, block->digest, sizeof block->digest) == 0;
}

int up_blocks_intact(struct up_blocks *b, uint32_t i, struct up_slot *target, struct up_block_mac *macs,
                     struct up_error *err)
{
    struct up_block block;
    long long got;

    if (up_blocks_get(b, i, &block, err) < 0)
        return err->code;
    if (!b->content)
        b->content = malloc(b->head.block_size);
    if (!b->content)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", up_manifest_part_name(b->kind));
    got = up_slot_read(target, b->content, block.length, (uint64_t)i * b->head.block_size, err);
    if (got < 0)
        return (int)got;
    if ((uint32_t)got < block.length)
        return 0;
    if (macs && up_block_mac_has(macs, i))
        return up_block_mac_fits(macs, i, b->content, block.length);
    return has_digest(b, &block);
}

int up_blocks_match(struct up_blocks *b, uint32_t i, struct up_slot *target, struct up_error *err)
{
    return up_blocks_intact(b, i, target, NULL, err);
}
