/*
 * signing_key.c -- make, read and use secret keys without a password.
 */
#include "minisign_private.h"

#include "error.h"
#include "storage.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct up_secret {
    uint8_t id[ID_SIZE];
    uint8_t seed[KEY_SIZE];
};

static int check_secret(const uint8_t raw[SECRET_SIZE], const char *path, struct up_error *err)
{
    uint8_t public[KEY_SIZE];

    if (raw[2] || raw[3])
        return up_fail(err, UP_USAGE, "%s: encrypted with a password; convert a copy: minisign -C -W -s %s",
                       path, path);
    /* Without a password there is no checksum to rely on; the key pair itself is checked. */
    if (up_ed25519_public(raw + SECRET_HEAD + ID_SIZE, public, err) < 0)
        return err->code;
    if (memcmp(public, raw + SECRET_HEAD + ID_SIZE + KEY_SIZE, KEY_SIZE) != 0)
        return up_fail(err, UP_USAGE, "%s: damaged: its two halves do not belong together", path);
    return 0;
}

int up_signing_key_load(struct up_secret **out, struct up_storage *storage, const char *path,
                        struct up_error *err)
{
    uint8_t raw[SECRET_SIZE];
    struct up_secret *key = NULL;
    char *text;
    size_t size;
    bool good;
    int rc = up_storage_read_file(storage, path, KEY_FILE_MAX, &text, &size, err);

    if (rc < 0)
        return rc;
    good = up_minisign_read_key(text, size, raw, sizeof raw) && memcmp(raw, "Ed", 2) == 0;
    OPENSSL_cleanse(text, size);
    free(text);
    if (!good)
        return up_fail(err, UP_USAGE, "%s: not a minisign secret key", path);
    rc = check_secret(raw, path, err);
    key = rc == 0 ? malloc(sizeof *key) : NULL;
    if (key) {
        memcpy(key->id, raw + SECRET_HEAD, ID_SIZE);
        memcpy(key->seed, raw + SECRET_HEAD + ID_SIZE, KEY_SIZE);
        *out = key;
    } else if (rc == 0) {
        rc = up_fail(err, UP_INTERNAL, "%s: out of memory", path);
    }
    OPENSSL_cleanse(raw, sizeof raw);
    return rc;
}

void up_signing_key_free(struct up_secret *key)
{
    if (key)
        OPENSSL_cleanse(key, sizeof *key);
    free(key);
}

int up_signing_key_sign(const struct up_secret *key, const void *data, size_t len, const char *comment,
                        char out[UP_MINISIG_MAX], size_t *out_len, struct up_error *err)
{
    uint8_t hash[UP_DIGEST_MAX], raw[SIGNED_SIZE], global[SIGNATURE_SIZE];
    uint8_t covered[SIGNATURE_SIZE + UP_TRUSTED_COMMENT_MAX];
    char text[2][BASE64_SIZE(SIGNED_SIZE) + 1];
    size_t comment_len = strlen(comment);

    if (comment_len >= UP_TRUSTED_COMMENT_MAX)
        return up_fail(err, UP_USAGE, "trusted comment: longer than %d bytes", UP_TRUSTED_COMMENT_MAX - 1);
    for (size_t i = 0; i < comment_len; i++)
        if ((unsigned char)comment[i] < 0x20 || comment[i] == 0x7f)
            return up_fail(err, UP_USAGE, "trusted comment: has control characters");
    memcpy(raw, "ED", 2);
    memcpy(raw + 2, key->id, ID_SIZE);
    if (up_minisign_prehash(data, len, hash, err) < 0 ||
        up_ed25519_sign(key->seed, hash, UP_BLAKE2B_SIZE, raw + 2 + ID_SIZE, err) < 0)
        return err->code;
    memcpy(covered, raw + 2 + ID_SIZE, SIGNATURE_SIZE);
    memcpy(covered + SIGNATURE_SIZE, comment, comment_len);
    if (up_ed25519_sign(key->seed, covered, SIGNATURE_SIZE + comment_len, global, err) < 0)
        return err->code;
    EVP_EncodeBlock((uint8_t *)text[0], raw, sizeof raw);
    EVP_EncodeBlock((uint8_t *)text[1], global, sizeof global);
    *out_len = (size_t)snprintf(out, UP_MINISIG_MAX, "%s%s\n%s%s\n%s\n", UP_UNTRUSTED_COMMENT, text[0],
                                UP_MINISIGN_TRUSTED, comment, text[1]);
    return 0;
}

/* Write a new key file; durable except for its name. */
static int write_new(struct up_storage *storage, const char *path, const char *text, unsigned mode,
                     struct up_error *err)
{
    int file = storage->ops->open(storage, path, UP_WRITE_ONLY_NEW, mode);
    int cause = 0;

    if (file < 0 && errno == EEXIST)
        return up_fail(err, UP_USAGE, "%s: exists already; a key is never overwritten", path);
    if (file < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s", path, strerror(errno));
    if (storage->ops->pwrite(storage, file, text, strlen(text), 0) < 0 ||
        storage->ops->sync(storage, file) < 0)
        cause = errno;
    storage->ops->close(storage, file);
    if (cause) {
        storage->ops->unlink(storage, path);
        return up_fail(err, up_code_of_errno(cause, UP_WRITE), "%s: %s", path, strerror(cause));
    }
    return 0;
}

/* The content of both files of a new key. */
static int make_pair(struct up_storage *storage, char *secret, size_t room, char public[UP_PUBLIC_KEY_TEXT],
                     struct up_error *err)
{
    uint8_t raw[SECRET_SIZE] = {'E', 'd', 0, 0, 'B', '2'}, open[PUBLIC_SIZE] = {'E', 'd'};
    char text[BASE64_SIZE(SECRET_SIZE) + 1];
    uint8_t *at = raw + SECRET_HEAD;
    int rc;

    if (storage->ops->random(storage, at, ID_SIZE + KEY_SIZE) < 0)
        return up_fail(err, UP_INTERNAL, "keygen: no random numbers: %s", strerror(errno));
    rc = up_ed25519_public(at + ID_SIZE, at + ID_SIZE + KEY_SIZE, err);
    if (rc == 0) {
        memcpy(open + 2, at, ID_SIZE);
        memcpy(open + 2 + ID_SIZE, at + ID_SIZE + KEY_SIZE, KEY_SIZE);
        EVP_EncodeBlock((uint8_t *)text, raw, sizeof raw);
        /* minisign uses this comment for unencrypted keys, too; the bytes after "Ed" matter. */
        snprintf(secret, room, "%sminisign encrypted secret key\n%s\n", UP_MINISIGN_UNTRUSTED, text);
        up_public_key_format(open, public);
    }
    OPENSSL_cleanse(raw, sizeof raw);
    OPENSSL_cleanse(text, sizeof text);
    return rc;
}

int up_signing_key_generate(struct up_storage *storage, const char *name, struct up_error *err)
{
    char secret[512], public[UP_PUBLIC_KEY_TEXT], secret_path[UP_PATH_SIZE], public_path[UP_PATH_SIZE];
    struct up_stat st;
    int rc;

    if ((size_t)snprintf(secret_path, sizeof secret_path, "%s.key", name) >= sizeof secret_path ||
        (size_t)snprintf(public_path, sizeof public_path, "%s.pub", name) >= sizeof public_path)
        return up_fail(err, UP_USAGE, "keygen: the name is too long");
    if (storage->ops->stat(storage, public_path, &st) == 0)
        return up_fail(err, UP_USAGE, "%s: exists already; a key is never overwritten", public_path);
    rc = make_pair(storage, secret, sizeof secret, public, err);
    if (rc == 0)
        rc = write_new(storage, secret_path, secret, 0600, err);
    OPENSSL_cleanse(secret, sizeof secret);
    if (rc < 0)
        return rc;
    if (write_new(storage, public_path, public, 0644, err) < 0) {
        storage->ops->unlink(storage, secret_path);
        return err->code;
    }
    return up_storage_sync_parent(storage, secret_path, err);
}
