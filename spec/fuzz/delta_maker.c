/*
 * Blocks made of any two images decode to what they were made of, and are
 * smaller, or are said not to be worth it.
 */
#include "delta_maker.h"

#include "delta.h"
#include "delta_image.h"
#include "error.h"
#include "fuzz.h"

#include <string.h>

#define IMAGE_MAX 6000u
#define BLOCK 4096u

/* Block `at / BLOCK` of `fresh`, made and decoded. */
static void make_block(struct up_delta_maker *m, struct up_delta *d, const struct image *old,
                       const struct image *fresh, size_t at)
{
    static uint8_t stored[BLOCK], out[BLOCK];
    struct up_old access = {read_image, (void *)old, old->size};
    size_t len = fresh->size - at < BLOCK ? fresh->size - at : BLOCK, n;
    enum up_encoding encoding;
    struct up_error err;
    uint64_t source;

    FUZZ_REQUIRE(up_delta_maker_block(m, (uint32_t)(at / BLOCK), &encoding, &source, stored, &n, &err) == 0);
    if (encoding == UP_COPY)
        FUZZ_REQUIRE(source <= old->size && len <= old->size - source &&
                     memcmp(old->bytes + source, fresh->bytes + at, len) == 0);
    if (encoding == UP_DELTA)
        FUZZ_REQUIRE(n < len && up_delta_decode(d, &access, source, at, stored, n, out, len, &err) == 0 &&
                     memcmp(out, fresh->bytes + at, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct up_delta *kept;
    struct fuzz in = {data, size};
    struct image old, fresh;
    struct up_delta_maker *m;
    struct up_error err;
    uint64_t done, total;
    int rc;

    if (!kept)
        FUZZ_REQUIRE(up_delta_new(&kept, NULL) == 0);
    old.size = fuzz_take(&in, &old.bytes, fuzz_u16(&in) % IMAGE_MAX + 1);
    fresh.size = fuzz_take(&in, &fresh.bytes, IMAGE_MAX);
    if (old.size == 0 || fresh.size == 0)
        return 0;
    FUZZ_REQUIRE(up_delta_maker_new(&m, old.bytes, old.size, fresh.bytes, fresh.size, BLOCK, &err) == 0);
    do
        rc = up_delta_maker_step(m, &done, &total, &err);
    while (rc == UP_AGAIN);
    FUZZ_REQUIRE(rc == 0);
    for (size_t at = 0; at < fresh.size; at += BLOCK)
        make_block(m, kept, &old, &fresh, at);
    up_delta_maker_free(m);
    return 0;
}
