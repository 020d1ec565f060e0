/*
 * cipher.h -- AES-128 in CBC mode, for vendors whose messages need it.
 *
 * Whole blocks only: padding is the caller's. It hides nothing that matters
 * here: what a device installs is signed.
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

#endif
