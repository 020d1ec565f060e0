/*
 * spoiled_decoder.h -- a decoder that gives another byte, as a wrong one would, or the
 * memory below it. For a check that is linked with up_codec_decode() replaced
 * (moult_replace() in spec/CMakeLists.txt); included once.
 */
#ifndef SPOILED_DECODER_H
#define SPOILED_DECODER_H

#include <stddef.h>
#include <stdint.h>

#include "codec.h"

static unsigned spoiled; /* so many of the next calls give another last byte */

int __real_up_codec_decode(struct up_codec *c, enum up_encoding encoding, const void *in, size_t in_len,
                           void *out, size_t out_len, struct up_error *err);
int __wrap_up_codec_decode(struct up_codec *c, enum up_encoding encoding, const void *in, size_t in_len,
                           void *out, size_t out_len, struct up_error *err);

int __wrap_up_codec_decode(struct up_codec *c, enum up_encoding encoding, const void *in, size_t in_len,
                           void *out, size_t out_len, struct up_error *err)
{
    int rc = __real_up_codec_decode(c, encoding, in, in_len, out, out_len, err);

    if (rc == 0 && spoiled > 0) {
        spoiled--;
        ((uint8_t *)out)[out_len - 1] ^= 1;
    }
    return rc;
}

#endif
