/*
 * delta_format.h -- the format of a delta block, for encoder and decoder.
 *
 * A block is a list of operations, each a number of new bytes (a literal)
 * followed by a copy from the old image; then the bodies of all operations, in
 * order. Everything goes through one range coder, whose models start neutral in
 * every block.
 *
 *     operation  literal length, copy length; with a copy: the distance from
 *                the end of the last copy, and the kind of content
 *     copy       for each field that address_finder.h finds: how far its target
 *                has moved. For the bytes between fields, across all copies:
 *                the number of equal bytes, and the byte that differs.
 */
#ifndef UP_DELTA_FORMAT_H
#define UP_DELTA_FORMAT_H

#include "address_finder.h"
#include "delta.h"
#include "error.h"
#include "literal_model.h"
#include "move_map.h"
#include "range_coder.h"

#define UP_DELTA_OPS 16384u /* of a block */
#define UP_TARGET_BITS 13
#define UP_BESIDE 4096u

struct up_delta_op {
    uint32_t literal, copy;
    uint64_t from;
    enum up_content content;
};

struct up_delta_models {
    struct up_range_number literal, copy, seek, gap[4];
    struct up_bit content[UP_CONTENTS][8];
    struct up_bit other[UP_CONTENTS][2][256]; /* byte differences: the first of a run, or a later one */
    struct up_bit replaced[UP_FIELD_KINDS];   /* the field became another instruction */
    /* Which guess is right: what this very target did, its lower neighbour, its
     * upper neighbour, or none. */
    struct up_bit same[UP_FIELD_KINDS][4], below[UP_FIELD_KINDS][2][16], above[UP_FIELD_KINDS][2],
        still[UP_FIELD_KINDS];
    struct up_bit low[2][16]; /* of a move that no guess matches */
    struct up_range_number by[2];
};

/* What a target did when it was last referenced. */
struct up_target {
    uint32_t target, by;
    uint8_t known, sure;
};

struct up_delta {
    struct up_range_coder coder;
    struct up_delta_models models;
    struct up_literal_model *literal;
    struct up_move_map moves[2]; /* moves of the targets of absolute and of relative fields */
    struct up_target targets[2][1u << UP_TARGET_BITS];
    struct up_delta_op *ops;
    uint32_t count, room;
    uint8_t beside[UP_BESIDE];
    bool starved; /* out of memory */

    /* When encoding: the block, and the runs of equal bytes in order. */
    const uint8_t *want; /* NULL when decoding */
    const uint32_t *gaps;
    size_t gap_count, gap_at;
};

/* Add an operation; NULL if there are too many, or no memory (`starved`). */
struct up_delta_op *up_delta_format_add(struct up_delta *d);

/*
 * Code the block at `at` of the new image, in both directions; for encoding,
 * the operations, `want` and the runs must be set. `out` becomes the block.
 * Errors: UP_CORRUPT, also if it does not fit; UP_INTERNAL; those of old->read.
 */
UP_MUST_CHECK int up_delta_format_code(struct up_delta *d, const struct up_old *old, uint64_t source,
                                       uint64_t at, uint8_t *out, uint32_t len, struct up_error *err);

#endif
