/*
 * package_copy.h -- a source from which a program takes the package, too.
 *
 * A transfer fetches only what the device lacks, and keeps nothing of how it was stored. For a
 * program that wants a copy of the whole package, a copying source stands between the transfer
 * and the source proper. It goes through the package front to back, a piece at a time: some of
 * the head, of what stands between parts, or a block. A block is verified before anybody has
 * it. The next piece is not begun before the program has this one, so memory is one block, and
 * a program that is slow holds the transfer up, until up_package_copy_release().
 *
 * What goes wrong with the copy alone never harms the transfer: the copy ends, and the source
 * goes on as the one below it.
 */
#ifndef UP_PACKAGE_COPY_H
#define UP_PACKAGE_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct up_copy;
struct up_package;
struct up_source;
struct up_storage;

/*
 * Begin with byte `from` of the file. The head of `package`, which outlives this, was verified
 * and lies in the directory `spool`. `below` belongs to the copy from now on, unless this fails.
 * Released by the source's own close().
 * Errors: UP_USAGE the path is too long; UP_INTERNAL no memory.
 */
UP_MUST_CHECK int up_package_copy_open(struct up_copy **out, struct up_source *below,
                                       const struct up_package *package, struct up_storage *storage,
                                       const char *spool, uint64_t from, struct up_error *err);

/* For the transfer: read() also returns UP_AGAIN while the program has not taken the piece. */
struct up_source *up_package_copy_source(struct up_copy *c);

/* The link died: the source below is closed, and another to the same package takes its place. In
 * between nothing is read; what came of a block stays. */
void up_package_copy_leave(struct up_copy *c);
void up_package_copy_join(struct up_copy *c, struct up_source *below);
struct up_source *up_package_copy_below(struct up_copy *c); /* NULL: none */

/*
 * The program has every byte before `offset`, and asks for what follows: *data is up to the
 * end of the piece and valid until the next read; its length, 0 when none is there yet.
 * Errors: UP_USAGE `offset` is not where the program stopped, or in what it was given last;
 * UP_NOTHING the copy has ended.
 */
UP_MUST_CHECK long up_package_copy_take(struct up_copy *c, uint64_t offset, const uint8_t **data,
                                        struct up_error *err);

/* Whether there is something that the program has not taken. */
bool up_package_copy_waits(const struct up_copy *c);

/* The program wants no more. */
void up_package_copy_release(struct up_copy *c);

#endif
