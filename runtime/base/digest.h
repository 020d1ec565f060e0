/*
 * digest.h -- message digests, by OpenSSL.
 *
 * One context hashes any number of messages, one after another, without
 * allocating again.
 */
#ifndef UP_DIGEST_H
#define UP_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define UP_SHA256_SIZE 32
#define UP_BLAKE2B_SIZE 64
#define UP_DIGEST_MAX 64

enum up_digest_kind { UP_SHA256, UP_BLAKE2B512, UP_MD5 }; /* MD5: a vendor's corruption check, never trust */

struct up_digest; /* opaque; released with up_digest_free() */

/* Errors: UP_INTERNAL out of memory, or OpenSSL refuses the algorithm. */
UP_MUST_CHECK int up_digest_new(struct up_digest **out, enum up_digest_kind kind, struct up_error *err);
void up_digest_free(struct up_digest *d);
/* Start a new message. A fresh context has one started. */
void up_digest_reset(struct up_digest *d);
void up_digest_update(struct up_digest *d, const void *data, size_t len);
/* Write the digest and start a new message; returns the digest's size in bytes. */
size_t up_digest_final(struct up_digest *d, uint8_t out[UP_DIGEST_MAX]);

/* SHA-256 of one buffer. Cannot fail: aborts when OpenSSL has no SHA-256. */
void up_sha256(const void *data, size_t len, uint8_t out[UP_SHA256_SIZE]);

/* Clouds have devices sign their log-in with this. SHA-1 is there only because a vendor asks for it. */
enum up_hmac_kind { UP_HMAC_SHA256, UP_HMAC_SHA1 };

/* Returns the size of the code in bytes, 32 or 20. Errors: UP_INTERNAL OpenSSL
 * refuses the algorithm or is out of memory; UP_USAGE a key of more than 1 KiB. */
UP_MUST_CHECK int up_hmac(enum up_hmac_kind kind, const void *key, size_t key_len, const void *text,
                          size_t len, uint8_t out[UP_DIGEST_MAX], struct up_error *err);

/* Lower-case hex with NUL: 2 * len + 1 bytes. */
void up_hex(const uint8_t *data, size_t len, char *out);
/* 0, or -1 when text is not exactly 2 * len hex digits. */
int up_unhex(const char *text, uint8_t *out, size_t len);

#endif
