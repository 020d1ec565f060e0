/*
 * A delta of any bytes decodes to the length asked for or not at all: nothing
 * outside the old image is read, nothing behind the block is written, and the
 * next one is not changed by it. And blocks made of any two images decode to
 * what they were made of.
 */
#include "delta.h"

#include "delta_maker.h"
#include "error.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#define OLD_SIZE 16384u
#define LENGTH_MAX 8192u
#define IMAGE_MAX 6000u
#define BLOCK 4096u
#define GUARD 64u

struct image {
    const uint8_t *bytes;
    size_t size;
};

static int read_image(void *context, void *buf, size_t len, uint64_t offset, struct up_error *err)
{
    const struct image *image = context;

    (void)err;
    FUZZ_REQUIRE(offset <= image->size && len <= image->size - offset);
    memcpy(buf, image->bytes + offset, len);
    return 0;
}

/* Calls, branches and words that point into it, and text. */
static const uint8_t *old_image(void)
{
    static uint8_t old[OLD_SIZE];
    uint32_t x = 1;

    for (size_t i = 0; old[OLD_SIZE - 1] == 0 && i < OLD_SIZE; i += 8) {
        x = x * 1664525u + 1013904223u;
        if (i % 4096 < 2048) {
            memcpy(old + i,
                   (uint8_t[]){0x48, 0x89, 0xe8, (uint8_t)(x >> 12), (uint8_t)(x >> 24 & 15), 0, 0, 0x90}, 8);
        } else {
            memcpy(old + i, "firmware", 8);
            old[i + x % 8] = (uint8_t)(x >> 24);
        }
    }
    old[OLD_SIZE - 1] = 1;
    return old;
}

static int decode(struct up_delta *d, const struct image *old, uint64_t source, uint64_t at,
                  const uint8_t *stored, size_t stored_len, uint8_t *out, size_t len)
{
    struct up_old access = {read_image, (void *)old, old->size};
    struct up_error err;
    int rc;

    memset(out + len, 0xa5, GUARD);
    rc = up_delta_decode(d, &access, source, at, stored, stored_len, out, len, &err);
    for (size_t i = 0; i < GUARD; i++)
        FUZZ_REQUIRE(out[len + i] == 0xa5);
    return rc;
}

static void decode_any(struct up_delta *d, struct fuzz *in)
{
    static uint8_t first[LENGTH_MAX + GUARD], second[LENGTH_MAX + GUARD];
    struct image old = {old_image(), OLD_SIZE};
    size_t len = fuzz_u16(in) % LENGTH_MAX + 1;
    uint64_t source = fuzz_u16(in), at = fuzz_u32(in);
    int rc = decode(d, &old, source, at, in->at, in->left, first, len);

    FUZZ_REQUIRE(rc == 0 || rc == UP_CORRUPT);
    FUZZ_REQUIRE(decode(d, &old, source, at, in->at, in->left, second, len) == rc);
    FUZZ_REQUIRE(rc < 0 || memcmp(first, second, len) == 0);
}

static void make_any(struct up_delta *d, struct fuzz *in)
{
    static uint8_t stored[BLOCK], out[BLOCK + GUARD];
    const uint8_t *bytes;
    struct image old, fresh;
    struct up_delta_maker *m;
    struct up_error err;
    uint64_t done, total;
    int rc;

    old.size = fuzz_take(in, &bytes, fuzz_u16(in) % IMAGE_MAX + 1);
    old.bytes = bytes;
    fresh.size = fuzz_take(in, &bytes, IMAGE_MAX);
    fresh.bytes = bytes;
    if (old.size == 0 || fresh.size == 0)
        return;
    FUZZ_REQUIRE(up_delta_maker_new(&m, old.bytes, old.size, fresh.bytes, fresh.size, BLOCK, &err) == 0);
    while ((rc = up_delta_maker_step(m, &done, &total, &err)) == UP_AGAIN)
        ;
    FUZZ_REQUIRE(rc == 0);
    for (size_t at = 0; at < fresh.size; at += BLOCK) {
        size_t len = fresh.size - at < BLOCK ? fresh.size - at : BLOCK, n;
        enum up_encoding encoding;
        uint64_t source;

        FUZZ_REQUIRE(up_delta_maker_block(m, (uint32_t)(at / BLOCK), &encoding, &source, stored, &n, &err) ==
                     0);
        if (encoding == UP_COPY)
            FUZZ_REQUIRE(source <= old.size && len <= old.size - source &&
                         memcmp(old.bytes + source, fresh.bytes + at, len) == 0);
        if (encoding == UP_DELTA)
            FUZZ_REQUIRE(n < len && decode(d, &old, source, at, stored, n, out, len) == 0 &&
                         memcmp(out, fresh.bytes + at, len) == 0);
    }
    up_delta_maker_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct up_delta *kept;
    struct fuzz in = {data, size};

    if (!kept)
        FUZZ_REQUIRE(up_delta_new(&kept, NULL) == 0);
    if (fuzz_u8(&in) & 1)
        make_any(kept, &in);
    else
        decode_any(kept, &in);
    return 0;
}
