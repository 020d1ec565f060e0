#include "boot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "error.h"
#include "record.h"
#include "storage.h"

#define RECORD_SIZE 24

struct up_boot {
    struct up_storage *storage;
    enum up_boot_driver driver;
    struct up_record record;
    char path[1024];
};

int up_boot_open(struct up_boot **out, struct up_storage *storage, const struct up_config *config,
                 struct up_error *err)
{
    struct up_boot *b = calloc(1, sizeof *b);

    if (!b)
        return up_fail(err, UP_INTERNAL, "boot: out of memory");
    b->storage = storage;
    b->driver = config->boot;
    if (snprintf(b->path, sizeof b->path, "%s/boot", config->state) >= (int)sizeof b->path) {
        free(b);
        return up_fail(err, UP_USAGE, "state %s: path too long", config->state);
    }
    b->record = (struct up_record){.storage = storage, .path = b->path, .magic = "MOULTBT1", .capacity = 512};
    *out = b;
    return 0;
}

void up_boot_close(struct up_boot *b)
{
    free(b);
}

static void encode(const struct up_boot_state *s, uint8_t out[RECORD_SIZE])
{
    memset(out, 0, RECORD_SIZE);
    out[0] = s->count;
    for (int i = 0; i < UP_SLOTS; i++) {
        out[1 + i] = s->order[i];
        out[3 + i] = s->tries[i];
        out[5 + i] = s->good[i];
    }
    out[7] = s->running;
    up_put64(out + 8, s->boots);
}

static int decode(struct up_boot_state *s, const uint8_t *in, size_t len)
{
    memset(s, 0, sizeof *s);
    if (len != RECORD_SIZE || in[0] < 1 || in[0] > UP_SLOTS || in[7] >= UP_SLOTS)
        return -1;
    s->count = in[0];
    for (int i = 0; i < UP_SLOTS; i++) {
        if (in[1 + i] >= UP_SLOTS || in[5 + i] > 1)
            return -1;
        s->order[i] = in[1 + i];
        s->tries[i] = in[3 + i];
        s->good[i] = in[5 + i];
    }
    s->running = in[7];
    s->boots = up_get64(in + 8);
    return 0;
}

int up_boot_create(struct up_boot *b, const struct up_boot_state *first, struct up_error *err)
{
    uint8_t bytes[RECORD_SIZE];

    if (b->driver == UP_BOOT_NONE)
        return 0;
    encode(first, bytes);
    return up_record_create(&b->record, bytes, sizeof bytes, err);
}

int up_boot_read(struct up_boot *b, struct up_boot_state *out, struct up_error *err)
{
    uint8_t bytes[RECORD_SIZE];
    size_t len;

    if (b->driver == UP_BOOT_NONE) {
        *out = (struct up_boot_state){.count = 1, .good = {true, false}};
        return 0;
    }
    if (up_record_read(&b->record, bytes, sizeof bytes, &len, err) < 0)
        return err->code;
    if (decode(out, bytes, len) < 0)
        return up_fail(err, UP_STATELOST, "%s: the newest record cannot be understood", b->path);
    return 0;
}

int up_boot_write(struct up_boot *b, const struct up_boot_state *s, struct up_error *err)
{
    uint8_t bytes[RECORD_SIZE];

    if (b->driver == UP_BOOT_NONE)
        return 0;
    encode(s, bytes);
    return up_record_write(&b->record, bytes, sizeof bytes, err);
}

int up_boot_select(struct up_boot *b, struct up_boot_state *out, struct up_error *err)
{
    if (up_boot_read(b, out, err) < 0)
        return err->code;
    if (b->driver == UP_BOOT_NONE)
        return 0;
    out->boots++;
    for (int i = 0; i < out->count; i++) {
        uint8_t slot = out->order[i];

        if (!out->good[slot] && out->tries[slot] == 0)
            continue;
        if (!out->good[slot])
            out->tries[slot]--;
        out->running = slot;
        return up_boot_write(b, out, err);
    }
    /* Nothing in the order may start: a real loader would stop here. The slot
     * that ran last is the best guess there is. */
    return up_boot_write(b, out, err);
}

void up_boot_id(struct up_boot *b, const struct up_boot_state *s, char out[37])
{
    if (b->driver == UP_BOOT_NONE)
        b->storage->ops->boot_id(b->storage, out);
    else
        snprintf(out, 37, "boot-%llu", (unsigned long long)s->boots);
}
