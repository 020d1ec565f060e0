#include "keys.h"

#include "error.h"
#include "minisign.h"
#include "signed.h"
#include "storage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int path_of(char path[UP_PATH_SIZE], const char *dir, const char *name, const char *end,
                   struct up_error *err)
{
    if (snprintf(path, UP_PATH_SIZE, "%s/%s%s", dir, name, end) >= UP_PATH_SIZE)
        return up_fail(err, UP_USAGE, "keys %s: path too long", dir);
    return 0;
}

/* A walk over the *.pub files of a directory. */
struct scan {
    struct up_storage *storage;
    const char *dir;
    void (*each)(struct scan *scan, const char *path, const char *name);
    const struct up_keyset *set;
    void *user;
    bool root;
    unsigned changed; /* files removed */
    int failure;      /* the code of the first one that could not be removed, or 0 */
};

static int scan_name(void *user, const char *name, enum up_node_kind kind)
{
    struct scan *scan = user;
    size_t len = strlen(name);
    struct up_error ignored;
    char path[UP_PATH_SIZE];

    if (len > 4 && strcmp(name + len - 4, ".pub") == 0 && (kind == UP_NODE_FILE || kind == UP_NODE_LINK) &&
        path_of(path, scan->dir, name, "", &ignored) == 0)
        scan->each(scan, path, name);
    return 0;
}

static void remove_revoked(struct scan *scan, const char *path, const char *name)
{
    uint8_t raw[UP_KEY_RAW_SIZE];
    struct up_error err;

    (void)name;
    if (up_public_key_load(raw, scan->storage, path, &err) < 0) {
        if (err.code != UP_UNTRUSTED) /* it may be one */
            scan->failure = err.code == UP_INTERNAL ? UP_INTERNAL : UP_WRITE;
        return;
    }
    if (!up_keyset_revoked(scan->set, up_public_key_id(raw)))
        return;
    if (scan->storage->ops->unlink(scan->storage, path) == 0)
        scan->changed++;
    else
        scan->failure = UP_WRITE;
}

static int clean_revoked(struct up_storage *storage, const char *dir, const struct up_keyset *set,
                         struct up_error *err)
{
    struct scan scan = {.storage = storage, .dir = dir, .each = remove_revoked, .set = set};

    if (storage->ops->list(storage, dir, scan_name, &scan) < 0)
        return up_fail(err, UP_WRITE, "keys %s: %s", dir, strerror(errno));
    if (scan.failure < 0)
        return up_fail(err, scan.failure, "keys %s: a revoked key cannot be removed", dir);
    if (scan.changed > 0 && storage->ops->sync_dir(storage, dir) < 0)
        return up_fail(err, UP_WRITE, "keys %s: sync: %s", dir, strerror(errno));
    return 0;
}

/* Remove the files, then write the record that says so. */
static int settle(struct up_keyset *set, struct up_storage *storage, const char *dir, struct up_error *err)
{
    char path[UP_PATH_SIZE], text[UP_PUBLIC_KEY_TEXT];
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < set->pending_count; i++) {
        up_public_key_format(set->pending[i].raw, text);
        rc = path_of(path, dir, set->pending[i].name, ".pub", err);
        /* Write it again even if it exists, because it may not be durable. */
        if (rc == 0)
            rc = up_storage_write_file(storage, path, text, strlen(text), 0644, err);
    }
    if (rc == 0)
        rc = clean_revoked(storage, dir, set, err);
    if (rc < 0 || set->settled)
        return rc;
    rc = up_keyset_mark(storage, dir, err);
    if (rc < 0)
        return rc;
    set->settled = true;
    set->pending_count = 0;
    return up_keyset_write(set, storage, dir, err);
}

/* Whether loading a key failed for a reason that says nothing about the file. */
static bool could_not_look(int rc)
{
    return rc == UP_WRITE || rc == UP_INTERNAL;
}

/* The name of another trusted key: adding would overwrite that key. */
static int check_names(const struct up_key_list *k, const struct up_keyset *next, struct up_storage *storage,
                       const char *dir, struct up_error *err)
{
    uint8_t raw[UP_KEY_RAW_SIZE];
    char path[UP_PATH_SIZE];
    struct up_error why;
    int rc;

    for (unsigned i = 0; i < k->add_count; i++) {
        if (path_of(path, dir, k->add[i].name, ".pub", err) < 0)
            return err->code;
        rc = up_public_key_load(raw, storage, path, &why);
        if (could_not_look(rc))
            return up_fail(err, rc, "%s", why.message);
        if (rc == 0 && memcmp(raw, k->add[i].raw, sizeof raw) != 0 &&
            !up_keyset_revoked(next, up_public_key_id(raw)))
            return up_fail(err, UP_INCOMPATIBLE, "%s: holds another key; add the new one under another name",
                           path);
    }
    return 0;
}

/* How many keys a ring of the directory would hold; none is not an error. */
static size_t count_keys(struct up_storage *storage, const char *dir)
{
    struct up_keyring *ring;
    struct up_error ignored;
    size_t count;

    if (up_keyring_load(&ring, storage, dir, &ignored) < 0)
        return 0;
    count = up_keyring_count(ring);
    up_keyring_free(ring);
    return count;
}

struct root_count {
    const struct up_keyset *next;
    unsigned left;
    struct up_error why; /* of a key that could not be examined; code 0: all could */
};

static void count_root(struct scan *scan, const char *path, const char *name)
{
    struct root_count *count = scan->user;
    uint8_t raw[UP_KEY_RAW_SIZE];
    struct up_error why;
    int rc = up_public_key_load(raw, scan->storage, path, &why);

    (void)name;
    if (rc == 0 && !up_keyset_revoked(count->next, up_public_key_id(raw)))
        count->left++;
    if (could_not_look(rc))
        count->why = why;
}

static int check_root(const struct up_keyset *next, struct up_storage *storage, const char *dir,
                      struct up_error *err)
{
    struct root_count count = {.next = next, .why.code = UP_OK};
    char root[UP_PATH_SIZE];
    struct scan scan = {.storage = storage, .dir = root, .each = count_root, .user = &count};

    if (path_of(root, dir, UP_KEYS_ROOT, "", err) < 0)
        return err->code;
    if (storage->ops->list(storage, root, scan_name, &scan) < 0)
        return up_fail(err, UP_UNTRUSTED, "keys %s: %s", root, strerror(errno));
    if (count.left == 0 && count.why.code != UP_OK)
        return up_fail(err, count.why.code, "%s", count.why.message);
    if (count.left == 0)
        return up_fail(err, UP_INCOMPATIBLE, "key list %" PRIu64 ": would leave no root key", next->serial);
    return 0;
}

static int check_serial(const struct up_key_list *k, const struct up_keyset *now, struct up_error *err)
{
    if (k->serial > now->serial && k->serial - now->serial > UP_KEYS_STEP)
        return up_fail(err, UP_INCOMPATIBLE,
                       "key list %" PRIu64 ": is more than 2^52 above list %" PRIu64
                       ", and none could be applied after the last number",
                       k->serial, now->serial);
    if (k->serial > now->serial || memcmp(k->digest, now->digest, sizeof k->digest) == 0)
        return 0;
    if (k->serial == now->serial)
        return up_fail(err, UP_INCOMPATIBLE,
                       "key list %" PRIu64 ": another list with this serial was applied", k->serial);
    return up_fail(err, UP_INCOMPATIBLE, "key list %" PRIu64 ": list %" PRIu64 " was applied already",
                   k->serial, now->serial);
}

/* Compute the new set; `next` is the settled set before. */
static int make_next(struct up_keyset *next, const struct up_key_list *k, struct up_storage *storage,
                     const char *dir, struct up_error *err)
{
    char id[UP_KEY_ID_TEXT];

    for (unsigned i = 0; i < k->add_count; i++)
        if (up_keyset_revoked(next, up_public_key_id(k->add[i].raw))) {
            up_minisign_id_format(up_public_key_id(k->add[i].raw), id);
            return up_fail(err, UP_INCOMPATIBLE,
                           "key list %" PRIu64 ": adds key %s, which was revoked before", k->serial, id);
        }
    for (unsigned i = 0; i < k->revoke_count; i++) {
        if (up_keyset_revoked(next, k->revoke[i]))
            continue;
        if (next->revoked_count == UP_KEYS_REVOKED_MAX)
            return up_fail(err, UP_INCOMPATIBLE, "key list %" PRIu64 ": more than %d keys revoked", k->serial,
                           UP_KEYS_REVOKED_MAX);
        memcpy(next->revoked[next->revoked_count++], k->revoke[i], UP_KEY_ID_SIZE);
    }
    next->serial = k->serial;
    memcpy(next->digest, k->digest, sizeof next->digest);
    next->settled = false;
    next->pending_count = k->add_count;
    memcpy(next->pending, k->add, sizeof next->pending);
    if (count_keys(storage, dir) + k->add_count > UP_KEYRING_MAX)
        return up_fail(err, UP_INCOMPATIBLE, "key list %" PRIu64 ": more than %d keys", k->serial,
                       UP_KEYRING_MAX);
    if (check_names(k, next, storage, dir, err) < 0 || check_root(next, storage, dir, err) < 0)
        return err->code;
    return 0;
}

static int carry_out(struct up_keyset *set, const struct up_key_list *k, struct up_storage *storage,
                     const char *dir, struct up_error *err)
{
    int rc = up_keyset_read(set, storage, dir, err);

    if (rc == 0)
        rc = check_serial(k, set, err);
    if (rc < 0)
        return rc;
    /* What an earlier list left undone would be lost with its record. */
    if (set->serial > 0 && !set->settled)
        rc = settle(set, storage, dir, err);
    if (rc < 0)
        return rc;
    if (set->serial == k->serial) {
        set->pending_count = k->add_count;
        memcpy(set->pending, k->add, sizeof set->pending);
        return settle(set, storage, dir, err);
    }
    rc = make_next(set, k, storage, dir, err);
    if (rc == 0)
        rc = up_keyset_write(set, storage, dir, err);
    return rc < 0 ? rc : settle(set, storage, dir, err);
}

/* One at a time. Returns the open lock file. */
static int lock(struct up_storage *storage, const char *dir, struct up_error *err)
{
    char path[UP_PATH_SIZE];
    int file;

    if (path_of(path, dir, "lock", "", err) < 0)
        return err->code;
    file = storage->ops->open(storage, path, UP_CREATE, 0600);
    if (file < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s", path, strerror(errno));
    if (storage->ops->lock(storage, file) == 0)
        return file;
    up_fail(err, errno == EWOULDBLOCK ? UP_BUSY : UP_WRITE, "keys %s: %s", dir,
            errno == EWOULDBLOCK ? "another moult process changes them" : strerror(errno));
    storage->ops->close(storage, file);
    return err->code;
}

static int load_list(struct up_key_list *k, struct up_storage *storage, const char *dir, const char *path,
                     struct up_error *err)
{
    char comment[UP_TRUSTED_COMMENT_MAX], expected[64], *text;
    struct up_keyring *root;
    size_t len;
    int rc = up_keyring_load_root(&root, storage, dir, err);

    if (rc < 0)
        return rc;
    rc = up_signed_load(&text, &len, comment, storage, root, path, UP_KEYS_MAX, err);
    up_keyring_free(root);
    if (rc < 0)
        return rc;
    rc = up_keys_parse(k, text, len, err);
    free(text);
    snprintf(expected, sizeof expected, "%s%" PRIu64, UP_KEYS_COMMENT, k->serial);
    if (rc == 0 && strcmp(comment, expected) != 0)
        rc = up_fail(err, UP_UNTRUSTED, "signed as \"%s\", not as \"%s\"", comment, expected);
    return rc < 0 ? up_fail_in(err, path) : 0;
}

int up_keys_apply(uint64_t *serial, struct up_storage *storage, const char *dir, const char *path,
                  struct up_error *err)
{
    struct up_key_list *k = malloc(sizeof *k);
    struct up_keyset *set = malloc(sizeof *set);
    int rc, file;

    if (!k || !set)
        rc = up_fail(err, UP_INTERNAL, "keys %s: out of memory", dir);
    else
        rc = load_list(k, storage, dir, path, err);
    if (rc == 0) {
        *serial = k->serial;
        file = rc = lock(storage, dir, err);
        if (file >= 0) {
            rc = carry_out(set, k, storage, dir, err);
            storage->ops->close(storage, file);
        }
    }
    free(k);
    free(set);
    return rc;
}

int up_keys_settle(struct up_storage *storage, const char *dir, struct up_error *err)
{
    struct up_keyset *set = malloc(sizeof *set);
    int rc, file;

    if (!set)
        return up_fail(err, UP_INTERNAL, "keys %s: out of memory", dir);
    rc = up_keyset_read(set, storage, dir, err);
    if (rc == 0 && set->serial > 0 && (!set->settled || up_keyset_needs_tending(storage, dir))) {
        file = rc = lock(storage, dir, err);
        /* Another process may have continued since. */
        if (file >= 0) {
            rc = up_keyset_read(set, storage, dir, err);
            if (rc == 0 && !set->settled)
                rc = settle(set, storage, dir, err);
            if (rc == 0)
                rc = up_keyset_tend(storage, dir, err);
            storage->ops->close(storage, file);
        }
    }
    free(set);
    return rc;
}

struct listing {
    void (*each)(void *user, const struct up_key_info *key);
    void *user;
};

static void list_key(struct scan *scan, const char *path, const char *name)
{
    const struct listing *listing = scan->user;
    struct up_key_info info = {.root = scan->root};
    uint8_t raw[UP_KEY_RAW_SIZE];
    struct up_error err;
    char stem[256];

    snprintf(stem, sizeof stem, "%.*s", (int)(strlen(name) - 4), name);
    info.name = stem;
    if (up_public_key_load(raw, scan->storage, path, &err) < 0) {
        info.state = UP_KEY_UNREADABLE;
        info.why = err.message;
    } else {
        up_minisign_id_format(up_public_key_id(raw), info.id);
        info.state = up_keyset_revoked(scan->set, up_public_key_id(raw)) ? UP_KEY_REVOKED : UP_KEY_TRUSTED;
    }
    listing->each(listing->user, &info);
}

int up_keys_list(struct up_keyset *set, struct up_storage *storage, const char *dir,
                 void (*each)(void *user, const struct up_key_info *key), void *user, struct up_error *err)
{
    struct listing listing = {each, user};
    struct scan scan = {.storage = storage, .dir = dir, .each = list_key, .set = set, .user = &listing};
    char root[UP_PATH_SIZE];

    if (path_of(root, dir, UP_KEYS_ROOT, "", err) < 0 || up_keyset_read(set, storage, dir, err) < 0)
        return err->code;
    if (storage->ops->list(storage, dir, scan_name, &scan) < 0)
        return up_fail(err, UP_UNTRUSTED, "keys %s: %s", dir, strerror(errno));
    scan.dir = root;
    scan.root = true;
    /* Many devices have no root keys: no list ever changes their set. */
    storage->ops->list(storage, root, scan_name, &scan);
    return 0;
}
