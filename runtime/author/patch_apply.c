/*
 * patch_apply.c -- apply a patch: make the new file from the old one, block by
 * block, each checked by its digest.
 */
#include "bytes.h"
#include "codec.h"
#include "delta.h"
#include "digest.h"
#include "error.h"
#include "patch_private.h"
#include "source.h"

#include <stdlib.h>
#include <string.h>

struct up_patch_apply {
    struct up_source *old, *patch;
    struct up_old reader;
    struct up_codec *codec;
    struct up_delta *delta;
    struct up_digest *digest; /* of the old file, then of the new one */
    struct up_part part;      /* what a manifest says of a delta */
    struct up_index_head head;
    uint8_t new_digest[UP_SHA256_SIZE];
    uint8_t *index, *stored, *content;
    size_t room; /* of stored and of content: a block, or less for a small file */
    uint64_t hashed, stored_at;
    uint32_t at;
};

static void release(struct up_patch *p)
{
    struct up_patch_apply *a = p->apply;

    if (!a)
        return;
    if (a->old)
        a->old->ops->close(a->old);
    if (a->patch)
        a->patch->ops->close(a->patch);
    up_codec_free(a->codec);
    up_delta_free(a->delta);
    up_digest_free(a->digest);
    free(a->index);
    free(a->stored);
    free(a->content);
    free(a);
}

/* Progress in bytes: checking the old file, then writing the new one. */
static void progress(const struct up_patch *p, uint64_t *done, uint64_t *total)
{
    const struct up_patch_apply *a = p->apply;
    uint64_t written = (uint64_t)a->at * a->part.block_size;

    *total = a->part.source_size + a->part.size;
    *done = a->hashed + (written < a->part.size ? written : a->part.size);
}

static int read_all(struct up_source *source, void *buf, size_t len, uint64_t offset, int code,
                    struct up_error *err)
{
    uint8_t *out = buf;

    while (len > 0) {
        long n = source->ops->read(source, offset, out, len, err);

        if (n < 0)
            return (int)n;
        if (n == 0)
            return up_fail(err, code, "the %s ends at byte %llu", code == UP_CORRUPT ? "patch" : "old file",
                           (unsigned long long)offset);
        out += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

static int read_old(void *context, void *buf, size_t len, uint64_t offset, struct up_error *err)
{
    return read_all(context, buf, len, offset, UP_INCOMPATIBLE, err);
}

/* A patch is not signed, so whatever is wrong with it is damage. */
static int broken(struct up_error *err)
{
    err->code = UP_CORRUPT;
    return up_fail_in(err, "the patch");
}

static int read_head(struct up_patch_apply *a, struct up_error *err)
{
    uint8_t head[UP_PATCH_HEAD];
    struct up_part *part = &a->part;
    uint64_t blocks;
    int rc = read_all(a->patch, head, sizeof head, 0, UP_CORRUPT, err);

    if (rc < 0)
        return rc;
    if (memcmp(head, "MOULTPD1", 8) != 0)
        return up_fail(err, UP_CORRUPT, "not a patch that `moult delta` made");
    part->kind = UP_CORE;
    part->delta = true;
    part->source_size = up_get64(head + 8);
    memcpy(part->source_digest, head + 16, sizeof part->source_digest);
    part->size = up_get64(head + 48);
    memcpy(a->new_digest, head + 56, sizeof a->new_digest);
    part->block_size = up_get32(head + 88);
    if (part->size == 0 || part->size >= UP_PART_MAX || part->source_size == 0 ||
        part->source_size >= UP_PART_MAX || part->block_size < UP_BLOCK_MIN ||
        part->block_size > UP_BLOCK_MAX || (part->block_size & (part->block_size - 1)))
        return up_fail(err, UP_CORRUPT, "the patch: sizes out of bounds");
    blocks = (part->size + part->block_size - 1) / part->block_size;
    part->index_size = UP_INDEX_HEAD + blocks * UP_INDEX_ENTRY;
    a->stored_at = UP_PATCH_HEAD + part->index_size;
    if (part->index_size > UP_INDEX_MAX || a->stored_at > a->patch->size)
        return up_fail(err, UP_CORRUPT, "the patch: shorter than its index");
    return 0;
}

static int get_block(const struct up_patch_apply *a, uint32_t i, struct up_block *block, struct up_error *err)
{
    const uint8_t *entry = a->index + UP_INDEX_HEAD + (size_t)i * UP_INDEX_ENTRY;

    return up_index_get_block(block, entry, &a->head, i, err) < 0 ? broken(err) : 0;
}

/* Check every entry, and that the blocks end where the file does. */
static int read_index(struct up_patch_apply *a, struct up_error *err)
{
    uint64_t end = a->stored_at;
    struct up_block block;

    a->room = a->part.size < a->part.block_size ? (size_t)a->part.size : a->part.block_size;
    a->index = malloc((size_t)a->part.index_size);
    a->stored = malloc(a->room);
    a->content = malloc(a->room);
    if (!a->index || !a->stored || !a->content)
        return up_fail(err, UP_INTERNAL, "patch: out of memory");
    if (read_all(a->patch, a->index, (size_t)a->part.index_size, UP_PATCH_HEAD, UP_CORRUPT, err) < 0)
        return err->code;
    if (up_index_get_head(&a->head, a->index, &a->part, err) < 0)
        return broken(err);
    for (uint32_t i = 0; i < a->head.block_count; i++) {
        if (get_block(a, i, &block, err) < 0)
            return err->code;
        end += block.stored;
    }
    if (end != a->patch->size)
        return up_fail(err, UP_CORRUPT, "the patch: %llu bytes, and its blocks end at %llu",
                       (unsigned long long)a->patch->size, (unsigned long long)end);
    return 0;
}

/* Hash the next part of the old file: UP_AGAIN, or 0 when it is the right one. */
static int check_old(struct up_patch_apply *a, struct up_error *err)
{
    uint64_t left = a->part.source_size - a->hashed;
    size_t len = left < a->room ? (size_t)left : a->room;
    uint8_t digest[UP_DIGEST_MAX];
    int rc = read_all(a->old, a->content, len, a->hashed, UP_INCOMPATIBLE, err);

    if (rc < 0)
        return rc;
    up_digest_update(a->digest, a->content, len);
    a->hashed += len;
    if (a->hashed < a->part.source_size)
        return UP_AGAIN;
    up_digest_final(a->digest, digest);
    if (memcmp(digest, a->part.source_digest, sizeof a->part.source_digest) != 0)
        return up_fail(err, UP_INCOMPATIBLE, "the old file is not the one that the patch was made against");
    return UP_AGAIN;
}

static bool matches(const void *data, size_t len, const uint8_t *expected)
{
    uint8_t digest[UP_SHA256_SIZE];

    up_sha256(data, len, digest);
    return memcmp(digest, expected, sizeof digest) == 0;
}

static int decode(struct up_patch_apply *a, const struct up_block *block, struct up_error *err)
{
    uint64_t at = (uint64_t)a->at * a->part.block_size;

    if (block->encoding == UP_COPY)
        return read_old(a->old, a->content, block->length, block->source, err);
    if (block->encoding == UP_DELTA)
        return up_delta_decode(a->delta, &a->reader, block->source, at, a->stored, block->stored, a->content,
                               block->length, err);
    return up_codec_decode(a->codec, block->encoding, a->stored, block->stored, a->content, block->length,
                           err);
}

static int work(struct up_patch *p, struct up_error *err)
{
    struct up_patch_apply *a = p->apply;
    uint8_t digest[UP_DIGEST_MAX];
    struct up_block block;
    int rc;

    if (a->hashed < a->part.source_size)
        return check_old(a, err);
    if (a->at == a->head.block_count) {
        p->size = a->part.size;
        up_digest_final(a->digest, digest);
        return memcmp(digest, a->new_digest, sizeof a->new_digest) == 0
                   ? 0
                   : up_fail(err, UP_CORRUPT, "the patch does not make the file that it names");
    }
    if (get_block(a, a->at, &block, err) < 0 ||
        read_all(a->patch, a->stored, block.stored, a->stored_at, UP_CORRUPT, err) < 0)
        return err->code;
    if (block.stored > 0 && !matches(a->stored, block.stored, block.stored_digest))
        return up_fail(err, UP_CORRUPT, "the patch: block %u is damaged: its digest differs", a->at);
    if (decode(a, &block, err) < 0)
        return err->code;
    if (!matches(a->content, block.length, block.digest))
        return up_fail(err, UP_CORRUPT, "the patch: block %u does not decode to its digest", a->at);
    up_digest_update(a->digest, a->content, block.length);
    a->stored_at += block.stored;
    rc = up_patch_put(p, a->content, block.length, (uint64_t)a->at * a->part.block_size, err);
    a->at++;
    return rc < 0 ? rc : UP_AGAIN;
}

static int open_all(struct up_patch *p, const char *old_path, const char *patch_path, struct up_error *err)
{
    struct up_patch_apply *a = p->apply;
    int rc;

    if (up_source_file(&a->patch, p->storage, patch_path, err) < 0 ||
        up_source_file(&a->old, p->storage, old_path, err) < 0)
        return err->code;
    rc = read_head(a, err);
    if (rc == 0)
        rc = read_index(a, err);
    if (rc < 0)
        return up_fail_in(err, patch_path);
    if (a->old->size != a->part.source_size)
        return up_fail(err, UP_INCOMPATIBLE, "%s: %llu bytes, the patch was made against %llu", old_path,
                       (unsigned long long)a->old->size, (unsigned long long)a->part.source_size);
    a->reader = (struct up_old){.read = read_old, .context = a->old, .size = a->old->size};
    if (up_codec_new(&a->codec, err) < 0 || up_delta_new(&a->delta, err) < 0 ||
        up_digest_new(&a->digest, UP_SHA256, err) < 0)
        return err->code;
    return up_patch_create(p, err);
}

int up_patch_apply(struct up_patch **out, struct up_storage *storage, const char *old_path,
                   const char *patch_path, const char *path, struct up_error *err)
{
    struct up_patch *p;
    int rc = up_patch_new(&p, storage, path, err);

    if (rc < 0)
        return rc;
    p->work = work;
    p->progress = progress;
    p->release = release;
    p->apply = calloc(1, sizeof *p->apply);
    rc =
        p->apply ? open_all(p, old_path, patch_path, err) : up_fail(err, UP_INTERNAL, "patch: out of memory");
    if (rc < 0) {
        up_patch_close(p);
        return rc;
    }
    *out = p;
    return 0;
}
