#include "minisign.h"

#include "digest.h"
#include "ed25519.h"
#include "error.h"
#include "storage.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_SIZE 8
#define KEY_SIZE UP_ED25519_KEY
#define SIGNATURE_SIZE UP_ED25519_SIGNATURE
#define PUBLIC_SIZE (2 + ID_SIZE + KEY_SIZE)          /* "Ed", id, key */
#define SIGNED_SIZE (2 + ID_SIZE + SIGNATURE_SIZE)    /* "ED", id, signature */
#define SECRET_HEAD 54                                /* "Ed", kdf, "B2", salt, two limits */
#define SECRET_SIZE (SECRET_HEAD + ID_SIZE + 64 + 32) /* id, seed and public key, checksum */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4)
#define KEY_FILE_MAX 4096
#define RING_MAX 64

static const char untrusted_prefix[] = "untrusted comment: ";
static const char trusted_prefix[] = "trusted comment: ";

struct public_key {
    uint8_t id[ID_SIZE];
    uint8_t key[KEY_SIZE];
};

struct up_keyring {
    size_t count, skipped;
    struct public_key key[RING_MAX];
    struct up_error why; /* of the first file that was skipped */
};

struct up_secret {
    uint8_t id[ID_SIZE];
    uint8_t seed[KEY_SIZE];
};

/* A piece of a file that is being read line by line. */
struct text {
    const char *at, *end;
};

/* The next line without its '\n', which must be there. */
static bool next_line(struct text *t, struct text *line)
{
    const char *stop = t->at < t->end ? memchr(t->at, '\n', (size_t)(t->end - t->at)) : NULL;

    if (!stop)
        return false;
    line->at = t->at;
    line->end = stop;
    t->at = stop + 1;
    return true;
}

static bool skip_prefix(struct text *line, const char *prefix)
{
    size_t len = strlen(prefix);

    if ((size_t)(line->end - line->at) < len || memcmp(line->at, prefix, len) != 0)
        return false;
    line->at += len;
    return true;
}

/* Exactly len bytes, in the one canonical form: what re-encodes to itself. */
static bool unbase64(const struct text *line, uint8_t *out, size_t len)
{
    uint8_t plain[BASE64_SIZE(SECRET_SIZE)];
    uint8_t again[BASE64_SIZE(SECRET_SIZE) + 1];
    size_t encoded = BASE64_SIZE(len);
    bool good;

    if ((size_t)(line->end - line->at) != encoded)
        return false;
    good = EVP_DecodeBlock(plain, (const uint8_t *)line->at, (int)encoded) >= (int)len &&
           EVP_EncodeBlock(again, plain, (int)len) == (int)encoded && memcmp(again, line->at, encoded) == 0;
    if (good)
        memcpy(out, plain, len);
    OPENSSL_cleanse(plain, sizeof plain);
    OPENSSL_cleanse(again, sizeof again);
    return good;
}

static int prehash(const void *data, size_t len, uint8_t out[UP_DIGEST_MAX], struct up_error *err)
{
    struct up_digest *d;
    int rc = up_digest_new(&d, UP_BLAKE2B512, err);

    if (rc < 0)
        return rc;
    up_digest_update(d, data, len);
    up_digest_final(d, out);
    up_digest_free(d);
    return 0;
}

/* The two lines of a key file: a comment, then `len` bytes in base64. Keys
 * pass through editors and mail, so the ends of lines may vary. */
static bool read_key_lines(const char *text, size_t size, uint8_t *out, size_t len)
{
    struct text rest = {text, text + size}, line;

    if (!next_line(&rest, &line) || !skip_prefix(&line, untrusted_prefix))
        return false;
    while (rest.end > rest.at && strchr("\r\n \t", rest.end[-1]))
        rest.end--;
    return unbase64(&rest, out, len);
}

static int ring_add(struct up_keyring *ring, struct up_storage *storage, const char *path,
                    struct up_error *err)
{
    struct public_key *key = &ring->key[ring->count];
    uint8_t raw[PUBLIC_SIZE];
    char *text;
    size_t size;
    bool good;
    int rc = up_storage_read_file(storage, path, KEY_FILE_MAX, &text, &size, err);

    if (rc < 0)
        return rc;
    good = read_key_lines(text, size, raw, sizeof raw) && memcmp(raw, "Ed", 2) == 0;
    free(text);
    if (!good)
        return up_fail(err, UP_UNTRUSTED, "%s: not a minisign public key", path);
    if (!up_ed25519_good_point(raw + 2 + ID_SIZE))
        return up_fail(err, UP_UNTRUSTED, "%s: a key of small order, which would accept forgeries", path);
    memcpy(key->id, raw + 2, ID_SIZE);
    memcpy(key->key, raw + 2 + ID_SIZE, KEY_SIZE);
    ring->count++;
    return 0;
}

struct scan {
    struct up_keyring *ring;
    struct up_storage *storage;
    const char *dir;
};

static int scan_name(void *user, const char *name, enum up_node_kind kind)
{
    struct scan *scan = user;
    struct up_keyring *ring = scan->ring;
    size_t len = strlen(name);
    struct up_error why;
    char path[4096];

    if (len < 5 || strcmp(name + len - 4, ".pub") != 0 || (kind != UP_NODE_FILE && kind != UP_NODE_LINK))
        return 0;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", scan->dir, name) >= sizeof path)
        up_fail(&why, UP_UNTRUSTED, "%s: the path is too long", name);
    else if (ring->count == RING_MAX)
        up_fail(&why, UP_UNTRUSTED, "%s: more than %d keys", path, RING_MAX);
    else if (ring_add(ring, scan->storage, path, &why) == 0)
        return 0;
    if (ring->skipped++ == 0)
        ring->why = why;
    return 0;
}

int up_keyring_load(struct up_keyring **out, struct up_storage *storage, const char *dir,
                    struct up_error *err)
{
    struct up_keyring *ring = calloc(1, sizeof *ring);
    struct scan scan = {ring, storage, dir};
    int rc = 0;

    if (!ring)
        return up_fail(err, UP_INTERNAL, "keys %s: out of memory", dir);
    if (storage->ops->list(storage, dir, scan_name, &scan) < 0)
        rc = up_fail(err, UP_UNTRUSTED, "keys %s: the directory cannot be read", dir);
    else if (ring->count == 0 && ring->skipped)
        rc = up_fail(err, UP_UNTRUSTED, "keys %s: none of %zu .pub files is a readable key; %s", dir,
                     ring->skipped, ring->why.message);
    else if (ring->count == 0)
        rc = up_fail(err, UP_UNTRUSTED, "keys %s: no .pub file there, so nothing can be trusted", dir);
    if (rc < 0) {
        free(ring);
        return rc;
    }
    *out = ring;
    return 0;
}

int up_keyring_load_file(struct up_keyring **out, struct up_storage *storage, const char *path,
                         struct up_error *err)
{
    struct up_keyring *ring = calloc(1, sizeof *ring);
    struct up_error why;

    if (!ring)
        return up_fail(err, UP_INTERNAL, "key %s: out of memory", path);
    if (ring_add(ring, storage, path, &why) < 0) {
        free(ring);
        return up_fail(err, UP_UNTRUSTED, "%s", why.message);
    }
    *out = ring;
    return 0;
}

int up_keyring_open(struct up_keyring **out, struct up_storage *storage, const char *path,
                    struct up_error *err)
{
    size_t len = strlen(path);
    struct up_stat st;

    if ((len > 4 && strcmp(path + len - 4, ".pub") == 0) ||
        (storage->ops->stat(storage, path, &st) == 0 && st.kind == UP_NODE_FILE))
        return up_keyring_load_file(out, storage, path, err);
    return up_keyring_load(out, storage, path, err);
}

void up_keyring_free(struct up_keyring *ring)
{
    free(ring);
}

size_t up_keyring_count(const struct up_keyring *ring)
{
    return ring->count;
}

size_t up_keyring_skipped(const struct up_keyring *ring)
{
    return ring->skipped;
}

/* The four lines of a signature file, taken apart. */
struct signature {
    uint8_t algorithm[2];
    uint8_t id[ID_SIZE];
    uint8_t data[SIGNATURE_SIZE];   /* over the hash of the data */
    uint8_t global[SIGNATURE_SIZE]; /* over `data` and the trusted comment */
    struct text comment;
};

static int parse_signature(struct signature *s, const char *sig, size_t len, struct up_error *err)
{
    struct text rest = {sig, sig + len}, untrusted, data, global;
    uint8_t raw[SIGNED_SIZE];

    if (len > UP_MINISIG_MAX)
        return up_fail(err, UP_UNTRUSTED, "signature: larger than %d bytes", UP_MINISIG_MAX);
    if (!next_line(&rest, &untrusted) || !skip_prefix(&untrusted, untrusted_prefix) ||
        !next_line(&rest, &data) || !unbase64(&data, raw, sizeof raw) || !next_line(&rest, &s->comment) ||
        !skip_prefix(&s->comment, trusted_prefix) || !next_line(&rest, &global) ||
        !unbase64(&global, s->global, sizeof s->global) || rest.at != rest.end)
        return up_fail(err, UP_UNTRUSTED, "signature: not a minisign signature file");
    memcpy(s->algorithm, raw, 2);
    memcpy(s->id, raw + 2, ID_SIZE);
    memcpy(s->data, raw + 2 + ID_SIZE, SIGNATURE_SIZE);
    if (memcmp(s->algorithm, "Ed", 2) == 0)
        return up_fail(err, UP_UNTRUSTED, "signature: in minisign's old form; sign again without -l");
    if (memcmp(s->algorithm, "ED", 2) != 0)
        return up_fail(err, UP_UNTRUSTED, "signature: of an unknown algorithm");
    if (s->comment.end - s->comment.at >= UP_TRUSTED_COMMENT_MAX ||
        memchr(s->comment.at, 0, (size_t)(s->comment.end - s->comment.at)))
        return up_fail(err, UP_UNTRUSTED, "signature: trusted comment too long or not text");
    if (!up_ed25519_good_signature(s->data) || !up_ed25519_good_signature(s->global))
        return up_fail(err, UP_UNTRUSTED, "signature: not in canonical form");
    return 0;
}

/* minisign shows a key id as one hexadecimal number. */
static void id_text(const uint8_t id[ID_SIZE], char out[2 * ID_SIZE + 1])
{
    for (int i = 0; i < ID_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02X", id[ID_SIZE - 1 - i]);
}

int up_keyring_verify(const struct up_keyring *ring, const void *data, size_t len, const char *sig,
                      size_t sig_len, char comment[UP_TRUSTED_COMMENT_MAX], struct up_error *err)
{
    struct signature s;
    uint8_t hash[UP_DIGEST_MAX], global[SIGNATURE_SIZE + UP_TRUSTED_COMMENT_MAX];
    char id[2 * ID_SIZE + 1];
    size_t comment_len;
    bool known = false;
    int rc = parse_signature(&s, sig, sig_len, err);

    if (rc < 0 || (rc = prehash(data, len, hash, err)) < 0)
        return rc;
    comment_len = (size_t)(s.comment.end - s.comment.at);
    memcpy(global, s.data, SIGNATURE_SIZE);
    memcpy(global + SIGNATURE_SIZE, s.comment.at, comment_len);
    id_text(s.id, id);
    /* Key ids are eight random bytes; two keys may share one. */
    for (size_t i = 0; i < ring->count; i++) {
        const struct public_key *key = &ring->key[i];

        if (memcmp(key->id, s.id, ID_SIZE) != 0)
            continue;
        known = true;
        if (!up_ed25519_verify(key->key, hash, UP_BLAKE2B_SIZE, s.data))
            continue;
        if (!up_ed25519_verify(key->key, global, SIGNATURE_SIZE + comment_len, s.global))
            return up_fail(err, UP_UNTRUSTED, "signature: the trusted comment was altered");
        memcpy(comment, s.comment.at, comment_len);
        comment[comment_len] = 0;
        return 0;
    }
    if (known)
        return up_fail(err, UP_UNTRUSTED, "signature: key %s did not sign these bytes", id);
    return up_fail(err, UP_UNTRUSTED, "signature: made by key %s, which is not trusted", id);
}

int up_secret_load(struct up_secret **out, struct up_storage *storage, const char *path, struct up_error *err)
{
    uint8_t raw[SECRET_SIZE], public[KEY_SIZE];
    struct up_secret *key = NULL;
    char *text;
    size_t size;
    bool good;
    int rc = up_storage_read_file(storage, path, KEY_FILE_MAX, &text, &size, err);

    if (rc < 0)
        return rc;
    good = read_key_lines(text, size, raw, sizeof raw) && memcmp(raw, "Ed", 2) == 0;
    OPENSSL_cleanse(text, size);
    free(text);
    if (!good)
        return up_fail(err, UP_USAGE, "%s: not a minisign secret key", path);
    if (raw[2] || raw[3])
        rc = up_fail(err, UP_USAGE, "%s: encrypted with a password; convert a copy: minisign -C -W -s %s",
                     path, path);
    /* Without a password there is no checksum to rely on: the key pair is its own. */
    else if ((rc = up_ed25519_public(raw + SECRET_HEAD + ID_SIZE, public, err)) == 0 &&
             memcmp(public, raw + SECRET_HEAD + ID_SIZE + KEY_SIZE, KEY_SIZE) != 0)
        rc = up_fail(err, UP_USAGE, "%s: damaged: its two halves do not belong together", path);
    else if (rc == 0 && !(key = malloc(sizeof *key)))
        rc = up_fail(err, UP_INTERNAL, "%s: out of memory", path);
    if (rc == 0) {
        memcpy(key->id, raw + SECRET_HEAD, ID_SIZE);
        memcpy(key->seed, raw + SECRET_HEAD + ID_SIZE, KEY_SIZE);
        *out = key;
    }
    OPENSSL_cleanse(raw, sizeof raw);
    return rc;
}

void up_secret_free(struct up_secret *key)
{
    if (key)
        OPENSSL_cleanse(key, sizeof *key);
    free(key);
}

int up_secret_sign(const struct up_secret *key, const void *data, size_t len, const char *comment,
                   char out[UP_MINISIG_MAX], size_t *out_len, struct up_error *err)
{
    uint8_t hash[UP_DIGEST_MAX], raw[SIGNED_SIZE], global[SIGNATURE_SIZE];
    uint8_t covered[SIGNATURE_SIZE + UP_TRUSTED_COMMENT_MAX];
    char text[2][BASE64_SIZE(SIGNED_SIZE) + 1];
    size_t comment_len = strlen(comment);
    int rc;

    if (comment_len >= UP_TRUSTED_COMMENT_MAX)
        return up_fail(err, UP_USAGE, "trusted comment: longer than %d bytes", UP_TRUSTED_COMMENT_MAX - 1);
    for (size_t i = 0; i < comment_len; i++)
        if ((unsigned char)comment[i] < 0x20 || comment[i] == 0x7f)
            return up_fail(err, UP_USAGE, "trusted comment: has control characters");
    memcpy(raw, "ED", 2);
    memcpy(raw + 2, key->id, ID_SIZE);
    if ((rc = prehash(data, len, hash, err)) < 0 ||
        (rc = up_ed25519_sign(key->seed, hash, UP_BLAKE2B_SIZE, raw + 2 + ID_SIZE, err)) < 0)
        return rc;
    memcpy(covered, raw + 2 + ID_SIZE, SIGNATURE_SIZE);
    memcpy(covered + SIGNATURE_SIZE, comment, comment_len);
    if ((rc = up_ed25519_sign(key->seed, covered, SIGNATURE_SIZE + comment_len, global, err)) < 0)
        return rc;
    EVP_EncodeBlock((uint8_t *)text[0], raw, sizeof raw);
    EVP_EncodeBlock((uint8_t *)text[1], global, sizeof global);
    *out_len = (size_t)snprintf(out, UP_MINISIG_MAX, "%s%s\n%s%s\n%s\n", UP_UNTRUSTED_COMMENT, text[0],
                                trusted_prefix, comment, text[1]);
    return 0;
}

/* Write a fresh key file, durable but for its name. */
static int write_new(struct up_storage *storage, const char *path, const char *text, unsigned mode,
                     struct up_error *err)
{
    int file = storage->ops->open(storage, path, UP_WRITE_ONLY_NEW, mode);
    int cause = 0;

    if (file < 0 && errno == EEXIST)
        return up_fail(err, UP_USAGE, "%s: is there already; a key is never overwritten", path);
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

/* The texts of both files of a fresh key. */
static int make_pair(struct up_storage *storage, char *secret, char *public, size_t room,
                     struct up_error *err)
{
    uint8_t raw[SECRET_SIZE] = {'E', 'd', 0, 0, 'B', '2'}, open[PUBLIC_SIZE] = {'E', 'd'};
    char text[BASE64_SIZE(SECRET_SIZE) + 1], id[2 * ID_SIZE + 1];
    uint8_t *at = raw + SECRET_HEAD;
    int rc;

    if (storage->ops->random(storage, at, ID_SIZE + KEY_SIZE) < 0)
        return up_fail(err, UP_INTERNAL, "keygen: no random numbers: %s", strerror(errno));
    if ((rc = up_ed25519_public(at + ID_SIZE, at + ID_SIZE + KEY_SIZE, err)) == 0) {
        memcpy(open + 2, at, ID_SIZE);
        memcpy(open + 2 + ID_SIZE, at + ID_SIZE + KEY_SIZE, KEY_SIZE);
        EVP_EncodeBlock((uint8_t *)text, raw, sizeof raw);
        /* minisign heads unencrypted keys so, too; the bytes after "Ed" tell. */
        snprintf(secret, room, "%sminisign encrypted secret key\n%s\n", untrusted_prefix, text);
        EVP_EncodeBlock((uint8_t *)text, open, sizeof open);
        id_text(at, id);
        snprintf(public, room, "%sminisign public key %s\n%s\n", untrusted_prefix, id, text);
    }
    OPENSSL_cleanse(raw, sizeof raw);
    OPENSSL_cleanse(text, sizeof text);
    return rc;
}

int up_keygen(struct up_storage *storage, const char *name, struct up_error *err)
{
    char secret[512], public[512], secret_path[4096], public_path[4096];
    struct up_stat st;
    int rc;

    if ((size_t)snprintf(secret_path, sizeof secret_path, "%s.key", name) >= sizeof secret_path ||
        (size_t)snprintf(public_path, sizeof public_path, "%s.pub", name) >= sizeof public_path)
        return up_fail(err, UP_USAGE, "keygen: the name is too long");
    if (storage->ops->stat(storage, public_path, &st) == 0)
        return up_fail(err, UP_USAGE, "%s: is there already; a key is never overwritten", public_path);
    rc = make_pair(storage, secret, public, sizeof secret, err);
    if (rc == 0)
        rc = write_new(storage, secret_path, secret, 0600, err);
    OPENSSL_cleanse(secret, sizeof secret);
    if (rc == 0 && (rc = write_new(storage, public_path, public, 0644, err)) < 0)
        storage->ops->unlink(storage, secret_path);
    if (rc == 0)
        rc = up_storage_sync_parent(storage, secret_path, err);
    return rc;
}
