/*
 * device_kept.c -- what a transfer knew when it ended, for the next transfer of
 * this process or for the read-back.
 *
 * None of it is needed, and none of it applies to another transaction.
 */
#include <stddef.h>

#include "block_mac.h"
#include "device_private.h"
#include "reuse.h"

void up_device_forget_kept(struct up_device *d)
{
    up_reuse_free(d->kept.reuse);
    for (int i = 0; i < UP_PART_KINDS; i++)
        up_block_mac_free(d->kept.macs[i]);
    d->kept = (struct up_kept){.transaction = d->state.tx.id};
}

static void begin_with(struct up_device *d)
{
    if (d->kept.transaction != d->state.tx.id)
        up_device_forget_kept(d);
}

void up_device_keep_reuse(struct up_device *d, struct up_reuse *found)
{
    begin_with(d);
    up_reuse_free(d->kept.reuse);
    d->kept.reuse = found;
}

struct up_reuse *up_device_take_reuse(struct up_device *d)
{
    struct up_reuse *found;

    begin_with(d);
    found = d->kept.reuse;
    d->kept.reuse = NULL;
    return found;
}

void up_device_keep_macs(struct up_device *d, enum up_part_kind kind, struct up_block_mac *macs)
{
    begin_with(d);
    up_block_mac_free(d->kept.macs[kind]);
    d->kept.macs[kind] = macs;
}

struct up_block_mac *up_device_take_macs(struct up_device *d, enum up_part_kind kind)
{
    struct up_block_mac *macs;

    begin_with(d);
    macs = d->kept.macs[kind];
    d->kept.macs[kind] = NULL;
    return macs;
}
