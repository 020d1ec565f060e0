/*
 * boot_file.c -- boot driver `file`: variables in a two-slot record; we act as
 * the boot loader.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "boot_private.h"
#include "bytes.h"
#include "error.h"
#include "storage.h"

#define RECORD_SIZE 24

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

bool up_boot_file_fits(const uint8_t *in, size_t len)
{
    if (len != RECORD_SIZE || in[0] < 1 || in[0] > UP_SLOTS || in[7] >= UP_SLOTS)
        return false;
    for (int i = 0; i < UP_SLOTS; i++)
        if (in[1 + i] >= UP_SLOTS || in[5 + i] > 1)
            return false;
    return true;
}

static void decode(struct up_boot_state *s, const uint8_t in[RECORD_SIZE])
{
    s->count = in[0];
    for (int i = 0; i < UP_SLOTS; i++) {
        s->order[i] = in[1 + i];
        s->tries[i] = in[3 + i];
        s->good[i] = in[5 + i];
    }
    s->running = in[7];
    s->boots = up_get64(in + 8);
}

/* Nothing is booted from a slot: the images are data. */
static int file_started(struct up_boot *b, int *slot, struct up_error *err)
{
    (void)b, (void)err;
    *slot = -1;
    return 0;
}

static int file_create(struct up_boot *b, const struct up_boot_state *first, struct up_error *err)
{
    uint8_t bytes[RECORD_SIZE];

    encode(first, bytes);
    return up_record_create(&b->record, bytes, sizeof bytes, err);
}

/* Whether its halves are on a read-only file system. Found out again here,
 * because the supervisor, which noticed, is another process. */
static bool read_only(const struct up_boot *b)
{
    char path[sizeof b->path + 2];
    int file;

    snprintf(path, sizeof path, "%s.0", b->path);
    file = b->storage->ops->open(b->storage, path, UP_UPDATE, 0);
    if (file < 0)
        return errno == EROFS;
    b->storage->ops->close(b->storage, file);
    return false;
}

/* Fall back from a slot on trial to the good one in the order. */
static void last_good(struct up_boot_state *s)
{
    for (int i = 0; i < s->count && !s->good[s->running]; i++)
        if (s->good[s->order[i]])
            s->running = s->order[i];
}

static void file_unwritable(struct up_boot *b, struct up_boot_state *s)
{
    b->unwritable = true;
    last_good(s);
}

static int file_read(struct up_boot *b, struct up_boot_state *out, struct up_error *err)
{
    uint8_t bytes[RECORD_SIZE];
    size_t len;

    *out = (struct up_boot_state){.running = UP_SLOTS};
    if (up_record_read(&b->record, bytes, sizeof bytes, &len, err) < 0)
        return err->code;
    decode(out, bytes);
    if (!out->good[out->running] && (b->unwritable || read_only(b)))
        last_good(out);
    return 0;
}

static int file_write(struct up_boot *b, const struct up_boot_state *s, struct up_error *err)
{
    uint8_t bytes[RECORD_SIZE];

    encode(s, bytes);
    if (up_record_write(&b->record, bytes, sizeof bytes, err) < 0)
        return err->code;
    b->unwritable = false;
    return 0;
}

/* The first slot in the order that is good or has a try left. Without one, a
 * real loader would stop here; the slot that ran last is the best guess. */
static void choose(struct up_boot_state *s)
{
    s->boots++;
    for (int i = 0; i < s->count; i++) {
        uint8_t slot = s->order[i];

        if (!s->good[slot] && s->tries[slot] == 0)
            continue;
        if (!s->good[slot])
            s->tries[slot]--;
        s->running = slot;
        return;
    }
}

static int file_select(struct up_boot *b, struct up_boot_state *out, struct up_error *err)
{
    struct up_boot_state chosen;

    if (file_read(b, out, err) < 0)
        return err->code;
    chosen = *out;
    choose(&chosen);
    if (file_write(b, &chosen, err) < 0) {
        file_unwritable(b, out);
        return err->code;
    }
    *out = chosen;
    return 0;
}

static void file_id(struct up_boot *b, const struct up_boot_state *s, char out[37])
{
    (void)b;
    snprintf(out, 37, "boot-%llu", (unsigned long long)s->boots);
}

const struct up_boot_driver_ops up_boot_file_ops = {file_started, file_create,     file_read, file_write,
                                                    file_select,  file_unwritable, file_id};
