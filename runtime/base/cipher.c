#include "cipher.h"

#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#include "error.h"

int up_cipher_cbc(bool encrypt, const uint8_t key[UP_CIPHER_BLOCK], const uint8_t iv[UP_CIPHER_BLOCK],
                  const void *in, size_t len, void *out, struct up_error *err)
{
    EVP_CIPHER_CTX *context;
    int done = 0, ok;

    if (len % UP_CIPHER_BLOCK != 0 || len > INT_MAX)
        return up_fail(err, UP_USAGE, "cipher: %zu bytes are no whole blocks of %d", len, UP_CIPHER_BLOCK);
    context = EVP_CIPHER_CTX_new();
    ok = context && EVP_CipherInit_ex(context, EVP_aes_128_cbc(), NULL, key, iv, encrypt) &&
         EVP_CIPHER_CTX_set_padding(context, 0) && EVP_CipherUpdate(context, out, &done, in, (int)len) &&
         (size_t)done == len;
    EVP_CIPHER_CTX_free(context);
    return ok ? 0 : up_fail(err, UP_INTERNAL, "cipher: OpenSSL refuses AES-128-CBC");
}

/* Key, nonce and name of a GCM context. */
static bool begin_seal(EVP_CIPHER_CTX *context, const struct up_seal *seal, bool encrypt)
{
    int done;

    return context && EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, seal->key, seal->nonce, encrypt) &&
           seal->name_len <= INT_MAX &&
           EVP_CipherUpdate(context, NULL, &done, seal->name, (int)seal->name_len);
}

int up_cipher_seal(const struct up_seal *seal, const void *in, size_t len, void *out, struct up_error *err)
{
    EVP_CIPHER_CTX *context;
    unsigned char *bytes = out;
    int done = 0, last = 0;
    bool ok;

    if (len > INT_MAX - UP_SEAL_TAG)
        return up_fail(err, UP_USAGE, "cipher: %zu bytes are too many to seal", len);
    context = EVP_CIPHER_CTX_new();
    ok = begin_seal(context, seal, true) && EVP_CipherUpdate(context, bytes, &done, in, (int)len) &&
         EVP_CipherFinal_ex(context, bytes + done, &last) &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, UP_SEAL_TAG, bytes + len);
    EVP_CIPHER_CTX_free(context);
    return ok ? 0 : up_fail(err, UP_INTERNAL, "cipher: OpenSSL refuses AES-256-GCM");
}

int up_cipher_unseal(const struct up_seal *seal, const void *in, size_t len, void *out, struct up_error *err)
{
    unsigned char tag[UP_SEAL_TAG];
    const unsigned char *bytes = in;
    EVP_CIPHER_CTX *context;
    int done = 0, last = 0;
    bool ok, fits;

    if (len < UP_SEAL_TAG || len > INT_MAX)
        return up_fail(err, UP_USAGE, "cipher: %zu bytes are no sealed text", len);
    len -= UP_SEAL_TAG;
    memcpy(tag, bytes + len, sizeof tag);
    context = EVP_CIPHER_CTX_new();
    ok = begin_seal(context, seal, false) && EVP_CipherUpdate(context, out, &done, in, (int)len) &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, UP_SEAL_TAG, tag);
    fits = ok && EVP_CipherFinal_ex(context, (unsigned char *)out + done, &last) > 0;
    EVP_CIPHER_CTX_free(context);
    if (!ok)
        return up_fail(err, UP_INTERNAL, "cipher: OpenSSL refuses AES-256-GCM");
    return fits ? 0 : up_fail(err, UP_UNTRUSTED, "cipher: sealed by another key, or changed");
}
