/*
 * digest.c -- message digests by OpenSSL's EVP.
 *
 * After up_digest_new() nothing here fails in a way that a caller could handle.
 * If OpenSSL fails all the same, the process aborts: a digest that was not
 * computed must never be compared.
 */
#include "digest.h"

#include "error.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#define HMAC_KEY_MAX 1024U

struct up_digest {
    EVP_MD *algorithm;
    EVP_MD_CTX *context;
};

static const char *algorithm_name(enum up_digest_kind kind)
{
    switch (kind) {
    case UP_SHA256:
        return "SHA256";
    case UP_BLAKE2B512:
        return "BLAKE2B-512";
    case UP_MD5:
        return "MD5";
    }
    return "unknown";
}

int up_digest_new(struct up_digest **out, enum up_digest_kind kind, struct up_error *err)
{
    struct up_digest *d = calloc(1, sizeof *d);

    *out = NULL;
    if (!d)
        return up_fail(err, UP_INTERNAL, "digest %s: out of memory", algorithm_name(kind));
    d->algorithm = EVP_MD_fetch(NULL, algorithm_name(kind), NULL);
    d->context = EVP_MD_CTX_new();
    if (!d->algorithm || !d->context || !EVP_DigestInit_ex2(d->context, d->algorithm, NULL)) {
        up_digest_free(d);
        return up_fail(err, UP_INTERNAL, "digest %s: OpenSSL refuses the algorithm", algorithm_name(kind));
    }
    *out = d;
    return 0;
}

void up_digest_free(struct up_digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->context);
    EVP_MD_free(d->algorithm);
    free(d);
}

void up_digest_reset(struct up_digest *d)
{
    if (!EVP_DigestInit_ex2(d->context, NULL, NULL))
        abort();
}

void up_digest_update(struct up_digest *d, const void *data, size_t len)
{
    if (len > 0 && !EVP_DigestUpdate(d->context, data, len))
        abort();
}

size_t up_digest_final(struct up_digest *d, uint8_t out[UP_DIGEST_MAX])
{
    unsigned len = 0;

    if (!EVP_DigestFinal_ex(d->context, out, &len))
        abort();
    up_digest_reset(d);
    return len;
}

void up_sha256(const void *data, size_t len, uint8_t out[UP_SHA256_SIZE])
{
    unsigned written = 0;

    if (!EVP_Digest(len > 0 ? data : "", len, out, &written, EVP_sha256(), NULL) || written != UP_SHA256_SIZE)
        abort();
}

int up_hmac(enum up_hmac_kind kind, const void *key, size_t key_len, const void *text, size_t len,
            uint8_t out[UP_DIGEST_MAX], struct up_error *err)
{
    unsigned written = 0;

    if (key_len > HMAC_KEY_MAX)
        return up_fail(err, UP_USAGE, "hmac: a key of %zu bytes; at most %u are allowed", key_len,
                       HMAC_KEY_MAX);
    if (!HMAC(kind == UP_HMAC_SHA1 ? EVP_sha1() : EVP_sha256(), key_len > 0 ? key : "", (int)key_len, text,
              len, out, &written))
        return up_fail(err, UP_INTERNAL, "hmac: OpenSSL refuses");
    return (int)written;
}

void up_hex(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * len] = '\0';
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int up_unhex(const char *text, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int high = nibble(text[2 * i]);
        int low = high < 0 ? -1 : nibble(text[2 * i + 1]);

        if (low < 0)
            return -1;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * len] == '\0' ? 0 : -1;
}
