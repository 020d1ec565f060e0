#include "cipher.h"

#include <limits.h>
#include <openssl/evp.h>

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
