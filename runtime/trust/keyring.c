/*
 * keyring.c -- of minisign.h: the public keys that are trusted, and whether one
 * of them made a signature.
 */
#include "minisign_private.h"

#include "error.h"
#include "storage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct public_key {
    uint8_t id[ID_SIZE];
    uint8_t key[KEY_SIZE];
};

struct up_keyring {
    size_t count, skipped;
    struct public_key key[UP_KEYRING_MAX];
    struct up_error why; /* of the first file that was skipped */
};

static int ring_add(struct up_keyring *ring, const uint8_t raw[PUBLIC_SIZE], const char *path,
                    struct up_error *err)
{
    struct public_key key;

    memcpy(key.id, raw + 2, ID_SIZE);
    memcpy(key.key, raw + 2 + ID_SIZE, KEY_SIZE);
    for (size_t i = 0; i < ring->count; i++)
        if (memcmp(&ring->key[i], &key, sizeof key) == 0)
            return 0;
    if (ring->count == UP_KEYRING_MAX)
        return up_fail(err, UP_UNTRUSTED, "%s: more than %d keys", path, UP_KEYRING_MAX);
    ring->key[ring->count++] = key;
    return 0;
}

struct scan {
    struct up_keyring *ring;
    struct up_storage *storage;
    const char *dir;
    const struct up_keyset *set;
};

static int add_file(const struct scan *scan, const char *path, struct up_error *err)
{
    uint8_t raw[PUBLIC_SIZE];
    char id[UP_KEY_ID_TEXT];
    int rc = up_public_key_load(raw, scan->storage, path, err);

    if (rc < 0)
        return rc;
    if (up_keyset_revoked(scan->set, raw + 2)) {
        up_minisign_id_format(raw + 2, id);
        return up_fail(err, UP_UNTRUSTED, "%s: key %s was revoked", path, id);
    }
    return ring_add(scan->ring, raw, path, err);
}

static int scan_name(void *user, const char *name, enum up_node_kind kind)
{
    struct scan *scan = user;
    struct up_keyring *ring = scan->ring;
    size_t len = strlen(name);
    struct up_error why;
    char path[UP_PATH_SIZE];

    if (len < 5 || strcmp(name + len - 4, ".pub") != 0 || (kind != UP_NODE_FILE && kind != UP_NODE_LINK))
        return 0;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", scan->dir, name) >= sizeof path)
        up_fail(&why, UP_UNTRUSTED, "%s: the path is too long", name);
    else if (add_file(scan, path, &why) == 0)
        return 0;
    if (ring->skipped++ == 0)
        ring->why = why;
    return 0;
}

/* `set` says which keys are revoked, in whatever directory. */
static int load(struct up_keyring **out, struct up_storage *storage, const char *dir,
                const struct up_keyset *set, bool pending, struct up_error *err)
{
    struct up_keyring *ring = calloc(1, sizeof *ring);
    struct scan scan = {ring, storage, dir, set};
    struct up_error ignored;
    int rc = 0;

    if (!ring)
        return up_fail(err, UP_INTERNAL, "keys %s: out of memory", dir);
    for (unsigned i = 0; pending && i < set->pending_count; i++)
        ring_add(ring, set->pending[i].raw, dir, &ignored);
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

static int load_with_set(struct up_keyring **out, struct up_storage *storage, const char *dir,
                         const char *keys, bool pending, struct up_error *err)
{
    struct up_keyset *set = malloc(sizeof *set);
    int rc;

    if (!set)
        return up_fail(err, UP_INTERNAL, "keys %s: out of memory", keys);
    rc = up_keyset_read(set, storage, keys, err);
    if (rc == 0)
        rc = load(out, storage, dir, set, pending, err);
    free(set);
    return rc;
}

int up_keyring_load(struct up_keyring **out, struct up_storage *storage, const char *dir,
                    struct up_error *err)
{
    return load_with_set(out, storage, dir, dir, true, err);
}

int up_keyring_load_root(struct up_keyring **out, struct up_storage *storage, const char *dir,
                         struct up_error *err)
{
    char root[UP_PATH_SIZE];

    if ((size_t)snprintf(root, sizeof root, "%s/" UP_KEYS_ROOT, dir) >= sizeof root)
        return up_fail(err, UP_UNTRUSTED, "keys %s: path too long", dir);
    return load_with_set(out, storage, root, dir, false, err);
}

int up_keyring_load_file(struct up_keyring **out, struct up_storage *storage, const char *path,
                         struct up_error *err)
{
    struct up_keyring *ring = calloc(1, sizeof *ring);
    uint8_t raw[PUBLIC_SIZE];
    struct up_error why;

    if (!ring)
        return up_fail(err, UP_INTERNAL, "key %s: out of memory", path);
    if (up_public_key_load(raw, storage, path, &why) < 0 || ring_add(ring, raw, path, &why) < 0) {
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

/* The four lines of a signature file. */
struct signature {
    uint8_t algorithm[2];
    uint8_t id[ID_SIZE];
    uint8_t data[SIGNATURE_SIZE];   /* over the hash of the data */
    uint8_t global[SIGNATURE_SIZE]; /* over `data` and the trusted comment */
    struct up_text comment;
};

static int parse_signature(struct signature *s, const char *sig, size_t len, struct up_error *err)
{
    struct up_text rest = {sig, sig + len}, untrusted, data, global;
    uint8_t raw[SIGNED_SIZE];

    if (len > UP_MINISIG_MAX)
        return up_fail(err, UP_UNTRUSTED, "signature: larger than %d bytes", UP_MINISIG_MAX);
    if (!up_minisign_next_line(&rest, &untrusted) ||
        !up_minisign_skip_prefix(&untrusted, UP_MINISIGN_UNTRUSTED) || !up_minisign_next_line(&rest, &data) ||
        !up_minisign_unbase64(&data, raw, sizeof raw) || !up_minisign_next_line(&rest, &s->comment) ||
        !up_minisign_skip_prefix(&s->comment, UP_MINISIGN_TRUSTED) ||
        !up_minisign_next_line(&rest, &global) ||
        !up_minisign_unbase64(&global, s->global, sizeof s->global) || rest.at != rest.end)
        return up_fail(err, UP_UNTRUSTED, "signature: not a minisign signature file");
    memcpy(s->algorithm, raw, 2);
    memcpy(s->id, raw + 2, ID_SIZE);
    memcpy(s->data, raw + 2 + ID_SIZE, SIGNATURE_SIZE);
    if (memcmp(s->algorithm, "Ed", 2) == 0)
        return up_fail(err, UP_UNTRUSTED, "signature: in minisign's legacy format; sign again without -l");
    if (memcmp(s->algorithm, "ED", 2) != 0)
        return up_fail(err, UP_UNTRUSTED, "signature: of an unknown algorithm");
    if (s->comment.end - s->comment.at >= UP_TRUSTED_COMMENT_MAX ||
        memchr(s->comment.at, 0, (size_t)(s->comment.end - s->comment.at)))
        return up_fail(err, UP_UNTRUSTED, "signature: trusted comment too long or not text");
    if (!up_ed25519_good_signature(s->data) || !up_ed25519_good_signature(s->global))
        return up_fail(err, UP_UNTRUSTED, "signature: not in canonical form");
    return 0;
}

int up_minisign_key_id(const char *sig, size_t len, char out[UP_KEY_ID_TEXT], struct up_error *err)
{
    struct signature s;
    int rc = parse_signature(&s, sig, len, err);

    if (rc == 0)
        up_minisign_id_format(s.id, out);
    return rc;
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

    if (rc == 0)
        rc = up_minisign_prehash(data, len, hash, err);
    if (rc < 0)
        return rc;
    comment_len = (size_t)(s.comment.end - s.comment.at);
    memcpy(global, s.data, SIGNATURE_SIZE);
    memcpy(global + SIGNATURE_SIZE, s.comment.at, comment_len);
    up_minisign_id_format(s.id, id);
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
