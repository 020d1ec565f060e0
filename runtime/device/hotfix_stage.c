/*
 * hotfix_stage.c -- a hotfix on its way to its folder: the head from the spool
 * of heads, the blocks by a transfer, the tree; and which folders go again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "device_private.h"
#include "digest.h"
#include "error.h"
#include "hotfix_files.h"
#include "hotfix_private.h"
#include "minisign.h"
#include "package.h"
#include "slot.h"
#include "unpack.h"

#define NEW "new"
#define SPOOL "hotfix.tar" /* its content */

/* <state>/hotfix/<folder>/<name>; the last two may be "". */
static const char *place(const struct up_device *d, const char *folder, const char *name,
                         char buf[UP_PATH_SIZE])
{
    int n = snprintf(buf, UP_PATH_SIZE, "%s/hotfix%s%s%s%s", d->config->state, *folder ? "/" : "", folder,
                     *name ? "/" : "", name);

    if (n >= UP_PATH_SIZE)
        abort();
    return buf;
}

const char *up_hotfix_path(const struct up_device *d, const char *id, const char *name, char *buf, size_t len)
{
    if (snprintf(buf, len, "%s/hotfix/%s/tree%s%s", d->config->state, id, *name ? "/" : "", name) >= (int)len)
        abort();
    return buf;
}

void up_hotfix_name(const struct up_manifest *m, char id[UP_HOTFIX_ID_SIZE])
{
    up_hex(m->digest, (UP_HOTFIX_ID_SIZE - 1) / 2, id);
}

const char *up_hotfix_head(const struct up_device *d, const char *id, char buf[UP_PATH_SIZE])
{
    return place(d, id, "", buf);
}

int up_hotfix_load(const struct up_device *d, const char *folder, struct up_manifest *m, struct up_error *err)
{
    char path[UP_PATH_SIZE];
    struct up_keyring *ring;
    int rc;

    place(d, folder, "", path);
    rc = up_hotfix_is_unsigned(d, path, err);
    if (rc != 0)
        return rc < 0 ? rc : up_hotfix_load_unsigned(d, path, m, err);
    rc = up_keyring_open(&ring, d->storage, d->config->keys, err);
    if (rc < 0)
        return rc;
    rc = up_package_load_part(m, d->storage, ring, path, UP_HOTFIX, err);
    up_keyring_free(ring);
    return rc;
}

bool up_hotfix_is_there(const struct up_device *d, const char *id)
{
    char path[UP_PATH_SIZE];
    struct up_stat st;

    return d->storage->ops->stat(d->storage, place(d, id, "tree", path), &st) == 0 && st.kind == UP_NODE_DIR;
}

int up_hotfix_has(const struct up_device *d, const char *id, const char *name, struct up_error *err)
{
    char path[UP_PATH_SIZE];
    struct up_stat st;

    if (d->storage->ops->stat(d->storage, up_hotfix_path(d, id, name, path, sizeof path), &st) == 0)
        return 1;
    return errno == ENOENT ? 0 : up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
}

bool up_hotfix_is_lost(const struct up_device *d, const char *id)
{
    char path[UP_PATH_SIZE];
    struct up_stat st;

    return d->storage->ops->stat(d->storage, place(d, id, "tree", path), &st) < 0 && errno == ENOENT;
}

int up_hotfix_is_begun(const struct up_device *d, const struct up_manifest *m, struct up_error *err)
{
    struct up_manifest there;

    if (up_hotfix_load(d, NEW, &there, err) < 0 || memcmp(there.digest, m->digest, sizeof m->digest) != 0)
        return up_fail(err, UP_NOTHING, "hotfix %s: it was not begun", m->hotfix_name);
    return 0;
}

/* Move a file to our folder; `from`: the folder that it is in, below the state. */
static int take(struct up_device *d, const char *from, const char *name, struct up_error *err)
{
    char path[UP_PATH_SIZE], to[UP_PATH_SIZE], below[64];

    snprintf(below, sizeof below, "%s/%s", from, name);
    up_device_path(d, below, path, sizeof path);
    if (d->storage->ops->rename(d->storage, path, place(d, NEW, name, to)) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s", path, strerror(errno));
    return 0;
}

/* Of what nobody signed the content comes, too. */
static int take_unsigned(struct up_device *d, const struct up_manifest *m, struct up_error *err)
{
    char to[UP_PATH_SIZE];

    if (up_hotfix_keep_unsigned(d, m, place(d, NEW, "", to), err) < 0 ||
        take(d, "hotfix/" UP_HOTFIX_BARE "/spool", "hotfix.idx", err) < 0 ||
        take(d, "hotfix/" UP_HOTFIX_BARE "/spool", SPOOL, err) < 0)
        return err->code;
    return 0;
}

/* From the spool of heads, which the next package will use. */
static int take_signed(struct up_device *d, struct up_error *err)
{
    static const char *const names[] = {"hotfix.idx", "manifest.minisig", "manifest.json"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (take(d, "tx", names[i], err) < 0)
            return err->code;
    return 0;
}

/* Move the head to our folder. */
static int take_head(struct up_device *d, const struct up_manifest *m, struct up_error *err)
{
    char to[UP_PATH_SIZE];
    int rc;

    if (up_storage_remove_tree(d->storage, place(d, NEW, "", to), err) < 0 ||
        up_storage_make_dir(d->storage, to, UP_HOTFIX_FOLDER_MODE, err) < 0)
        return err->code;
    rc = up_manifest_sequence_is_unsigned(m->sequence) ? take_unsigned(d, m, err) : take_signed(d, err);
    if (rc == 0 && d->storage->ops->sync_dir(d->storage, to) < 0)
        rc = up_fail(err, UP_WRITE, "%s: %s", to, strerror(errno));
    return rc;
}

int up_hotfix_begin(struct up_device *d, const struct up_manifest *m, struct up_error *err)
{
    struct up_hotfix_ledger ledger;
    struct up_gate_report report;
    char path[UP_PATH_SIZE];

    if (up_device_gates(d, m, &report, err) < 0 || up_hotfix_ledger(d, &ledger, err) < 0 ||
        up_storage_make_dir(d->storage, place(d, "", "", path), UP_HOTFIX_FOLDER_MODE, err) < 0 ||
        up_hotfix_clean(d, &ledger, true, err) < 0)
        return err->code;
    /* What nobody signed is there as a whole, and begins anew. */
    if (!up_manifest_sequence_is_unsigned(m->sequence) && up_hotfix_is_begun(d, m, err) == 0)
        return 0;
    return take_head(d, m, err);
}

/* Read back from the medium what was written. */
static int read_back(struct up_device *d, const struct up_part *part, const char *spool, struct up_error *err)
{
    char path[UP_PATH_SIZE];
    struct up_blocks *blocks;
    struct up_slot *slot = NULL;
    int match = 1, rc = up_blocks_open(&blocks, d->storage, place(d, NEW, "", path), part, err);

    if (rc < 0)
        return rc;
    rc = up_slot_open(&slot, d->storage, spool, UP_SLOT_SPOOL, part->size, err);
    if (rc == 0)
        rc = up_slot_sync(slot, err);
    if (rc == 0)
        rc = up_slot_drop_cache(slot, err);
    for (uint32_t i = 0; rc >= 0 && match > 0 && i < up_blocks_count(blocks); i++) {
        match = up_blocks_match(blocks, i, slot, err);
        rc = match < 0 ? match : 0;
    }
    if (rc >= 0 && match == 0)
        rc = up_fail(err, UP_WRITE, "%s: reads back differently from what was written", spool);
    up_slot_close(slot);
    up_blocks_close(blocks);
    return rc < 0 ? rc : 0;
}

static int unpack(struct up_device *d, const struct up_manifest *m, const char *spool, struct up_error *err)
{
    enum up_script_archive_kind kind = m->hotfix_opaque ? UP_ARCHIVE_OF_OPAQUE : UP_ARCHIVE_OF_HOTFIX;
    char tree[UP_PATH_SIZE];
    struct up_unpack *u;
    int rc;

    if (up_unpack_open(&u, d->storage, spool, up_manifest_part(m, UP_HOTFIX)->size, kind,
                       place(d, NEW, "tree", tree), err) < 0)
        return err->code;
    do
        rc = up_unpack_step(u, err);
    while (rc == UP_AGAIN);
    up_unpack_close(u);
    return rc;
}

/* Give the folder its name; from then on it is complete. */
static int name_folder(struct up_device *d, const char *id, struct up_error *err)
{
    char from[UP_PATH_SIZE], to[UP_PATH_SIZE];

    if (d->storage->ops->sync_dir(d->storage, place(d, NEW, "", from)) < 0)
        return up_fail(err, UP_WRITE, "%s: %s", from, strerror(errno));
    if (up_storage_remove_tree(d->storage, place(d, id, "", to), err) < 0)
        return err->code;
    if (d->storage->ops->rename(d->storage, from, to) < 0)
        return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s", to, strerror(errno));
    return up_storage_sync_parent(d->storage, to, err);
}

/* A device without a script takes no modules, of which the manifest says nothing. */
static int check_script(const struct up_device *d, const struct up_manifest *m, struct up_error *err)
{
    int has = d->config->no_script ? up_hotfix_has(d, NEW, "lua", err) : 0;

    return has > 0 ? up_fail(err, UP_INCOMPATIBLE,
                             "hotfix %s: it has modules, and the configuration says that this device has no "
                             "script (script = false)",
                             m->hotfix_name)
                   : has;
}

/* The archive is as the manifest says, and its update.ini one that a device takes. */
static int check_files(struct up_device *d, const struct up_manifest *m, struct up_error *err)
{
    char tree[UP_PATH_SIZE];
    struct up_hotfix_files files;
    int rc, has = up_hotfix_has(d, NEW, "files", err);

    if (has < 0)
        return has;
    if (has != m->hotfix_files)
        return up_fail(err, UP_UNTRUSTED,
                       "hotfix %s: its manifest and its archive disagree whether it has files",
                       m->hotfix_name);
    if (!m->hotfix_files)
        return 0;
    rc = check_script(d, m, err);
    if (rc == 0)
        rc = up_hotfix_files_open(&files, d->storage, place(d, NEW, "tree", tree), err);
    if (rc == 0)
        up_hotfix_files_close(&files);
    return rc;
}

int up_hotfix_finish(struct up_device *d, const struct up_manifest *m, char id[UP_HOTFIX_ID_SIZE],
                     struct up_error *err)
{
    const struct up_part *part = up_manifest_part(m, UP_HOTFIX);
    char spool[UP_PATH_SIZE];

    if (up_hotfix_is_begun(d, m, err) < 0)
        return err->code;
    up_hotfix_name(m, id);
    place(d, NEW, SPOOL, spool);
    if (read_back(d, part, spool, err) < 0 || unpack(d, m, spool, err) < 0 || check_files(d, m, err) < 0)
        return err->code;
    d->storage->ops->unlink(d->storage, spool);
    return name_folder(d, id, err);
}

/* A walk over the folders. */
struct walk {
    struct up_device *d;
    const struct up_hotfix_ledger *ledger;
    bool all;
    char *waiting;
    struct up_error *err;
    int rc;
};

static bool is_id(const char *name)
{
    return strlen(name) == UP_HOTFIX_ID_SIZE - 1 && !name[strspn(name, "0123456789abcdef")];
}

/* Whether it is in force, or waits to be tested. */
static bool is_kept(const struct walk *w, const char *id)
{
    const struct up_hotfix *h = up_hotfix_ledger_find_id((struct up_hotfix_ledger *)w->ledger, id);

    if (!h)
        return !w->all;
    return up_hotfix_ledger_is_active(h) || up_hotfix_ledger_is_below(w->ledger, h) ||
           (!w->all && h->state == UP_HOTFIX_UNDONE && !h->by_owner);
}

/* Rename it first, so that half a folder is never taken for a hotfix. */
static int remove_folder(struct up_device *d, const char *id, struct up_error *err)
{
    char from[UP_PATH_SIZE], to[UP_PATH_SIZE];

    if (d->storage->ops->rename(d->storage, place(d, id, "", from), place(d, "gone", "", to)) < 0)
        return up_fail(err, UP_WRITE, "%s: %s", from, strerror(errno));
    if (up_storage_sync_parent(d->storage, to, err) < 0)
        return err->code;
    return up_storage_remove_tree(d->storage, to, err);
}

static int clean_one(void *user, const char *name, enum up_node_kind kind)
{
    struct walk *w = user;

    (void)kind;
    if (is_id(name) && !is_kept(w, name))
        w->rc = remove_folder(w->d, name, w->err);
    return w->rc < 0;
}

int up_hotfix_clean(struct up_device *d, const struct up_hotfix_ledger *ledger, bool all,
                    struct up_error *err)
{
    struct walk w = {.d = d, .ledger = ledger, .all = all, .err = err};
    char path[UP_PATH_SIZE];

    if (up_storage_remove_tree(d->storage, place(d, "gone", "", path), err) < 0)
        return err->code;
    if (d->storage->ops->list(d->storage, place(d, "", "", path), clean_one, &w) < 0 && w.rc == 0)
        return up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    return w.rc;
}

static int find_waiting(void *user, const char *name, enum up_node_kind kind)
{
    struct walk *w = user;
    const struct up_hotfix *h = up_hotfix_ledger_find_id((struct up_hotfix_ledger *)w->ledger, name);

    (void)kind;
    if (!is_id(name) || !is_kept(w, name) || !up_hotfix_is_there(w->d, name) ||
        (h && h->state != UP_HOTFIX_UNDONE))
        return 0;
    strcpy(w->waiting, name);
    return 1;
}

void up_hotfix_waiting(const struct up_device *d, char id[UP_HOTFIX_ID_SIZE])
{
    struct up_hotfix_ledger ledger;
    struct walk w = {.d = (struct up_device *)d, .ledger = &ledger, .waiting = id};
    struct up_error ignored;
    char path[UP_PATH_SIZE];

    id[0] = '\0';
    if (up_device_has_file(d, "hotfix") && up_hotfix_ledger(d, &ledger, &ignored) == 0)
        (void)!d->storage->ops->list(d->storage, place(d, "", "", path), find_waiting, &w);
}
