/*
 * install_finish.c -- every block of a transaction is in place: read back and
 * arm.
 *
 * Order of durable steps: journal installing; sync and read-back; archive and
 * head kept, generation, read-back of that; journal arming; one boot-variable
 * write; journal armed. Each can be repeated.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block_mac.h"
#include "blocks.h"
#include "device_private.h"
#include "error.h"
#include "generation.h"
#include "generation_reader.h"
#include "hotfix_ledger.h"
#include "minisign.h"
#include "package.h"

#define MATCHES_A_CALL 16 /* blocks read back before the caller gets a turn */
#define CHUNKS_A_CALL 64  /* of 64 KiB of the extracted script */
#define PIECES_A_CALL 8   /* of it while it is extracted, each perhaps with a sync */

struct up_finish {
    unsigned part;  /* of the manifest, being read back */
    uint32_t block; /* its next block */
    struct up_blocks *blocks;
    struct up_slot *target;
    struct up_block_mac *macs;           /* MACs of what this process wrote; NULL: nothing */
    struct up_generation_maker *making;  /* the script; NULL: not being extracted */
    struct up_generation_reader *script; /* the extracted one; NULL: not read yet */
};

void up_device_finish_free(struct up_device *d)
{
    if (!d->finish)
        return;
    up_generation_reader_close(d->finish->script);
    up_generation_maker_close(d->finish->making);
    up_blocks_close(d->finish->blocks);
    up_slot_close(d->finish->target);
    up_block_mac_free(d->finish->macs);
    free(d->finish);
    d->finish = NULL;
}

const char *up_device_target(const struct up_device *d, enum up_part_kind kind, char *buf, size_t len)
{
    if (kind == UP_CORE) {
        if (snprintf(buf, len, "%s", d->config->slot[d->state.tx.target]) >= (int)len)
            abort();
        return buf;
    }
    if (kind == UP_HOTFIX)
        return up_device_path(d, "hotfix/new/hotfix.tar", buf, len);
    return up_device_path(d, kind == UP_FILES ? "tx/files.tar" : "tx/script.tar", buf, len);
}

int up_device_open_target(struct up_slot **out, const struct up_device *d, const struct up_part *part,
                          struct up_error *err)
{
    bool core = part->kind == UP_CORE, adopt = core && up_device_adopts(d);
    enum up_slot_use use = core ? UP_SLOT_WRITE : UP_SLOT_SPOOL;
    char path[UP_PATH_SIZE];

    up_device_target(d, part->kind, path, sizeof path);
    if (core && !adopt && up_device_check_slots(d, err) < 0)
        return err->code;
    if (up_slot_open(out, d->storage, path, adopt ? UP_SLOT_READ : use, part->size, err) < 0)
        return err->code;
    return adopt;
}

/* Sync the part's target and prepare to read it from the medium. */
static int open_part(struct up_device *d, const struct up_part *part, struct up_error *err)
{
    struct up_finish *f = d->finish;
    char spool[UP_PATH_SIZE];
    int how, adopt;

    up_device_path(d, "tx", spool, sizeof spool);
    f->block = 0;
    f->macs = up_device_take_macs(d, part->kind);
    if (up_blocks_open(&f->blocks, d->storage, spool, part, err) < 0)
        return err->code;
    adopt = up_device_open_target(&f->target, d, part, err);
    if (adopt != 0)
        return adopt < 0 ? adopt : 0;
    if (up_slot_sync(f->target, err) < 0)
        return err->code;
    how = up_slot_drop_cache(f->target, err);
    if (how < 0)
        return how;
    if (how > (int)d->read_back)
        d->read_back = (enum up_read_back)how;
    return 0;
}

enum up_read_back up_device_read_back(const struct up_device *d)
{
    return d->read_back;
}

static void close_part(struct up_device *d)
{
    struct up_finish *f = d->finish;

    up_generation_reader_close(f->script);
    f->script = NULL;
    up_generation_maker_close(f->making);
    f->making = NULL;
    up_blocks_close(f->blocks);
    f->blocks = NULL;
    up_slot_close(f->target);
    f->target = NULL;
    up_block_mac_free(f->macs);
    f->macs = NULL;
}

/* Check some blocks of the current part: UP_AGAIN, or 0 when all are correct. */
static int read_back(struct up_device *d, const struct up_part *part, struct up_error *err)
{
    struct up_finish *f = d->finish;

    for (int n = 0; n < MATCHES_A_CALL && f->block < up_blocks_count(f->blocks); n++, f->block++) {
        int match = up_blocks_intact(f->blocks, f->block, f->target, f->macs, err);

        if (match < 0)
            return match;
        if (match == 0)
            return up_fail(err, UP_WRITE, "%s: block %u reads back differently from what was written",
                           up_manifest_part_name(part->kind), f->block);
    }
    return f->block < up_blocks_count(f->blocks) ? UP_AGAIN : 0;
}

/* The copy of the head must be intact, too: the package was verified before, so
 * what does not fit is the medium's fault, and keys that cannot be read are not
 * the head's. */
static int check_head(struct up_device *d, const char *head, struct up_error *err)
{
    struct up_keyring *ring;
    struct up_manifest m;
    struct up_error why;
    int rc;

    if (up_keyring_open(&ring, d->storage, d->config->keys, &why) < 0)
        return 0;
    rc = up_package_load_part(&m, d->storage, ring, head, UP_SCRIPT, &why);
    up_keyring_free(ring);
    if (rc == 0)
        return 0;
    *err = why;
    return rc == UP_INTERNAL
               ? up_fail_in(err, head)
               : up_fail(err, UP_CORRUPT, "%s: is not what was verified: %s", head, why.message);
}

/* The archive is complete: keep it, and begin to extract it. */
static int begin_script(struct up_device *d, const struct up_part *script, struct up_error *err)
{
    char spool[UP_PATH_SIZE], dir[UP_PATH_SIZE], path[UP_PATH_SIZE];
    uint32_t n = d->state.tx.generation;

    up_device_path(d, "tx", spool, sizeof spool);
    up_device_path(d, "script", dir, sizeof dir);
    /* The first script creates the directory; it may have been lost since. */
    if (up_storage_make_dir(d->storage, dir, 0755, err) < 0 ||
        up_generation_keep(d->storage, spool, dir, n, err) < 0 ||
        up_generation_path(path, dir, n, ".head", err) < 0 || check_head(d, path, err) < 0 ||
        up_generation_path(path, dir, n, ".tar", err) < 0 ||
        up_generation_maker_open(&d->finish->making, d->storage, path, script->size, dir, n, err) < 0)
        return err->code;
    return UP_AGAIN;
}

/* Extract some of it; at its end, prepare to read it back. */
static int make_script(struct up_device *d, struct up_error *err)
{
    char dir[UP_PATH_SIZE], path[UP_PATH_SIZE];
    struct up_finish *f = d->finish;
    int rc = UP_AGAIN;

    for (int n = 0; n < PIECES_A_CALL && rc == UP_AGAIN; n++)
        rc = up_generation_maker_step(f->making, err);
    if (rc < 0)
        return rc;
    up_generation_maker_close(f->making);
    f->making = NULL;
    up_device_path(d, "script", dir, sizeof dir);
    if (up_generation_path(path, dir, d->state.tx.generation, "", err) < 0 ||
        up_generation_reader_open(&f->script, d->storage, path, f->blocks, err) < 0)
        return err->code;
    return UP_AGAIN;
}

/* Check some of what was extracted: UP_AGAIN, or 0 if it is what was signed.
 * From then on its digest identifies it. */
static int read_back_script(struct up_device *d, struct up_error *err)
{
    struct up_known_digest *digest = &d->state.tx.pair.script;
    int rc = UP_AGAIN;

    for (int n = 0; n < CHUNKS_A_CALL && rc == UP_AGAIN; n++)
        rc = up_generation_reader_step(d->finish->script, err);
    if (rc == 0) {
        digest->known = true;
        memcpy(digest->bytes, up_generation_reader_digest(d->finish->script), sizeof digest->bytes);
    }
    return rc;
}

/* The signed bytes were correct a moment ago, so the medium failed. Nothing
 * that was extracted to it is kept. */
static int medium_failed(struct up_device *d, struct up_error *err)
{
    char dir[UP_PATH_SIZE];

    up_device_path(d, "script", dir, sizeof dir);
    up_generation_discard(d->storage, dir, d->state.tx.generation);
    err->code = UP_WRITE;
    return UP_WRITE;
}

/* Work on the current part: UP_AGAIN, or 0 when it is done. */
static int finish_part(struct up_device *d, const struct up_part *part, struct up_error *err)
{
    struct up_finish *f = d->finish;
    char path[UP_PATH_SIZE];
    int rc;

    if (!f->blocks && open_part(d, part, err) < 0)
        return err->code;
    if (f->making) {
        rc = make_script(d, err);
    } else if (f->script) {
        rc = read_back_script(d, err);
    } else {
        rc = read_back(d, part, err);
        if (rc == 0 && part->kind == UP_FILES)
            return up_device_stage_files(d, up_device_target(d, part->kind, path, sizeof path), err);
        if (rc < 0 || part->kind != UP_SCRIPT)
            return rc;
        rc = begin_script(d, part, err);
    }
    return rc == UP_CORRUPT ? medium_failed(d, err) : rc;
}

/* Record how the slot's image is recognised at a later boot; "": there is no way. */
static void note_identity(struct up_device *d, struct up_transaction *t)
{
    const char *slot = d->config->slot[t->target];
    struct up_error ignored;

    if (slot)
        (void)!up_slot_identity(d->storage, slot, t->pair.identity, &ignored);
}

/* Everything is in place and was read back: arm it. */
static int arm(struct up_device *d, struct up_error *err)
{
    struct up_journal_state next = d->state;
    struct up_transaction *t = &next.tx;
    char message[UP_LAST_SIZE];

    t->let_in = d->let_in;
    if (t->parts & 1u << UP_CORE) {
        note_identity(d, t);
        next.phase = UP_ARMING;
        next.slot[t->target] = t->pair;
        up_boot_id(d->boot, &d->boot_state, t->boot_id);
        if (up_device_save(d, &next, err) < 0 || up_device_arm_boot(d, err) < 0)
            return err->code;
    }
    if (t->plan.known && d->storage->ops->boot_id(d->storage, t->armed_boot) < 0)
        return up_fail(err, UP_INTERNAL, "boot id: %s", strerror(errno));
    next.phase = UP_ARMED;
    if (up_device_save(d, &next, err) < 0)
        return err->code;
    snprintf(message, sizeof message, "read back %s", up_storage_read_back_text(d->read_back));
    up_device_note(d, "armed", UP_OK, t->pair.release, t->sequence, message);
    return 0;
}

/* The medium returned something else than was written, so the hint about it cannot be trusted either. */
static int forget_hints(struct up_device *d, struct up_error *err)
{
    struct up_error ignored;
    int code = err->code;

    up_device_finish_free(d);
    up_device_forget_kept(d);
    if (d->state.tx.hint > 0)
        (void)!up_device_hint(d, 0, &ignored);
    return code;
}

/* A hotfix on test, or one that is being undone, has the tree of files. */
static int check_hotfixes(const struct up_device *d, struct up_error *err)
{
    struct up_hotfix_ledger ledger;

    if (up_hotfix_ledger_read(&ledger, d->storage, d->config->state, err) < 0)
        return up_hotfix_ledger_is_lost(d->storage, d->config->state) ? 0 : err->code;
    return up_hotfix_ledger_under_way(&ledger)
               ? up_fail(err, UP_BUSY, "a hotfix is being tested or undone; try again later")
               : 0;
}

int up_device_prepare(struct up_device *d, const struct up_manifest *m, struct up_error *err)
{
    struct up_journal_state next = d->state;
    int rc;

    if ((d->state.phase != UP_FETCHING && d->state.phase != UP_INSTALLING) ||
        memcmp(d->state.tx.pair.digest, m->digest, sizeof m->digest) != 0)
        return up_fail(err, UP_NOTHING, "release %s: it has no open transaction to finish",
                       up_manifest_name(m));
    if (!d->finish) {
        d->read_back = UP_READ_DIRECT;
        next.phase = UP_INSTALLING;
        if (next.phase != d->state.phase && up_device_save(d, &next, err) < 0)
            return err->code;
        if (check_hotfixes(d, err) < 0) /* that one looks at the phase after it was put on record */
            return err->code;
        d->finish = calloc(1, sizeof *d->finish);
        if (!d->finish)
            return up_fail(err, UP_INTERNAL, "install: out of memory");
    }
    while (d->finish->part < m->part_count && !(d->state.tx.parts & 1u << m->part[d->finish->part].kind))
        d->finish->part++;
    if (d->finish->part < m->part_count) {
        rc = finish_part(d, &m->part[d->finish->part], err);
        if (rc == UP_AGAIN)
            return rc;
        if (rc < 0)
            return forget_hints(d, err);
        close_part(d);
        d->finish->part++;
        return UP_AGAIN;
    }
    return 0;
}

int up_device_finish(struct up_device *d, const struct up_manifest *m, struct up_error *err)
{
    struct up_gate_report report;
    int rc = up_device_prepare(d, m, err);

    if (rc != 0)
        return rc;
    up_device_finish_free(d);
    up_device_forget_kept(d);
    if (d->provisioning)
        return up_device_commit_provision(d, err);
    if (up_device_stage_ends(d, err) < 0 || up_device_gates(d, m, &report, err) < 0)
        return err->code;
    return arm(d, err);
}
