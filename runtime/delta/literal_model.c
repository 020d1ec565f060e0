#include "literal_model.h"

#include "range_coder.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN 3       /* contexts of 1 to 3 bytes before, */
#define HASHED 5      /* and two of columns */
#define BESIDE HASHED /* the context of the old byte */
#define MATCH (BESIDE + 1)
#define BIAS (MATCH + 1)
#define INPUTS (BIAS + 1)
#define SLOT_BITS 15
#define SEEN_BITS 14
#define MATCH_MIN 4u
#define MATCH_MAX 15u
#define OFTEN 8 /* a context seen more often than this adapts no slower; below 16 */
#define EVEN (1u << 15)
#define WEIGHT_MAX ((1 << 20) - 1) /* such a weight times an input still fits into an int */

struct up_literal_model {
    /* Probability of a one, 12 bits, and a count, 4 bits, all XORed with EVEN,
     * so that zeros stand for a fresh model. */
    uint16_t hashed[HASHED][1u << SLOT_BITS];
    uint16_t beside[256][256];
    uint16_t match[2 * (MATCH_MAX + 1)];
    int32_t weight[2 * (MATCH_MAX + 1)][INPUTS]; /* of 65536 */
    uint32_t seen[1u << SEEN_BITS];              /* where four bytes last occurred: what followed them */
    uint32_t noted;                              /* of the block, in `seen` */
    uint32_t from, length;                       /* the match that is assumed to continue, and its length */
    uint32_t next;                               /* where the last literal ended */
    int16_t stretch[4096];
};

/* 4096 / (1 + exp(-x / 256)) for x from -2048 on, in steps of 128. */
static const int16_t logistic[33] = {1,    2,    4,    6,    10,   17,   27,   45,   74,   120,  194,
                                     311,  488,  747,  1102, 1546, 2048, 2550, 2994, 3349, 3608, 3785,
                                     3902, 3976, 4022, 4051, 4069, 4079, 4086, 4090, 4092, 4094, 4095};

static int squash(int x)
{
    int i, part;

    if (x > 2047)
        return 4095;
    if (x < -2047)
        return 1;
    i = (x + 2048) >> 7;
    part = (x + 2048) & 127;
    return (logistic[i] * (128 - part) + logistic[i + 1] * part + 64) >> 7;
}

struct up_literal_model *up_literal_model_new(void)
{
    struct up_literal_model *l = calloc(1, sizeof *l);
    int x = -2047;

    if (!l)
        return NULL;
    for (int p = 0; p < 4096; p++) { /* the inverse function */
        while (x < 2047 && squash(x) < p)
            x++;
        l->stretch[p] = (int16_t)x;
    }
    return l;
}

void up_literal_model_free(struct up_literal_model *l)
{
    free(l);
}

void up_literal_model_reset(struct up_literal_model *l)
{
    memset(l->hashed, 0, sizeof l->hashed);
    memset(l->beside, 0, sizeof l->beside);
    memset(l->match, 0, sizeof l->match);
    memset(l->seen, 0, sizeof l->seen);
    l->noted = MATCH_MIN;
    l->length = 0;
    for (size_t i = 0; i < sizeof l->weight / sizeof *l->weight; i++)
        for (int k = 0; k < INPUTS; k++)
            l->weight[i][k] = 65536 / 4;
}

static void learn(uint16_t *slot, int bit)
{
    /* 65536 / (n + 2) */
    static const int32_t rate[OFTEN + 1] = {32768, 21845, 16384, 13107, 10922, 9362, 8192, 7281, 6553};
    int32_t n = *slot & 15, p = (*slot ^ EVEN) >> 4;

    p += ((bit ? 4095 : 0) - p) * rate[n] >> 16;
    *slot = (uint16_t)((uint32_t)(p << 4 | (n + (n < OFTEN))) ^ EVEN);
}

static uint32_t hash(uint32_t v)
{
    v *= 0x9e3779b1u;
    return v ^ v >> 15;
}

/* A byte before `at`; zero before the block. */
static uint32_t back(const uint8_t *block, uint32_t at, uint32_t distance)
{
    return distance <= at ? block[at - distance] : 0;
}

/* Find a possible repetition at `at`, after the four bytes `last`. */
static void find_match(struct up_literal_model *l, const uint8_t *block, uint32_t at, uint32_t last)
{
    if (l->length > 0 && block[l->from] == block[at - 1]) {
        l->length += l->length < MATCH_MAX;
        l->from++;
        return;
    }
    l->length = 0;
    for (; l->noted < at; l->noted++) {
        uint32_t four = back(block, l->noted, 1) | back(block, l->noted, 2) << 8 |
                        back(block, l->noted, 3) << 16 | back(block, l->noted, 4) << 24;

        l->seen[hash(four) >> (32 - SEEN_BITS)] = l->noted;
    }
    l->from = l->seen[hash(last) >> (32 - SEEN_BITS)];
    if (at < MATCH_MIN || l->from == 0)
        return;
    while (l->length < MATCH_MAX && l->length < l->from &&
           block[l->from - 1 - l->length] == block[at - 1 - l->length])
        l->length++;
    if (l->length < MATCH_MIN)
        l->length = 0;
}

/* Set the contexts of a byte. */
static void find_contexts(uint32_t out[HASHED], const uint8_t *block, uint32_t at, uint32_t last)
{
    uint32_t column = (at & 3) | back(block, at, 4) << 8;

    for (uint32_t k = 0; k < PLAIN; k++)
        out[k] = hash((last & (0xffffffffu >> (24 - 8 * k))) + 0x3d4d51cbu * (k + 1));
    out[PLAIN] = hash((column | (last & 0xff) << 16) + 0x51ed270bu);
    out[PLAIN + 1] = hash((column | back(block, at, 12) << 16) + 0x72ed270bu);
}

/* Even with corrupt input, sums stay in range. */
static int32_t bounded(int32_t weight)
{
    if (weight > WEIGHT_MAX)
        return WEIGHT_MAX;
    return weight < -WEIGHT_MAX ? -WEIGHT_MAX : weight;
}

struct byte {
    uint32_t context[HASHED];
    int beside, expected; /* bytes; -1: none */
    unsigned length;      /* of the match */
};

/* Code one bit; the bits above it are in `node`, after a leading one. */
static int code_bit(struct up_literal_model *l, struct up_range_coder *c, const struct byte *b, uint32_t node,
                    int shift, int bit)
{
    bool holds = b->expected >= 0 && ((uint32_t)b->expected | 256) >> (shift + 1) == node;
    unsigned next = holds ? (unsigned)b->expected >> shift & 1 : 0;
    int32_t *weight = l->weight[(holds ? b->length : 0) * 2 + (b->beside >= 0)];
    uint16_t *slot[BIAS];
    int in[INPUTS], p, error;
    int32_t sum = 0;

    for (int k = 0; k < HASHED; k++)
        slot[k] = &l->hashed[k][(b->context[k] * 0x2545f491u + node * 0x9e3779b1u) >> (32 - SLOT_BITS)];
    slot[BESIDE] = b->beside >= 0 ? &l->beside[b->beside][node] : NULL;
    slot[MATCH] = holds ? &l->match[b->length * 2 + next] : NULL;
    in[BIAS] = 256;
    for (int k = 0; k < BIAS; k++)
        in[k] = slot[k] ? l->stretch[(*slot[k] ^ EVEN) >> 4] : 0;
    for (int k = 0; k < INPUTS; k++)
        sum += in[k] * weight[k] >> 5;
    p = squash(sum >> 11);
    bit = up_range_coder_chance(c, (uint32_t)(4096 - p), bit);
    error = (bit ? 4095 : 0) - p;
    for (int k = 0; k < INPUTS; k++)
        weight[k] = bounded(weight[k] + (in[k] * error >> 12));
    for (int k = 0; k < BIAS; k++)
        if (slot[k])
            learn(slot[k], bit);
    return bit;
}

void up_literal_model_code(struct up_literal_model *l, struct up_range_coder *c, uint8_t *block, uint32_t at,
                           uint32_t len, const uint8_t *want, const uint8_t *beside, uint32_t beside_len)
{
    if (at != l->next)
        l->length = 0;
    l->next = at + len;
    for (uint32_t i = 0; i < len; i++, at++) {
        uint32_t last = back(block, at, 1) | back(block, at, 2) << 8 | back(block, at, 3) << 16 |
                        back(block, at, 4) << 24;
        uint32_t node = 1;
        struct byte b = {.beside = i < beside_len ? beside[i] : -1};

        find_match(l, block, at, last);
        find_contexts(b.context, block, at, last);
        b.expected = l->length > 0 ? block[l->from] : -1;
        b.length = l->length;
        for (int shift = 7; shift >= 0; shift--)
            node = node << 1 | (uint32_t)code_bit(l, c, &b, node, shift, want ? want[i] >> shift & 1 : 0);
        block[at] = (uint8_t)node;
    }
}
