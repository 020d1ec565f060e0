/*
 * minisign_private.h -- the file format itself (minisign_format.c), for the files behind
 * minisign.h: keyring.c, public_key.c and signing_key.c.
 */
#ifndef UP_MINISIGN_PRIVATE_H
#define UP_MINISIGN_PRIVATE_H

#include "digest.h"
#include "ed25519.h"
#include "error.h"
#include "minisign.h"

#include <stdbool.h>

#define ID_SIZE UP_KEY_ID_SIZE
#define KEY_SIZE UP_ED25519_KEY
#define SIGNATURE_SIZE UP_ED25519_SIGNATURE
#define PUBLIC_SIZE UP_KEY_RAW_SIZE                   /* "Ed", id, key */
#define SIGNED_SIZE (2 + ID_SIZE + SIGNATURE_SIZE)    /* "ED", id, signature */
#define SECRET_HEAD 54                                /* "Ed", kdf, "B2", salt, two limits */
#define SECRET_SIZE (SECRET_HEAD + ID_SIZE + 64 + 32) /* id, seed and public key, checksum */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4)
#define KEY_FILE_MAX 4096

#define UP_MINISIGN_UNTRUSTED "untrusted comment: "
#define UP_MINISIGN_TRUSTED "trusted comment: "

/* The rest of a file that is being read line by line. */
struct up_text {
    const char *at, *end;
};

/* The next line without its '\n', which must be there. */
bool up_minisign_next_line(struct up_text *t, struct up_text *line);
bool up_minisign_skip_prefix(struct up_text *line, const char *prefix);
/* Exactly len bytes, in canonical base64: encoding them gives the text again. */
bool up_minisign_unbase64(const struct up_text *line, uint8_t *out, size_t len);
/* The two lines of a key file: a comment, then `len` bytes in base64. Keys pass
 * through editors and mail, so line ends may vary, and a byte order mark is
 * allowed. */
bool up_minisign_read_key(const char *text, size_t size, uint8_t *out, size_t len);
/* The hash that is signed in place of the data. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_minisign_prehash(const void *data, size_t len, uint8_t out[UP_DIGEST_MAX],
                                      struct up_error *err);

#endif
