/*
 * device_start.c -- one boot, whatever is broken: what is to run, what could
 * not be done, and doing it later.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "generation.h"
#include "keys.h"

/* One step of a start: done, or trouble that is retried. */
static bool step(struct up_device *d, unsigned pending, int rc, const struct up_error *err)
{
    d->pending &= ~pending;
    if (rc < 0)
        up_device_has_trouble(d, pending, pending == UP_PENDING_RESUME && up_device_awaits_files(d), err);
    return rc == 0;
}

static int settle_keys(struct up_device *d, struct up_error *err)
{
    /* The set already applies; only its files may be behind. */
    return up_keys_settle(d->storage, d->config->keys, err) == UP_INTERNAL ? err->code : 0;
}

/* Before anything else: take the lock, and read what the other owner of the phases wrote. */
static int look_again(struct up_device *d, struct up_error *err)
{
    if (d->pending & UP_PENDING_LOCK && up_device_take_lock(d, err) < 0)
        return err->code;
    d->pending &= ~(unsigned)UP_PENDING_LOCK;
    return up_device_reload(d, err);
}

/* Phases that the boot has to continue. */
static bool on_the_way(const struct up_device *d)
{
    return d->state.phase == UP_CONFIRMING || d->state.phase == UP_ROLLING_BACK;
}

bool up_device_unfinished(const struct up_device *d)
{
    return d->pending || on_the_way(d);
}

int up_device_writable(const struct up_device *d, struct up_error *err)
{
    static const char *const halves[] = {"journal.0", "journal.1"};
    char path[UP_PATH_SIZE];

    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        int file =
            d->storage->ops->open(d->storage, up_device_path(d, halves[i], path, sizeof path), UP_UPDATE, 0);

        /* A missing file is recreated by the next write; other reasons do not count. */
        if (file < 0 && errno == EROFS)
            return up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
        if (file >= 0)
            d->storage->ops->close(d->storage, file);
    }
    return 0;
}

/* Whether the journal can be written again: by writing what is there already; in phases
 * in which another process writes it, up_device_check() looks. */
static int write_again(struct up_device *d, struct up_error *err)
{
    bool ours = d->state.phase == UP_ARMED || d->state.phase == UP_TRIAL;
    struct up_trouble before = d->trouble;

    if (ours && up_device_save(d, &d->state, err) < 0) {
        d->trouble = before; /* the caller reports it */
        return d->uncounted ? up_device_say_uncounted(d, err) : err->code;
    }
    d->uncounted = false;
    return 0;
}

void up_device_check(struct up_device *d)
{
    struct up_error err;

    if (d->trouble.updates && up_device_writable(d, &err) < 0)
        up_device_has_trouble(d, UP_PENDING_WRITE, false, &err);
}

/* Do what is pending, in the order in which each needs the ones before. */
static int go_on(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    unsigned pending = d->pending;
    bool resume;

    if (pending & UP_PENDING_KEYS)
        step(d, UP_PENDING_KEYS, settle_keys(d, err), err);
    if (pending & UP_PENDING_SELECT)
        step(d, UP_PENDING_SELECT, up_device_select_slot(d, err), err);
    up_device_see_tree(d); /* which belongs to the slot that counts as running now */
    resume = pending & UP_PENDING_RESUME || on_the_way(d) ||
             (pending & UP_PENDING_WRITE && d->state.phase == UP_TRIAL);
    if (resume && !(d->pending & UP_PENDING_SELECT))
        step(d, UP_PENDING_RESUME, up_device_resume(d, action, err), err);
    if (pending & UP_PENDING_WRITE)
        step(d, UP_PENDING_WRITE, write_again(d, err), err);
    if (pending & UP_PENDING_CLEAN) {
        up_device_tend(d);
        up_device_clean(d);
    }
    up_device_check(d);
    if (d->trouble.updates)
        return 0;
    *err = d->trouble.cause;
    return err->code;
}

/* No script runs yet: finish or remove what a repair left. What cannot be done
 * now is done at the next start. */
static void settle_scripts(struct up_device *d)
{
    char dir[UP_PATH_SIZE];
    struct up_error ignored;

    up_device_path(d, "script", dir, sizeof dir);
    for (int i = 0; i < UP_SLOTS; i++)
        if (d->state.slot[i].present)
            (void)!up_generation_settle(d->storage, dir, d->state.slot[i].generation, &ignored);
    if (d->state.phase != UP_IDLE)
        (void)!up_generation_settle(d->storage, dir, d->state.tx.generation, &ignored);
}

int up_device_start(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    *action = UP_START_RUN;
    d->pending |= UP_PENDING_KEYS | UP_PENDING_SELECT | UP_PENDING_RESUME | UP_PENDING_CLEAN;
    if (d->pending & UP_PENDING_LOCK) {
        up_device_see_tree(d);
        *err = d->trouble.cause;
        return err->code;
    }
    d->trouble = (struct up_trouble){.updates = true};
    settle_scripts(d);
    return go_on(d, action, err);
}

int up_device_retry(struct up_device *d, enum up_start_action *action, struct up_error *err)
{
    *action = UP_START_RUN;
    if (look_again(d, err) < 0) {
        d->trouble = (struct up_trouble){false, *err};
        return err->code;
    }
    d->trouble = (struct up_trouble){.updates = true};
    return go_on(d, action, err);
}

int up_device_come_up(struct up_device **out, struct up_storage *storage, const struct up_config *config,
                      const struct up_files_worker *worker, enum up_start_action *action,
                      struct up_trouble *trouble, struct up_error *err)
{
    int rc = up_device_open(out, storage, config, UP_DEVICE_LOCK | UP_DEVICE_ANYHOW, err);
    enum up_files_step ignored_step;
    struct up_error ignored;

    *action = UP_START_RUN;
    if (rc == UP_BUSY || rc == UP_USAGE)
        return rc;
    if (rc < 0) {
        *out = NULL;
        *trouble = (struct up_trouble){false, *err};
        /* What it could not do is seen by up_device_last_resort(). */
        if (rc == UP_STATELOST || rc == UP_WRITE)
            (void)!up_device_put_back_alone(storage, config, worker, &ignored_step, &ignored);
        return 0;
    }
    (*out)->worker = worker;
    (void)!up_device_start(*out, action, err);
    *trouble = *up_device_trouble(*out);
    return 0;
}

/* The running slot, if the boot loader names it: 'a', 'b' or 0. */
static char running_letter(struct up_storage *storage, const struct up_config *config)
{
    struct up_boot_state state;
    struct up_error ignored;
    struct up_boot *boot;
    int slot = -1;

    if (config->boot == UP_BOOT_NONE || up_boot_open(&boot, storage, up_config_boot(config), &ignored) < 0)
        return 0;
    if (up_boot_read(boot, &state, &ignored) == 0)
        slot = state.running;
    else
        (void)!up_boot_started(boot, &slot, &ignored);
    up_boot_close(boot);
    return slot < 0 ? 0 : (char)('a' + slot);
}

int up_device_last_resort(struct up_storage *storage, const struct up_config *config, char *buf, size_t len,
                          struct up_error *err)
{
    char path[UP_PATH_SIZE], name[16];
    struct up_error ignored;
    uint32_t n = 0;

    if (up_device_fits_alone(storage, config, err) < 0)
        return err->code;
    /* Confirmed generations first: the link may point to one that was on trial. */
    if (snprintf(path, sizeof path, "%s/script", config->state) < (int)sizeof path)
        (void)!up_generation_newest(storage, path, config->keys, running_letter(storage, config), &n,
                                    &ignored);
    if (n > 0 && snprintf(buf, len, "%s/%" PRIu32, path, n) < (int)len)
        return 0;
    if (snprintf(path, sizeof path, "%s/script/current", config->state) >= (int)sizeof path ||
        storage->ops->readlink(storage, path, name, sizeof name) < 0 ||
        snprintf(buf, len, "%s/script/%s", config->state, name) >= (int)len)
        return up_fail(err, UP_STATELOST, "state %s: holds no script that could be started", config->state);
    return 0;
}

static int try_write_in(struct up_storage *storage, const char *dir, struct up_error *err)
{
    static const char bytes[4096];
    char path[UP_PATH_SIZE];
    struct up_error ignored;

    if (snprintf(path, sizeof path, "%s/write-test", dir) >= (int)sizeof path)
        return up_fail(err, UP_USAGE, "%s: path too long", dir);
    if (up_storage_write_file(storage, path, bytes, sizeof bytes, 0600, err) < 0) {
        (void)!up_storage_remove_tree(storage, path, &ignored); /* the error of syncing the directory */
        return err->code;
    }
    return up_storage_remove_tree(storage, path, err);
}

int up_device_try_write(struct up_storage *storage, const struct up_config *config, struct up_error *err)
{
    struct up_stat st;

    if (try_write_in(storage, config->state, err) < 0)
        return err->code;
    /* A journal_dir that is gone is not needed; in a read-only one the file would only get older. */
    if (!config->journal_dir || storage->ops->stat(storage, config->journal_dir, &st) < 0)
        return 0;
    return try_write_in(storage, config->journal_dir, err);
}
