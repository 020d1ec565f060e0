/* One block in, one block out, each encoding, all lengths that matter. */
#include "scratch.h"

#include "codec.h"

#define SIZE UP_BLOCK_MAX

enum content { NOISE, TEXT, ZEROS, ALMOST_ZEROS, CONTENTS };

static void fill(uint8_t *out, size_t len, enum content content)
{
    uint32_t x = 2463534242u;

    memset(out, 0, len);
    for (size_t i = 0; i < len && content <= TEXT; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        out[i] = content == NOISE ? (uint8_t)(x >> 9) : (uint8_t)("update "[x % 7]);
    }
    if (content == ALMOST_ZEROS)
        out[len - 1] = 1;
}

static void test_round_trip(void **state)
{
    static const size_t lengths[] = {1, 2, 100, 4095, 4096, 65536, 262144, SIZE};
    uint8_t *in = malloc(SIZE), *stored = malloc(SIZE), *again = malloc(SIZE), *out = malloc(SIZE);
    struct up_codec *codec, *other;
    struct up_error err;

    (void)state;
    must(up_codec_new(&codec, &err), &err);
    for (int content = 0; content < CONTENTS; content++)
        for (enum up_encoding asked = UP_ZEROS; asked <= UP_LZMA; asked++)
            for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
                enum up_encoding used = asked, used_again = asked;
                size_t len = lengths[i], stored_len, again_len;

                fill(in, len, (enum content)content);
                must(up_codec_encode(codec, &used, in, len, stored, &stored_len, &err), &err);
                assert_true(stored_len <= len);
                if (content == ZEROS)
                    assert_int_equal(used, UP_ZEROS);
                else if (content == NOISE || asked <= UP_RAW)
                    assert_int_equal(used, UP_RAW);
                else if (len >= 4096)
                    assert_true(used == asked && stored_len < len);
                memset(out, 0xee, len);
                must(up_codec_decode(codec, used, stored, stored_len, out, len, &err), &err);
                assert_memory_equal(in, out, len);
                /* A fresh context gives the same bytes as one with a past. */
                must(up_codec_new(&other, &err), &err);
                must(up_codec_encode(other, &used_again, in, len, again, &again_len, &err), &err);
                up_codec_free(other);
                assert_int_equal(used, used_again);
                assert_int_equal(stored_len, again_len);
                assert_memory_equal(stored, again, stored_len);
            }
    up_codec_free(codec);
    free(in);
    free(stored);
    free(again);
    free(out);
}

/* What does not decode to exactly the length is refused, and nothing is written past it. */
static void test_wrong_bytes(void **state)
{
    uint8_t in[5000], stored[5000];
    struct up_codec *codec;
    struct up_error err;

    (void)state;
    must(up_codec_new(&codec, &err), &err);
    fill(in, sizeof in, TEXT);
    for (enum up_encoding encoding = UP_ZSTD; encoding <= UP_LZMA; encoding++) {
        enum up_encoding used = encoding;
        size_t len;
        uint8_t *out = malloc(sizeof in), *copy;

        must(up_codec_encode(codec, &used, in, sizeof in, stored, &len, &err), &err);
        assert_int_equal(used, encoding);
        for (size_t cut = 0; cut < len; cut++) {
            copy = malloc(cut ? cut : 1);
            memcpy(copy, stored, cut);
            assert_int_equal(up_codec_decode(codec, used, copy, cut, out, sizeof in, &err), UP_CORRUPT);
            free(copy);
        }
        for (size_t i = 0; i < len; i++) {
            int rc;

            stored[i] ^= 0x10;
            rc = up_codec_decode(codec, used, stored, len, out, sizeof in, &err);
            assert_true(rc == 0 || rc == UP_CORRUPT); /* digests find the rest */
            stored[i] ^= 0x10;
        }
        free(out);
        for (size_t wrong = sizeof in - 2; wrong <= sizeof in + 2; wrong++) {
            out = malloc(wrong);
            assert_int_equal(up_codec_decode(codec, used, stored, len, out, wrong, &err),
                             wrong == sizeof in ? 0 : UP_CORRUPT);
            free(out);
        }
    }
    up_codec_free(codec);
}

/* Nothing is no block of zeros. */
static void test_nothing(void **state)
{
    enum up_encoding used = UP_RAW;
    uint8_t out[16];
    struct up_codec *codec;
    struct up_error err;
    size_t len = 99;

    (void)state;
    must(up_codec_new(&codec, &err), &err);
    must(up_codec_encode(codec, &used, "", 0, out, &len, &err), &err);
    assert_int_equal(used, UP_RAW);
    assert_int_equal(len, 0);
    up_codec_free(codec);
}

/* A guess is between what the best encoder makes and the block, and changes nothing of that. */
static void test_guess(void **state)
{
    uint8_t in[5000], out[5000], best[5000], again[5000];
    size_t len, best_len, again_len;
    struct up_codec *codec;
    struct up_error err;

    (void)state;
    must(up_codec_new(&codec, &err), &err);
    fill(in, sizeof in, TEXT);
    for (enum up_encoding encoding = UP_ZSTD; encoding <= UP_LZMA; encoding++) {
        enum up_encoding used = encoding;

        must(up_codec_encode(codec, &used, in, sizeof in, best, &best_len, &err), &err);
        must(up_codec_guess(codec, in, sizeof in, out, &len, &err), &err);
        assert_true(len > 0 && len < sizeof in && len / 3 <= best_len);
        must(up_codec_encode(codec, &used, in, sizeof in, again, &again_len, &err), &err);
        assert_int_equal(again_len, best_len);
        assert_memory_equal(again, best, best_len);
    }
    fill(in, sizeof in, NOISE);
    must(up_codec_guess(codec, in, sizeof in, out, &len, &err), &err);
    assert_int_equal(len, sizeof in);
    up_codec_free(codec);
}

/* Pieces of one sentence: a codec that takes its time finds more of them. */
static void test_effort(void **state)
{
    static const char sentence[] = "one failed sync and one cut must not lose both halves of a record";
    enum { PIECE = 6, COUNT = 4000 };
    uint8_t in[PIECE * COUNT], out[sizeof in];
    enum up_encoding encoding = UP_ZSTD;
    size_t guess, best;
    struct up_codec *codec;
    struct up_error err;
    uint32_t x = 1;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        x = x * 1103515245u + 12345u;
        memcpy(in + i * PIECE, sentence + (x >> 16) % (sizeof sentence - PIECE), PIECE);
    }
    must(up_codec_new(&codec, &err), &err);
    must(up_codec_guess(codec, in, sizeof in, out, &guess, &err), &err);
    must(up_codec_encode(codec, &encoding, in, sizeof in, out, &best, &err), &err);
    assert_true(encoding == UP_ZSTD && best < guess);
    up_codec_free(codec);
}

static void test_refusals(void **state)
{
    uint8_t in[16] = {1}, out[16];
    enum up_encoding encoding = UP_DELTA;
    struct up_codec *codec;
    struct up_error err;
    size_t len;

    (void)state;
    must(up_codec_new(&codec, &err), &err);
    must_fail(up_codec_decode(codec, UP_RAW, in, 15, out, 16, &err), UP_CORRUPT, "raw", &err);
    must_fail(up_codec_decode(codec, UP_ZEROS, in, 1, out, 16, &err), UP_CORRUPT, "zeros", &err);
    must_fail(up_codec_decode(codec, UP_COPY, in, 0, out, 16, &err), UP_INCOMPATIBLE, "decode", &err);
    must_fail(up_codec_decode(codec, UP_DELTA, in, 4, out, 16, &err), UP_INCOMPATIBLE, "decode", &err);
    must_fail(up_codec_encode(codec, &encoding, in, 16, out, &len, &err), UP_INTERNAL, "make", &err);
    up_codec_free(codec);
    up_codec_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_wrong_bytes),
        cmocka_unit_test(test_nothing),    cmocka_unit_test(test_guess),
        cmocka_unit_test(test_effort),     cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
