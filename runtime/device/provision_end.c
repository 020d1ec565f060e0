/*
 * provision_end.c -- the last steps of provisioning, and what is left of them
 * for later starts. The order is in provision.c.
 */
#include "device_private.h"
#include "error.h"
#include "history.h"

/* The device exists; a mark that stays a little longer does no harm. */
static void remove_mark(struct up_device *d)
{
    char path[UP_PATH_SIZE];
    struct up_error ignored;

    up_device_path(d, UP_PROVISIONING, path, sizeof path);
    /* Not before the names of the journal are durable: that may be where the earlier attempt failed. */
    if (up_storage_sync_parent(d->storage, path, &ignored) == 0 &&
        d->storage->ops->unlink(d->storage, path) == 0)
        (void)!up_storage_sync_parent(d->storage, path, &ignored);
}

int up_device_commit_provision(struct up_device *d, struct up_error *err)
{
    struct up_journal_state next = d->state;
    uint8_t slot = next.tx.target;
    struct up_boot_state boot = {.order = {slot, !slot}, .count = 1, .running = slot};

    boot.good[slot] = true;
    next.slot[slot] = next.tx.pair;
    next.slot[slot].reads = UP_JOURNAL_FORM;
    up_device_confirm_tree(&next);
    for (int i = 0; i < UP_FLOORS; i++)
        next.floor[i] = next.tx.parts & 1u << i ? next.tx.sequence : 0;
    up_device_learn_time(d, &next, next.tx.issued);
    next.phase = UP_IDLE;
    if (up_boot_create(d->boot, &boot, err) < 0 || up_history_create(d->storage, d->config->state, err) < 0)
        return err->code;
    up_device_note(d, "provisioned", UP_OK, next.slot[slot].release, next.tx.sequence, "");
    if (up_journal_create(d->journal, &next, err) < 0)
        return err->code;
    d->state = next;
    d->boot_state = boot;
    d->provisioning = false;
    remove_mark(d);
    up_device_clean(d);
    return 0;
}

void up_device_tend(struct up_device *d)
{
    char path[UP_PATH_SIZE];
    struct up_error ignored;

    if (d->state.phase != UP_IDLE)
        return;
    if (d->config->journal_dir)
        (void)!up_storage_make_dir(d->storage, d->config->journal_dir, 0700, &ignored);
    (void)!up_journal_tend(d->journal, &ignored);
    (void)!up_boot_tend(d->boot, &ignored);
    if (up_device_lacks_file(d, "history"))
        (void)!up_history_create(d->storage, d->config->state, &ignored);
    else /* what recreating it began */
        d->storage->ops->unlink(d->storage, up_device_path(d, "history.new", path, sizeof path));
    if (up_device_has_file(d, UP_PROVISIONING))
        remove_mark(d);
}
