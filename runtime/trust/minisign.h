/*
 * minisign.h -- keys and signatures in minisign's file formats, so that the
 * stock tool can sign for us and verify our signatures.
 *
 * Only the prehashed form ("ED": Ed25519 over BLAKE2b-512) is accepted. The
 * trusted comment is covered by a second signature and always checked.
 * Small-order public keys and R, non-canonical S and wrong lengths are refused.
 * Rings of keys are in keyring.c, single ones in public_key.c and signing_key.c.
 */
#ifndef UP_MINISIGN_H
#define UP_MINISIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "keyset.h"

#define UP_MINISIG_MAX 1024 /* bytes of a signature file */
#define UP_TRUSTED_COMMENT_MAX 256
#define UP_KEYRING_MAX 64      /* keys of one directory */
#define UP_PUBLIC_KEY_TEXT 160 /* bytes of a public key file as we write it, with NUL */
#define UP_KEY_ID_TEXT 17      /* 16 hexadecimal digits and NUL */
#define UP_KEYS_ROOT "root"    /* folder of the root keys in a directory of keys */
/* First line of what is signed here, and by `minisign -S` without -c. */
#define UP_UNTRUSTED_COMMENT "untrusted comment: signature from minisign secret key\n"

struct up_storage;
struct up_keyring; /* the trusted public keys of one directory */
struct up_secret;  /* one unencrypted secret key */

/*
 * Read every *.pub file in dir, but not in its subfolders. Unreadable,
 * malformed and revoked keys (keyset.h) are skipped; a ring without keys
 * verifies nothing. Errors: UP_UNTRUSTED no readable key (the message says
 * how many files were skipped and why the first one was), or the revoked keys
 * are not known; UP_INTERNAL.
 */
UP_MUST_CHECK int up_keyring_load(struct up_keyring **out, struct up_storage *storage, const char *dir,
                                  struct up_error *err);
/* The root keys of a directory of keys: the *.pub files in <dir>/root that are
 * not revoked. They verify key lists and nothing else. Errors as above. */
UP_MUST_CHECK int up_keyring_load_root(struct up_keyring **out, struct up_storage *storage, const char *dir,
                                       struct up_error *err);
/* A ring of the one public key file at path. Errors as above. */
UP_MUST_CHECK int up_keyring_load_file(struct up_keyring **out, struct up_storage *storage, const char *path,
                                       struct up_error *err);
/* Either, depending on what is at path. */
UP_MUST_CHECK int up_keyring_open(struct up_keyring **out, struct up_storage *storage, const char *path,
                                  struct up_error *err);
void up_keyring_free(struct up_keyring *ring);
size_t up_keyring_count(const struct up_keyring *ring);

/*
 * Check that one of the ring's keys made the signature file `sig` for `data`.
 * On success `comment` holds the trusted comment, NUL-terminated.
 */
UP_MUST_CHECK int up_keyring_verify(const struct up_keyring *ring, const void *data, size_t len,
                                    const char *sig, size_t sig_len, char comment[UP_TRUSTED_COMMENT_MAX],
                                    struct up_error *err);

/* The id of the key that made this signature file, as minisign shows it;
 * nothing is verified. Errors: UP_UNTRUSTED not a signature file. */
UP_MUST_CHECK int up_minisign_key_id(const char *sig, size_t len, char out[UP_KEY_ID_TEXT],
                                     struct up_error *err);

/*
 * A public key as 42 bytes, from the file at path or from its base64 line.
 * Errors: UP_UNTRUSTED malformed, or of small order; UP_MISSING, UP_WRITE.
 */
UP_MUST_CHECK int up_public_key_load(uint8_t raw[UP_KEY_RAW_SIZE], struct up_storage *storage,
                                     const char *path, struct up_error *err);
UP_MUST_CHECK int up_public_key_parse(uint8_t raw[UP_KEY_RAW_SIZE], const char *base64, struct up_error *err);
/* The file for it, and its id. */
void up_public_key_format(const uint8_t raw[UP_KEY_RAW_SIZE], char out[UP_PUBLIC_KEY_TEXT]);
const uint8_t *up_public_key_id(const uint8_t raw[UP_KEY_RAW_SIZE]);
/* Ids as minisign shows them: 16 hexadecimal digits. */
void up_minisign_id_format(const uint8_t id[UP_KEY_ID_SIZE], char out[UP_KEY_ID_TEXT]);
bool up_minisign_id_parse(uint8_t id[UP_KEY_ID_SIZE], const char *text);

/* Read a secret key as written by `minisign -G -W`. An encrypted one is refused
 * with a hint how to convert it (UP_USAGE). */
UP_MUST_CHECK int up_signing_key_load(struct up_secret **out, struct up_storage *storage, const char *path,
                                      struct up_error *err);
void up_signing_key_free(struct up_secret *key); /* wipes it */

/* Write the signature file for `data` to `out`; deterministic. Errors: UP_USAGE
 * comment too long or with control characters; UP_INTERNAL. */
UP_MUST_CHECK int up_signing_key_sign(const struct up_secret *key, const void *data, size_t len,
                                      const char *comment, char out[UP_MINISIG_MAX], size_t *out_len,
                                      struct up_error *err);

/* Make a key pair: NAME.key (mode 0600) and NAME.pub. Never overwrites. Errors:
 * UP_USAGE exists; UP_WRITE. */
UP_MUST_CHECK int up_signing_key_generate(struct up_storage *storage, const char *name, struct up_error *err);

#endif
