/*
 * transfer.h -- carry the blocks of an open transaction from a source to
 * where they belong.
 *
 * Nothing is decoded or written before its digest was compared with the
 * verified index; bytes outside of blocks are compared with what the manifest
 * implies. There is no counter of truth: at open, what is in place is found
 * by reading it back and hashing, and only the rest is asked for. Memory is
 * one stored and one decoded block, with a delta also its decoder.
 *
 * Of a full core, blocks are looked for on the device first (reuse.h) when the
 * configuration says so and the source is one to fetch from.
 *
 * Blocks of a delta are made from the running slot, which is read and never
 * mapped or written. Should it not hold any more what it held when its digest
 * was compared, the block's own digest says so: UP_INCOMPATIBLE, and nothing
 * of it is written; a full package is then the way.
 *
 *     up_device_begin -> open -> step until 0 -> close -> up_device_finish
 */
#ifndef UP_TRANSFER_H
#define UP_TRANSFER_H

#include <stdint.h>

#include "error.h"
#include "manifest.h"

struct up_device;
struct up_package;
struct up_source;
struct up_transfer;

/* Device, package and source outlive the transfer.
 * Errors: UP_NOTHING no transaction for this package; UP_BUSY slot mounted;
 * UP_WRITE, UP_NOSPACE; UP_CORRUPT the source has another size;
 * UP_INCOMPATIBLE the running slot cannot be read for a delta. */
UP_MUST_CHECK int up_transfer_open(struct up_transfer **out, struct up_device *device,
                                   const struct up_package *package, struct up_source *source,
                                   struct up_error *err);

/* Fetch every block, whatever the configuration says of those that the device
 * has. Before the first step. */
void up_transfer_fetch_all(struct up_transfer *t);

/*
 * At most one block: 1 go on, 0 everything is in place, UP_AGAIN wait for the
 * source. After an error the transfer is over, but what is in place stays; after
 * one of the source, it can go on with another.
 * Errors: those of the source; UP_CORRUPT a block is wrong twice; UP_UNTRUSTED
 * bytes outside of blocks differ from what was signed; UP_INCOMPATIBLE the old
 * image gives no such block; UP_WRITE, UP_NOSPACE.
 */
UP_MUST_CHECK int up_transfer_step(struct up_transfer *t, struct up_error *err);

/* The link died, and `source` is another to the same package. What came of a block,
 * and what was compared, need not come again. The source before may be gone. */
void up_transfer_go_on(struct up_transfer *t, struct up_source *source);

struct up_transfer_progress {
    enum up_part_kind part;
    uint64_t done, total; /* stored bytes in place, and those of a block under way, of all parts */
    uint64_t reused;      /* of them, in place at open or found elsewhere on the device */
    uint64_t wasted;      /* stored bytes received for blocks that were wrong */
};
void up_transfer_progress(const struct up_transfer *t, struct up_transfer_progress *out);
void up_transfer_close(struct up_transfer *t);

#endif
