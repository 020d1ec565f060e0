#include "device.h"

#include <stdlib.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "program.h"

/* Paths are built from the state directory without checks later on, and those of slots are copied. */
static int check_config(const struct up_config *config, struct up_error *err)
{
    if (strlen(config->state) > UP_PATH_SIZE / 2)
        return up_fail(err, UP_USAGE, "state %s: path too long", config->state);
    if (config->journal_dir && strlen(config->journal_dir) > UP_PATH_SIZE / 2)
        return up_fail(err, UP_USAGE, "journal_dir %s: path too long", config->journal_dir);
    for (int i = 0; i < UP_SLOTS; i++)
        if (config->slot[i] && strlen(config->slot[i]) >= UP_PATH_SIZE)
            return up_fail(err, UP_USAGE, "slot %c: path too long: %s", 'a' + i, config->slot[i]);
    return 0;
}

int up_device_allocate(struct up_device **out, struct up_storage *storage, const struct up_config *config,
                       struct up_error *err)
{
    struct up_device *d;

    if (check_config(config, err) < 0)
        return err->code;
    d = calloc(1, sizeof *d);
    if (!d)
        return up_fail(err, UP_INTERNAL, "device: out of memory");
    up_program_take_umask();
    d->storage = storage;
    d->config = config;
    d->lock = -1;
    d->trouble.updates = true;
    *out = d;
    if (up_journal_open(&d->journal, storage, config->state, err) < 0 ||
        up_journal_second(d->journal, config->journal_dir, err) < 0)
        return err->code;
    return up_boot_open(&d->boot, storage, up_config_boot(config), err);
}

int up_device_reload(struct up_device *d, struct up_error *err)
{
    struct up_journal_state next;

    if (d->provisioning)
        return 0;
    if (up_journal_read(d->journal, &next, err) < 0) {
        if (err->code == UP_NOTHING || err->code == UP_STATELOST)
            return up_device_without_journal(d, err);
        return err->code;
    }
    d->state = next;
    return up_device_read_boot(d, err);
}

/* What `moult run` can do without must not stop it. */
static int open_lock(struct up_device *d, unsigned flags, struct up_error *err)
{
    if (!(flags & UP_DEVICE_LOCK) || up_device_take_lock(d, err) == 0)
        return 0;
    if (!(flags & UP_DEVICE_ANYHOW) || err->code == UP_BUSY || err->code == UP_USAGE)
        return err->code;
    up_device_has_trouble(d, UP_PENDING_LOCK, false, err);
    return 0;
}

static int open_boot(struct up_device *d, unsigned flags, struct up_error *err)
{
    if (!d->boot_lost || flags & UP_DEVICE_ANYHOW || !(flags & UP_DEVICE_LOCK))
        return 0;
    *err = d->trouble.cause;
    return err->code;
}

int up_device_open(struct up_device **out, struct up_storage *storage, const struct up_config *config,
                   unsigned flags, struct up_error *err)
{
    struct up_device *d = NULL;

    if (up_device_allocate(&d, storage, config, err) < 0 || open_lock(d, flags, err) < 0 ||
        up_device_reload(d, err) < 0 || open_boot(d, flags, err) < 0) {
        up_device_close(d);
        return err->code;
    }
    if (flags == UP_DEVICE_READ)
        up_device_see_tree(d);
    *out = d;
    return 0;
}

void up_device_close(struct up_device *d)
{
    if (!d)
        return;
    up_device_finish_free(d);
    up_device_source_free(d);
    up_device_check_free(d);
    up_device_image_free(d);
    up_device_forget_kept(d);
    free(d->permit);
    if (d->lock >= 0)
        d->storage->ops->close(d->storage, d->lock);
    up_boot_close(d->boot);
    up_journal_close(d->journal);
    free(d);
}
