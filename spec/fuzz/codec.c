/*
 * A stored block of any bytes decodes to exactly the length asked for or not at
 * all, writes nothing behind it, and leaves nothing in the context that changes
 * the next one.
 */
#include "codec.h"

#include "error.h"
#include "fuzz.h"

#include <string.h>

#define LENGTH_MAX 8192
#define GUARD 64

static void decode(struct up_codec *codec, enum up_encoding encoding, const struct fuzz *in, uint8_t *out,
                   size_t len, int *rc)
{
    struct up_error err;

    memset(out, 0xa5, LENGTH_MAX + GUARD);
    *rc = up_codec_decode(codec, encoding, in->at, in->left, out, len, &err);
    for (size_t i = 0; i < GUARD; i++)
        FUZZ_REQUIRE(out[len + i] == 0xa5);
    FUZZ_REQUIRE(*rc == 0 || *rc == UP_CORRUPT || *rc == UP_INCOMPATIBLE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t first[LENGTH_MAX + GUARD], second[LENGTH_MAX + GUARD];
    static struct up_codec *kept;
    struct fuzz in = {data, size};
    enum up_encoding encoding = (enum up_encoding)(fuzz_u8(&in) % UP_ENCODINGS);
    size_t len = fuzz_u16(&in) % LENGTH_MAX + 1;
    int rc, again;

    if (!kept)
        FUZZ_REQUIRE(up_codec_new(&kept, NULL) == 0);
    decode(kept, encoding, &in, first, len, &rc);
    decode(kept, encoding, &in, second, len, &again);
    FUZZ_REQUIRE(rc == again && (rc < 0 || memcmp(first, second, len) == 0));
    return 0;
}
