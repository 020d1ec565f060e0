/*
 * sigdiff.c -- our Ed25519 (runtime/trust/ed25519, by OpenSSL) beside libsodium's.
 *
 *     sigdiff [VECTORS [SEED]]      20,000 by default
 *
 * Signatures as they should be, with a bit changed in key, message, R or S,
 * with S not reduced, with points of small order, of mixed order and in forms
 * that are not canonical as key and as R. The mixed ones are made so that the
 * equation holds, which is where implementations are known to differ.
 *
 * A disagreement is a vector that one takes and the other does not. libsodium
 * refuses small orders and what is not canonical as we do, so none is expected.
 */
#include "ed25519.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 96

static uint64_t state;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void fill(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(next() >> 24);
}

struct vector {
    uint8_t key[32], signature[64], message[MESSAGE_MAX];
    size_t len;
};

/* A secret scalar and what belongs to it. */
struct signer {
    uint8_t scalar[32], key[32], nonce[32];
};

/* The points of small order; [0] is neutral, the last ones are not canonical. */
static const uint8_t small[][32] = {
    {1},
    {0},
    {0, [31] = 0x80},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
     0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
     0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x85},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0xfa},
    {1, [31] = 0x80},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
};
#define SMALL (sizeof small / sizeof small[0])
#define EIGHT 8 /* of them are the canonical ones: the whole torsion group */

static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                  0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};

static void random_scalar(uint8_t out[32])
{
    uint8_t wide[64];

    fill(wide, sizeof wide);
    crypto_core_ed25519_scalar_reduce(out, wide);
}

static void make_signer(struct signer *s)
{
    random_scalar(s->scalar);
    random_scalar(s->nonce);
    crypto_scalarmult_ed25519_base_noclamp(s->key, s->scalar);
}

/* H(R, A, M) as a scalar. */
static void challenge(uint8_t out[32], const struct vector *v)
{
    crypto_hash_sha512_state hash;
    uint8_t wide[64];

    crypto_hash_sha512_init(&hash);
    crypto_hash_sha512_update(&hash, v->signature, 32);
    crypto_hash_sha512_update(&hash, v->key, 32);
    crypto_hash_sha512_update(&hash, v->message, v->len);
    crypto_hash_sha512_final(&hash, wide);
    crypto_core_ed25519_scalar_reduce(out, wide);
}

/* S = r + H(R, A, M) a, for the key and R that are in v. */
static void finish(struct vector *v, const struct signer *s)
{
    uint8_t h[32];

    challenge(h, v);
    crypto_core_ed25519_scalar_mul(h, h, s->scalar);
    crypto_core_ed25519_scalar_add(v->signature + 32, s->nonce, h);
}

static void sign(struct vector *v, const struct signer *s)
{
    memcpy(v->key, s->key, 32);
    crypto_scalarmult_ed25519_base_noclamp(v->signature, s->nonce);
    finish(v, s);
}

/* The key and R moved by points of small order. With luck, one in eight, the
 * equation S B = R + h A holds nevertheless. */
static void sign_mixed(struct vector *v, const struct signer *s)
{
    uint8_t clean[32];

    crypto_scalarmult_ed25519_base_noclamp(clean, s->nonce);
    if (crypto_core_ed25519_add(v->key, s->key, small[next() % EIGHT]) < 0 ||
        crypto_core_ed25519_add(v->signature, clean, small[next() % EIGHT]) < 0)
        abort();
    finish(v, s);
}

/* S that means the same and is not the canonical one: S + n L, below 2^256. */
static void raise_s(struct vector *v, unsigned times)
{
    while (times-- > 0) {
        unsigned carry = 0;

        for (int i = 0; i < 32; i++) {
            carry += (unsigned)v->signature[32 + i] + order[i];
            v->signature[32 + i] = (uint8_t)carry;
            carry >>= 8;
        }
    }
}

enum kind {
    VALID,
    FLIPPED_MESSAGE,
    FLIPPED_KEY,
    FLIPPED_R,
    FLIPPED_S,
    RAISED_S,
    EDGE_S,
    SMALL_KEY,
    SMALL_R,
    SMALL_BOTH,
    MIXED,
    MIXED_AGAIN, /* twice as often: the most delicate */
    NOISE_KEY,
    NOISE,
    KINDS
};

static void flip(uint8_t *bytes, size_t len)
{
    uint64_t bit = next() % (8 * len);

    bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

static void make(struct vector *v, enum kind kind)
{
    struct signer s;

    make_signer(&s);
    v->len = 1 + next() % MESSAGE_MAX;
    fill(v->message, v->len);
    sign(v, &s);
    switch (kind) {
    case FLIPPED_MESSAGE:
        flip(v->message, v->len);
        break;
    case FLIPPED_KEY:
        flip(v->key, 32);
        break;
    case FLIPPED_R:
        flip(v->signature, 32);
        break;
    case FLIPPED_S:
        flip(v->signature + 32, 32);
        break;
    case RAISED_S:
        raise_s(v, 1 + (unsigned)(next() % 15));
        break;
    case EDGE_S: /* 0, L - 1, L, L + 1 and all bits, where S = 0 may even be right */
        memcpy(v->signature + 32, order, 32);
        v->signature[32] = (uint8_t)(v->signature[32] + next() % 3 - 1);
        if (next() % 4 == 0)
            memset(v->signature + 32, next() % 2 ? 0xff : 0, 32);
        break;
    case SMALL_KEY: /* every message would fit: S B = R */
        memcpy(v->key, small[next() % SMALL], 32);
        memcpy(v->signature + 32, s.nonce, 32);
        break;
    case SMALL_R: /* S = h a */
        memcpy(v->signature, small[next() % SMALL], 32);
        memset(s.nonce, 0, 32);
        finish(v, &s);
        break;
    case SMALL_BOTH:
        memcpy(v->key, small[next() % SMALL], 32);
        memcpy(v->signature, small[next() % SMALL], 32);
        memset(v->signature + 32, 0, 32);
        break;
    case MIXED:
    case MIXED_AGAIN:
        sign_mixed(v, &s);
        break;
    case NOISE_KEY:
        fill(v->key, 32);
        break;
    case NOISE:
        fill(v->key, 32);
        fill(v->signature, 64);
        v->signature[63] &= 0x0f;
        break;
    case VALID:
    case KINDS:
        break;
    }
}

/* As minisign.c does it. */
static bool ours(const struct vector *v)
{
    return up_ed25519_good_point(v->key) && up_ed25519_good_signature(v->signature) &&
           up_ed25519_verify(v->key, v->message, v->len, v->signature);
}

static bool theirs(const struct vector *v)
{
    return crypto_sign_verify_detached(v->signature, v->message, v->len, v->key) == 0;
}

static void show(const char *name, const uint8_t *bytes, size_t len)
{
    printf("  %s ", name);
    for (size_t i = 0; i < len; i++)
        printf("%02x", bytes[i]);
    printf("\n");
}

static void complain(const struct vector *v, enum kind kind, bool taken)
{
    printf("sigdiff: kind %d: we %s it, libsodium does not agree\n", (int)kind, taken ? "take" : "refuse");
    show("key", v->key, 32);
    show("signature", v->signature, 64);
    show("message", v->message, v->len);
}

int main(int argc, char **argv)
{
    unsigned long vectors = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000, bad = 0, wrong = 0;
    unsigned long taken[KINDS] = {0};

    state = argc > 2 ? strtoull(argv[2], NULL, 10) * 2 + 1 : 88172645463325252u;
    if (sodium_init() < 0)
        return 2;
    for (unsigned long i = 0; i < vectors; i++) {
        enum kind kind = (enum kind)(i % KINDS);
        struct vector v;
        bool good;

        make(&v, kind);
        good = ours(&v);
        taken[kind] += good;
        if (good != theirs(&v) && bad++ < 10)
            complain(&v, kind, good);
        wrong += good && (kind == RAISED_S || kind == SMALL_KEY || kind == SMALL_R || kind == SMALL_BOTH);
        wrong += good ? kind == FLIPPED_S || kind == FLIPPED_R || kind == FLIPPED_MESSAGE : kind == VALID;
    }
    printf("sigdiff: %lu vectors, %lu disagreements; %lu taken as made, %lu of mixed order taken, "
           "%lu that none may take or refuse\n",
           vectors, bad, taken[VALID], taken[MIXED] + taken[MIXED_AGAIN], wrong);
    /* A generator that makes nothing delicate would show nothing. */
    return bad || wrong || (vectors >= 1000 && taken[MIXED] == 0);
}
