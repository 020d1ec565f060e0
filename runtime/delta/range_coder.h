/*
 * range_coder.h -- an adaptive binary range coder, both ways through one call.
 *
 * Whoever codes says what he thinks the bit is; encoding writes it, decoding
 * ignores it and returns what was written. So a format is one function that
 * serves both ends, which then cannot disagree. Each bit has a model, which
 * learns from the bits that it sees: at two speeds, whose mean is used.
 *
 * Nothing here fails: reading past the end yields zeros, writing past the end
 * drops the bytes, and up_range_coder_end() tells.
 */
#ifndef UP_RANGE_CODER_H
#define UP_RANGE_CODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct up_bit {
    uint16_t fast, slow; /* how probable a zero is, of 65536 */
};

/* Numbers of 0 to 32 bits: how many bits it has, then its upper bits are
 * learned and the lower ones are not. */
struct up_range_number {
    struct up_bit size[64];
    struct up_bit top[33][8];
};

struct up_range_coder {
    bool encoding;
    bool over; /* more bytes than there were, or than there is room for */
    uint32_t range;
    uint64_t low;        /* encoding */
    uint32_t code;       /* decoding */
    uint8_t held;        /* a byte that a carry may still change, */
    uint64_t held_count; /* and how many follow it */
    uint8_t *out;
    const uint8_t *in;
    size_t at, len;
};

void up_range_coder_encode(struct up_range_coder *c, void *out, size_t room);
void up_range_coder_decode(struct up_range_coder *c, const void *in, size_t len);
/* Bytes written, or all read; -1 when there were too few, or some are left. */
long up_range_coder_end(struct up_range_coder *c);

/* All even. */
void up_range_coder_bits_reset(struct up_bit *bits, size_t count);
void up_range_coder_number_reset(struct up_range_number *n);

/* One bit, as its model expects it. */
int up_range_coder_bit(struct up_range_coder *c, struct up_bit *model, int bit);
/* One bit of which a zero has `p` of 4096 chances, 1 to 4095. */
int up_range_coder_chance(struct up_range_coder *c, uint32_t p, int bit);
/* `count` bits, upper first, each model chosen by those before; 1 << count models. */
uint32_t up_range_coder_tree(struct up_range_coder *c, struct up_bit *models, int count, uint32_t value);
uint32_t up_range_coder_number(struct up_range_coder *c, struct up_range_number *n, uint32_t value);
/* The sign apart from the size, which are near zero. */
int32_t up_range_coder_signed(struct up_range_coder *c, struct up_range_number *n, int32_t value);

#endif
