/*
 * cipher.h -- AES-128 in CBC mode, for vendors whose messages need it, and
 * AES-256 in GCM mode, for what a server keeps.
 *
 * CBC takes whole blocks only: padding is the caller's. It hides nothing that
 * matters here: what a device installs is signed.
 */
#ifndef UP_CIPHER_H
#define UP_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define UP_CIPHER_BLOCK 16 /* bytes of a block, of a key and of an initialisation vector */

/* Encrypt or decrypt `len` bytes, a multiple of the block, into `out`, which
 * takes as many and may be `in`. Errors: UP_USAGE the length; UP_INTERNAL. */
UP_MUST_CHECK int up_cipher_cbc(bool encrypt, const uint8_t key[UP_CIPHER_BLOCK],
                                const uint8_t iv[UP_CIPHER_BLOCK], const void *in, size_t len, void *out,
                                struct up_error *err);

#define UP_SEAL_KEY 32   /* bytes of a key */
#define UP_SEAL_NONCE 12 /* never used twice with a key: chance is good enough for 2^32 texts */
#define UP_SEAL_TAG 16   /* by which a sealed text is longer */

/* `name` is not in the sealed text, and has to be the same when it is opened. */
struct up_seal {
    const uint8_t *key;   /* UP_SEAL_KEY bytes */
    const uint8_t *nonce; /* UP_SEAL_NONCE bytes */
    const void *name;
    size_t name_len;
};

/* Seal `len` bytes into `out`, which takes UP_SEAL_TAG more. Errors: UP_USAGE the length; UP_INTERNAL. */
UP_MUST_CHECK int up_cipher_seal(const struct up_seal *seal, const void *in, size_t len, void *out,
                                 struct up_error *err);

/* Open what up_cipher_seal() made, `len` bytes, into `out`, which takes
 * UP_SEAL_TAG fewer. Errors: UP_USAGE too short; UP_UNTRUSTED another key,
 * nonce or name, or it was changed: nothing of `out` is of use; UP_INTERNAL. */
UP_MUST_CHECK int up_cipher_unseal(const struct up_seal *seal, const void *in, size_t len, void *out,
                                   struct up_error *err);

#endif
