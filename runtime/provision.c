/*
 * provision.c -- the factory: what makes a device of an empty state, and what
 * the state says when its journal does not.
 *
 * Order of durable steps: <state>/provisioning; the slot and generation 1; boot
 * record; history; the journal, whose first whole file makes the device; then
 * `provisioning` goes. While it is there and no file of the journal is whole,
 * nobody ever had a device here, and provisioning starts again. Without it,
 * what only a device leaves behind says that a journal was lost.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "history.h"

#define MARK "provisioning"

static bool is_there(const struct up_device *d, const char *name)
{
    char path[UP_PATH_SIZE];
    struct up_stat st;

    return d->storage->ops->stat(d->storage, up_device_path(d, name, path, sizeof path), &st) == 0;
}

/* Surely so: what cannot be looked at may be there. */
static bool is_missing(const struct up_device *d, const char *name)
{
    return !is_there(d, name) && errno == ENOENT;
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

int up_device_without_journal(const struct up_device *d, struct up_error *err)
{
    if (is_there(d, MARK))
        return up_fail(err, UP_USAGE, "state %s: provisioning did not come to its end; run moult provision",
                       d->config->state);
    if (err->code == UP_STATELOST)
        return err->code;
    if (!is_missing(d, "history") || has_generation(d))
        return up_fail(err, UP_STATELOST, "state %s: held a device, and both files of its journal are gone",
                       d->config->state);
    return up_fail(err, UP_USAGE, "state %s: holds no device yet; run moult provision", d->config->state);
}

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

    if (up_storage_write_file(d->storage, up_device_path(d, MARK, path, sizeof path), "", 0, 0600, err) < 0)
        return err->code;
    return d->config->journal_dir ? up_storage_make_dir(d->storage, d->config->journal_dir, 0700, err) : 0;
}

/* The name of the state, which may be there from a try that failed at just this.
 * That of a mount point is not ours, and may lie where nothing can be synced. */
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

    /* The slots before anything is made; and again, when it can be told what the state lies on. */
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

/* The device is there; that the mark stays a little longer harms nothing. */
static void remove_mark(struct up_device *d)
{
    char path[UP_PATH_SIZE];
    struct up_error ignored;

    up_device_path(d, MARK, path, sizeof path);
    /* Not before the names of the journal are durable: who made them may have failed at that. */
    if (up_storage_sync_parent(d->storage, path, &ignored) == 0 &&
        d->storage->ops->unlink(d->storage, path) == 0)
        up_storage_sync_parent(d->storage, path, &ignored);
}

int up_device_commit_provision(struct up_device *d, struct up_error *err)
{
    struct up_journal_state next = d->state;
    uint8_t slot = next.tx.target;
    struct up_boot_state boot = {.order = {slot, !slot}, .count = 1, .running = slot};

    boot.good[slot] = true;
    next.slot[slot] = next.tx.pair;
    for (int i = 0; i < UP_PART_KINDS; i++)
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
        up_storage_make_dir(d->storage, d->config->journal_dir, 0700, &ignored);
    up_journal_tend(d->journal, &ignored);
    up_boot_tend(d->boot, &ignored);
    if (is_missing(d, "history"))
        up_history_create(d->storage, d->config->state, &ignored);
    else /* what making it anew began */
        d->storage->ops->unlink(d->storage, up_device_path(d, "history.new", path, sizeof path));
    if (is_there(d, MARK))
        remove_mark(d);
}
