/*
 * A delta of any bytes decodes to the length asked for or not at all: nothing
 * outside the old image is read, nothing behind the block is written, and the
 * next one is not changed by it.
 */
#include "delta.h"

#include "delta_image.h"
#include "error.h"
#include "fuzz.h"

#include <string.h>

#define LENGTH_MAX 8192u /* of a block; seldom more than */
#define LENGTH_MOST 512u /* this, since the time of a run is that of its bytes */
#define GUARD 64u

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
    static uint8_t first[LENGTH_MAX + GUARD], second[LENGTH_MAX + GUARD], image[DELTA_IMAGE_SIZE];
    struct image old = {image, sizeof image};
    uint16_t n = fuzz_u16(in);
    size_t len = n % (n >> 13 == 7 ? LENGTH_MAX : LENGTH_MOST) + 1;
    uint64_t source = fuzz_u16(in), at = fuzz_u32(in);
    int rc;

    if (image[0] == 0)
        delta_image(image);
    rc = decode(d, &old, source, at, in->at, in->left, first, len);
    FUZZ_REQUIRE(rc == 0 || rc == UP_CORRUPT);
    FUZZ_REQUIRE(decode(d, &old, source, at, in->at, in->left, second, len) == rc);
    FUZZ_REQUIRE(rc < 0 || memcmp(first, second, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct up_delta *kept;
    struct fuzz in = {data, size};

    if (!kept)
        FUZZ_REQUIRE(up_delta_new(&kept, NULL) == 0);
    decode_any(kept, &in);
    return 0;
}
