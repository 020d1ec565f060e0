/*
 * transfer.h -- bring the blocks of an open transaction from a source to their
 * place.
 *
 * Nothing is decoded or written before its digest was compared with the
 * verified index; bytes outside of blocks are compared with what the manifest
 * implies. Progress is not counted on record: at open, what is in place is
 * found by reading it back and hashing, and only the rest is requested. Memory
 * is one stored and one decoded block, and for a delta its decoder.
 *
 * For a full core, blocks are looked for on the device first (reuse.h) if the
 * configuration says so and the source is remote.
 *
 * Blocks of a delta are made from the running slot, which is read and never
 * mapped or written. If it no longer holds what it held when its digest was
 * compared, the block's own digest shows it: UP_INCOMPATIBLE, and nothing of it
 * is written; then a full package is needed.
 *
 *     up_device_begin -> open -> step until 0 -> close -> up_device_finish
 *
 * A hotfix is carried in the same way, between up_hotfix_begin() and
 * up_hotfix_finish(), beside an open transaction and without changing it.
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

/* Fetch every block, whatever the configuration says about reuse. Before the first step. */
void up_transfer_fetch_all(struct up_transfer *t);

/*
 * At most one block: 1 go on, 0 everything is in place, UP_AGAIN wait for the
 * source. After an error the transfer is over, but what is in place stays;
 * after an error of the source, it can continue with another source. Errors:
 * those of the source; UP_CORRUPT a block is wrong twice; UP_UNTRUSTED bytes
 * outside of blocks differ from what was signed; UP_INCOMPATIBLE the block
 * cannot be made from the old image; UP_WRITE, UP_NOSPACE.
 */
UP_MUST_CHECK int up_transfer_step(struct up_transfer *t, struct up_error *err);

/* The link failed, and `source` is another one to the same package. The
 * received part of a block, and what was compared, need not be fetched again.
 * The previous source may be gone. */
void up_transfer_go_on(struct up_transfer *t, struct up_source *source);

struct up_transfer_progress {
    enum up_part_kind part;
    uint64_t done, total; /* stored bytes in place and of the current block, of all parts */
    uint64_t reused;      /* of these, in place at open or found on the device */
    uint64_t wasted;      /* stored bytes received for blocks that were wrong */
};
void up_transfer_progress(const struct up_transfer *t, struct up_transfer_progress *out);
void up_transfer_close(struct up_transfer *t);

#endif
