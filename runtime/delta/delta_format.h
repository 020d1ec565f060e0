/*
 * delta_format.h -- the format of a delta block, for both ends.
 *
 * A block is a list of operations, each some new bytes (a literal) and then a
 * copy from the old image; then the bodies of all, in order. All of it goes
 * through one range coder, whose models begin even in every block.
 *
 *   operation  literal length, copy length; with a copy: how far it begins
 *              from where the last one ended, what it is taken for
 *   copy       for each field that address_finder.h finds: how far what it points at
 *              has moved. For the bytes between fields, through all copies:
 *              how many are equal until the next one that is not, and that one.
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
    struct up_bit other[UP_CONTENTS][2][256]; /* differences of bytes: the first of a run, or a later one */
    struct up_bit replaced[UP_FIELD_KINDS];   /* by another instruction */
    /* Which of the guesses holds: what this very target did, what lies below
     * it, what lies above, nothing. */
    struct up_bit same[UP_FIELD_KINDS][4], below[UP_FIELD_KINDS][2][16], above[UP_FIELD_KINDS][2],
        still[UP_FIELD_KINDS];
    struct up_bit low[2][16]; /* of a move that none of them guesses */
    struct up_range_number by[2];
};

/* What a target did when it was last pointed at. */
struct up_target {
    uint32_t target, by;
    uint8_t known, sure;
};

struct up_delta {
    struct up_range_coder coder;
    struct up_delta_models models;
    struct up_literal_model *literal;
    struct up_move_map moves[2]; /* of what absolute and relative fields point at */
    struct up_target targets[2][1u << UP_TARGET_BITS];
    struct up_delta_op *ops;
    uint32_t count, room;
    uint8_t beside[UP_BESIDE];
    bool starved; /* memory ran out */

    /* Encoding: the block, and each number of equal bytes in order. */
    const uint8_t *want; /* NULL when decoding */
    const uint32_t *gaps;
    size_t gap_count, gap_at;
};

/* One more operation; NULL when there are too many, or no memory (`starved`). */
struct up_delta_op *up_delta_add(struct up_delta *d);

/*
 * Code the block at `at` of the new image, both ways; when encoding, the
 * operations, `want` and the gaps are set. `out` becomes the block.
 * Errors: UP_CORRUPT, also when it does not fit; UP_INTERNAL; those of
 * old->read.
 */
UP_MUST_CHECK int up_delta_code(struct up_delta *d, const struct up_old *old, uint64_t source, uint64_t at,
                                uint8_t *out, uint32_t len, struct up_error *err);

#endif
