/*
 * delta_image.h -- old images, for what decodes deltas against them.
 */
#ifndef DELTA_IMAGE_H
#define DELTA_IMAGE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fuzz.h"

struct up_error;

#define DELTA_IMAGE_SIZE 16384u

struct image {
    const uint8_t *bytes;
    size_t size;
};

/* For struct up_old. */
static inline int read_image(void *context, void *buf, size_t len, uint64_t offset, struct up_error *err)
{
    const struct image *image = context;

    (void)err;
    FUZZ_REQUIRE(offset <= image->size && len <= image->size - offset);
    memcpy(buf, image->bytes + offset, len);
    return 0;
}

/* Calls, branches and words that point into it, and text. */
static inline void delta_image(uint8_t image[DELTA_IMAGE_SIZE])
{
    uint32_t x = 1;

    for (uint32_t i = 0; i < DELTA_IMAGE_SIZE; i += 8) {
        x = x * 1664525u + 1013904223u;
        if (i % 4096 < 2048) {
            memcpy(image + i,
                   (uint8_t[]){0x48, 0x89, 0xe8, (uint8_t)(x >> 12), (uint8_t)(x >> 24 & 15), 0, 0, 0x90}, 8);
        } else {
            memcpy(image + i, "firmware", 8);
            image[i + x % 8] = (uint8_t)(x >> 24);
        }
    }
}

#endif
