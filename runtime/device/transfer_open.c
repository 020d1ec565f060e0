/*
 * transfer_open.c -- the beginning of a transfer: find what is in place, and
 * open what it needs.
 */
#include <stdlib.h>
#include <string.h>

#include "block_mac.h"
#include "blocks.h"
#include "codec.h"
#include "delta.h"
#include "digest.h"
#include "error.h"
#include "hotfix.h"
#include "old_image.h"
#include "package.h"
#include "slot.h"
#include "source.h"
#include "storage.h"
#include "transfer_private.h"

static int open_target(struct up_transfer *t, struct up_transfer_part *p, struct up_error *err)
{
    int adopt = up_device_open_target(&p->target, t->device, p->info, err);

    if (adopt < 0)
        return adopt;
    p->adopt = adopt;
    return 0;
}

/*
 * Find the blocks of part n that are in place. Up to the hint they are, if this
 * is still the same boot of the kernel, whose cache holds them. Otherwise, and
 * for as many blocks beyond as may have been written since the hint, the medium
 * is read and hashed.
 */
static int find_blocks(struct up_transfer *t, unsigned n, struct up_error *err)
{
    const struct up_transaction *tx = &up_device_state(t->device)->tx;
    struct up_transfer_part *p = &t->part[n];
    uint64_t hint = t->hotfix ? 0 : tx->hint; /* a hotfix is small: all of it is read */
    uint64_t before = up_transfer_before(t, n),
             ahead = t->hotfix ? p->count : UP_HINT_BYTES / p->info->block_size + 1, end;
    uint64_t hinted = hint > before ? hint - before : 0;
    char boot_id[37] = "";
    bool same_boot;

    if (t->fresh && !p->adopt)
        return 0;
    t->storage->ops->boot_id(t->storage, boot_id);
    same_boot = !t->hotfix && boot_id[0] && strcmp(boot_id, tx->fetch_id) == 0;
    end = hint + ahead > before ? hint + ahead - before : 0;
    if (end > p->count || p->adopt)
        end = p->count;
    if (!same_boot && up_slot_drop_cache(p->target, err) < 0)
        return err->code;
    if (up_inventory_find(p->in_place, p->blocks, p->target, same_boot ? (uint32_t)hinted : 0, (uint32_t)end,
                          !same_boot && !p->adopt, err) < 0)
        return err->code;
    if (!same_boot && up_slot_traits(p->target)->in_order)
        t->refreshed = true;
    for (uint32_t i = 0; i < end; i++) {
        if (!up_transfer_has(p, i) && p->adopt)
            return up_fail(err, UP_INCOMPATIBLE,
                           "slot %s: is mounted and holds another image than release %s",
                           up_device_config(t->device)->slot[tx->target], t->manifest->release);
        if (up_transfer_has(p, i) && i >= hinted)
            t->unhinted += p->info->block_size;
    }
    return 0;
}

static int count_reused(struct up_transfer *t, struct up_transfer_part *p, struct up_error *err)
{
    struct up_block block;

    for (uint32_t i = 0; i < p->count; i++) {
        if (!up_transfer_has(p, i))
            continue;
        if (up_blocks_get(p->blocks, i, &block, err) < 0)
            return err->code;
        t->progress.done += block.stored;
    }
    return 0;
}

/* Open the running slot for the one part that may be a delta. */
static int open_old(struct up_transfer *t, const struct up_transfer_part *p, struct up_error *err)
{
    const struct up_config *config = up_device_config(t->device);
    const char *slot = config->slot[up_device_running(t->device)];

    if (!p->info->delta)
        return 0;
    if (!slot)
        return up_fail(err, UP_INCOMPATIBLE, "release %s: its core is a delta, and this device has no slots",
                       t->manifest->release);
    if (up_delta_new(&t->delta, err) < 0)
        return err->code;
    return up_old_image_open(&t->old, t->storage, slot, p->info->source_size, err);
}

/* With the MACs of an earlier transfer of this process. Having none is not an error. */
static void get_macs(struct up_transfer *t, struct up_transfer_part *p)
{
    struct up_error ignored;

    if (p->adopt || t->hotfix)
        return;
    p->macs = up_device_take_macs(t->device, p->info->kind);
    if (!p->macs)
        (void)!up_block_mac_new(&p->macs, t->storage, p->count, &ignored);
}

static int open_part(struct up_transfer *t, unsigned n, struct up_error *err)
{
    struct up_transfer_part *p = &t->part[n];
    char spool[UP_PATH_SIZE];

    p->info = &t->manifest->part[n];
    p->left_out = !t->hotfix && !(up_device_state(t->device)->tx.parts & 1u << p->info->kind);
    if (p->left_out)
        return 0;
    up_device_path(t->device, t->spool, spool, sizeof spool);
    if (up_blocks_open(&p->blocks, t->storage, spool, p->info, err) < 0 || open_old(t, p, err) < 0 ||
        open_target(t, p, err) < 0)
        return err->code;
    p->count = up_blocks_count(p->blocks);
    get_macs(t, p);
    if (up_inventory_new(&p->in_place, p->count, err) < 0 || find_blocks(t, n, err) < 0)
        return err->code;
    t->progress.total += p->info->data_size;
    return count_reused(t, p, err);
}

/* All parts were read since this boot: record that, so that flash is not
 * written again at each attempt. */
static int note_boot(struct up_transfer *t, struct up_error *err)
{
    uint64_t front = 0;

    if (!t->refreshed || t->hotfix || up_device_provisioning(t->device))
        return 0;
    for (unsigned i = 0; i < t->manifest->part_count; i++) {
        const struct up_transfer_part *p = &t->part[i];
        uint32_t n = p->left_out ? p->count : up_inventory_front(p->in_place);

        front += n;
        if (n < p->count)
            break;
    }
    return up_device_hint(t->device, front, err);
}

static int allocate(struct up_transfer *t, struct up_error *err)
{
    size_t size = 0;

    for (unsigned i = 0; i < t->manifest->part_count; i++)
        if (t->manifest->part[i].block_size > size)
            size = t->manifest->part[i].block_size;
    t->room = size;
    t->stored = malloc(size);
    t->decoded = malloc(size);
    if (!t->stored || !t->decoded)
        return up_fail(err, UP_INTERNAL, "transfer: out of memory");
    if (up_codec_new(&t->codec, err) < 0)
        return err->code;
    return up_digest_new(&t->digest, UP_SHA256, err);
}

/* Whether blocks of this package may be written. */
static int check_begun(const struct up_device *device, const struct up_manifest *m, struct up_error *err)
{
    const struct up_journal_state *state = up_device_state(device);

    if (up_manifest_part(m, UP_HOTFIX))
        return up_hotfix_is_begun(device, m, err);
    if ((state->phase != UP_FETCHING && state->phase != UP_INSTALLING) ||
        memcmp(state->tx.pair.digest, m->digest, sizeof m->digest) != 0)
        return up_fail(err, UP_NOTHING, "release %s: no transaction is open for it", up_manifest_name(m));
    return 0;
}

int up_transfer_open(struct up_transfer **out, struct up_device *device, const struct up_package *package,
                     struct up_source *source, struct up_error *err)
{
    const struct up_manifest *m = up_package_manifest(package);
    struct up_transfer *t;

    if (check_begun(device, m, err) < 0)
        return err->code;
    t = calloc(1, sizeof *t);
    if (!t)
        return up_fail(err, UP_INTERNAL, "transfer: out of memory");
    t->device = device;
    t->storage = up_device_storage(device);
    t->source = source;
    t->remote = source->remote;
    t->manifest = m;
    t->layout = up_package_layout(package);
    t->hotfix = up_manifest_part(m, UP_HOTFIX);
    t->spool = t->hotfix ? "hotfix/new" : "tx";
    t->fresh = !t->hotfix && up_device_take_fresh(device);
    if (allocate(t, err) < 0)
        goto fail;
    for (unsigned i = 0; i < m->part_count; i++)
        if (open_part(t, i, err) < 0)
            goto fail;
    if (note_boot(t, err) < 0)
        goto fail;
    t->progress.reused = t->progress.done;
    t->offset = t->layout->data_offset[0];
    t->compared_to = t->layout->head_size;
    *out = t;
    return 0;
fail:
    up_transfer_close(t);
    return err->code;
}

void up_transfer_close(struct up_transfer *t)
{
    struct up_error ignored;

    if (!t)
        return;
    up_transfer_keep(t);
    /* What is verified stays, even if the source failed. */
    if (t->held_back)
        (void)!up_slot_flush(t->part[t->at_part].target, &ignored);
    for (int i = 0; i < UP_PART_KINDS; i++) {
        up_blocks_close(t->part[i].blocks);
        up_inventory_free(t->part[i].in_place);
        up_slot_close(t->part[i].target);
        if (t->part[i].macs)
            up_device_keep_macs(t->device, t->part[i].info->kind, t->part[i].macs);
    }
    up_transfer_close_reuse(t);
    up_codec_free(t->codec);
    up_delta_free(t->delta);
    up_old_image_close(t->old);
    up_digest_free(t->digest);
    free(t->stored);
    free(t->decoded);
    free(t);
}
