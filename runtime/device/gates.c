#include "gates.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "hotfix_gate.h"
#include "permit.h"
#include "storage.h"
#include "version.h"

#define TENTH(n) ((n) + (n) / 10)

static void add(struct up_gate_report *r, const char *gate, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void add(struct up_gate_report *r, const char *gate, int code, const char *format, ...)
{
    struct up_gate_line *line = &r->line[r->count++];
    va_list args;

    line->gate = gate;
    line->code = code;
    line->open = code == UP_OK;
    va_start(args, format);
    vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
}

uint64_t up_gate_space(const struct up_manifest *m)
{
    const struct up_part *script = up_manifest_part(m, UP_SCRIPT), *files = up_manifest_part(m, UP_FILES);
    const struct up_part *hotfix = up_manifest_part(m, UP_HOTFIX);
    uint64_t sum = 2 * UP_MANIFEST_MAX; /* spooled, and kept beside the script */

    for (unsigned i = 0; i < m->part_count; i++)
        sum += m->part[i].index_size;
    if (script)
        sum += 2 * script->size + script->index_size; /* spooled and kept, and extracted */
    if (hotfix)
        sum += 2 * hotfix->size; /* spooled, and extracted */
    if (files)
        sum += files->size; /* spooled; the rest needs room where the files go */
    return TENTH(sum);
}

static void ask_identity(struct up_gate_report *r, const struct up_manifest *m, const struct up_config *c)
{
    bool ours = m->hardware_count == 0;

    if (strcmp(m->project, c->project) == 0)
        add(r, "project", UP_OK, "%s", c->project);
    else
        add(r, "project", UP_INCOMPATIBLE, "the package is for project %s, this device is %s", m->project,
            c->project);

    if (strcmp(m->product_key, c->product_key) == 0)
        add(r, "product_key", UP_OK, "matches");
    else
        add(r, "product_key", UP_INCOMPATIBLE, "the package is for another product key");

    for (unsigned i = 0; i < m->hardware_count; i++)
        ours = ours || strcmp(m->hardware[i], c->hardware) == 0;
    if (ours)
        add(r, "hardware", UP_OK, "%s", m->hardware_count ? c->hardware : "any");
    else
        add(r, "hardware", UP_INCOMPATIBLE, "the package is for %s%s, this device is %s", m->hardware[0],
            m->hardware_count > 1 ? " and others" : "", c->hardware[0] ? c->hardware : "of unnamed hardware");
}

static void ask_parts(struct up_gate_report *r, const struct up_manifest *m, const struct up_gate_facts *f)
{
    const struct up_part *core = up_manifest_part(m, UP_CORE);

    if (!core)
        add(r, "slot", UP_OK, "no core in it, no slot needed");
    else if (f->config->boot == UP_BOOT_NONE)
        add(r, "slot", UP_INCOMPATIBLE, "the package has a core, this device has no core slots configured");
    else if (core->size > f->slot_size)
        add(r, "slot", UP_NOSPACE, "the core takes %" PRIu64 " bytes, slot %c holds %" PRIu64, core->size,
            f->running ? 'a' : 'b', f->slot_size);
    else
        add(r, "slot", UP_OK, "slot %c holds %" PRIu64 " bytes of core", f->running ? 'a' : 'b', core->size);
}

/* Only a device without a script has such a line. */
static void ask_script(struct up_gate_report *r, const struct up_manifest *m, const struct up_gate_facts *f)
{
    if (!f->config->no_script)
        return;
    if (up_manifest_part(m, UP_SCRIPT))
        add(r, "script", UP_INCOMPATIBLE,
            "the package has a script, and the configuration says that this device has none (script = "
            "false)");
    else
        add(r, "script", UP_OK, "none");
}

/* A slot that is being written, or was and is not armed, starts nothing: that transaction ends before
 * another begins. */
static bool older_beside(const struct up_gate_facts *f)
{
    const struct up_journal_state *s = f->state;
    const struct up_pair *other = &s->slot[!f->running];
    bool unfinished = (s->phase == UP_INSTALLING || s->phase == UP_ARMING) &&
                      (s->tx.parts & 1u << UP_CORE) != 0 && s->tx.target == !f->running;

    return other->present && !unfinished && other->reads < UP_JOURNAL_FORM_FILES;
}

/* A device that cannot install files says so before anything is fetched. A Moult that could be started from
 * the other slot has to know files, too, because both use the same tree. */
static void ask_files(struct up_gate_report *r, const struct up_manifest *m, const struct up_gate_facts *f)
{
    const struct up_part *files = up_manifest_part(m, UP_FILES);
    char release[UP_VERSION_SIZE];
    struct up_error why;

    if (files && up_manifest_release(m, f->state->slot[f->running].script_version, release, &why) < 0)
        add(r, "files", why.code, "%s", why.message);
    else if (!files || f->files_left_out)
        add(r, "files", UP_OK, files ? "not needed: these files are there" : "none");
    else if (!f->files_root)
        add(r, "files", UP_INCOMPATIBLE, "the package has files, and the configuration has no files.roots");
    else if (!f->same_open && older_beside(f))
        add(r, "files", UP_INCOMPATIBLE,
            "the package has files, which the older Moult in slot %c does not know; install a core first",
            f->running ? 'a' : 'b');
    else if (!f->same_open && files->size > f->files_free)
        add(r, "files", UP_NOSPACE, "the root %s has %" PRIu64 " bytes free, the files take %" PRIu64,
            f->files_root, f->files_free, files->size);
    else
        add(r, "files", UP_OK, "%" PRIu64 " bytes of files", files->size);
}

/* A release has no such line. A Moult that does not know hotfixes would start the script without them. */
static void ask_hotfix(struct up_gate_report *r, const struct up_manifest *m, const struct up_gate_facts *f)
{
    const struct up_part *hotfix = up_manifest_part(m, UP_HOTFIX);
    struct up_error why;
    int rc;

    if (!hotfix)
        return;
    if (f->config->no_script && !m->hotfix_files) {
        add(r, "hotfix", UP_INCOMPATIBLE,
            "it has no files, and the configuration says that this device has no script (script = false)");
        return;
    }
    if (older_beside(f)) {
        add(r, "hotfix", UP_INCOMPATIBLE,
            "the older Moult in slot %c does not know hotfixes; install a core first",
            f->running ? 'a' : 'b');
        return;
    }
    if (m->hotfix_files && !f->files_root) {
        add(r, "hotfix", UP_INCOMPATIBLE, "it has files, and the configuration has no files.roots");
        return;
    }
    if (m->hotfix_files && hotfix->size > f->files_free) {
        add(r, "hotfix", UP_NOSPACE, "the root %s has %" PRIu64 " bytes free, the hotfix takes %" PRIu64,
            f->files_root, f->files_free, hotfix->size);
        return;
    }
    if (!f->ledger) {
        add(r, "hotfix", f->ledger_why.code, "%s; see `moult doctor`", f->ledger_why.message);
        return;
    }
    rc = up_hotfix_gate(m, f->ledger, f->state, &f->state->slot[f->running], &why);
    if (rc < 0)
        add(r, "hotfix", rc, "%s", why.message);
    else
        add(r, "hotfix", UP_OK, "%s %s is new, and made for this release", m->hotfix_name, m->hotfix_version);
}

/* Whether the running core is the one that a delta was made against. */
static void ask_source(struct up_gate_report *r, const struct up_manifest *m, const struct up_gate_facts *f)
{
    const struct up_part *core = up_manifest_part(m, UP_CORE);
    const struct up_pair *running = &f->state->slot[f->running];
    char slot = f->running ? 'b' : 'a';

    if (!core || !core->delta)
        add(r, "source", UP_OK, core ? "full image, needs no old core" : "no core in it, needs no old core");
    else if (f->core_left_out)
        add(r, "source", UP_OK, "not needed: the core of that version runs");
    else if (f->same_open) /* checked at begin; from then on each block is compared */
        add(r, "source", UP_OK, "a delta against the core in slot %c, as compared when it began", slot);
    else if (f->config->boot == UP_BOOT_NONE || !running->present || !running->core_name[0])
        add(r, "source", UP_INCOMPATIBLE,
            "the core is a delta, and there is no old core in another slot to apply it to");
    else if (f->source_mounted < 0)
        add(r, "source", UP_INCOMPATIBLE,
            "the core is a delta, and whether slot %c is mounted read-write cannot be told", slot);
    else if (f->source_mounted == UP_MOUNTED_WRITABLE)
        add(r, "source", UP_INCOMPATIBLE,
            "the core is a delta, and slot %c is mounted read-write: it no longer holds what was installed",
            slot);
    else if (running->core_size != core->source_size)
        add(r, "source", UP_INCOMPATIBLE,
            "the delta is against a core of %" PRIu64 " bytes, that in slot %c has %" PRIu64,
            core->source_size, slot, running->core_size);
    else if (f->source_digest && memcmp(f->source_digest, core->source_digest, 32) != 0)
        add(r, "source", UP_INCOMPATIBLE, "the delta is against another core than that in slot %c", slot);
    else
        add(r, "source", UP_OK, "a delta against the core in slot %c%s", slot,
            f->source_digest ? "" : ", whose digest is compared before anything is written");
}

/* Why the current permit does not apply to this package; "" if it does. */
static const char *permit_flaw(const struct up_manifest *m, const struct up_gate_facts *f)
{
    const struct up_permit *p = f->permit;

    if (strcmp(p->project, f->config->project) != 0)
        return "is for another project";
    if (memcmp(p->manifest, m->digest, sizeof p->manifest) != 0)
        return "is for another package";
    if (!up_permit_names(p, f->config->id))
        return "does not name this device";
    if (f->time > p->not_after)
        return "is over";
    if (p->not_after <= f->state->permits_over)
        return "ends no later than one that was used, ended and is forgotten";
    if (up_journal_permit_used(f->state, p->digest))
        return "was used before";
    if (!up_journal_permit_room(f->state, f->time))
        return "comes after too many that are still valid";
    return "";
}

/* The permit that the open transaction began with, else the current one. "": it applies, or there is none. */
static const char *ask_permit(struct up_gate_report *r, const struct up_manifest *m,
                              const struct up_gate_facts *f)
{
    const struct up_permit_mark *begun = &f->state->tx.permit;
    const char *flaw = "";

    if (f->same_open && begun->not_after) {
        r->permitted = f->time <= begun->not_after;
        flaw = r->permitted ? "" : "is over";
    }
    if (f->permit && !r->permitted) {
        flaw = permit_flaw(m, f);
        r->permitted = !*flaw;
        r->permit = r->permitted ? f->permit : NULL;
    }
    return flaw;
}

static void ask_floor(struct up_gate_report *r, const struct up_manifest *m, const struct up_gate_facts *f)
{
    const char *flaw = ask_permit(r, m, f);
    const char *joint = *flaw ? "; the permit " : "";
    bool repairs = false;

    if (up_manifest_sequence_is_unsigned(m->sequence)) {
        add(r, "floor", UP_OK, "unsigned: it has no sequence, and moves no floor");
        return;
    }
    if (m->sequence > UP_SEQUENCE_FREE) {
        if (r->permitted)
            add(r, "floor", UP_OK, "a permit allows sequence %" PRIu64 " above %" PRIu64, m->sequence,
                UP_SEQUENCE_FREE);
        else
            add(r, "floor", UP_INCOMPATIBLE,
                "sequence %" PRIu64 " is above %" PRIu64 " and takes a permit%s%s", m->sequence,
                UP_SEQUENCE_FREE, joint, flaw);
        return;
    }
    for (unsigned i = 0; i < m->part_count; i++) {
        enum up_part_kind kind = m->part[i].kind;
        uint64_t floor = f->state->floor[kind];

        if (m->sequence > floor)
            continue;
        if (f->damaged && m->sequence == floor) {
            repairs = true;
            continue;
        }
        if (r->permitted)
            add(r, "floor", UP_OK, "a permit allows sequence %" PRIu64 " under the %s floor %" PRIu64,
                m->sequence, up_manifest_part_name(kind), floor);
        else
            add(r, "floor", UP_INCOMPATIBLE, "sequence %" PRIu64 " is not above the %s floor %" PRIu64 "%s%s",
                m->sequence, up_manifest_part_name(kind), floor, joint, flaw);
        return;
    }
    r->repairs = repairs;
    if (repairs)
        add(r, "floor", UP_OK, "the script of this release is damaged, so it may be installed again");
    else
        add(r, "floor", UP_OK, "sequence %" PRIu64 "%s%s", m->sequence, joint, flaw);
}

static void ask_requires(struct up_gate_report *r, const struct up_manifest *m, const struct up_pair *running)
{
    const char *name = running->core_name;
    uint64_t version = running->core_version;

    /* What the package itself brings counts as present. */
    if (up_manifest_part(m, UP_CORE)) {
        name = m->core_name;
        version = m->core_version;
    }
    if (up_manifest_sequence_is_unsigned(m->sequence))
        add(r, "requires", UP_OK, "unsigned: it says nothing of what it needs");
    else if (!m->requires_core[0])
        add(r, "requires", UP_OK, "nothing");
    else if (strcmp(m->requires_core, name) != 0 || version < m->requires_version)
        add(r, "requires", UP_INCOMPATIBLE,
            "needs core %s from version %" PRIu64 ", this device has %s %" PRIu64, m->requires_core,
            m->requires_version, name[0] ? name : "none", version);
    else
        add(r, "requires", UP_OK, "core %s %" PRIu64, name, version);
}

static void ask_quarantine(struct up_gate_report *r, const struct up_manifest *m,
                           const struct up_journal_state *s)
{
    for (int i = 0; i < UP_QUARANTINE_MAX; i++) {
        const struct up_quarantined *q = &s->quarantine[i];

        if (q->sequence == m->sequence && q->strikes == UP_STRIKE_FAILED &&
            strcmp(q->project, m->project) == 0) {
            if (up_manifest_sequence_is_unsigned(m->sequence))
                add(r, "quarantine", UP_INCOMPATIBLE, "this archive failed its trial on this device");
            else
                add(r, "quarantine", UP_INCOMPATIBLE, "sequence %" PRIu64 " failed its trial on this device",
                    m->sequence);
            return;
        }
    }
    add(r, "quarantine", UP_OK, "not in it");
}

static void ask_time(struct up_gate_report *r, const struct up_manifest *m, const struct up_gate_facts *f)
{
    if (m->min_moult[0] && up_version_compare(f->version, m->min_moult) < 0)
        add(r, "min_moult", UP_INCOMPATIBLE, "needs Moult %s, this is %s", m->min_moult, f->version);
    else
        add(r, "min_moult", UP_OK, "%s", m->min_moult[0] ? m->min_moult : "any");

    if (m->not_after && f->time > m->not_after)
        add(r, "not_after", UP_INCOMPATIBLE,
            "valid until %" PRIu64 ", it is %" PRIu64 " (seconds since 1970)", m->not_after, f->time);
    else
        add(r, "not_after", UP_OK, "%s", m->not_after ? "still valid" : "never expires");
}

int up_gates_ask(struct up_gate_report *report, const struct up_manifest *m, const struct up_gate_facts *f,
                 struct up_error *err)
{
    const char *name = up_manifest_name(m);

    report->count = 0;
    report->permitted = report->repairs = false;
    report->permit = NULL;
    ask_identity(report, m, f->config);
    ask_floor(report, m, f);
    ask_requires(report, m, &f->state->slot[f->running]);
    ask_time(report, m, f);
    ask_quarantine(report, m, f->state);
    ask_script(report, m, f);
    ask_parts(report, m, f);
    ask_files(report, m, f);
    ask_hotfix(report, m, f);
    ask_source(report, m, f);
    if (!f->same_open && f->free_bytes < f->need_bytes)
        add(report, "space", UP_NOSPACE, "%s has %" PRIu64 " bytes free, the install takes %" PRIu64,
            f->config->state, f->free_bytes, f->need_bytes);
    else
        add(report, "space", UP_OK, "%" PRIu64 " of %" PRIu64 " free bytes", f->need_bytes, f->free_bytes);

    for (unsigned i = 0; i < report->count; i++)
        if (!report->line[i].open)
            return up_fail(err, report->line[i].code, "%s %s: gate %s: %s",
                           m->hotfix_name[0] ? "hotfix" : "release", name, report->line[i].gate,
                           report->line[i].text);
    return 0;
}
