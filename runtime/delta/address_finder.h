/*
 * address_finder.h -- where machine code and tables hold addresses.
 *
 * When code is inserted somewhere, all that lies behind it moves, and so do
 * all calls, jumps and pointers across the gap: many small differences with
 * one cause. This finds what looks like an address in old bytes. It need not
 * be one: a delta that takes it for one is larger, never wrong. What is found
 * is a function of the bytes from `pos` on alone.
 */
#ifndef UP_ADDRESS_FINDER_H
#define UP_ADDRESS_FINDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a stretch of bytes is taken for. The numbers stand in deltas. */
enum up_content {
    UP_PLAIN,    /* without addresses */
    UP_X86,      /* code: 64 bits, or 32 */
    UP_THUMB,    /* Arm code, T32 */
    UP_ARM,      /* A32 */
    UP_ARM64,    /* A64 */
    UP_OFFSETS,  /* words counted from themselves: unwind tables, kernel tables */
    UP_POINTERS, /* words that name addresses: relocations, jump tables */
    UP_CONTENTS
};

/* How four bytes hold a number. */
enum up_shape { UP_WORD, UP_THUMB_BRANCH, UP_THUMB_EXCHANGE, UP_ARM_BRANCH, UP_ARM64_BRANCH, UP_ARM64_PAGE };

/* Four bytes that look like an address. */
struct up_address_field {
    size_t at; /* in the bytes */
    enum up_shape shape;
    unsigned kind;   /* below UP_FIELD_KINDS: fields of one kind behave alike */
    uint32_t value;  /* the number that they hold, */
    uint32_t target; /* and what that points to: an offset in the image, or an address */
    bool relative;   /* counted from the field itself, so it changes when that moves */
};
#define UP_FIELD_KINDS 10

/* The first field at or after `pos` in len bytes, which lie at `base` of an
 * image of `size` bytes. False: there is none. */
bool up_address_finder_next(struct up_address_field *f, enum up_content content, const uint8_t *bytes,
                            size_t len, size_t pos, uint64_t base, uint64_t size);

/* The number in four bytes; false: they are no instruction of this shape. */
bool up_address_finder_get(enum up_shape shape, const uint8_t *bytes, uint32_t *value);
/* Put another one there, as much of it as fits. */
void up_address_finder_put(enum up_shape shape, uint8_t *bytes, uint32_t value);
/* Whether `fresh` is what `bytes` become when a number is put there: *value. */
bool up_address_finder_fits(enum up_shape shape, const uint8_t *bytes, const uint8_t *fresh, uint32_t *value);
/* By how much a relative field's number changes less when it moves itself;
 * 0 when it is not relative. */
uint32_t up_address_finder_shift(const struct up_address_field *f, uint64_t from, uint64_t to);

#endif
