/*
 * device_traces.c -- what the state shows of a device when the journal shows
 * nothing.
 */
#include <errno.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "record.h"

bool up_device_has_file(const struct up_device *d, const char *name)
{
    char path[UP_PATH_SIZE];
    struct up_stat st;

    return d->storage->ops->stat(d->storage, up_device_path(d, name, path, sizeof path), &st) == 0;
}

/* It is certainly missing: a file that cannot be examined may exist. */
bool up_device_lacks_file(const struct up_device *d, const char *name)
{
    return !up_device_has_file(d, name) && errno == ENOENT;
}

static int find_generation(void *user, const char *name, enum up_node_kind kind)
{
    bool *found = user;

    *found = *found || (kind == UP_NODE_DIR && name[strspn(name, "0123456789")] == '\0');
    return *found;
}

static bool has_generation(const struct up_device *d)
{
    char path[UP_PATH_SIZE];
    bool found = false;

    d->storage->ops->list(d->storage, up_device_path(d, "script", path, sizeof path), find_generation,
                          &found);
    return found;
}

/* A file of the journal that exists and cannot be read, or not just now, may hold a device. */
static int check_nothing_whole(const struct up_device *d, struct up_error *err)
{
    struct up_record_view file[2];

    if (up_journal_inspect(d->journal, file, err) < 0)
        return err->code;
    for (int i = 0; i < 2; i++)
        if (strcmp(file[i].state, "unreadable") == 0 || strcmp(file[i].state, "whole") == 0)
            return up_fail(err, UP_WRITE,
                           "%s: could not be read, and may hold a device; try again, or move the state away",
                           file[i].path);
    return 0;
}

int up_device_without_journal(const struct up_device *d, struct up_error *err)
{
    bool begun = up_device_has_file(d, UP_PROVISIONING);

    if (begun && err->code == UP_STATELOST && check_nothing_whole(d, err) < 0)
        return err->code;
    if (begun)
        return up_fail(err, UP_USAGE, "state %s: provisioning was not finished; run moult provision",
                       d->config->state);
    if (err->code == UP_STATELOST)
        return err->code;
    if (!up_device_lacks_file(d, "history") || has_generation(d))
        return up_fail(err, UP_STATELOST, "state %s: held a device, and both files of its journal are gone",
                       d->config->state);
    return up_fail(err, UP_USAGE, "state %s: holds no device yet; run moult provision", d->config->state);
}
