/*
 * range_coder.h -- an adaptive binary range coder; one function codes both
 * ways.
 *
 * The caller says which bit it expects. Encoding writes that bit; decoding
 * ignores it and returns what was written. So a format is one function for both
 * ends, and they cannot disagree. Each bit has a model that adapts to the bits
 * it sees, at two speeds, whose mean is used.
 *
 * Nothing here fails: reading past the end gives zeros, writing past the end
 * drops the bytes, and up_range_coder_end() reports it.
 */
#ifndef UP_RANGE_CODER_H
#define UP_RANGE_CODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct up_bit {
    uint16_t fast, slow; /* probability of a zero, of 65536 */
};

/* Models for numbers of 0 to 32 bits: the bit length, then the upper bits; the
 * lower bits have no model. */
struct up_range_number {
    struct up_bit size[64];
    struct up_bit top[33][8];
};

struct up_range_coder {
    bool encoding;
    bool over; /* read or wrote past the end */
    uint32_t range;
    uint64_t low;        /* encoding */
    uint32_t code;       /* decoding */
    uint8_t held;        /* a byte that a carry may still change, */
    uint64_t held_count; /* and how many bytes follow it */
    uint8_t *out;
    const uint8_t *in;
    size_t at, len;
};

void up_range_coder_encode(struct up_range_coder *c, void *out, size_t room);
void up_range_coder_decode(struct up_range_coder *c, const void *in, size_t len);
/* Bytes written, or all bytes read; -1 if there were too few or some are left. */
long up_range_coder_end(struct up_range_coder *c);

/* Set all models to equal probabilities. */
void up_range_coder_bits_reset(struct up_bit *bits, size_t count);
void up_range_coder_number_reset(struct up_range_number *n);

/* Code one bit with its model. */
int up_range_coder_bit(struct up_range_coder *c, struct up_bit *model, int bit);
/* Code one bit; a zero has the probability `p` of 4096, 1 to 4095. */
int up_range_coder_chance(struct up_range_coder *c, uint32_t p, int bit);
/* Code `count` bits, upper first, with 1 << count models: each is chosen by the bits before. */
uint32_t up_range_coder_tree(struct up_range_coder *c, struct up_bit *models, int count, uint32_t value);
uint32_t up_range_coder_number(struct up_range_coder *c, struct up_range_number *n, uint32_t value);
/* Code a number near zero: sign and magnitude. */
int32_t up_range_coder_signed(struct up_range_coder *c, struct up_range_number *n, int32_t value);

#endif
