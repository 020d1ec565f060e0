/*
 * delta_images.h -- pairs of an old and a new core image, as releases differ.
 */
#ifndef UP_DELTA_IMAGES_H
#define UP_DELTA_IMAGES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DELTA_IMAGE 20000u /* bytes of the old image: four blocks of the fixture and a part of one */

struct delta_images {
    const char *name;
    uint8_t *old, *fresh;
    size_t old_size, fresh_size;
    uint64_t most; /* bytes that its blocks may take in the package */
};

/* Half of it noise, half of it text. */
static inline void delta_image_fill(uint8_t *image, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525u + 1013904223u;
        image[i] = i % 512 < 256 ? (uint8_t)(seed >> 24) : (uint8_t)("firmware of the meter, "[i % 23]);
    }
}

enum delta_case {
    DELTA_IDENTICAL,
    DELTA_ONE_BYTE,
    DELTA_SHORTER,
    DELTA_LONGER,
    DELTA_SHUFFLED,
    DELTA_MOVED,
    DELTA_ZEROS,
    DELTA_FROM_ZEROS,
    DELTA_UNRELATED,
    DELTA_TINY,
    DELTA_FROM_TINY,
    DELTA_CASES
};

static inline void delta_images_make(struct delta_images *p, enum delta_case which)
{
    static const struct {
        const char *name;
        size_t old_size, fresh_size;
        uint64_t most;
    } cases[DELTA_CASES] = {
        [DELTA_IDENTICAL] = {"identical", DELTA_IMAGE, DELTA_IMAGE, 0},
        [DELTA_ONE_BYTE] = {"one byte", DELTA_IMAGE, DELTA_IMAGE, 100},
        [DELTA_SHORTER] = {"shorter", DELTA_IMAGE, 9000, 0},
        [DELTA_LONGER] = {"longer", DELTA_IMAGE, DELTA_IMAGE + 8000, 7000},
        [DELTA_SHUFFLED] = {"shuffled", DELTA_IMAGE, DELTA_IMAGE, 1500},
        [DELTA_MOVED] = {"moved by a few bytes", DELTA_IMAGE, DELTA_IMAGE + 7, 200},
        [DELTA_ZEROS] = {"all zeros", DELTA_IMAGE, DELTA_IMAGE, 0},
        [DELTA_FROM_ZEROS] = {"from zeros", DELTA_IMAGE, DELTA_IMAGE, DELTA_IMAGE},
        [DELTA_UNRELATED] = {"unrelated", DELTA_IMAGE, DELTA_IMAGE, DELTA_IMAGE},
        [DELTA_TINY] = {"one byte long", DELTA_IMAGE, 1, 1},
        [DELTA_FROM_TINY] = {"from one byte", 1, DELTA_IMAGE, DELTA_IMAGE},
    };
    size_t old_size = cases[which].old_size, size = cases[which].fresh_size;

    p->name = cases[which].name;
    p->most = cases[which].most;
    p->old_size = old_size;
    p->fresh_size = size;
    p->old = calloc(1, old_size);
    p->fresh = calloc(1, size);
    if (which != DELTA_FROM_ZEROS)
        delta_image_fill(p->old, old_size, 1);
    if (which == DELTA_ZEROS)
        return;
    delta_image_fill(p->fresh, size, 2);
    if (which == DELTA_SHUFFLED)
        for (size_t i = 0; i < 20; i++)
            memcpy(p->fresh + i * 1000, p->old + (i * 7 % 20) * 1000, 1000);
    else if (which == DELTA_MOVED)
        memcpy(p->fresh + 7, p->old, old_size);
    else if (which != DELTA_FROM_ZEROS && which != DELTA_UNRELATED && which != DELTA_FROM_TINY)
        memcpy(p->fresh, p->old, size < old_size ? size : old_size);
    if (which == DELTA_ONE_BYTE)
        p->fresh[10000] ^= 1;
}

static inline void delta_images_free(struct delta_images *p)
{
    free(p->old);
    free(p->fresh);
}

#endif
