#include "ed25519.h"

#include "error.h"

#include <openssl/evp.h>
#include <string.h>

/* a < b for little-endian numbers of 32 bytes. */
static bool below(const uint8_t *a, const uint8_t *b)
{
    for (int i = UP_ED25519_KEY - 1; i >= 0; i--)
        if (a[i] != b[i])
            return a[i] < b[i];
    return false;
}

bool up_ed25519_good_point(const uint8_t point[UP_ED25519_KEY])
{
    static const uint8_t prime[UP_ED25519_KEY] = {
        0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
    static const uint8_t small[][UP_ED25519_KEY] = {
        {0}, /* order 4 */
        {1}, /* order 1 */
        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, /* 2 */
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
         0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05}, /* 8 */
        {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
         0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}, /* 8 */
    };
    uint8_t y[UP_ED25519_KEY];

    memcpy(y, point, sizeof y);
    y[UP_ED25519_KEY - 1] &= 0x7f;
    if (!below(y, prime))
        return false;
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
        if (memcmp(y, small[i], sizeof y) == 0)
            return false;
    return true;
}

bool up_ed25519_good_signature(const uint8_t signature[UP_ED25519_SIGNATURE])
{
    static const uint8_t order[UP_ED25519_KEY] = {
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

    return up_ed25519_good_point(signature) && below(signature + UP_ED25519_KEY, order);
}

bool up_ed25519_verify(const uint8_t key[UP_ED25519_KEY], const void *data, size_t len,
                       const uint8_t signature[UP_ED25519_SIGNATURE])
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, UP_ED25519_KEY);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
                EVP_DigestVerify(ctx, signature, UP_ED25519_SIGNATURE, data, len) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return good;
}

int up_ed25519_sign(const uint8_t seed[UP_ED25519_KEY], const void *data, size_t len,
                    uint8_t signature[UP_ED25519_SIGNATURE], struct up_error *err)
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, UP_ED25519_KEY);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t size = UP_ED25519_SIGNATURE;
    bool good = pkey && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
                EVP_DigestSign(ctx, signature, &size, data, len) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return good ? 0 : up_fail(err, UP_INTERNAL, "OpenSSL does not sign with Ed25519");
}

int up_ed25519_public(const uint8_t seed[UP_ED25519_KEY], uint8_t out[UP_ED25519_KEY], struct up_error *err)
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, UP_ED25519_KEY);
    size_t size = UP_ED25519_KEY;
    bool good = pkey && EVP_PKEY_get_raw_public_key(pkey, out, &size) == 1;

    EVP_PKEY_free(pkey);
    return good ? 0 : up_fail(err, UP_INTERNAL, "OpenSSL makes no Ed25519 key");
}
