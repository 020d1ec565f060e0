/*
 * record_walk.h -- the fields of a record's value, one after another.
 *
 * One function walks them in both directions, so that reader and writer cannot
 * disagree. Integers are little-endian, of 8 bytes.
 */
#ifndef UP_RECORD_WALK_H
#define UP_RECORD_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct up_walk {
    uint8_t *out;      /* writing when not NULL */
    const uint8_t *in; /* reading when not NULL */
    size_t at, len;
    bool bad; /* there is no room, or a value that cannot have been written */
};

void up_record_walk_bytes(struct up_walk *w, void *field, size_t size);
void up_record_walk_u64(struct up_walk *w, uint64_t *field);
void up_record_walk_u32(struct up_walk *w, uint32_t *field);
void up_record_walk_u8(struct up_walk *w, uint8_t *field);
void up_record_walk_flag(struct up_walk *w, bool *field);
/* Of a fixed size; it must end in NUL. */
void up_record_walk_text(struct up_walk *w, char *field, size_t size);

#endif
