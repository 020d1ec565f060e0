/*
 * patch_images.h -- the pair of images that fuzzed patches are made of. Small,
 * since the time of a run is that of its bytes.
 */
#ifndef PATCH_IMAGES_H
#define PATCH_IMAGES_H

#include "bytes.h"

#define PATCH_IMAGE_SIZE 2048u
#define PATCH_OLD_SIZE 3000u

/* Text and words, and what became of them: halves changed places, a byte
 * differs here and there, something is new in the middle. */
static inline void patch_images(uint8_t old[PATCH_OLD_SIZE], uint8_t fresh[PATCH_IMAGE_SIZE])
{
    uint32_t half = PATCH_IMAGE_SIZE / 2, x = 1;

    for (uint32_t i = 0; i < PATCH_OLD_SIZE; i += 8) {
        memcpy(old + i, "firmware", 8);
        x = x * 1664525u + 1013904223u;
        up_put32(old + i + x % 5, x >> 8);
    }
    memcpy(fresh, old + half, half);
    memcpy(fresh + half, old, half);
    for (uint32_t i = 0; i < PATCH_IMAGE_SIZE; i += 300)
        fresh[i]++;
    for (uint32_t i = 0; i < 100; i++)
        fresh[700 + i] = (uint8_t)(i * i);
}

#endif
