/*
 * keys.h -- change whom a device trusts, by a signed list of keys.
 *
 * A JSON object (keys_format.c), format "moult-keys-1", signed by a key in <keys>/root with
 * the trusted comment "moult keys serial N":
 *
 *     serial   integer, from 1; only a higher one is applied after it, and none
 *              that is more than UP_KEYS_STEP higher
 *     add      list of at most 16 {"name": file name without .pub, "key": base64}
 *     revoke   list of at most 64 key ids, 16 hexadecimal digits as minisign shows them
 *
 * A revoked key is never trusted again, neither for packages nor as a root
 * key. Release keys cannot change the set, and root keys verify no package
 * (unless their owner puts them into <keys> as well).
 *
 * Order of durable steps: the record of keyset.h, which is the moment of the
 * change; the files NAME.pub; removal of the files of revoked keys; the file
 * `set`, which says that there is a record; the record again, settled. After a
 * power cut anywhere, either the old or the new set is trusted, and
 * up_keys_settle() completes it.
 */
#ifndef UP_KEYS_H
#define UP_KEYS_H

#include "error.h"
#include "keyset.h"

#define UP_KEYS_MAX 65536 /* bytes of a list */
#define UP_KEYS_STEP \
    ((uint64_t)1 << 52) /* by which a list may raise the serial, so that a mistyped one is not the last */
#define UP_KEYS_COMMENT "moult keys serial "

struct up_key_list {
    uint8_t digest[32]; /* SHA-256 of its bytes */
    uint64_t serial;
    unsigned add_count, revoke_count;
    struct up_key_add add[UP_KEYS_ADD_MAX];
    uint8_t revoke[UP_KEYS_REVOKE_MAX][UP_KEY_ID_SIZE];
};

/* Errors: UP_UNTRUSTED malformed; UP_INCOMPATIBLE a newer format. */
UP_MUST_CHECK int up_keys_parse(struct up_key_list *k, const char *text, size_t len, struct up_error *err);

/*
 * Verify the list at `path` (signature path.minisig) and apply it to the
 * directory `dir`. *serial is the list's. Applying the last list again is not
 * an error, and repairs its files. Errors: UP_UNTRUSTED not signed by a root
 * key, malformed; UP_INCOMPATIBLE the serial is not above the last one or too
 * far above it, a key was revoked before, a name is taken by another key, no
 * root key would be left; UP_MISSING; UP_BUSY another process does the same;
 * UP_WRITE, UP_NOSPACE.
 */
UP_MUST_CHECK int up_keys_apply(uint64_t *serial, struct up_storage *storage, const char *dir,
                                const char *path, struct up_error *err);

/* Complete an interrupted list, and recreate what was lost of the record.
 * Errors: UP_WRITE, UP_NOSPACE, UP_UNTRUSTED. */
UP_MUST_CHECK int up_keys_settle(struct up_storage *storage, const char *dir, struct up_error *err);

enum up_key_state { UP_KEY_TRUSTED, UP_KEY_REVOKED, UP_KEY_UNREADABLE };

struct up_key_info {
    const char *name; /* of the file without .pub; valid during the call */
    char id[17];      /* "" when unreadable */
    bool root;
    enum up_key_state state;
    const char *why; /* with UP_KEY_UNREADABLE */
};

/* Every key file of the directory and of its root folder, in no particular
 * order, and the content of the record. Errors: UP_UNTRUSTED the directory or
 * the record cannot be read. */
UP_MUST_CHECK int up_keys_list(struct up_keyset *set, struct up_storage *storage, const char *dir,
                               void (*each)(void *user, const struct up_key_info *key), void *user,
                               struct up_error *err);

#endif
