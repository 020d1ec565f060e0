/*
 * literal_model.h -- code the bytes of a delta that are not in the old image.
 *
 * Each bit is predicted by several models: from one to three bytes before it,
 * from the bytes above it in a table of words, from the old byte that would
 * have come next, and from what followed the same bytes earlier in the block. A
 * small mixer learns which to trust. Integers only, so that all machines get
 * the same result. Takes about half a microsecond a byte, and 600 KiB of
 * memory.
 */
#ifndef UP_LITERAL_MODEL_H
#define UP_LITERAL_MODEL_H

#include <stdint.h>

struct up_range_coder;
struct up_literal_model; /* opaque; released with up_literal_model_free() */

struct up_literal_model *up_literal_model_new(void); /* NULL: out of memory */
void up_literal_model_free(struct up_literal_model *l);
/* Reset all models: before each block. */
void up_literal_model_reset(struct up_literal_model *l);

/*
 * Code `len` bytes at block[at]; all bytes before them are known, and their own
 * old values do not matter. `want` is what to encode, NULL to decode. `beside`
 * holds beside_len bytes of the old image that may resemble them.
 */
void up_literal_model_code(struct up_literal_model *l, struct up_range_coder *c, uint8_t *block, uint32_t at,
                           uint32_t len, const uint8_t *want, const uint8_t *beside, uint32_t beside_len);

#endif
