/*
 * index.h -- the block index of one part: <part>.idx.
 *
 * A head, then one fixed entry a block, little-endian:
 *
 *   head, 32 bytes
 *     0  8  magic "MOULTIX1"
 *     8  4  block count
 *    12  4  block size, bytes
 *    16  8  content size, bytes
 *      24  4  codec window, bytes that a decoder must be able to hold
 *    28  4  zero
 *   entry, 80 bytes
 *     0  1  encoding
 *     1  3  zero
 *     4  4  stored length, bytes in <part>.dat (0 for zeros and copy)
 *     8  8  source offset (copy and delta), else 0
 *    16 32  SHA-256 of the stored bytes; zero for raw, zeros and copy
 *    48 32  SHA-256 of the decoded bytes
 *
 * Stored blocks follow one another in <part>.dat without gaps. Block i decodes
 * to block size bytes, the last one to the rest. `copy` and `delta` blocks
 * occur only in a delta part: a copy is the source's bytes from its offset on,
 * a delta is what runtime/delta/delta.h makes from the source.
 */
#ifndef UP_INDEX_H
#define UP_INDEX_H

#include <stdint.h>

#include "error.h"
#include "manifest.h"

#define UP_INDEX_HEAD 32
#define UP_INDEX_ENTRY 80

enum up_encoding { UP_ZEROS, UP_RAW, UP_ZSTD, UP_LZMA, UP_COPY, UP_DELTA, UP_ENCODINGS };

struct up_index_head {
    uint32_t block_count, block_size, window;
    uint64_t content_size;
    uint64_t source_size; /* from the manifest, not stored; 0: the part is not a delta */
};

struct up_block {
    enum up_encoding encoding;
    uint32_t stored;           /* bytes in <part>.dat */
    uint32_t length;           /* bytes decoded; from the head, not stored */
    uint64_t source;           /* offset in the old image, for copy and delta */
    uint8_t stored_digest[32]; /* equals `digest` for raw */
    uint8_t digest[32];
};

const char *up_index_encoding_name(enum up_encoding encoding);
/* The encoding with that name; UP_ENCODINGS: there is none. */
enum up_encoding up_index_encoding_find(const char *name);

void up_index_put_head(uint8_t out[UP_INDEX_HEAD], const struct up_index_head *head);
void up_index_put_block(uint8_t out[UP_INDEX_ENTRY], const struct up_block *block);

/* Check a head against its part in the manifest: sizes, count, window. Errors: UP_UNTRUSTED. */
UP_MUST_CHECK int up_index_get_head(struct up_index_head *head, const uint8_t in[UP_INDEX_HEAD],
                                    const struct up_part *part, struct up_error *err);
/* Decode and check entry i of that index: no copy reaches past its source, and
 * no delta begins past it. Errors: UP_UNTRUSTED. */
UP_MUST_CHECK int up_index_get_block(struct up_block *block, const uint8_t in[UP_INDEX_ENTRY],
                                     const struct up_index_head *head, uint32_t i, struct up_error *err);

#endif
