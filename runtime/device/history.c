#include "history.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "error.h"
#include "storage.h"

#define RING_SIZE ((size_t)UP_HISTORY_RECORDS * UP_HISTORY_RECORD)

static int ring_path(const char *state_dir, char out[UP_PATH_SIZE], struct up_error *err)
{
    if (snprintf(out, UP_PATH_SIZE, "%s/history", state_dir) >= UP_PATH_SIZE)
        return up_fail(err, UP_USAGE, "state %.100s...: the path is too long", state_dir);
    return 0;
}

static void encode(const struct up_event *e, uint8_t out[UP_HISTORY_RECORD])
{
    memset(out, 0, UP_HISTORY_RECORD);
    up_put64(out, e->number);
    up_put64(out + 8, e->time);
    up_put64(out + 16, e->sequence);
    up_put32(out + 24, (uint32_t)e->code);
    up_put32(out + 28, e->transaction);
    memcpy(out + 32, e->name, sizeof e->name);
    memcpy(out + 56, e->release, sizeof e->release);
    memcpy(out + 96, e->message, sizeof e->message);
    up_put32(out + UP_HISTORY_RECORD - 4, up_crc32c(out, UP_HISTORY_RECORD - 4));
}

static int decode(struct up_event *e, const uint8_t in[UP_HISTORY_RECORD])
{
    memset(e, 0, sizeof *e);
    e->number = up_get64(in);
    if (e->number == 0)
        return -1;
    if (up_get32(in + UP_HISTORY_RECORD - 4) != up_crc32c(in, UP_HISTORY_RECORD - 4))
        return -1;
    e->time = up_get64(in + 8);
    e->sequence = up_get64(in + 16);
    e->code = (int32_t)up_get32(in + 24);
    e->transaction = up_get32(in + 28);
    memcpy(e->name, in + 32, sizeof e->name - 1);
    memcpy(e->release, in + 56, sizeof e->release - 1);
    memcpy(e->message, in + 96, sizeof e->message - 1);
    return 0;
}

int up_history_create(struct up_storage *storage, const char *state_dir, struct up_error *err)
{
    char path[UP_PATH_SIZE];
    uint8_t *zeros;
    int rc;

    if (ring_path(state_dir, path, err) < 0)
        return err->code;
    zeros = calloc(1, RING_SIZE);
    if (!zeros)
        return up_fail(err, UP_INTERNAL, "history: out of memory");
    rc = up_storage_write_file(storage, path, zeros, RING_SIZE, 0600, err);
    free(zeros);
    return rc;
}

int up_history_read(struct up_storage *storage, const char *state_dir,
                    struct up_event out[UP_HISTORY_RECORDS], struct up_error *err)
{
    struct up_event event;
    char path[UP_PATH_SIZE], *ring;
    unsigned oldest = 0, count = 0, records;
    uint64_t least = UINT64_MAX;
    size_t len;

    if (ring_path(state_dir, path, err) < 0)
        return err->code;
    if (up_storage_read_file(storage, path, RING_SIZE, &ring, &len, err) < 0)
        return err->code == UP_MISSING ? 0 : err->code;
    records = (unsigned)(len / UP_HISTORY_RECORD); /* fewer than expected if the file was cut */
    for (unsigned i = 0; i < records; i++)
        if (decode(&event, (uint8_t *)ring + i * UP_HISTORY_RECORD) == 0 && event.number < least) {
            least = event.number;
            oldest = i;
        }
    for (unsigned i = 0; i < records; i++) {
        unsigned at = (oldest + i) % records;

        if (decode(&event, (uint8_t *)ring + at * UP_HISTORY_RECORD) == 0)
            out[count++] = event;
    }
    free(ring);
    return (int)count;
}

/* The number for the next event; 0: the history cannot be read. */
static uint64_t next_number(struct up_storage *storage, const char *state_dir, const struct up_event *event,
                            bool again, struct up_error *err)
{
    struct up_event *events = malloc(UP_HISTORY_RECORDS * sizeof *events), *last;
    uint64_t number = 1;
    int count;

    if (!events) {
        up_fail(err, UP_INTERNAL, "history: out of memory");
        return 0;
    }
    count = up_history_read(storage, state_dir, events, err);
    if (count > 0) {
        last = &events[count - 1];
        again = again && strcmp(last->name, event->name) == 0 && strcmp(last->release, event->release) == 0;
        number = again ? last->number : last->number + 1;
    }
    free(events);
    return count < 0 ? 0 : number;
}

static int write_event(struct up_storage *storage, const char *state_dir, const struct up_event *event,
                       struct up_error *err)
{
    uint8_t record[UP_HISTORY_RECORD];
    char path[UP_PATH_SIZE];
    int file, rc = 0;

    if (ring_path(state_dir, path, err) < 0)
        return err->code;
    encode(event, record);
    file = storage->ops->open(storage, path, UP_UPDATE, 0);
    if (file < 0)
        return up_fail(err, UP_WRITE, "%s: open: %s", path, strerror(errno));
    if (storage->ops->pwrite(storage, file, record, sizeof record,
                             (event->number - 1) % UP_HISTORY_RECORDS * UP_HISTORY_RECORD) < 0 ||
        storage->ops->sync(storage, file) < 0)
        rc = up_fail(err, UP_WRITE, "%s: write: %s", path, strerror(errno));
    storage->ops->close(storage, file);
    return rc;
}

int up_history_add(struct up_storage *storage, const char *state_dir, struct up_event *event,
                   struct up_error *err)
{
    event->number = next_number(storage, state_dir, event, false, err);
    return event->number == 0 ? err->code : write_event(storage, state_dir, event, err);
}

int up_history_add_again(struct up_storage *storage, const char *state_dir, struct up_event *event,
                         struct up_error *err)
{
    event->number = next_number(storage, state_dir, event, true, err);
    return event->number == 0 ? err->code : write_event(storage, state_dir, event, err);
}
