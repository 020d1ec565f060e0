/*
 * device_counted.c -- the start on trial that `moult settle` counted in this boot: the
 * boot, the transaction and the number, in <state>/settled. It need not be durable: after a
 * power cut it is another boot.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_private.h"

#define COUNTED "settled"
#define COUNTED_SIZE 96

static bool describe(const struct up_device *d, char out[COUNTED_SIZE])
{
    char boot[37];

    if (d->storage->ops->boot_id(d->storage, boot) < 0)
        return false;
    snprintf(out, COUNTED_SIZE, "%s %" PRIu32 " %u\n", boot, d->state.tx.id, d->state.tx.starts);
    return true;
}

bool up_device_is_counted(const struct up_device *d)
{
    char path[UP_PATH_SIZE], now[COUNTED_SIZE], *text;
    bool same;

    if (d->state.phase != UP_TRIAL || !d->state.tx.plan.known || !describe(d, now) ||
        up_storage_read_file(d->storage, up_device_path(d, COUNTED, path, sizeof path), COUNTED_SIZE, &text,
                             NULL, NULL) < 0)
        return false;
    same = strcmp(text, now) == 0;
    free(text);
    return same;
}

bool up_device_take_count(struct up_device *d)
{
    char path[UP_PATH_SIZE];

    /* If it stayed, it would be used again and again. */
    return up_device_is_counted(d) &&
           d->storage->ops->unlink(d->storage, up_device_path(d, COUNTED, path, sizeof path)) == 0;
}

void up_device_remember_count(const struct up_device *d)
{
    char path[UP_PATH_SIZE], now[COUNTED_SIZE];
    struct up_error ignored; /* then `run` counts once more */

    if (describe(d, now))
        (void)!up_storage_replace_file(d->storage, up_device_path(d, COUNTED, path, sizeof path), now,
                                       strlen(now), 0600, &ignored);
}

void up_device_forget_count(const struct up_device *d)
{
    static const char *const names[] = {COUNTED, COUNTED ".new"};
    char path[UP_PATH_SIZE];

    for (size_t i = 0; up_device_has_tree(d) && i < sizeof names / sizeof *names; i++)
        if (up_device_has_file(d, names[i]))
            (void)!d->storage->ops->unlink(d->storage, up_device_path(d, names[i], path, sizeof path));
}
