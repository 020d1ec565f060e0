#include "codec.h"

#include "bytes.h"
#include "error.h"

#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define ZSTD_LEVEL 14 /* in blocks of 256 KiB: higher levels take twice the time for one percent */
#define ZSTD_FAST 1
#define WINDOW_LOG 20 /* UP_BLOCK_MAX */

struct up_codec {
    ZSTD_DCtx *unpack; /* the contexts are created when first needed */
    ZSTD_CCtx *pack;
    lzma_stream lzma; /* zero before its first block; reset for each, but keeps its memory */
};

int up_codec_new(struct up_codec **out, struct up_error *err)
{
    struct up_codec *c = calloc(1, sizeof *c);

    if (!c)
        return up_fail(err, UP_INTERNAL, "codec: out of memory");
    *out = c;
    return 0;
}

void up_codec_free(struct up_codec *c)
{
    if (!c)
        return;
    ZSTD_freeDCtx(c->unpack);
    ZSTD_freeCCtx(c->pack);
    lzma_end(&c->lzma);
    free(c);
}

/*
 * Raw LZMA2 without a container: length and digests are in the index. The
 * dictionary size is a function of the block's length, so both ends agree on it
 * and the decoder never holds more than one block.
 */
static void lzma_options(lzma_options_lzma *options, size_t len)
{
    lzma_lzma_preset(options, 9 | LZMA_PRESET_EXTREME);
    options->dict_size = UP_BLOCK_MIN;
    while (options->dict_size < len && options->dict_size < UP_BLOCK_MAX)
        options->dict_size *= 2;
}

static lzma_ret run_lzma(struct up_codec *c, const void *in, size_t in_len, void *out, size_t out_len)
{
    c->lzma.next_in = in;
    c->lzma.avail_in = in_len;
    c->lzma.next_out = out;
    c->lzma.avail_out = out_len;
    return lzma_code(&c->lzma, LZMA_FINISH);
}

static int decode_lzma(struct up_codec *c, const void *stored, size_t stored_len, void *out, size_t out_len,
                       struct up_error *err)
{
    lzma_options_lzma options;
    lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};

    lzma_options(&options, out_len);
    if (lzma_raw_decoder(&c->lzma, filters) != LZMA_OK)
        return up_fail(err, UP_INTERNAL, "lzma: no decoder: out of memory");
    if (run_lzma(c, stored, stored_len, out, out_len) != LZMA_STREAM_END || c->lzma.avail_in ||
        c->lzma.avail_out)
        return up_fail(err, UP_CORRUPT, "lzma: %zu bytes do not decode to %zu", stored_len, out_len);
    return 0;
}

static int decode_zstd(struct up_codec *c, const void *stored, size_t stored_len, void *out, size_t out_len,
                       struct up_error *err)
{
    if (!c->unpack) {
        c->unpack = ZSTD_createDCtx();
        if (!c->unpack)
            return up_fail(err, UP_INTERNAL, "zstd: out of memory");
        ZSTD_DCtx_setParameter(c->unpack, ZSTD_d_windowLogMax, WINDOW_LOG);
    }
    if (ZSTD_decompressDCtx(c->unpack, out, out_len, stored, stored_len) != out_len)
        return up_fail(err, UP_CORRUPT, "zstd: %zu bytes do not decode to %zu", stored_len, out_len);
    return 0;
}

int up_codec_decode(struct up_codec *c, enum up_encoding encoding, const void *stored, size_t stored_len,
                    void *out, size_t out_len, struct up_error *err)
{
    switch (encoding) {
    case UP_ZEROS:
        if (stored_len != 0)
            return up_fail(err, UP_CORRUPT, "zeros: %zu stored bytes; expected none", stored_len);
        memset(out, 0, out_len);
        return 0;
    case UP_RAW:
        if (stored_len != out_len)
            return up_fail(err, UP_CORRUPT, "raw: %zu bytes; expected %zu", stored_len, out_len);
        memcpy(out, stored, out_len);
        return 0;
    case UP_ZSTD:
        return decode_zstd(c, stored, stored_len, out, out_len, err);
    case UP_LZMA:
        return decode_lzma(c, stored, stored_len, out, out_len, err);
    case UP_COPY:
    case UP_DELTA:
    case UP_ENCODINGS:
        break;
    }
    return up_fail(err, UP_INCOMPATIBLE, "codec: an encoding that this version of Moult cannot decode");
}

/* Bytes written, 0 if that would not be fewer than in_len, or an error. */
static long encode_lzma(struct up_codec *c, const void *in, size_t in_len, void *out, struct up_error *err)
{
    lzma_options_lzma options;
    lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, NULL}};

    lzma_options(&options, in_len);
    if (lzma_raw_encoder(&c->lzma, filters) != LZMA_OK)
        return up_fail(err, UP_INTERNAL, "lzma: no encoder: out of memory");
    switch (run_lzma(c, in, in_len, out, in_len - 1)) {
    case LZMA_STREAM_END:
        return (long)(in_len - 1 - c->lzma.avail_out);
    case LZMA_OK:
    case LZMA_BUF_ERROR:
        return 0;
    default:
        return up_fail(err, UP_INTERNAL, "lzma: encoding failed");
    }
}

static long encode_zstd(struct up_codec *c, int level, const void *in, size_t in_len, void *out,
                        struct up_error *err)
{
    size_t n;

    if (!c->pack) {
        c->pack = ZSTD_createCCtx();
        if (!c->pack)
            return up_fail(err, UP_INTERNAL, "zstd: out of memory");
    }
    ZSTD_CCtx_setParameter(c->pack, ZSTD_c_compressionLevel, level);
    n = ZSTD_compress2(c->pack, out, in_len, in, in_len);
    /* Any failure means that the result did not fit, and raw is as good then. */
    return ZSTD_isError(n) || n >= in_len ? 0 : (long)n;
}

int up_codec_guess(struct up_codec *c, const void *in, size_t in_len, void *out, size_t *len,
                   struct up_error *err)
{
    long n = encode_zstd(c, ZSTD_FAST, in, in_len, out, err);

    if (n < 0)
        return (int)n;
    *len = n > 0 ? (size_t)n : in_len;
    return 0;
}

int up_codec_encode(struct up_codec *c, enum up_encoding *encoding, const void *in, size_t in_len, void *out,
                    size_t *out_len, struct up_error *err)
{
    long n = 0;

    if (in_len > 0 && up_all_zeros(in, in_len)) {
        *encoding = UP_ZEROS;
        *out_len = 0;
        return 0;
    }
    if (*encoding != UP_RAW && *encoding != UP_ZEROS && *encoding != UP_ZSTD && *encoding != UP_LZMA)
        return up_fail(err, UP_INTERNAL, "codec: an encoding that this version of Moult does not make");
    if (*encoding == UP_ZSTD)
        n = encode_zstd(c, ZSTD_LEVEL, in, in_len, out, err);
    else if (*encoding == UP_LZMA)
        n = encode_lzma(c, in, in_len, out, err);
    if (n < 0)
        return (int)n;
    if (n == 0) {
        *encoding = UP_RAW;
        memcpy(out, in, in_len);
        n = (long)in_len;
    }
    *out_len = (size_t)n;
    return 0;
}
