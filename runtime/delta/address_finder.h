/*
 * address_finder.h -- find addresses in machine code and tables.
 *
 * When code is inserted, everything behind it moves, and so do all calls, jumps
 * and pointers across the gap: many small differences with one cause. This
 * finds what looks like an address in the old bytes. A false hit makes a delta
 * larger, never wrong. The result depends only on the bytes from `pos` on.
 */
#ifndef UP_ADDRESS_FINDER_H
#define UP_ADDRESS_FINDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a stretch of bytes is treated as. The numbers are part of the delta format. */
enum up_content {
    UP_PLAIN,    /* without addresses */
    UP_X86,      /* code: 64 bits, or 32 */
    UP_THUMB,    /* Arm code, T32 */
    UP_ARM,      /* A32 */
    UP_ARM64,    /* A64 */
    UP_OFFSETS,  /* words counted from themselves: unwind tables, kernel tables */
    UP_POINTERS, /* words that hold addresses: relocations, jump tables */
    UP_CONTENTS
};

/* How four bytes encode a number. */
enum up_shape { UP_WORD, UP_THUMB_BRANCH, UP_THUMB_EXCHANGE, UP_ARM_BRANCH, UP_ARM64_BRANCH, UP_ARM64_PAGE };

/* Four bytes that look like an address. */
struct up_address_field {
    size_t at; /* offset in the bytes */
    enum up_shape shape;
    unsigned kind;   /* below UP_FIELD_KINDS: fields of one kind behave alike */
    uint32_t value;  /* the number in them, */
    uint32_t target; /* and where it points: an offset in the image, or an address */
    bool relative;   /* relative to the field itself, so it changes when the field moves */
};
#define UP_FIELD_KINDS 10

/* The first field at or after `pos` in len bytes, which are at `base` of an
 * image of `size` bytes. False: there is none. */
bool up_address_finder_next(struct up_address_field *f, enum up_content content, const uint8_t *bytes,
                            size_t len, size_t pos, uint64_t base, uint64_t size);

/* The number in four bytes; false: not an instruction of this encoding. */
bool up_address_finder_get(enum up_shape shape, const uint8_t *bytes, uint32_t *value);
/* Store another number there, as many bits as fit. */
void up_address_finder_put(enum up_shape shape, uint8_t *bytes, uint32_t value);
/* Whether `fresh` is `bytes` with another number stored in it: *value. */
bool up_address_finder_fits(enum up_shape shape, const uint8_t *bytes, const uint8_t *fresh, uint32_t *value);
/* How much the number of a relative field decreases when the field itself
 * moves; 0 if it is not relative. */
uint32_t up_address_finder_shift(const struct up_address_field *f, uint64_t from, uint64_t to);

#endif
