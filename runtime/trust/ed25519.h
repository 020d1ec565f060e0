/*
 * ed25519.h -- Ed25519 through OpenSSL, with the checks that OpenSSL omits.
 */
#ifndef UP_ED25519_H
#define UP_ED25519_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define UP_ED25519_KEY 32       /* bytes of a public key, and of a seed */
#define UP_ED25519_SIGNATURE 64 /* R, then S */

/* Whether the encoded point is canonical and not of small order. OpenSSL
 * accepts small-order points, and with such a key one signature fits many
 * messages. The sign bit affects neither property. */
bool up_ed25519_good_point(const uint8_t point[UP_ED25519_KEY]);
/* Whether R is a good point and S below the order of the group, so that nobody
 * can turn one signature into another. */
bool up_ed25519_good_signature(const uint8_t signature[UP_ED25519_SIGNATURE]);
/* Check key and signature with the functions above first. */
bool up_ed25519_verify(const uint8_t key[UP_ED25519_KEY], const void *data, size_t len,
                       const uint8_t signature[UP_ED25519_SIGNATURE]);

/* Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_ed25519_sign(const uint8_t seed[UP_ED25519_KEY], const void *data, size_t len,
                                  uint8_t signature[UP_ED25519_SIGNATURE], struct up_error *err);
UP_MUST_CHECK int up_ed25519_public(const uint8_t seed[UP_ED25519_KEY], uint8_t out[UP_ED25519_KEY],
                                    struct up_error *err);

#endif
