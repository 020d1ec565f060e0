#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "generation.h"
#include "history.h"
#include "minisign.h"
#include "permit.h"
#include "printable.h"

const struct up_journal_state *up_device_state(const struct up_device *d)
{
    return &d->state;
}

const struct up_config *up_device_config(const struct up_device *d)
{
    return d->config;
}

struct up_storage *up_device_storage(const struct up_device *d)
{
    return d->storage;
}

int up_device_running(const struct up_device *d)
{
    return d->boot_state.running;
}

unsigned up_device_tries(const struct up_device *d)
{
    unsigned target = d->state.tx.target;

    return up_device_on_trial(d) && up_device_has_core(d) ? d->boot_state.tries[target] : 0;
}

bool up_device_on_trial(const struct up_device *d)
{
    return d->state.phase == UP_TRIAL || d->state.phase == UP_CONFIRMING;
}

bool up_device_has_core(const struct up_device *d)
{
    return d->state.phase != UP_IDLE && (d->state.tx.parts & 1u << UP_CORE) != 0;
}

bool up_device_provisioning(const struct up_device *d)
{
    return d->provisioning;
}

bool up_device_adopts(const struct up_device *d)
{
    const char *slot = d->config->slot[d->boot_state.running];

    return d->provisioning && slot &&
           (d->runs_slot || d->storage->ops->mounted(d->storage, slot) > UP_NOT_MOUNTED);
}

bool up_device_take_fresh(struct up_device *d)
{
    bool fresh = d->fresh;

    d->fresh = false;
    return fresh;
}

uint32_t up_device_generation(const struct up_device *d)
{
    uint32_t n = up_device_pair(d)->generation;

    return d->instead && d->broken == n ? d->instead : n;
}

const char *up_device_path(const struct up_device *d, const char *name, char *buf, size_t len)
{
    if (snprintf(buf, len, "%s/%s", d->config->state, name) >= (int)len)
        abort();
    return buf;
}

const char *up_device_generation_path(const struct up_device *d, uint32_t n, char *buf, size_t len)
{
    if (snprintf(buf, len, "%s/script/%" PRIu32, d->config->state, n) >= (int)len)
        abort();
    return buf;
}

int up_device_spool(struct up_device *d, char *buf, size_t len, struct up_error *err)
{
    return up_storage_make_dir(d->storage, up_device_path(d, "tx", buf, len), 0700, err);
}

/* Paths are built from the state directory, and those of slots copied, without
 * checks later on. */
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

/* Open the file and lock it; -1 with errno and without a file when either fails. */
static int lock_with(struct up_device *d, const char *path, unsigned flags)
{
    int cause;

    d->lock = d->storage->ops->open(d->storage, path, flags, 0600);
    if (d->lock < 0 || d->storage->ops->lock(d->storage, d->lock) == 0)
        return d->lock < 0 ? -1 : 0;
    cause = errno;
    d->storage->ops->close(d->storage, d->lock);
    d->lock = -1;
    errno = cause;
    return -1;
}

int up_device_take_lock(struct up_device *d, struct up_error *err)
{
    char path[UP_PATH_SIZE];

    up_device_path(d, "lock", path, sizeof path);
    /* Locking takes no write, so what is there will do: on a read-only file
     * system, and it keeps nobody from making it one. NFS wants to write. */
    if (lock_with(d, path, UP_READ) == 0 || (errno != EWOULDBLOCK && lock_with(d, path, UP_CREATE) == 0))
        return 0;
    if (errno == EWOULDBLOCK)
        return up_fail(err, UP_BUSY, "state %s: another moult process works on it", d->config->state);
    if (errno == ENOENT)
        return up_fail(err, UP_USAGE, "state %s: no such directory; run moult provision", d->config->state);
    return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s", path, strerror(errno));
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

/* What `moult run` can do without, it does without. */
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

int up_device_save(struct up_device *d, const struct up_journal_state *given, struct up_error *err)
{
    struct up_journal_state copy = *given;
    const struct up_journal_state *next = &copy;

    /* What runs is confirmed, or about to be left for something newer: no
     * older Moult has to read this record. */
    if (next->phase <= UP_FETCHING) {
        if (copy.form > 0 && copy.form < 3)
            up_device_bound_time(d, &copy);
        copy.form = UP_JOURNAL_FORM;
    }
    if (d->pending & UP_PENDING_LOCK)
        return up_fail(err, d->trouble.cause.code, "%s", d->trouble.cause.message);
    if (!d->provisioning && up_journal_write(d->journal, next, err) < 0) {
        up_device_has_trouble(d, d->state.phase >= UP_ARMED ? UP_PENDING_WRITE : 0, false, err);
        return err->code;
    }
    d->state = *next;
    if (!d->trouble.updates && !(d->pending & ~(unsigned)UP_PENDING_CLEAN))
        d->trouble = (struct up_trouble){.updates = true};
    /* A verdict goes into both files of the record: later, when one of them
     * can no longer be read, the other still knows it. */
    if (!d->provisioning && next->phase == UP_IDLE && up_journal_write(d->journal, next, err) < 0)
        up_device_has_trouble(d, UP_PENDING_CLEAN, true, err);
    return 0;
}

int up_device_set_boot(struct up_device *d, const struct up_boot_state *next, struct up_error *err)
{
    /* What cannot be read is not to be written by guess. */
    if (d->boot_lost || d->pending & UP_PENDING_LOCK)
        return up_fail(err, d->trouble.cause.code, "%s", d->trouble.cause.message);
    d->boot_unsure = up_boot_write(d->boot, next, err) < 0;
    if (d->boot_unsure)
        return err->code;
    d->boot_state = *next;
    return 0;
}

void up_device_repeat_boot(struct up_device *d)
{
    struct up_error ignored;

    up_boot_write(d->boot, &d->boot_state, &ignored);
}

int up_device_disarm(struct up_device *d, unsigned target, struct up_error *err)
{
    struct up_boot_state next = d->boot_state;

    if (!d->boot_unsure && next.count == 1 && next.order[0] != target && !next.good[target] &&
        next.tries[target] == 0)
        return 0;
    next.order[0] = (uint8_t)!target;
    next.count = 1;
    next.good[target] = false;
    next.tries[target] = 0;
    return up_device_set_boot(d, &next, err);
}

static void make_event(const struct up_device *d, struct up_event *e, const char *event, const char *release,
                       const char *message)
{
    *e = (struct up_event){.time = up_device_time(d), .transaction = d->state.tx.id};
    snprintf(e->name, sizeof e->name, "%s", event);
    snprintf(e->release, sizeof e->release, "%s", release);
    up_printable_copy(e->message, sizeof e->message, message);
}

void up_device_note(struct up_device *d, const char *event, int code, const char *release, uint64_t sequence,
                    const char *message)
{
    struct up_event e;
    struct up_error ignored;

    make_event(d, &e, event, release, message);
    e.sequence = sequence;
    e.code = code;
    up_history_add(d->storage, d->config->state, &e, &ignored);
}

void up_device_note_again(struct up_device *d, const char *event, const char *release, const char *message)
{
    struct up_event e;
    struct up_error ignored;

    make_event(d, &e, event, release, message);
    up_history_add_again(d->storage, d->config->state, &e, &ignored);
}

int up_device_permit(struct up_device *d, const char *path, struct up_error *err)
{
    struct up_permit *permit = NULL;
    struct up_keyring *ring;
    int rc = 0;

    free(d->permit);
    d->permit = NULL;
    if (!path)
        return 0;
    if (up_keyring_open(&ring, d->storage, d->config->keys, err) < 0)
        return err->code;
    permit = malloc(sizeof *permit);
    if (!permit)
        rc = up_fail(err, UP_INTERNAL, "permit %s: out of memory", path);
    else
        rc = up_permit_load(permit, d->storage, ring, path, err);
    up_keyring_free(ring);
    if (rc == 0)
        d->permit = permit;
    else
        free(permit);
    return rc;
}

int up_device_check_slots(const struct up_device *d, struct up_error *err)
{
    const char *const slot[UP_SLOTS] = {d->config->slot[0], d->config->slot[1]};

    return up_slot_check(d->storage, slot, d->config->state, err);
}

int up_device_gates(const struct up_device *d, const struct up_manifest *m, struct up_gate_report *report,
                    struct up_error *err)
{
    struct up_gate_facts facts = {.config = d->config,
                                  .state = &d->state,
                                  .running = d->boot_state.running,
                                  .time = up_device_time(d),
                                  .version = MOULT_VERSION,
                                  .need_bytes = up_gate_space(m),
                                  .permit = d->permit,
                                  .slot_size = 0};
    const struct up_part *core = up_manifest_part(m, UP_CORE);
    const char *slot = d->config->slot[d->provisioning ? d->boot_state.running : !d->boot_state.running];

    facts.core_left_out = !(up_device_parts(d, m) & 1u << UP_CORE);
    if (core && core->delta) {
        facts.source_mounted = up_device_source_mounted(d);
        facts.source_digest = up_device_source_digest(d, core->source_size);
    }
    facts.same_open =
        d->state.phase != UP_IDLE && memcmp(d->state.tx.pair.digest, m->digest, sizeof m->digest) == 0;
    if (d->storage->ops->space(d->storage, d->config->state, &facts.free_bytes) < 0)
        return up_fail(err, UP_WRITE, "state %s: free space: %s", d->config->state, strerror(errno));
    if (slot && core && up_device_check_slots(d, err) < 0)
        return err->code;
    if (slot && up_slot_capacity(d->storage, slot, &facts.slot_size, err) < 0)
        return err->code;
    return up_gates_ask(report, m, &facts, err);
}

/* Whether the pair of a slot was confirmed: all are, but for one that is armed
 * or on trial. */
static bool is_confirmed(const struct up_device *d, unsigned slot)
{
    const struct up_journal_state *s = &d->state;

    if (!s->slot[slot].present || d->provisioning)
        return false;
    return s->phase < UP_ARMING || !up_device_has_core(d) || slot != s->tx.target;
}

/* For a start that finds no journal. That it fails is no reason to stop: it is
 * tried again at the next start. */
static void mark_confirmed(struct up_device *d, const char *script_dir)
{
    struct up_error ignored;

    for (unsigned i = 0; i < UP_SLOTS; i++) {
        uint32_t n = d->state.slot[i].generation;
        char letters[UP_SLOTS + 1] = "";
        size_t len = 0;

        for (unsigned j = 0; j < UP_SLOTS; j++)
            if (is_confirmed(d, j) && d->state.slot[j].generation == n)
                letters[len++] = (char)('a' + j);
        if (len > 0 && is_confirmed(d, i))
            up_generation_mark(d->storage, script_dir, n, letters, &ignored);
    }
}

static int clean(struct up_device *d, struct up_error *err)
{
    uint32_t keep[UP_SLOTS + 1];
    char path[UP_PATH_SIZE];
    unsigned count = 0;
    struct up_error why;
    int rc = 0;

    if (d->state.phase == UP_IDLE)
        rc = up_storage_remove_tree(d->storage, up_device_path(d, "tx", path, sizeof path), err);
    for (int i = 0; i < UP_SLOTS; i++)
        if (d->state.slot[i].present)
            keep[count++] = d->state.slot[i].generation;
    if (d->state.phase != UP_IDLE)
        keep[count++] = d->state.tx.generation;
    up_device_path(d, "script", path, sizeof path);
    mark_confirmed(d, path);
    if (up_generation_clean(d->storage, path, keep, count, &why) < 0 ||
        up_generation_link(d->storage, path, up_device_generation(d), &why) < 0) {
        *err = why;
        rc = why.code;
    }
    return rc;
}

void up_device_clean(struct up_device *d)
{
    struct up_error err;

    d->pending &= ~(unsigned)UP_PENDING_CLEAN;
    if (d->trouble.updates)
        d->trouble.cause = (struct up_error){.code = UP_OK};
    if (clean(d, &err) < 0)
        up_device_has_trouble(d, UP_PENDING_CLEAN, true, &err);
}
