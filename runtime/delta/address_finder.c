#include "address_finder.h"

#include "bytes.h"

#include <string.h>

/* Kinds. */
enum { CALL, BRANCH, DATA, KERNEL, OFFSET, POINTER, THUMB, ARM, ARM64, PAGE };

static uint32_t extend(uint32_t v, int bits)
{
    uint32_t sign = 1u << (bits - 1);

    return ((v & ((sign << 1) - 1)) ^ sign) - sign;
}

/* BL and B.W, and BLX, which goes to A32 code: the two upper bits of the
 * distance are stored as differing from the sign. */
static bool get_thumb(const uint8_t *p, bool exchange, uint32_t *value)
{
    uint32_t a = (uint32_t)p[0] | (uint32_t)p[1] << 8, b = (uint32_t)p[2] | (uint32_t)p[3] << 8;
    uint32_t sign = a >> 10 & 1, i1 = ~((b >> 13) ^ sign) & 1, i2 = ~((b >> 11) ^ sign) & 1;

    *value = extend(sign << 24 | i1 << 23 | i2 << 22 | (a & 0x3ff) << 12 | (b & 0x7ff) << 1, 25);
    return (a & 0xf800) == 0xf000 && (exchange ? (b & 0xd001) == 0xc000 : (b & 0x9000) == 0x9000);
}

static void put_thumb(uint8_t *p, uint32_t v)
{
    uint32_t sign = v >> 24 & 1, j1 = ~((v >> 23) ^ sign) & 1, j2 = ~((v >> 22) ^ sign) & 1;

    p[0] = (uint8_t)(v >> 12);
    p[1] = (uint8_t)((p[1] & 0xf8) | sign << 2 | (v >> 20 & 3));
    p[2] = (uint8_t)(v >> 1);
    p[3] = (uint8_t)((p[3] & 0xd0) | j1 << 5 | j2 << 3 | (v >> 9 & 7));
}

bool up_address_finder_get(enum up_shape shape, const uint8_t *bytes, uint32_t *value)
{
    uint32_t w = up_get32(bytes);

    switch (shape) {
    case UP_WORD:
        *value = w;
        return true;
    case UP_THUMB_BRANCH:
    case UP_THUMB_EXCHANGE:
        return get_thumb(bytes, shape == UP_THUMB_EXCHANGE, value);
    case UP_ARM_BRANCH:
        *value = extend(w << 2, 26);
        return (w & 0x0e000000) == 0x0a000000 && w >> 28 != 0xf;
    case UP_ARM64_BRANCH:
        *value = extend(w << 2, 28);
        return (w & 0x7c000000) == 0x14000000;
    case UP_ARM64_PAGE:
        *value = ((w >> 5 & 0x7ffff) << 2 | (w >> 29 & 3)) << 12;
        return (w & 0x9f000000) == 0x90000000;
    }
    return false;
}

void up_address_finder_put(enum up_shape shape, uint8_t *bytes, uint32_t value)
{
    uint32_t w = up_get32(bytes);

    switch (shape) {
    case UP_WORD:
        w = value;
        break;
    case UP_THUMB_BRANCH:
    case UP_THUMB_EXCHANGE:
        put_thumb(bytes, value);
        return;
    case UP_ARM_BRANCH:
        w = (w & 0xff000000) | (value >> 2 & 0xffffff);
        break;
    case UP_ARM64_BRANCH:
        w = (w & 0xfc000000) | (value >> 2 & 0x3ffffff);
        break;
    case UP_ARM64_PAGE:
        w = (w & 0x9f00001f) | (value >> 14 & 0x7ffff) << 5 | (value >> 12 & 3) << 29;
        break;
    }
    up_put32(bytes, w);
}

/* The base of a relative number, up to a constant, if its field is at that address. */
static uint32_t origin_of(enum up_shape shape, uint64_t address)
{
    switch (shape) {
    case UP_ARM64_PAGE:
        return (uint32_t)address & ~4095u;
    case UP_THUMB_EXCHANGE: /* A32 code is aligned, and so is its base */
        return (uint32_t)address & ~3u;
    default:
        return (uint32_t)address;
    }
}

bool up_address_finder_fits(enum up_shape shape, const uint8_t *bytes, const uint8_t *fresh, uint32_t *value)
{
    uint8_t put[4];

    memcpy(put, bytes, 4);
    if (!up_address_finder_get(shape, fresh, value))
        return false;
    up_address_finder_put(shape, put, *value);
    return memcmp(put, fresh, 4) == 0;
}

uint32_t up_address_finder_shift(const struct up_address_field *f, uint64_t from, uint64_t to)
{
    return f->relative ? origin_of(f->shape, to) - origin_of(f->shape, from) : 0;
}

static bool set(struct up_address_field *f, const uint8_t *bytes, size_t at, unsigned kind)
{
    f->at = at;
    f->shape = UP_WORD;
    f->value = up_get32(bytes + at);
    f->kind = kind;
    return true;
}

static bool inside(struct up_address_field *f, uint64_t base, uint64_t size, uint32_t skip)
{
    f->relative = true;
    f->target = origin_of(f->shape, base + f->at) + skip + f->value;
    return f->target < size;
}

/* Opcodes whose operand may be relative to the next instruction. */
static bool takes_operand(uint8_t op)
{
    /* add..cmp, movsxd, imul, group 1, test, xchg, mov, lea, group 11, shifts, groups 3 to 5 */
    return (op < 0x40 && (op & 7) < 4) || op == 0x63 || op == 0x69 || op == 0x6b ||
           (op >= 0x80 && op <= 0x8d) || op == 0xc6 || op == 0xc7 || op == 0xd1 || op == 0xf6 || op == 0xf7 ||
           op == 0xfe || op == 0xff;
}

/* The same after 0x0f. */
static bool takes_operand_0f(uint8_t op)
{
    return op == 0x10 || op == 0x11 || (op >= 0x28 && op <= 0x2f) || (op >= 0x40 && op < 0x80) ||
           op == 0xaf || (op >= 0xb0 && op <= 0xc1) || op >= 0xd0;
}

/* Kernels are linked into the upper 2 GiB of the 64-bit address space, and
 * their code contains absolute addresses: as an immediate, or as a displacement
 * without a base or with an index. */
static bool kernel_field(struct up_address_field *f, const uint8_t *p, size_t i, size_t len)
{
    uint8_t op = p[i], modrm = i + 1 < len ? p[i + 1] : 0;
    size_t skip;

    if ((op & 0xf8) == 0xb8)
        skip = 1;
    else if (op == 0xc7 && (modrm & 0xf8) == 0xc0)
        skip = 2;
    else if (takes_operand(op) && (modrm & 0xc0) == 0x80 && (modrm & 7) != 4)
        skip = 2;
    else if (takes_operand(op) && (modrm & 0xc7) == 0x04 && i + 2 < len && (p[i + 2] & 7) == 5)
        skip = 3;
    else
        return false;
    if (i + skip + 4 > len || (p[i + skip + 3] & 0xf8) != 0x80)
        return false;
    set(f, p, i + skip, KERNEL);
    f->target = f->value;
    f->relative = false;
    return true;
}

static bool x86_field(struct up_address_field *f, const uint8_t *p, size_t i, size_t len, bool escaped,
                      uint64_t base, uint64_t size)
{
    uint8_t op = p[i];

    if ((op == 0xe8 || op == 0xe9) && i + 5 <= len && set(f, p, i + 1, CALL) && inside(f, base, size, 4))
        return true;
    if (op == 0x0f && i + 6 <= len && (p[i + 1] & 0xf0) == 0x80 && set(f, p, i + 2, BRANCH) &&
        inside(f, base, size, 4))
        return true;
    if (i + 6 <= len && (p[i + 1] & 0xc7) == 0x05 && (escaped ? takes_operand_0f(op) : takes_operand(op)) &&
        set(f, p, i + 2, DATA) && inside(f, base, size, 4))
        return true;
    return kernel_field(f, p, i, len);
}

/* Fixed-size instructions. */
static bool arm_field(struct up_address_field *f, const uint8_t *p, size_t at, enum up_shape shape,
                      unsigned kind, uint32_t skip, uint64_t base, uint64_t size)
{
    f->at = at;
    f->shape = shape;
    f->kind = kind;
    return up_address_finder_get(shape, p + at, &f->value) && inside(f, base, size, skip);
}

bool up_address_finder_next(struct up_address_field *f, enum up_content content, const uint8_t *bytes,
                            size_t len, size_t pos, uint64_t base, uint64_t size)
{
    switch (content) {
    case UP_X86:
        for (size_t i = pos; i + 5 <= len; i++)
            if (x86_field(f, bytes, i, len, i > pos && bytes[i - 1] == 0x0f, base, size))
                return true;
        return false;
    case UP_THUMB:
        for (pos += (base + pos) & 1; pos + 4 <= len; pos += 2)
            if (arm_field(f, bytes, pos, UP_THUMB_BRANCH, THUMB, 4, base, size) ||
                arm_field(f, bytes, pos, UP_THUMB_EXCHANGE, THUMB, 4, base, size))
                return true;
        return false;
    case UP_ARM:
        for (pos += -(base + pos) & 3; pos + 4 <= len; pos += 4)
            if (arm_field(f, bytes, pos, UP_ARM_BRANCH, ARM, 8, base, size))
                return true;
        return false;
    case UP_ARM64:
        for (pos += -(base + pos) & 3; pos + 4 <= len; pos += 4)
            if (arm_field(f, bytes, pos, UP_ARM64_BRANCH, ARM64, 0, base, size) ||
                arm_field(f, bytes, pos, UP_ARM64_PAGE, PAGE, 0, base, size))
                return true;
        return false;
    case UP_OFFSETS:
    case UP_POINTERS:
        pos += (size_t)(-(base + pos) & 3);
        if (pos + 4 > len)
            return false;
        set(f, bytes, pos, content == UP_OFFSETS ? OFFSET : POINTER);
        f->relative = content == UP_OFFSETS;
        f->target = f->value + (f->relative ? (uint32_t)base + (uint32_t)pos : 0);
        return true;
    case UP_PLAIN:
    case UP_CONTENTS:
        break;
    }
    return false;
}
