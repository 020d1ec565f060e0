/*
 * device_counted.c -- what was counted in this boot: the boot, the transaction and the
 * number, in a file of the state. It need not be durable: after a power cut it is another boot.
 *
 * <state>/settled has the start on trial that `moult settle` counted, <state>/restarts how
 * many processes requested the restart that the boot loader has to see.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_private.h"

#define COUNTED "settled"
#define RESTARTS "restarts"
#define COUNTED_SIZE 96

static bool describe(const struct up_device *d, unsigned number, char out[COUNTED_SIZE])
{
    char boot[37];

    if (d->storage->ops->boot_id(d->storage, boot) < 0)
        return false;
    snprintf(out, COUNTED_SIZE, "%s %" PRIu32 " %u\n", boot, d->state.tx.id, number);
    return true;
}

static bool is_noted(const struct up_device *d, const char *name, unsigned number)
{
    char path[UP_PATH_SIZE], now[COUNTED_SIZE], *text;
    bool same;

    if (!describe(d, number, now) ||
        up_storage_read_file(d->storage, up_device_path(d, name, path, sizeof path), COUNTED_SIZE, &text,
                             NULL, NULL) < 0)
        return false;
    same = strcmp(text, now) == 0;
    free(text);
    return same;
}

static bool note(const struct up_device *d, const char *name, unsigned number)
{
    char path[UP_PATH_SIZE], now[COUNTED_SIZE];
    struct up_error ignored;

    return describe(d, number, now) &&
           up_storage_replace_file(d->storage, up_device_path(d, name, path, sizeof path), now, strlen(now),
                                   0600, &ignored) == 0;
}

bool up_device_is_counted(const struct up_device *d)
{
    return d->state.phase == UP_TRIAL && d->state.tx.plan.known && is_noted(d, COUNTED, d->state.tx.starts);
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
    (void)note(d, COUNTED, d->state.tx.starts); /* else `run` counts once more */
}

unsigned up_device_restarts_noted(const struct up_device *d)
{
    /* Driver `file` chooses at each start of this program: it has no other loader. */
    if (d->config->boot == UP_BOOT_FILE)
        return 0;
    for (unsigned n = UP_RESTARTS_MAX; n > 0; n--)
        if (is_noted(d, RESTARTS, n))
            return n;
    return 0;
}

bool up_device_note_restart(const struct up_device *d, unsigned number)
{
    return d->config->boot != UP_BOOT_FILE && note(d, RESTARTS, number);
}

static void forget(const struct up_device *d, const char *name)
{
    char path[UP_PATH_SIZE];

    if (up_device_has_file(d, name))
        (void)!d->storage->ops->unlink(d->storage, up_device_path(d, name, path, sizeof path));
}

void up_device_forget_count(const struct up_device *d)
{
    if (up_device_has_tree(d)) {
        forget(d, COUNTED);
        forget(d, COUNTED ".new");
    }
    if (d->config->boot != UP_BOOT_FILE) {
        forget(d, RESTARTS);
        forget(d, RESTARTS ".new");
    }
}
