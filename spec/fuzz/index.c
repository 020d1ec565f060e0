/* An index in pieces of any length: what its reader accepts is what an index
 * writer writes, entry by entry. */
#include "digest.h"
#include "fuzz.h"
#include "index_reader.h"

#include <string.h>

static void check_entries(const struct up_part *part, const uint8_t *data, size_t size)
{
    struct up_index_head head;
    uint64_t content = 0, stored = 0;
    uint8_t again[UP_INDEX_ENTRY];

    FUZZ_REQUIRE(up_index_get_head(&head, data, part, NULL) == 0);
    up_index_put_head(again, &head);
    FUZZ_REQUIRE(memcmp(again, data, UP_INDEX_HEAD) == 0);
    for (uint32_t i = 0; i < head.block_count; i++) {
        const uint8_t *entry = data + UP_INDEX_HEAD + (size_t)i * UP_INDEX_ENTRY;
        struct up_block block;

        FUZZ_REQUIRE(up_index_get_block(&block, entry, &head, i, NULL) == 0);
        FUZZ_REQUIRE(block.length >= 1 && block.length <= part->block_size && block.stored <= block.length);
        FUZZ_REQUIRE(part->delta || block.source == 0);
        FUZZ_REQUIRE(block.source <= part->source_size);
        FUZZ_REQUIRE(block.encoding != UP_COPY || block.length <= part->source_size - block.source);
        up_index_put_block(again, &block);
        FUZZ_REQUIRE(memcmp(again, entry, sizeof again) == 0);
        content += block.length;
        stored += block.stored;
    }
    FUZZ_REQUIRE(content == part->size && stored == part->data_size);
    FUZZ_REQUIRE(size == UP_INDEX_HEAD + (size_t)head.block_count * UP_INDEX_ENTRY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz in = {data, size};
    struct up_part part = {0};
    struct up_index_reader reader;
    uint8_t bits = fuzz_u8(&in);
    size_t piece;
    int rc;

    part.kind = bits & 1 ? UP_CORE : UP_SCRIPT;
    part.delta = (bits & 3) == 3;
    part.source_size = part.delta ? (bits >> 2) * UINT64_C(1000) + 1 : 0;
    part.block_size = UP_BLOCK_MIN << fuzz_u8(&in) % 9;
    part.size = fuzz_u32(&in) + (uint64_t)1;
    part.data_size = fuzz_u32(&in);
    piece = fuzz_u8(&in) + (size_t)1;
    part.index_size = in.left;
    up_sha256(in.at, in.left, part.index_digest);

    FUZZ_REQUIRE(up_index_reader_begin(&reader, &part, NULL) == 0);
    for (size_t at = 0; at < in.left; at += piece)
        up_index_reader_feed(&reader, in.at + at, in.left - at < piece ? in.left - at : piece);
    rc = up_index_reader_end(&reader, NULL);
    FUZZ_REQUIRE(rc == 0 || rc == UP_UNTRUSTED);
    /* The manifest makes sure of the length before an index is read. */
    if (rc == 0 && in.left == UP_INDEX_HEAD + UP_INDEX_ENTRY * ((part.size - 1) / part.block_size + 1))
        check_entries(&part, in.at, in.left);
    up_index_reader_release(&reader);
    return 0;
}
