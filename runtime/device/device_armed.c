/*
 * device_armed.c -- between arming and start: is what was armed unchanged?
 *
 * Much time may pass in between. Keys may be revoked meanwhile, and a path that
 * named one disk may name another. What cannot be determined is no reason to
 * refuse: only keys that could be read and do not trust the signature count, or
 * a slot that is known to be another one.
 */
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "device_private.h"
#include "digest.h"
#include "error.h"
#include "keys.h"
#include "minisign.h"
#include "package.h"

#define BLOCKS_A_CALL 4 /* of the image, before the caller gets a turn */

/* The manifest of what was armed, as it was verified then. The caller frees it;
 * NULL if it no longer exists. */
static char *read_manifest(struct up_device *d, size_t *size)
{
    char path[UP_PATH_SIZE], *text;
    uint8_t digest[UP_SHA256_SIZE];
    struct up_error ignored;

    if (up_storage_read_file(d->storage, up_device_path(d, "tx/manifest.json", path, sizeof path),
                             UP_MANIFEST_MAX, &text, size, &ignored) < 0)
        return NULL;
    up_sha256(text, *size, digest);
    if (memcmp(digest, d->state.tx.pair.digest, sizeof digest) == 0)
        return text;
    free(text);
    return NULL;
}

/* The key that signed it. */
static bool read_signer(struct up_device *d, char id[UP_KEY_ID_TEXT])
{
    char path[UP_PATH_SIZE], *sig;
    struct up_error ignored;
    size_t size;
    bool known;

    if (up_storage_read_file(d->storage, up_device_path(d, "tx/manifest.minisig", path, sizeof path),
                             UP_MINISIG_MAX, &sig, &size, &ignored) < 0)
        return false;
    known = up_minisign_key_id(sig, size, id, &ignored) == 0;
    free(sig);
    return known;
}

struct trust {
    const char *id;
    unsigned keys; /* number of keys in the directory */
    bool trusted, unsure, revoked;
};

static void look_at_key(void *user, const struct up_key_info *key)
{
    struct trust *t = user;
    bool same = strcmp(key->id, t->id) == 0;

    if (key->root)
        return;
    t->keys++;
    t->unsure = t->unsure || key->state == UP_KEY_UNREADABLE;
    t->trusted = t->trusted || (same && key->state == UP_KEY_TRUSTED);
    t->revoked = t->revoked || (same && key->state == UP_KEY_REVOKED);
}

/* Whether the slot is the one that was armed. A slot without an identity of its
 * own, or that cannot be asked, is judged by its content. */
static int check_identity(struct up_device *d, struct up_error *err)
{
    const struct up_pair *pair = &d->state.tx.pair;
    const char *slot = d->config->slot[d->state.tx.target];
    char now[UP_IDENTITY_SIZE];
    struct up_error ignored;

    if (!up_device_has_core(d) || !slot || !pair->identity[0])
        return 0;
    (void)!up_slot_identity(d->storage, slot, now, &ignored);
    if (!now[0] || strcmp(now, pair->identity) == 0)
        return 0;
    return up_fail(err, UP_INCOMPATIBLE,
                   "release %s: slot %s is not the one that was armed: it is %s now, was %s", pair->release,
                   slot, now, pair->identity);
}

/* The manifest was verified when it arrived; only whether its key is trusted may have changed. */
static int check_signer(struct up_device *d, struct up_error *err)
{
    struct up_error ignored;
    char id[UP_KEY_ID_TEXT];
    struct trust t = {.id = id};
    struct up_keyset *set;
    int rc;

    if (!read_signer(d, id))
        return 0;
    set = malloc(sizeof *set);
    if (!set)
        return up_fail(err, UP_INTERNAL, "keys: out of memory");
    rc = up_keys_list(set, d->storage, d->config->keys, look_at_key, &t, &ignored);
    for (unsigned i = 0; rc == 0 && i < set->pending_count; i++) {
        char pending[UP_KEY_ID_TEXT];

        up_minisign_id_format(up_public_key_id(set->pending[i].raw), pending);
        t.trusted = t.trusted || strcmp(pending, id) == 0;
    }
    free(set);
    if (rc < 0 || t.trusted || (t.unsure && !t.revoked) || t.keys == 0)
        return 0;
    return up_fail(err, UP_UNTRUSTED, "release %s: was signed by key %s, which %s", d->state.tx.pair.release,
                   id, t.revoked ? "was revoked" : "is no longer trusted");
}

struct up_image_check {
    struct up_blocks *blocks;
    struct up_slot *slot;
    uint32_t next;
};

void up_device_image_free(struct up_device *d)
{
    if (!d->image_check)
        return;
    up_blocks_close(d->image_check->blocks);
    up_slot_close(d->image_check->slot);
    free(d->image_check);
    d->image_check = NULL;
}

int up_device_check_armed(struct up_device *d, struct up_error *err)
{
    return check_signer(d, err) < 0 ? err->code : check_identity(d, err);
}

/* Whether only its content can show that the slot is the one that was armed. A
 * mounted slot may have been changed by whoever mounted it, and the boot loader
 * chose it. */
static bool must_read_image(struct up_device *d)
{
    const char *slot = d->config->slot[d->state.tx.target];

    return up_device_has_core(d) && d->boot_state.running == d->state.tx.target && slot &&
           !d->state.tx.pair.identity[0] && d->image_checked != d->state.tx.id &&
           d->storage->ops->mounted(d->storage, slot) == UP_NOT_MOUNTED;
}

/* Open the slot and the index that it was installed with. UP_NOTHING: they cannot be compared. */
static int open_image(struct up_device *d, struct up_error *err)
{
    struct up_image_check *c = d->image_check;
    char spool[UP_PATH_SIZE], *text;
    const struct up_part *core;
    struct up_manifest m;
    size_t size;
    int rc;

    text = read_manifest(d, &size);
    if (!text)
        return UP_NOTHING;
    rc = up_manifest_parse(&m, text, size, err);
    free(text);
    core = rc == 0 ? up_manifest_part(&m, UP_CORE) : NULL;
    up_device_path(d, "tx", spool, sizeof spool);
    if (!core || up_package_check_index(d->storage, spool, core, err) < 0 ||
        up_blocks_open(&c->blocks, d->storage, spool, core, err) < 0)
        return UP_NOTHING;
    return up_slot_open(&c->slot, d->storage, d->config->slot[d->state.tx.target], UP_SLOT_READ, core->size,
                        err) < 0
               ? UP_NOTHING
               : 0;
}

/* The slot is another one, or its block `n` cannot be read: then `err` says why. */
static void say_not_intact(const struct up_device *d, uint32_t n, int match, struct up_error *err)
{
    struct up_error why = *err;
    const char *release = d->state.tx.pair.release, *slot = d->config->slot[d->state.tx.target];

    if (match < 0)
        up_fail(err, UP_INCOMPATIBLE, "release %s: slot %s: block %u cannot be read: %s", release, slot, n,
                why.message);
    else
        up_fail(err, UP_INCOMPATIBLE,
                "release %s: slot %s no longer holds what was armed: block %u is another one", release, slot,
                n);
}

int up_device_check_image(struct up_device *d, struct up_error *err)
{
    struct up_image_check *c = d->image_check;
    struct up_error why;
    int rc = 0;

    if (!must_read_image(d))
        return 0;
    if (!c) {
        c = d->image_check = calloc(1, sizeof *c);
        if (!c)
            return up_fail(err, UP_INTERNAL, "image: out of memory");
        rc = open_image(d, &why);
    }
    for (int n = 0; n < BLOCKS_A_CALL && rc == 0 && c->next < up_blocks_count(c->blocks); n++, c->next++) {
        int match = up_blocks_match(c->blocks, c->next, c->slot, err);

        if (match == 1)
            continue;
        if (match != UP_INTERNAL)
            say_not_intact(d, c->next, match, err);
        up_device_image_free(d);
        return err->code;
    }
    if (rc == 0 && c->next < up_blocks_count(c->blocks))
        return UP_AGAIN;
    up_device_image_free(d);
    d->image_checked = d->state.tx.id;
    return 0;
}
