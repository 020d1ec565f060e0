/*
 * install.c -- the first half of a transaction: begin, abandon.
 *
 * Order of durable steps: journal fetching; boot loader forgets the target
 * slot; journal forgets it too; then blocks (transfer.c) and the end
 * (install_finish.c). Each can be repeated.
 */
#include <stdio.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "permit.h"

static bool has_part(const struct up_manifest *m, enum up_part_kind kind)
{
    return up_manifest_part(m, kind) != NULL;
}

/* The pair that results from installing these parts of m. */
static void make_pair(struct up_pair *pair, const struct up_pair *running, const struct up_manifest *m,
                      unsigned parts)
{
    struct up_error ignored;

    *pair = *running;
    pair->present = true;
    memcpy(pair->digest, m->digest, sizeof pair->digest);
    (void)!up_manifest_release(m, running->script_version, pair->release, &ignored); /* the gates asked */
    if (parts & 1u << UP_CORE) {
        snprintf(pair->core_name, sizeof pair->core_name, "%s", m->core_name);
        pair->core_version = m->core_version;
        pair->core_size = up_manifest_part(m, UP_CORE)->size;
        pair->identity[0] = '\0';
        pair->reads = 0;
    }
    if (parts & 1u << UP_FILES) {
        pair->files.known = true;
        memcpy(pair->files.bytes, up_manifest_part(m, UP_FILES)->index_digest, sizeof pair->files.bytes);
        snprintf(pair->files_version, sizeof pair->files_version, "%s", m->files_version);
    }
    if (parts & 1u << UP_SCRIPT)
        snprintf(pair->script_version, sizeof pair->script_version, "%s", m->script_version);
}

static void make_transaction(const struct up_device *d, struct up_journal_state *next,
                             const struct up_manifest *m)
{
    unsigned running = d->boot_state.running, parts = up_device_parts(d, m);
    bool has_core = parts & 1u << UP_CORE;
    struct up_transaction *t = &next->tx;

    memset(t, 0, sizeof *t);
    t->id = next->next_transaction++;
    t->parts = (uint8_t)parts;
    t->target = (uint8_t)(!d->provisioning && has_core ? !running : running);
    t->sequence = m->sequence;
    t->issued = m->issued;
    t->deadline = m->deadline ? m->deadline : d->config->deadline;
    snprintf(t->project, sizeof t->project, "%s", m->project);
    make_pair(&t->pair, &next->slot[running], m, parts);
    t->generation = parts & 1u << UP_SCRIPT ? next->next_generation++ : next->slot[running].generation;
    t->pair.generation = t->generation;
    next->phase = UP_FETCHING;
}

static int check_provision(const struct up_device *d, const struct up_manifest *m, struct up_error *err)
{
    if (!d->config->no_script && !has_part(m, UP_SCRIPT))
        return up_fail(err, UP_INCOMPATIBLE,
                       "release %s: has no script; the first package of a device needs one, unless its "
                       "configuration says script = false",
                       up_manifest_name(m));
    if (d->config->boot != UP_BOOT_NONE && !has_part(m, UP_CORE))
        return up_fail(err, UP_INCOMPATIBLE,
                       "release %s: has no core; the first package of a device with core slots needs one",
                       up_manifest_name(m));
    return 0;
}

/* The journal records which permit the transaction relies on. */
static void take_permit(struct up_journal_state *next, const struct up_permit *permit)
{
    memcpy(next->tx.permit.digest, permit->digest, sizeof permit->digest);
    next->tx.permit.not_after = permit->not_after;
}

/* Back from arming, whether or not the boot loader had been told. Disarming
 * comes first, so a power cut in between finds either arming or installing. */
static int reopen(struct up_device *d, const struct up_permit *permit, struct up_error *err)
{
    struct up_journal_state next = d->state;

    if (up_device_disarm(d, d->state.tx.target, err) < 0)
        return err->code;
    next.phase = UP_INSTALLING;
    if (permit)
        take_permit(&next, permit);
    memset(&next.slot[next.tx.target], 0, sizeof next.slot[0]);
    return up_device_save(d, &next, err);
}

/* Neither boot loader nor journal may name a slot that is about to be overwritten. */
static int forget_target(struct up_device *d, struct up_error *err)
{
    struct up_journal_state next;

    if (d->source.slot == d->state.tx.target)
        d->source.size = 0;
    if (up_device_disarm(d, d->state.tx.target, err) < 0)
        return err->code;
    if (!d->state.slot[d->state.tx.target].present)
        return 0;
    next = d->state;
    memset(&next.slot[next.tx.target], 0, sizeof next.slot[0]);
    return up_device_save(d, &next, err);
}

/* The boot loader was told, perhaps incompletely. */
static int stop_arming(struct up_device *d, int code, const char *why, struct up_error *err)
{
    enum up_start_action action;

    up_device_finish_free(d);
    up_device_forget_kept(d);
    return up_device_give_up(d, code, why, &action, err);
}

/* Drop a transaction that could not begin, so that it does not block others. */
static int forget_or_drop(struct up_device *d, struct up_error *err)
{
    struct up_error why, ignored;

    if (d->provisioning || !up_device_has_core(d) || forget_target(d, err) == 0)
        return 0;
    why = *err;
    (void)!up_device_abandon(d, why.code, why.message, &ignored);
    return why.code;
}

/* Fails if another transaction is armed or further; one that is not armed is replaced. */
static int make_way(struct up_device *d, const struct up_manifest *m, bool same, struct up_error *err)
{
    if (d->boot_lost) {
        *err = d->trouble.cause;
        return err->code;
    }
    if (d->state.phase == UP_ARMING && !same && stop_arming(d, UP_REFUSED, "another package came", err) < 0)
        return err->code;
    if (d->state.phase > UP_ARMING || (d->state.phase == UP_ARMING && !same))
        return up_fail(err, UP_BUSY, "release %s: release %s is %s; confirm it or roll it back first",
                       up_manifest_name(m), d->state.tx.pair.release, up_journal_phase_name(d->state.phase));
    return 0;
}

/* What is left of an earlier update of files ends; or this one is to replace all of it. */
static int make_way_for_files(struct up_device *d, const struct up_manifest *m, struct up_error *err)
{
    struct up_error why;
    bool whole;

    if (up_device_end_tree(d, true, &whole, &why) == 0)
        return 0;
    if (up_device_awaits_files(d) && has_part(m, UP_FILES))
        return 0;
    if (!up_device_awaits_files(d))
        return up_fail(err, why.code, "%s", why.message);
    return up_device_mixed(d)
               ? up_fail(
                     err, UP_BUSY,
                     "release %s: the files are neither the old nor the new ones; only a release with files "
                     "that names every path of the update that could not be put back is taken: %s",
                     up_manifest_name(m), why.message)
               : up_fail(err, UP_BUSY,
                         "release %s: traces of an update of files cannot be removed; only a release with "
                         "files is taken: %s",
                         up_manifest_name(m), why.message);
}

int up_device_begin(struct up_device *d, const struct up_manifest *m, struct up_error *err)
{
    struct up_journal_state next;
    struct up_gate_report report;
    bool same =
        d->state.phase != UP_IDLE && memcmp(d->state.tx.pair.digest, m->digest, sizeof m->digest) == 0;
    int rc;

    if (up_manifest_part(m, UP_HOTFIX))
        return up_fail(err, UP_INCOMPATIBLE, "hotfix %s: a hotfix is applied, not installed as a release",
                       m->hotfix_name);
    if (make_way(d, m, same, err) < 0)
        return err->code;
    up_device_finish_free(d);
    if (d->provisioning && check_provision(d, m, err) < 0)
        return err->code;
    do
        rc = up_device_learn_source(d, m, err);
    while (rc == UP_AGAIN);
    if (rc < 0)
        return rc;
    if (up_device_gates(d, m, &report, err) < 0)
        return err->code;
    if (d->state.phase == UP_ARMING)
        return reopen(d, report.permit, err);

    if (!same && make_way_for_files(d, m, err) < 0)
        return err->code;
    next = d->state;
    if (!same) {
        make_transaction(d, &next, m);
        if (report.permit)
            take_permit(&next, report.permit);
        if (up_device_save(d, &next, err) < 0)
            return err->code;
        d->fresh = true;
        if (!d->provisioning)
            up_device_note(d, "begun", UP_OK, next.tx.pair.release, m->sequence,
                           report.permit ? "by a permit" : "");
    } else if (report.permit) {
        next.phase = UP_FETCHING; /* blocks in place are found again */
        take_permit(&next, report.permit);
        if (up_device_save(d, &next, err) < 0)
            return err->code;
    }
    return forget_or_drop(d, err);
}

int up_device_abandon(struct up_device *d, int code, const char *why, struct up_error *err)
{
    struct up_journal_state next = d->state;

    if (d->state.phase == UP_ARMING)
        return stop_arming(d, code, why, err);
    if (d->state.phase != UP_FETCHING && d->state.phase != UP_INSTALLING)
        return up_fail(err, UP_NOTHING, "no transaction to abandon: the device is %s",
                       up_journal_phase_name(d->state.phase));
    up_device_finish_free(d);
    up_device_forget_kept(d);
    next.tx.plan.known = false;
    next.phase = UP_IDLE;
    up_device_set_last(d, &next, code, why);
    if (up_device_save(d, &next, err) < 0)
        return err->code;
    up_device_note(d, "abandoned", code, next.tx.pair.release, next.tx.sequence, why);
    up_device_clean(d);
    return 0;
}
