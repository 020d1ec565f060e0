#include "block_mac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "storage.h"

#define KEY 32
#define CODE 16

struct up_block_mac {
    EVP_MAC *algorithm;
    EVP_MAC_CTX *context;
    uint8_t key[KEY];
    uint8_t code[][CODE]; /* all zeros: none computed */
};

static const uint8_t none[CODE];

int up_block_mac_new(struct up_block_mac **out, struct up_storage *storage, uint32_t count,
                     struct up_error *err)
{
    struct up_block_mac *s = calloc(1, sizeof *s + (size_t)count * CODE);

    if (!s)
        return up_fail(err, UP_INTERNAL, "block MAC: out of memory");
    s->algorithm = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    s->context = s->algorithm ? EVP_MAC_CTX_new(s->algorithm) : NULL;
    if (!s->context || !EVP_MAC_init(s->context, s->key, KEY, NULL)) {
        up_block_mac_free(s);
        return up_fail(err, UP_INTERNAL, "block MAC: OpenSSL refuses Poly1305");
    }
    if (storage->ops->random(storage, s->key, KEY) < 0) {
        up_block_mac_free(s);
        return up_fail(err, UP_INTERNAL, "block MAC: no random bytes");
    }
    *out = s;
    return 0;
}

void up_block_mac_free(struct up_block_mac *s)
{
    if (!s)
        return;
    EVP_MAC_CTX_free(s->context);
    EVP_MAC_free(s->algorithm);
    free(s);
}

/* A MAC that was not computed must never be compared. */
static void compute(struct up_block_mac *s, const void *data, size_t len, uint8_t code[CODE])
{
    size_t written;

    if (!EVP_MAC_init(s->context, s->key, KEY, NULL) || !EVP_MAC_update(s->context, data, len) ||
        !EVP_MAC_final(s->context, code, &written, CODE) || written != CODE)
        abort();
}

void up_block_mac_put(struct up_block_mac *s, uint32_t i, const void *data, size_t len)
{
    compute(s, data, len, s->code[i]);
}

bool up_block_mac_has(const struct up_block_mac *s, uint32_t i)
{
    return memcmp(s->code[i], none, CODE) != 0;
}

bool up_block_mac_fits(struct up_block_mac *s, uint32_t i, const void *data, size_t len)
{
    uint8_t code[CODE];

    compute(s, data, len, code);
    return memcmp(code, s->code[i], CODE) == 0;
}
