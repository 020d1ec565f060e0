/*
 * provision.c -- the factory: make a device from an empty state.
 *
 * Order of durable steps: <state>/provisioning; the slot and generation 1; boot
 * record; history; the journal, whose first complete file makes the device;
 * then `provisioning` is removed. While it exists and no file of the journal is
 * complete, there has never been a device, and provisioning starts again.
 * Without it, what only a device leaves behind shows that a journal was lost.
 */
#include <errno.h>
#include <string.h>

#include "device_private.h"
#include "error.h"

/* Whether a device may be made here. */
static int check_empty(struct up_device *d, struct up_error *err)
{
    struct up_journal_state state;
    int rc = up_journal_read(d->journal, &state, err);

    if (rc == 0)
        return up_fail(err, UP_USAGE, "state %s: is provisioned already, with release %s", d->config->state,
                       state.slot[0].present ? state.slot[0].release : state.slot[1].release);
    if (rc == UP_NOTHING || rc == UP_STATELOST)
        rc = up_device_without_journal(d, err);
    if (rc == UP_STATELOST)
        return up_fail(err, UP_STATELOST, "state %s: held a device whose journal is lost; move it away first",
                       d->config->state);
    return rc == UP_USAGE ? 0 : rc;
}

static int make_room(struct up_device *d, struct up_error *err)
{
    char path[UP_PATH_SIZE];

    if (up_storage_write_file(d->storage, up_device_path(d, UP_PROVISIONING, path, sizeof path), "", 0, 0600,
                              err) < 0)
        return err->code;
    return d->config->journal_dir ? up_storage_make_dir(d->storage, d->config->journal_dir, 0700, err) : 0;
}

/* Make the name of the state durable; a failed attempt may have left it unsynced. The
 * parent of a mount point is not ours, and may be on something that cannot be synced. */
static int sync_name(const struct up_device *d, struct up_error *err)
{
    struct up_stat state, above;
    char path[UP_PATH_SIZE];

    up_device_path(d, "..", path, sizeof path);
    if (d->storage->ops->stat(d->storage, d->config->state, &state) < 0 ||
        d->storage->ops->stat(d->storage, path, &above) < 0)
        return up_fail(err, UP_WRITE, "state %s: %s", d->config->state, strerror(errno));
    return state.device == above.device ? up_storage_sync_parent(d->storage, d->config->state, err) : 0;
}

int up_device_provision(struct up_device **out, struct up_storage *storage, const struct up_config *config,
                        struct up_error *err)
{
    struct up_device *d = NULL;
    int started;

    /* Check the slots before anything is made, and again when it can be told what the state is on. */
    if (up_device_allocate(&d, storage, config, err) < 0 || up_device_check_slots(d, err) < 0 ||
        up_storage_make_dir(storage, config->state, 0711, err) < 0 || sync_name(d, err) < 0 ||
        up_device_take_lock(d, err) < 0 || up_device_check_slots(d, err) < 0 || check_empty(d, err) < 0 ||
        make_room(d, err) < 0 || up_boot_started(d->boot, &started, err) < 0) {
        up_device_close(d);
        return err->code;
    }
    d->runs_slot = started >= 0;
    d->boot_state.running = (uint8_t)(d->runs_slot ? started : 0);
    d->provisioning = true;
    d->state.next_generation = 1;
    d->state.next_transaction = 1;
    *out = d;
    return 0;
}
