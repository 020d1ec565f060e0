#include "delta_blocks.h"

#include "codec.h"
#include "delta_maker.h"
#include "digest.h"
#include "error.h"
#include "source.h"
#include "storage.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define READ_SIZE ((size_t)4 << 20) /* bytes a step */
/* A second decoder costs a device as much memory as a block. It is not worth
 * that if it saves less than this fraction of a delta's bytes. */
#define WORTH 64
#define CLEARLY_SMALLER 3 /* times smaller than an estimate of the plain block: taken without trying that */
#define PHASES 1000       /* units of progress for the comparison */

struct image {
    char *path;
    struct up_source *source; /* until it is read */
    uint8_t *bytes;
    uint64_t size, read;
    uint8_t digest[UP_SHA256_SIZE];
};

struct up_delta_blocks {
    struct image old, fresh;
    enum up_encoding encoding;
    uint32_t block_size;
    struct up_codec *codec;
    struct up_delta_maker *maker; /* once both images are read */
    bool ready;
    unsigned compared; /* of PHASES */
    uint8_t *other;    /* a block, encoded the other way */
};

static int open_image(struct image *image, struct up_storage *storage, const char *path, struct up_error *err)
{
    image->path = strdup(path);
    if (!image->path)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", path);
    if (up_source_file(&image->source, storage, path, err) < 0)
        return err->code;
    image->size = image->source->size;
    if (image->size == 0 || image->size >= UP_PART_MAX)
        return up_fail(err, UP_USAGE, "%s: %llu bytes; an image has 1 byte to less than 8 GiB", path,
                       (unsigned long long)image->size);
    return 0;
}

static int check_options(const struct up_delta_blocks *b, struct up_error *err)
{
    if (b->encoding != UP_RAW && b->encoding != UP_ZSTD && b->encoding != UP_LZMA)
        return up_fail(err, UP_USAGE, "delta: the encoding must be raw, zstd or lzma");
    if (b->block_size < UP_BLOCK_MIN || b->block_size > UP_BLOCK_MAX || (b->block_size & (b->block_size - 1)))
        return up_fail(err, UP_USAGE, "delta: block size %u must be a power of two from %u to %u",
                       b->block_size, UP_BLOCK_MIN, UP_BLOCK_MAX);
    return 0;
}

int up_delta_blocks_open(struct up_delta_blocks **out, struct up_storage *storage, const char *old_path,
                         const char *new_path, enum up_encoding encoding, uint32_t block_size,
                         struct up_error *err)
{
    struct up_delta_blocks *b = calloc(1, sizeof *b);
    int rc;

    if (!b)
        return up_fail(err, UP_INTERNAL, "delta: out of memory");
    b->encoding = encoding;
    b->block_size = block_size;
    rc = check_options(b, err);
    if (rc == 0)
        rc = open_image(&b->old, storage, old_path, err);
    if (rc == 0)
        rc = open_image(&b->fresh, storage, new_path, err);
    if (rc == 0)
        rc = up_codec_new(&b->codec, err);
    b->other = malloc(block_size);
    if (rc == 0 && !b->other)
        rc = up_fail(err, UP_INTERNAL, "delta: out of memory");
    if (rc < 0) {
        up_delta_blocks_close(b);
        return rc;
    }
    *out = b;
    return 0;
}

static void close_source(struct image *image)
{
    if (image->source)
        image->source->ops->close(image->source);
    image->source = NULL;
}

void up_delta_blocks_close(struct up_delta_blocks *b)
{
    if (!b)
        return;
    up_delta_maker_free(b->maker);
    up_codec_free(b->codec);
    close_source(&b->old);
    close_source(&b->fresh);
    free(b->old.path);
    free(b->fresh.path);
    free(b->old.bytes);
    free(b->fresh.bytes);
    free(b->other);
    free(b);
}

uint64_t up_delta_blocks_old_size(const struct up_delta_blocks *b)
{
    return b->old.size;
}

uint64_t up_delta_blocks_size(const struct up_delta_blocks *b)
{
    return b->fresh.size;
}

/* Read the next part of an image: UP_AGAIN, or 0 when all of it is in memory. */
static int read_image(struct image *image, struct up_error *err)
{
    size_t len = image->size - image->read < READ_SIZE ? (size_t)(image->size - image->read) : READ_SIZE;
    long n = 0;

    if (!image->source)
        return 0;
    if (!image->bytes && image->size <= SIZE_MAX)
        image->bytes = malloc((size_t)image->size);
    if (!image->bytes)
        return up_fail(err, UP_INTERNAL, "%s: no memory for %llu bytes", image->path,
                       (unsigned long long)image->size);
    if (len > 0)
        n = image->source->ops->read(image->source, image->read, image->bytes + image->read, len, err);
    if (n < 0)
        return (int)n;
    image->read += (uint64_t)n;
    if (n == 0 && image->read < image->size)
        return up_fail(err, UP_USAGE, "%s: became shorter while it was read", image->path);
    if (image->read < image->size)
        return UP_AGAIN;
    up_sha256(image->bytes, (size_t)image->size, image->digest);
    close_source(image);
    return UP_AGAIN;
}

static int compare(struct up_delta_blocks *b, struct up_error *err)
{
    uint64_t done, total;
    int rc = up_delta_maker_step(b->maker, &done, &total, err);

    if (rc == 0)
        b->compared = PHASES;
    else if (total > 0 && done <= total)
        b->compared = (unsigned)((double)done / (double)total * PHASES);
    b->ready = rc == 0;
    return rc;
}

int up_delta_blocks_step(struct up_delta_blocks *b, struct up_error *err)
{
    int rc;

    if (b->ready)
        return 0;
    rc = read_image(&b->old, err);
    if (rc == 0)
        rc = read_image(&b->fresh, err);
    if (rc != 0)
        return rc;
    if (b->maker)
        return compare(b, err);
    rc = up_delta_maker_new(&b->maker, b->old.bytes, b->old.size, b->fresh.bytes, b->fresh.size,
                            b->block_size, err);
    return rc < 0 ? rc : UP_AGAIN;
}

void up_delta_blocks_progress(const struct up_delta_blocks *b, uint64_t *done, uint64_t *total)
{
    *done = b->compared;
    *total = PHASES;
}

const uint8_t *up_delta_blocks_old_digest(const struct up_delta_blocks *b)
{
    return b->old.digest;
}

const uint8_t *up_delta_blocks_digest(const struct up_delta_blocks *b)
{
    return b->fresh.digest;
}

/* Whether compressing the block by itself, which is slow, is worth a try. */
static int compare_alone(struct up_delta_blocks *b, const uint8_t *content, const struct up_block *block,
                         size_t len, bool *alone, struct up_error *err)
{
    size_t guess;
    int rc;

    *alone = block->encoding == UP_RAW;
    if (block->encoding != UP_DELTA || b->encoding == UP_RAW)
        return 0;
    rc = up_codec_guess(b->codec, content, block->length, b->other, &guess, err);
    *alone = rc == 0 && len >= guess / CLEARLY_SMALLER;
    return rc;
}

int up_delta_blocks_get(struct up_delta_blocks *b, uint32_t i, struct up_block *block, uint8_t *stored,
                        struct up_error *err)
{
    const uint8_t *content = b->fresh.bytes + (size_t)i * b->block_size;
    uint64_t left = b->fresh.size - (uint64_t)i * b->block_size;
    enum up_encoding encoding = b->encoding;
    size_t len = 0, other;
    bool alone;

    memset(block, 0, sizeof *block);
    block->length = left < b->block_size ? (uint32_t)left : b->block_size;
    up_sha256(content, block->length, block->digest);
    if (up_delta_maker_block(b->maker, i, &block->encoding, &block->source, stored, &len, err) < 0 ||
        compare_alone(b, content, block, len, &alone, err) < 0)
        return err->code;
    if (alone) {
        if (up_codec_encode(b->codec, &encoding, content, block->length, b->other, &other, err) < 0)
            return err->code;
        if (block->encoding == UP_RAW || other <= len - len / WORTH) {
            memcpy(stored, b->other, other);
            block->encoding = encoding;
            block->source = 0;
            len = other;
        }
    }
    if (block->encoding == UP_ZEROS || block->encoding == UP_COPY)
        len = 0;
    if (block->encoding != UP_COPY && block->encoding != UP_DELTA)
        block->source = 0;
    block->stored = (uint32_t)len;
    up_sha256(stored, len, block->stored_digest);
    return 0;
}
