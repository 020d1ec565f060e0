/*
 * transfer_reuse.c -- do not fetch blocks of a full core that are in the
 * running slot or in the target.
 *
 * Not with a source that is as cheap to read as a slot (it has no want()), nor
 * if less is missing than looking would cost; not while provisioning; and the
 * target is not examined if it is flash, which is erased first.
 */
#include <string.h>

#include "blocks.h"
#include "error.h"
#include "old_image.h"
#include "slot.h"
#include "source.h"
#include "storage.h"
#include "transfer_private.h"

#define READ_FOR_ONE 64 /* bytes of a slot that can be read in the time of fetching one, roughly */

static uint64_t size_of(const struct up_old_image *image)
{
    return image ? up_old_image_old(image)->size : 0;
}

/* Open what can be searched; a slot that cannot be opened is not an error. */
static void open_images(struct up_transfer *t, const struct up_transfer_part *p)
{
    const struct up_config *config = up_device_config(t->device);
    unsigned running = (unsigned)up_device_running(t->device);
    const struct up_pair *pair = &up_device_state(t->device)->slot[running];
    struct up_error ignored;
    char path[UP_PATH_SIZE];

    if (pair->present && pair->core_size > 0)
        (void)!up_old_image_open(&t->elsewhere[UP_REUSE_RUNNING], t->storage, config->slot[running],
                                 pair->core_size, &ignored);
    if (!up_slot_traits(p->target)->in_order && up_slot_drop_cache(p->target, &ignored) >= 0)
        (void)!up_old_image_open(&t->elsewhere[UP_REUSE_TARGET], t->storage,
                                 up_device_target(t->device, UP_CORE, path, sizeof path), p->info->size,
                                 &ignored);
}

static bool applies(const struct up_transfer *t, const struct up_transfer_part *p)
{
    return !p->info->delta && !p->left_out && t->source->ops->want && up_device_config(t->device)->reuse &&
           !up_device_provisioning(t->device) && up_inventory_front(p->in_place) < p->count;
}

void up_transfer_fetch_all(struct up_transfer *t)
{
    t->reuse_state = UP_REUSE_DONE;
}

/* 1 if there is something to search. */
static int begin(struct up_transfer *t, struct up_transfer_part *p, struct up_error *err)
{
    t->reuse_state = UP_REUSE_DONE;
    if (!applies(t, p))
        return 0;
    t->reuse = up_device_take_reuse(t->device);
    if (t->reuse) {
        open_images(t, p);
        return 0;
    }
    if (up_reuse_new(&t->reuse, p->blocks, p->in_place, err) < 0)
        return err->code;
    open_images(t, p);
    if (up_reuse_wanted(t->reuse) * READ_FOR_ONE <
        size_of(t->elsewhere[UP_REUSE_RUNNING]) + size_of(t->elsewhere[UP_REUSE_TARGET])) {
        up_reuse_free(t->reuse);
        t->reuse = NULL;
        return 0;
    }
    t->looking_at = UP_REUSE_RUNNING;
    t->reuse_state = UP_REUSE_LOOKING;
    return 1;
}

/* Account the blocks that the search found to be in place. */
static int count_found(struct up_transfer *t, struct up_transfer_part *p, struct up_error *err)
{
    uint64_t missing = 0, found;
    struct up_block block;

    for (uint32_t i = 0; i < p->count; i++) {
        if (up_transfer_has(p, i))
            continue;
        if (up_blocks_get(p->blocks, i, &block, err) < 0)
            return err->code;
        missing += block.stored;
    }
    found = up_reuse_wanted(t->reuse) - missing;
    t->progress.done += found;
    t->progress.reused += found;
    return 0;
}

int up_transfer_look(struct up_transfer *t, struct up_error *err)
{
    struct up_transfer_part *p = &t->part[t->at_part];
    struct up_old_image *image;
    int rc;

    if (t->reuse_state == UP_REUSE_DONE || p->info->kind != UP_CORE)
        return 0;
    if (t->reuse_state == UP_REUSE_ASKED)
        return begin(t, p, err);
    if (t->looking_at == UP_REUSE_PLACES) {
        t->reuse_state = UP_REUSE_DONE;
        return count_found(t, p, err);
    }
    image = t->elsewhere[t->looking_at];
    rc = image ? up_reuse_step(t->reuse, t->looking_at, image, p->blocks, p->in_place, t->decoded, err) : 0;
    if (rc == 0)
        t->looking_at++;
    return rc < 0 ? rc : 1;
}

bool up_transfer_seen(const struct up_transfer *t, const struct up_block *block)
{
    enum up_reuse_place place;
    uint64_t offset;

    return t->reuse && t->part[t->at_part].info->kind == UP_CORE && block->encoding != UP_ZEROS &&
           up_reuse_find(t->reuse, block->digest, &place, &offset) && t->elsewhere[place];
}

bool up_transfer_copy(struct up_transfer *t, const struct up_block *block)
{
    enum up_reuse_place place;
    struct up_error ignored;
    uint64_t offset;

    if (!up_transfer_seen(t, block) || !up_reuse_find(t->reuse, block->digest, &place, &offset))
        return false;
    if (up_old_image_read(t->elsewhere[place], t->decoded, block->length, offset, &ignored) == 0 &&
        up_transfer_matches(t, t->decoded, block->length, block->digest))
        return true;
    /* Overwritten since it was seen, or never complete: fetch it. */
    up_reuse_forget(t->reuse, block->digest);
    t->want_end = 0;
    return false;
}

void up_transfer_written(struct up_transfer *t, const struct up_block *block)
{
    if (t->reuse && t->part[t->at_part].info->kind == UP_CORE)
        up_reuse_written(t->reuse, block->digest, t->at_block);
}

void up_transfer_close_reuse(struct up_transfer *t)
{
    for (int i = 0; i < UP_REUSE_PLACES; i++)
        up_old_image_close(t->elsewhere[i]);
    if (t->reuse_state == UP_REUSE_DONE)
        up_device_keep_reuse(t->device, t->reuse);
    else
        up_reuse_free(t->reuse);
}
