#include "record_walk.h"

#include <string.h>

#include "bytes.h"

void up_record_walk_bytes(struct up_walk *w, void *field, size_t size)
{
    if (w->len - w->at < size) {
        w->bad = true;
        return;
    }
    if (w->out)
        memcpy(w->out + w->at, field, size);
    else
        memcpy(field, w->in + w->at, size);
    w->at += size;
}

void up_record_walk_u64(struct up_walk *w, uint64_t *field)
{
    uint8_t raw[8];

    up_put64(raw, *field);
    up_record_walk_bytes(w, raw, sizeof raw);
    if (w->in && !w->bad)
        *field = up_get64(raw);
}

void up_record_walk_u32(struct up_walk *w, uint32_t *field)
{
    uint64_t wide = *field;

    up_record_walk_u64(w, &wide);
    w->bad = w->bad || wide > UINT32_MAX;
    *field = (uint32_t)wide;
}

void up_record_walk_u8(struct up_walk *w, uint8_t *field)
{
    up_record_walk_bytes(w, field, 1);
}

void up_record_walk_flag(struct up_walk *w, bool *field)
{
    uint8_t raw = *field;

    up_record_walk_bytes(w, &raw, 1);
    w->bad = w->bad || raw > 1;
    *field = raw == 1;
}

void up_record_walk_text(struct up_walk *w, char *field, size_t size)
{
    up_record_walk_bytes(w, field, size);
    if (w->in && !w->bad && field[size - 1] != '\0') {
        field[size - 1] = '\0';
        w->bad = true;
    }
}
