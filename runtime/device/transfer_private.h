/*
 * transfer_private.h -- an open transfer, for transfer.c, transfer_open.c,
 * transfer_reuse.c, transfer_unfinished.c and transfer_state.c, and what they
 * ask of each other.
 */
#ifndef UP_TRANSFER_PRIVATE_H
#define UP_TRANSFER_PRIVATE_H

#include <stdbool.h>

#include "device.h"
#include "error.h"
#include "inventory.h"
#include "reuse.h"
#include "transfer.h"

#define UP_HINT_BYTES (8u << 20) /* decoded bytes between two hints */

struct up_transfer_part {
    const struct up_part *info;
    struct up_blocks *blocks;
    struct up_slot *target;
    struct up_inventory *in_place;
    struct up_block_mac *macs; /* NULL: blocks are read back by digest */
    uint32_t count;
    bool left_out; /* the running version: not fetched */
    bool ready;    /* can be written */
    bool adopt;    /* compare, never write: the factory's mounted slot */
};

struct up_transfer {
    struct up_device *device;
    struct up_storage *storage;
    struct up_source *source;
    const struct up_manifest *manifest;
    const struct up_package_layout *layout;
    struct up_codec *codec;
    struct up_digest *digest;
    struct up_old_image *old; /* the running slot, if a part is a delta against it */
    struct up_delta *delta;
    struct up_transfer_part part[UP_PART_KINDS];
    bool hotfix;       /* it belongs to no transaction */
    const char *spool; /* of its head, below the state */

    unsigned at_part;
    uint32_t at_block;
    uint64_t offset;      /* in the file, of the stored bytes of at_block */
    uint64_t want_end;    /* up to where the source was told */
    uint64_t compared_to; /* the file was compared or skipped up to here */
    uint8_t *stored, *decoded;
    size_t room;           /* of each of the two */
    uint32_t filled;       /* bytes of `stored` */
    uint32_t kept;         /* of these, in the spool */
    uint32_t by_then;      /* `filled` when the last link failed */
    uint64_t unkept_since; /* ms: the time at which all of it was in the spool */
    bool remote;           /* from the source */
    bool resumed;          /* the spool was examined */
    bool in_spool;         /* the spool has an unfinished block */
    bool second_try;       /* of the current block */
    bool fresh;            /* just begun: nothing can be in place */
    bool refreshed;        /* flash was read for the first time since a boot */
    bool held_back;        /* the slot may still buffer what was written */
    uint64_t unhinted;     /* decoded bytes since the last hint */
    struct up_transfer_progress progress;

    /* Blocks found elsewhere on the device; see transfer_reuse.c. */
    struct up_reuse *reuse;                          /* NULL: not looked for */
    struct up_old_image *elsewhere[UP_REUSE_PLACES]; /* NULL: not there */
    enum { UP_REUSE_ASKED, UP_REUSE_LOOKING, UP_REUSE_DONE } reuse_state;
    enum up_reuse_place looking_at;
};

static inline bool up_transfer_has(const struct up_transfer_part *p, uint32_t i)
{
    return up_inventory_has(p->in_place, i);
}

/* The number of blocks in the parts before part n. */
uint64_t up_transfer_before(const struct up_transfer *t, unsigned n);
/* Whether these bytes have the digest. */
bool up_transfer_matches(struct up_transfer *t, const void *data, size_t len, const uint8_t digest[32]);

/* Before the current part is examined: 1 call again, 0 the blocks on the device are known. */
UP_MUST_CHECK int up_transfer_look(struct up_transfer *t, struct up_error *err);
/* Whether the block was seen on the device and need not be fetched. */
bool up_transfer_seen(const struct up_transfer *t, const struct up_block *block);
/* Read such a block into t->decoded: true if it was still there. */
bool up_transfer_copy(struct up_transfer *t, const struct up_block *block);
/* The current block is in the target now, for others with the same content. */
void up_transfer_written(struct up_transfer *t, const struct up_block *block);
/* Once for each transfer: load the bytes of this block that an earlier transfer
 * got; see transfer_unfinished.c. */
void up_transfer_resume(struct up_transfer *t, const struct up_block *block);
/* The transfer ends with a part of the current block: keep that. */
void up_transfer_keep(struct up_transfer *t);
/* More of the block is requested: keep what arrived if that takes long. */
void up_transfer_keep_slow(struct up_transfer *t);
/* The block that was kept is in place, or was wrong: forget it. */
void up_transfer_forget(struct up_transfer *t);
void up_transfer_close_reuse(struct up_transfer *t);

#endif
