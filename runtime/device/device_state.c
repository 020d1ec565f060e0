/*
 * device_state.c -- shared by all parts of a device: its phase, its paths, its
 * records.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "history.h"
#include "hotfix_ledger.h"
#include "printable.h"
#include "version.h"

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

bool up_device_on_target(const struct up_device *d)
{
    return !up_device_has_core(d) || d->boot_state.running == d->state.tx.target;
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

const struct up_pair *up_device_pair(const struct up_device *d)
{
    unsigned running = d->boot_state.running;

    bool counted = d->state.phase == UP_TRIAL && !d->uncounted;

    if (up_device_on_trial(d) && !up_device_has_core(d) && (!d->uncounted || d->tree == UP_TREE_NEW))
        return &d->state.tx.pair;
    if (d->state.phase == UP_ROLLING_BACK && !up_device_has_core(d) && d->tree == UP_TREE_NEW)
        return &d->state.tx.pair;
    /* The core of the release runs with the old files, and so with the old script. */
    if (up_device_has_core(d) && up_device_on_target(d) && d->tree == UP_TREE_OLD && !counted)
        running = !running;
    /* A slot without a pair is about to be left; if that fails, the other
     * pair's script is the only one. */
    return &d->state.slot[d->state.slot[running].present ? running : !running];
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

const struct up_trouble *up_device_trouble(const struct up_device *d)
{
    return &d->trouble;
}

void up_device_has_trouble(struct up_device *d, unsigned pending, bool updates, const struct up_error *cause)
{
    d->pending |= pending;
    if (d->trouble.cause.code == UP_OK || (d->trouble.updates && !updates))
        d->trouble = (struct up_trouble){updates, *cause};
}

/* Open the file and lock it; -1 with errno and without a file if either fails. */
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
    /* Locking does not write, so an existing file is enough, also on a
     * read-only file system. NFS requires write access. */
    if (lock_with(d, path, UP_READ) == 0 || (errno != EWOULDBLOCK && lock_with(d, path, UP_CREATE) == 0))
        return 0;
    if (errno == EWOULDBLOCK)
        return up_fail(err, UP_BUSY, "state %s: another moult process is using it", d->config->state);
    if (errno == ENOENT)
        return up_fail(err, UP_USAGE, "state %s: no such directory; run moult provision", d->config->state);
    return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s", path, strerror(errno));
}

/* What runs is confirmed, or about to be replaced by something newer: the record
 * may take a form that older Moults do not read, unless one is in the other slot. */
static void choose_form(const struct up_device *d, struct up_journal_state *next)
{
    struct up_pair *running = &next->slot[d->boot_state.running];

    if (next->form > 0 && next->form < 3)
        up_device_bound_time(d, next);
    if (d->running_known && running->present)
        running->reads = UP_JOURNAL_FORM;
    next->form = up_journal_form(next);
}

int up_device_save(struct up_device *d, const struct up_journal_state *given, struct up_error *err)
{
    struct up_journal_state copy = *given;
    const struct up_journal_state *next = &copy;

    if (next->phase <= UP_FETCHING)
        choose_form(d, &copy);
    if (d->pending & UP_PENDING_LOCK)
        return up_fail(err, d->trouble.cause.code, "%s", d->trouble.cause.message);
    if (!d->provisioning && up_journal_write(d->journal, next, err) < 0) {
        up_device_has_trouble(d, d->state.phase >= UP_ARMED ? UP_PENDING_WRITE : 0, false, err);
        return err->code;
    }
    d->state = *next;
    if (!d->trouble.updates && !(d->pending & ~(unsigned)UP_PENDING_CLEAN))
        d->trouble = (struct up_trouble){.updates = true};
    /* A verdict goes into both files of the record, so that it is still known
     * when one of them can no longer be read. */
    if (!d->provisioning && next->phase == UP_IDLE && up_journal_write(d->journal, next, err) < 0)
        up_device_has_trouble(d, UP_PENDING_CLEAN, true, err);
    return 0;
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
    (void)!up_history_add(d->storage, d->config->state, &e, &ignored);
}

void up_device_note_again(struct up_device *d, const char *event, const char *release, const char *message)
{
    struct up_event e;
    struct up_error ignored;

    make_event(d, &e, event, release, message);
    (void)!up_history_add_again(d->storage, d->config->state, &e, &ignored);
}

void up_device_set_last(const struct up_device *d, struct up_journal_state *next, int code, const char *why)
{
    next->has_last = true;
    next->last.code = code;
    next->last.sequence = next->tx.sequence;
    next->last.time = up_device_time(d);
    up_printable_copy(next->last.message, sizeof next->last.message, why);
}

/* Whether the pair has this part already. */
static bool has_same(const struct up_pair *pair, const struct up_manifest *m, const struct up_part *part)
{
    switch (part->kind) {
    case UP_CORE:
        return strcmp(m->core_name, pair->core_name) == 0 && m->core_version == pair->core_version;
    case UP_FILES: /* by content: a version may come again with other files */
        return pair->files.known &&
               memcmp(pair->files.bytes, part->index_digest, sizeof part->index_digest) == 0;
    default:
        return up_version_same(m->script_version, pair->script_version);
    }
}

/* Whether the tree may be another than the pair says: a hotfix changed it, or it is mixed. */
static bool is_changed(const struct up_device *d)
{
    struct up_hotfix_ledger ledger;
    struct up_error ignored;

    if (d->tree == UP_TREE_MIXED)
        return true;
    if (up_hotfix_ledger_read(&ledger, d->storage, d->config->state, &ignored) < 0)
        return true;
    for (uint32_t i = 0; i < ledger.count; i++)
        if (ledger.entry[i].files && up_hotfix_ledger_is_active(&ledger.entry[i]))
            return true;
    return false;
}

unsigned up_device_parts(const struct up_device *d, const struct up_manifest *m)
{
    const struct up_pair *running = &d->state.slot[d->boot_state.running];
    unsigned all = 0, other = 0;

    for (unsigned i = 0; i < m->part_count; i++) {
        enum up_part_kind kind = m->part[i].kind;

        all |= 1u << kind;
        other |= has_same(running, m, &m->part[i]) && !(kind == UP_FILES && is_changed(d)) ? 0 : 1u << kind;
    }
    return d->provisioning || !other ? all : other;
}

int up_device_hint(struct up_device *d, uint64_t blocks, struct up_error *err)
{
    struct up_journal_state next = d->state;

    next.tx.hint = blocks;
    if (d->storage->ops->boot_id(d->storage, next.tx.fetch_id) < 0)
        return up_fail(err, UP_INTERNAL, "boot id: %s", strerror(errno));
    return up_device_save(d, &next, err);
}
