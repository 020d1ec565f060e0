/*
 * install_files.c -- the part `files` of a transaction: from its verified content
 * in the spool to new files beside their targets.
 *
 * Order of durable steps: the plan and stage staging, journal with the digest of
 * the plan, the files, stage staged. What a cut left of a plan that the journal
 * does not name is swept first.
 *
 * Hotfixes with files that end with the release are put back in the same plan, also if
 * the release itself has no files.
 */
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "files.h"
#include "files_make.h"
#include "files_named.h"
#include "files_part.h"
#include "files_programs.h"
#include "hotfix_gate.h"
#include "hotfix_set.h"

/* Whether the lines of this path stop and start it. */
static bool has_both(const struct up_update_ini *ini, const char *path)
{
    bool stop = false, start = false;

    for (size_t i = 0; i < ini->count; i++)
        if (strcmp(ini->entry[i].path, path) == 0) {
            stop = stop || ini->entry[i].stop;
            start = start || ini->entry[i].start;
        }
    return stop && start;
}

/* Drivers, and programs that are not both stopped and started, need a restart of the device. */
static bool needs_restart(const struct up_update_ini *ini)
{
    for (size_t i = 0; i < ini->count; i++) {
        const struct up_update_ini_entry *e = &ini->entry[i];

        if (e->type == UP_FILE_DRIVER ||
            (e->type == UP_FILE_EXECUTABLE && e->operation == UP_FILE_PUT && !has_both(ini, e->path)))
            return true;
    }
    return false;
}

/* mit.ini is written by the terminal's module and by Moult, so no package may change it. */
static int check_targets(const struct up_device *d, const struct up_update_ini *ini, struct up_error *err)
{
    const char *kept = d->config->mit_ini;

    for (size_t i = 0; kept && i < ini->count; i++)
        if (ini->entry[i].operation != UP_FILE_KEEP && strcmp(ini->entry[i].path, kept) == 0)
            return up_fail(err, UP_INCOMPATIBLE,
                           "files: update.ini line %u: %s is the mit_ini of the configuration, which no "
                           "package may change",
                           ini->entry[i].line, kept);
    return 0;
}

/* The hotfixes that end with the release: those that are not made for it, and those that changed what it changes. */
static int end_hotfixes(const struct up_device *d, struct up_hotfix_set *fixes, struct up_files_plan *plan,
                        const struct up_files_source *own, struct up_error *err)
{
    if (!fixes)
        return 0;
    for (uint32_t i = 0; i < fixes->ledger.count; i++)
        fixes->goes[i] =
            up_hotfix_set_has(fixes, i) && !up_hotfix_gate_fits(&fixes->ledger.entry[i], &d->state.tx.pair);
    up_hotfix_set_close_over(fixes, plan);
    return up_hotfix_set_reverse(fixes, plan, own, err);
}

/* Put the plan on record, and its digest into the journal. */
static int begin(struct up_device *d, struct up_files *f, struct up_files_part *part,
                 struct up_hotfix_set *fixes, struct up_error *err)
{
    const struct up_files_source own = up_files_part_source(part);
    struct up_journal_state next = d->state;
    bool signed_by_nobody = up_manifest_sequence_is_unsigned(next.tx.sequence);
    struct up_files_plan plan;
    int rc;

    if (check_targets(d, &part->archive.ini, err) < 0)
        return err->code;
    if (up_files_make(&plan, d->storage, &part->archive.ini, part->content, part->archive.members,
                      d->config->files.root, d->config->files.root_count, err) < 0)
        return err->code;
    for (uint32_t i = 0; i < plan.root_count; i++)
        plan.root[i].plain = signed_by_nobody;
    rc = end_hotfixes(d, fixes, &plan, &own, err);
    if (rc == 0 && plan.op_count > 0)
        rc = up_files_begin(f, &plan, err);
    if (rc < 0) {
        up_files_plan_free(&plan);
        return rc;
    }
    /* A bare archive does not say what it needs. */
    next.tx.restart = plan.op_count > 0 && (signed_by_nobody || needs_restart(&part->archive.ini));
    next.tx.plan.known = plan.op_count > 0;
    memcpy(next.tx.plan.bytes, f->stage.plan, sizeof next.tx.plan.bytes);
    up_files_plan_free(&plan);
    return up_device_save(d, &next, err);
}

/* The tree cannot be put back. A package that names all that is open makes it whole all the same. Or it is whole, and
 * the root that has the traces of a plan is not there: they do not keep another package away. */
static int suspend(struct up_files *f, const struct up_files_part *part, struct up_error *why)
{
    char first[UP_PATH_SIZE] = "";

    if (f->lost && !f->plan.op)
        return why->code;
    if (!up_files_stage_is_between(f->stage.step))
        return why->code == UP_MISSING ? up_files_suspend(f, why) : why->code;
    if (up_files_named_all(&f->plan, &part->archive.ini, first, sizeof first))
        return up_files_suspend(f, why);
    return up_fail(
        why, UP_INCOMPATIBLE,
        "files: update.ini does not name %s, which is neither old nor new, because an update could not "
        "be put back; a package that names all paths of that one is taken",
        first);
}

/* The open plan is this transaction's, complete, or with no content of hotfixes to come. */
static bool is_ours(const struct up_device *d, const struct up_files *f, bool fixes)
{
    const struct up_known_digest *plan = &d->state.tx.plan;

    return plan->known && memcmp(plan->bytes, f->stage.plan, sizeof plan->bytes) == 0 && !f->lost &&
           ((f->stage.step == UP_FILES_STAGING && !fixes) || f->stage.step == UP_FILES_STAGED);
}

/* Keep the open plan if it is ours; else undo and remove it, and the one that waits below it. */
static int make_way(const struct up_device *d, struct up_files *f, const struct up_files_part *part,
                    bool fixes, struct up_error *err)
{
    bool suspended = true;

    while (suspended && !is_ours(d, f, fixes)) {
        if (up_files_undo(f, err) < 0)
            return d->provisioning ? err->code : suspend(f, part, err);
        suspended = f->below.step != UP_FILES_NONE;
        if (up_files_sweep(f, f->stage.step == UP_FILES_SWEEPING_NEW, err) < 0)
            return d->provisioning ? err->code : suspend(f, part, err);
        if (!suspended)
            return 0;
        up_files_close(f);
        if (up_files_open(f, d->storage, d->config->state, err) < 0)
            return err->code;
    }
    return 0;
}

/* In the factory there is no old tree to go back to: what a cut left is done again. */
static int put_in_place(struct up_files *f, struct up_error *err)
{
    return up_files_switch(f, err) < 0 ? err->code : up_files_sweep(f, true, err);
}

static int stage(struct up_device *d, struct up_files *f, struct up_files_part *part,
                 struct up_hotfix_set *fixes, struct up_error *err)
{
    const struct up_files_source own = up_files_part_source(part),
                                 source = fixes ? up_files_reverse_source(&fixes->reverse) : own;
    const struct up_files_hands hands = up_config_hands(d->config, NULL);

    if (make_way(d, f, part, fixes != NULL, err) < 0 ||
        (f->stage.step == UP_FILES_NONE && begin(d, f, part, fixes, err) < 0))
        return err->code;
    if (f->stage.step == UP_FILES_NONE) /* there is nothing to do */
        return 0;
    if (up_files_fill(f, &source, err) < 0)
        return err->code;
    if (!d->provisioning && up_files_programs_fit(f, &hands, err) < 0)
        return err->code;
    return d->provisioning ? put_in_place(f, err) : 0;
}

static int stage_part(struct up_device *d, struct up_files_part *part, struct up_hotfix_set *fixes,
                      struct up_error *err)
{
    struct up_error ignored;
    struct up_files f;
    int rc = up_device_end_fixes(d, d->settles, err); /* what is left of a plan of theirs */
    int claim = -1;

    if (rc == 0)
        rc = up_files_claim(&claim, d->storage, d->config->state, err);
    if (rc == 0)
        rc = up_files_open(&f, d->storage, d->config->state, err);
    if (rc < 0) {
        up_files_let_go(d->storage, claim);
        return rc;
    }
    rc = stage(d, &f, part, fixes, err);
    if (rc < 0 && !d->provisioning && !up_files_stage_is_between(f.stage.step))
        (void)!up_files_sweep(&f, false, &ignored);
    up_files_close(&f);
    up_files_let_go(d->storage, claim);
    return rc;
}

/* The hotfixes of this device; *out stays NULL if it never had one. */
static int open_fixes(struct up_device *d, struct up_hotfix_set **out, struct up_error *err)
{
    *out = NULL;
    if (d->provisioning || up_device_lacks_file(d, "hotfix"))
        return 0;
    return up_hotfix_set_open(out, d->storage, d->config->state, &d->state, up_device_time(d), err);
}

int up_device_stage_ends(struct up_device *d, struct up_error *err)
{
    struct up_files_part none = {.storage = d->storage, .file = -1};
    struct up_hotfix_set *fixes;
    int rc = open_fixes(d, &fixes, err);

    if (rc == 0 && fixes && !(d->state.tx.parts & 1u << UP_FILES))
        rc = stage_part(d, &none, fixes, err);
    up_hotfix_set_close(fixes);
    return rc;
}

int up_device_stage_files(struct up_device *d, const char *path, struct up_error *err)
{
    struct up_hotfix_set *fixes;
    struct up_files_part part;
    int rc = open_fixes(d, &fixes, err);

    if (rc == 0)
        rc = up_files_part_open(&part, d->storage, path, err);
    if (rc == 0) {
        rc = stage_part(d, &part, fixes, err);
        up_files_part_close(&part);
    }
    up_hotfix_set_close(fixes);
    return rc;
}
