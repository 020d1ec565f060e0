#include "index.h"

#include "bytes.h"
#include "error.h"

#include <string.h>

static const char magic[8] = "MOULTIX1";
static const uint8_t zeros[32];
static const char *const names[UP_ENCODINGS] = {"zeros", "raw", "zstd", "lzma", "copy", "delta"};

const char *up_index_encoding_name(enum up_encoding encoding)
{
    return names[encoding];
}

enum up_encoding up_index_encoding_find(const char *name)
{
    int i = 0;

    while (i < UP_ENCODINGS && strcmp(name, names[i]) != 0)
        i++;
    return (enum up_encoding)i;
}

void up_index_put_head(uint8_t out[UP_INDEX_HEAD], const struct up_index_head *head)
{
    memcpy(out, magic, 8);
    up_put32(out + 8, head->block_count);
    up_put32(out + 12, head->block_size);
    up_put64(out + 16, head->content_size);
    up_put32(out + 24, head->window);
    up_put32(out + 28, 0);
}

/* Whether the entry has a separate digest of the stored bytes. */
static bool is_coded(enum up_encoding encoding)
{
    return encoding == UP_ZSTD || encoding == UP_LZMA || encoding == UP_DELTA;
}

void up_index_put_block(uint8_t out[UP_INDEX_ENTRY], const struct up_block *block)
{
    up_put32(out, (uint32_t)block->encoding);
    up_put32(out + 4, block->stored);
    up_put64(out + 8, block->source);
    memcpy(out + 16, is_coded(block->encoding) ? block->stored_digest : zeros, 32);
    memcpy(out + 48, block->digest, 32);
}

int up_index_get_head(struct up_index_head *head, const uint8_t in[UP_INDEX_HEAD], const struct up_part *part,
                      struct up_error *err)
{
    const char *name = up_manifest_part_name(part->kind);

    if (memcmp(in, magic, 8) != 0)
        return up_fail(err, UP_UNTRUSTED, "%s.idx: not an index of version 1", name);
    head->block_count = up_get32(in + 8);
    head->block_size = up_get32(in + 12);
    head->content_size = up_get64(in + 16);
    head->window = up_get32(in + 24);
    head->source_size = part->delta ? part->source_size : 0;
    if (head->block_size != part->block_size || head->content_size != part->size ||
        head->block_count != (part->size + part->block_size - 1) / part->block_size)
        return up_fail(err, UP_UNTRUSTED, "%s.idx: sizes differ from the manifest's", name);
    if (head->window > part->block_size || up_get32(in + 28) != 0)
        return up_fail(err, UP_UNTRUSTED, "%s.idx: window out of bounds", name);
    return 0;
}

/* Whether the stored length and the source offset fit the encoding. */
static bool sizes_fit(const struct up_block *block, uint64_t source_size)
{
    bool fewer = block->stored > 0 && block->stored < block->length;

    switch (block->encoding) {
    case UP_ZEROS:
        return block->stored == 0 && block->source == 0;
    case UP_RAW:
        return block->stored == block->length && block->source == 0;
    case UP_COPY:
        return block->stored == 0 && block->length <= source_size &&
               block->source <= source_size - block->length;
    case UP_DELTA:
        return fewer && block->source <= source_size;
    default:
        return fewer && block->source == 0;
    }
}

int up_index_get_block(struct up_block *block, const uint8_t in[UP_INDEX_ENTRY],
                       const struct up_index_head *head, uint32_t i, struct up_error *err)
{
    uint32_t encoding = up_get32(in);

    if (i >= head->block_count || encoding >= UP_ENCODINGS)
        return up_fail(err, UP_UNTRUSTED, "index: block %u: no such block or encoding", i);
    block->encoding = (enum up_encoding)encoding;
    block->stored = up_get32(in + 4);
    block->source = up_get64(in + 8);
    memcpy(block->stored_digest, in + 16, 32);
    memcpy(block->digest, in + 48, 32);
    block->length = head->block_size;
    if (i == head->block_count - 1)
        block->length = (uint32_t)(head->content_size - (uint64_t)i * head->block_size);
    if ((encoding == UP_COPY || encoding == UP_DELTA) && head->source_size == 0)
        return up_fail(err, UP_UNTRUSTED, "index: block %u: %s, but the part is not a delta", i,
                       names[encoding]);
    if (!sizes_fit(block, head->source_size))
        return up_fail(err, UP_UNTRUSTED, "index: block %u: sizes do not fit its encoding", i);
    if (is_coded(block->encoding) && head->window == 0)
        return up_fail(err, UP_UNTRUSTED, "index: block %u: needs a window and none is declared", i);
    if (!is_coded(block->encoding) && memcmp(block->stored_digest, zeros, 32) != 0)
        return up_fail(err, UP_UNTRUSTED, "index: block %u: a digest where none belongs", i);
    if (block->encoding == UP_RAW)
        memcpy(block->stored_digest, block->digest, 32);
    return 0;
}
