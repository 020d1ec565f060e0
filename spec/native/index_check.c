/* The block index: fixed entries, every bound, and the stream that checks it. */
#include "scratch.h"

#include "bytes.h"
#include "digest.h"
#include "index.h"
#include "index_reader.h"

#define BLOCKS 3

static struct up_part part = {.kind = UP_CORE,
                              .size = 2 * 4096 + 100,
                              .block_size = 4096,
                              .index_size = UP_INDEX_HEAD + BLOCKS * UP_INDEX_ENTRY};
static const struct up_index_head head = {
    .block_count = BLOCKS, .block_size = 4096, .window = 4096, .content_size = 2 * 4096 + 100};

static void test_head(void **state)
{
    uint8_t raw[UP_INDEX_HEAD];
    struct up_index_head got;
    struct up_error err;

    (void)state;
    up_index_put_head(raw, &head);
    must(up_index_get_head(&got, raw, &part, &err), &err);
    assert_int_equal(got.block_count, head.block_count);
    assert_int_equal(got.block_size, head.block_size);
    assert_int_equal(got.window, head.window);
    assert_true(got.content_size == head.content_size);
    for (int bit = 0; bit < 8 * UP_INDEX_HEAD; bit++) {
        int rc;

        raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
        rc = up_index_get_head(&got, raw, &part, &err);
        /* Any window up to the block size may be declared. */
        if (rc == 0 && (bit / 8 < 24 || bit / 8 > 27))
            fail_msg("bit %d of the head", bit);
        if (rc == 0)
            assert_true(got.window <= part.block_size);
        raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static int get(const uint8_t *raw, const struct up_index_head *h, uint32_t i, struct up_error *err)
{
    struct up_block got;

    return up_index_get_block(&got, raw, h, i, err);
}

static void test_entries(void **state)
{
    static const struct {
        enum up_encoding encoding;
        uint32_t i, stored;
        uint64_t source;
        int code;
    } cases[] = {
        {UP_ZEROS, 0, 0, 0, 0},
        {UP_ZEROS, 0, 1, 0, UP_UNTRUSTED},
        {UP_ZEROS, 0, 0, 1, UP_UNTRUSTED},
        {UP_RAW, 0, 4096, 0, 0},
        {UP_RAW, 2, 100, 0, 0},
        {UP_RAW, 2, 4096, 0, UP_UNTRUSTED},
        {UP_RAW, 0, 4095, 0, UP_UNTRUSTED},
        {UP_RAW, 0, 4096, 1, UP_UNTRUSTED},
        {UP_ZSTD, 0, 1, 0, 0},
        {UP_ZSTD, 0, 4095, 0, 0},
        {UP_ZSTD, 0, 4096, 0, UP_UNTRUSTED},
        {UP_ZSTD, 0, 0, 0, UP_UNTRUSTED},
        {UP_LZMA, 2, 99, 0, 0},
        {UP_LZMA, 2, 100, 0, UP_UNTRUSTED},
        {UP_LZMA, 1, 50, 7, UP_UNTRUSTED},
        {UP_RAW, 3, 100, 0, UP_UNTRUSTED},
        {UP_COPY, 0, 0, 0, UP_UNTRUSTED}, /* the part is no delta */
        {UP_DELTA, 0, 10, 4096, UP_UNTRUSTED},
    };
    struct up_index_head no_window = head;
    uint8_t raw[UP_INDEX_ENTRY];
    struct up_error err;

    (void)state;
    no_window.window = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct up_block block = {
            .encoding = cases[i].encoding, .stored = cases[i].stored, .source = cases[i].source};

        up_index_put_block(raw, &block);
        if (get(raw, &head, cases[i].i, &err) != cases[i].code)
            fail_msg("case %zu", i);
        if (cases[i].code == 0 && (cases[i].encoding == UP_ZSTD || cases[i].encoding == UP_LZMA))
            must_fail(get(raw, &no_window, cases[i].i, &err), UP_UNTRUSTED, "window", &err);
        raw[3] = 1;
        must_fail(get(raw, &head, 0, &err), UP_UNTRUSTED, "no such block", &err);
        raw[3] = 0;
        raw[0] = UP_ENCODINGS;
        must_fail(get(raw, &head, 0, &err), UP_UNTRUSTED, "no such block", &err);
    }
}

/* Against an old image of 5000 bytes. */
static void test_delta_entries(void **state)
{
    static const struct {
        enum up_encoding encoding;
        uint32_t i, stored;
        uint64_t source;
        int code;
    } cases[] = {
        {UP_COPY, 0, 0, 0, 0},
        {UP_COPY, 0, 0, 904, 0},
        {UP_COPY, 0, 0, 905, UP_UNTRUSTED},
        {UP_COPY, 0, 0, UINT64_MAX, UP_UNTRUSTED},
        {UP_COPY, 0, 0, UINT64_MAX - 4095, UP_UNTRUSTED},
        {UP_COPY, 0, 1, 0, UP_UNTRUSTED},
        {UP_COPY, 2, 0, 4900, 0},
        {UP_COPY, 2, 0, 4901, UP_UNTRUSTED},
        {UP_DELTA, 0, 1, 0, 0},
        {UP_DELTA, 0, 4095, 5000, 0},
        {UP_DELTA, 0, 4095, 5001, UP_UNTRUSTED},
        {UP_DELTA, 0, 4095, UINT64_MAX, UP_UNTRUSTED},
        {UP_DELTA, 0, 4096, 0, UP_UNTRUSTED},
        {UP_DELTA, 0, 0, 0, UP_UNTRUSTED},
        {UP_DELTA, 2, 99, 17, 0},
        {UP_DELTA, 2, 100, 17, UP_UNTRUSTED},
        {UP_ZSTD, 0, 10, 1, UP_UNTRUSTED},
        {UP_RAW, 0, 4096, 1, UP_UNTRUSTED},
        {UP_ZEROS, 0, 0, 1, UP_UNTRUSTED},
        {UP_LZMA, 0, 10, 0, 0},
    };
    struct up_index_head with = head, small;
    uint8_t raw[UP_INDEX_ENTRY];
    struct up_error err;

    (void)state;
    with.source_size = 5000;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct up_block block = {
            .encoding = cases[i].encoding, .stored = cases[i].stored, .source = cases[i].source};

        up_index_put_block(raw, &block);
        if (get(raw, &with, cases[i].i, &err) != cases[i].code)
            fail_msg("case %zu", i);
        if (cases[i].code == 0 && cases[i].encoding == UP_COPY) {
            small = with;
            small.source_size = cases[i].i == 2 ? 99 : 4095; /* smaller than the block itself */
            must_fail(get(raw, &small, cases[i].i, &err), UP_UNTRUSTED, "sizes do not fit", &err);
            raw[20] = 1;
            must_fail(get(raw, &with, cases[i].i, &err), UP_UNTRUSTED, "a digest where none", &err);
        } else if (cases[i].encoding == UP_DELTA) {
            small = with;
            small.window = 0;
            assert_int_equal(get(raw, &small, cases[i].i, &err), UP_UNTRUSTED);
        }
    }
}

static void test_digests(void **state)
{
    struct up_block block = {.encoding = UP_RAW, .stored = 4096}, got;
    uint8_t raw[UP_INDEX_ENTRY];
    struct up_error err;

    (void)state;
    memset(block.digest, 1, 32);
    memset(block.stored_digest, 2, 32);
    up_index_put_block(raw, &block); /* one digest is kept for raw */
    must(up_index_get_block(&got, raw, &head, 0, &err), &err);
    assert_memory_equal(got.stored_digest, block.digest, 32);
    assert_memory_equal(got.digest, block.digest, 32);
    raw[16] = 1;
    must_fail(get(raw, &head, 0, &err), UP_UNTRUSTED, "a digest where none belongs", &err);
    block.encoding = UP_LZMA;
    block.stored = 17;
    up_index_put_block(raw, &block);
    must(up_index_get_block(&got, raw, &head, 1, &err), &err);
    assert_memory_equal(got.stored_digest, block.stored_digest, 32);
    assert_int_equal(got.length, 4096);
    assert_int_equal(got.stored, 17);
    assert_string_equal(up_index_encoding_name(got.encoding), "lzma");
    assert_int_equal(up_index_encoding_find("lzma"), UP_LZMA);
    assert_int_equal(up_index_encoding_find("rar"), UP_ENCODINGS);
}

static void make_index(uint8_t raw[])
{
    struct up_block blocks[BLOCKS] = {
        {.encoding = UP_RAW, .stored = 4096}, {.encoding = UP_ZEROS}, {.encoding = UP_ZSTD, .stored = 40}};

    up_index_put_head(raw, &head);
    for (int i = 0; i < BLOCKS; i++)
        up_index_put_block(raw + UP_INDEX_HEAD + i * UP_INDEX_ENTRY, &blocks[i]);
    part.data_size = 4096 + 40;
    up_sha256(raw, (size_t)part.index_size, part.index_digest);
}

static int read_in_pieces(const uint8_t *raw, size_t len, size_t piece, struct up_error *err)
{
    struct up_index_reader reader;
    int rc;

    must(up_index_reader_begin(&reader, &part, err), err);
    for (size_t at = 0; at < len; at += piece)
        up_index_reader_feed(&reader, raw + at, len - at < piece ? len - at : piece);
    rc = up_index_reader_end(&reader, err);
    up_index_reader_release(&reader);
    return rc;
}

static void test_stream(void **state)
{
    uint8_t raw[UP_INDEX_HEAD + BLOCKS * UP_INDEX_ENTRY + 1] = {0};
    size_t len = sizeof raw - 1;
    struct up_error err;

    (void)state;
    make_index(raw);
    for (size_t piece = 1; piece <= len; piece++)
        must(read_in_pieces(raw, len, piece, &err), &err);
    for (size_t cut = 0; cut < len; cut++)
        must_fail(read_in_pieces(raw, cut, 100, &err), UP_UNTRUSTED, "differs", &err);
    must_fail(read_in_pieces(raw, len + 1, 100, &err), UP_UNTRUSTED, "differs", &err);
    for (size_t i = 0; i < len; i++) {
        raw[i] ^= 4; /* turns raw into delta, too: the digest is what is told */
        must_fail(read_in_pieces(raw, len, 100, &err), UP_UNTRUSTED, "differs", &err);
        raw[i] ^= 4;
    }
}

/* Signed, but wrong: the signer's mistake is found all the same. */
static void test_signed_mistakes(void **state)
{
    uint8_t raw[UP_INDEX_HEAD + BLOCKS * UP_INDEX_ENTRY];
    struct up_error err;

    (void)state;
    make_index(raw);
    part.data_size = 4096 + 41;
    must_fail(read_in_pieces(raw, sizeof raw, 64, &err), UP_UNTRUSTED, "add up", &err);
    make_index(raw);
    raw[UP_INDEX_HEAD] = UP_DELTA;
    up_sha256(raw, sizeof raw, part.index_digest);
    must_fail(read_in_pieces(raw, sizeof raw, 64, &err), UP_UNTRUSTED, "delta", &err);
    make_index(raw);
    up_put32(raw + 24, 4097);
    up_sha256(raw, sizeof raw, part.index_digest);
    must_fail(read_in_pieces(raw, sizeof raw, 64, &err), UP_UNTRUSTED, "window", &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),          cmocka_unit_test(test_entries),
        cmocka_unit_test(test_delta_entries), cmocka_unit_test(test_digests),
        cmocka_unit_test(test_stream),        cmocka_unit_test(test_signed_mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
