#include "range_coder.h"

#define TOP (1u << 24)
#define FAST 4
#define SLOW 7

void up_range_coder_encode(struct up_range_coder *c, void *out, size_t room)
{
    *c = (struct up_range_coder){.encoding = true, .range = 0xffffffffu, .out = out, .len = room};
}

static uint8_t next_byte(struct up_range_coder *c)
{
    if (c->at < c->len)
        return c->in[c->at++];
    c->over = true;
    return 0;
}

void up_range_coder_decode(struct up_range_coder *c, const void *in, size_t len)
{
    *c = (struct up_range_coder){.range = 0xffffffffu, .in = in, .len = len};
    for (int i = 0; i < 4; i++)
        c->code = c->code << 8 | next_byte(c);
}

static void put_byte(struct up_range_coder *c, uint8_t byte)
{
    if (c->at < c->len)
        c->out[c->at++] = byte;
    else
        c->over = true;
}

/* Output the upper byte of `low`, unless a later carry could still change it:
 * then it is held back. The very first byte is always zero and not written. */
static void shift_low(struct up_range_coder *c)
{
    if (c->low < 0xff000000u || c->low > 0xffffffffu) {
        uint8_t carry = (uint8_t)(c->low >> 32);

        if (c->held_count > 0)
            put_byte(c, (uint8_t)(c->held + carry));
        for (; c->held_count > 1; c->held_count--)
            put_byte(c, (uint8_t)(0xff + carry));
        c->held_count = 0;
        c->held = (uint8_t)(c->low >> 24);
    }
    c->held_count++;
    c->low = (c->low & 0x00ffffffu) << 8;
}

long up_range_coder_end(struct up_range_coder *c)
{
    if (c->encoding)
        for (int i = 0; i < 5; i++)
            shift_low(c);
    return c->over || (!c->encoding && c->at != c->len) ? -1 : (long)c->at;
}

void up_range_coder_bits_reset(struct up_bit *bits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bits[i].fast = bits[i].slow = 0x8000;
}

void up_range_coder_number_reset(struct up_range_number *n)
{
    up_range_coder_bits_reset(n->size, sizeof n->size / sizeof *n->size);
    up_range_coder_bits_reset(n->top[0], sizeof n->top / sizeof **n->top);
}

int up_range_coder_chance(struct up_range_coder *c, uint32_t p, int bit)
{
    uint32_t bound = (c->range >> 12) * p;

    if (!c->encoding)
        bit = c->code >= bound;
    if (bit) {
        c->range -= bound;
        c->low += c->encoding ? bound : 0;
        c->code -= c->encoding ? 0 : bound;
    } else {
        c->range = bound;
    }
    while (c->range < TOP) {
        c->range <<= 8;
        if (c->encoding)
            shift_low(c);
        else
            c->code = c->code << 8 | next_byte(c);
    }
    return bit;
}

int up_range_coder_bit(struct up_range_coder *c, struct up_bit *model, int bit)
{
    uint32_t p = ((uint32_t)model->fast + model->slow) >> 5;

    if (p < 1)
        p = 1;
    bit = up_range_coder_chance(c, p > 4095 ? 4095 : p, bit);
    if (bit) {
        model->fast -= model->fast >> FAST;
        model->slow -= model->slow >> SLOW;
    } else {
        model->fast = (uint16_t)(model->fast + ((0xffff - model->fast) >> FAST));
        model->slow = (uint16_t)(model->slow + ((0xffff - model->slow) >> SLOW));
    }
    return bit;
}

uint32_t up_range_coder_tree(struct up_range_coder *c, struct up_bit *models, int count, uint32_t value)
{
    uint32_t node = 1;

    for (int i = count - 1; i >= 0; i--)
        node = node << 1 | (uint32_t)up_range_coder_bit(c, &models[node], value >> i & 1);
    return node - (1u << count);
}

/* Bits without a model, upper first. */
static uint32_t code_plain(struct up_range_coder *c, int count, uint32_t value)
{
    uint32_t out = 0;

    for (int i = count - 1; i >= 0; i--)
        out = out << 1 | (uint32_t)up_range_coder_chance(c, 2048, value >> i & 1);
    return out;
}

uint32_t up_range_coder_number(struct up_range_coder *c, struct up_range_number *n, uint32_t value)
{
    int size = value ? 32 - __builtin_clz(value) : 0, below, top;
    uint32_t high;

    size = (int)up_range_coder_tree(c, n->size, 6, (uint32_t)size);
    if (size > 32) {
        c->over = true;
        return 0;
    }
    if (size < 2)
        return (uint32_t)size;
    /* The first bit is a one. */
    top = size - 1 < 3 ? size - 1 : 3;
    below = size - 1 - top;
    high = up_range_coder_tree(c, n->top[size], top, (value >> below) & ((1u << top) - 1));
    high |= 1u << top;
    return below ? high << below | code_plain(c, below, value & ((1u << below) - 1)) : high;
}

int32_t up_range_coder_signed(struct up_range_coder *c, struct up_range_number *n, int32_t value)
{
    uint32_t folded = value < 0 ? ~(uint32_t)value << 1 | 1 : (uint32_t)value << 1;

    folded = up_range_coder_number(c, n, folded);
    return folded & 1 ? (int32_t) ~(folded >> 1) : (int32_t)(folded >> 1);
}
