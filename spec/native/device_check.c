/*
 * device_check.c -- gates, faults of the medium, resuming: the device as a
 * whole over the simulator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "error.h"
#include "fixture.h"
#include "hotfix_ledger.h"
#include "record.h"
#include "variants.h"
#include "world.h"

#define BOTH "/packages/both.upd"
#define FACTORY "/packages/factory.upd"
#define SLOT_A "/device/slot-a.img"

static const struct world_plan plan = {.name = "both", .provisioned = true, .package = WORLD_BOTH};
static const struct world_plan by_delta = {
    .name = "both by delta", .provisioned = true, .package = WORLD_BOTH_DELTA};
static const struct world_plan remote = {.name = "remote", .provisioned = true, .package = WORLD_REMOTE};
static const struct world_plan on_uboot = {
    .name = "both", .provisioned = true, .package = WORLD_BOTH, .loader = WORLD_UBOOT};

static struct up_manifest a_manifest(void)
{
    struct up_manifest m = {.sequence = 2, .part_count = 1, .core_version = 0};

    strcpy(m.project, "METER");
    strcpy(m.product_key, variant_product_key());
    strcpy(m.release, "1.0.1");
    strcpy(m.script_version, "1.0.1");
    m.part[0] = (struct up_part){.kind = UP_SCRIPT, .size = 10000, .block_size = 4096, .index_size = 272};
    return m;
}

struct gate_case {
    const char *what;
    void (*change)(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f);
    const char *gate; /* the one that closes; NULL when all are open */
    int code;
};

static void as_is(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)m, (void)s, (void)f;
}

static void other_project(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)s, (void)f;
    strcpy(m->project, "PUMP");
}

static void other_key(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)s, (void)f;
    m->product_key[0] = m->product_key[0] == '0' ? '1' : '0';
}

static void other_hardware(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)s, (void)f;
    m->hardware_count = 1;
    strcpy(m->hardware[0], "rev-b");
}

static void our_hardware_second(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    other_hardware(m, s, f);
    m->hardware_count = 2;
    strcpy(m->hardware[1], "rev-a");
}

static void at_the_floor(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)m, (void)f;
    s->floor[UP_SCRIPT] = 2;
}

static void damaged_at_the_floor(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    at_the_floor(m, s, f);
    f->damaged = true;
}

static void damaged_under_the_floor(struct up_manifest *m, struct up_journal_state *s,
                                    struct up_gate_facts *f)
{
    damaged_at_the_floor(m, s, f);
    s->floor[UP_SCRIPT] = 3;
}

static void damaged_with_a_core_under_its_floor(struct up_manifest *m, struct up_journal_state *s,
                                                struct up_gate_facts *f)
{
    damaged_at_the_floor(m, s, f);
    m->part[m->part_count++].kind = UP_CORE;
    ((struct up_config *)f->config)->boot = UP_BOOT_FILE;
    s->floor[UP_CORE] = 3;
}

static void floor_of_another_part(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)m, (void)f;
    s->floor[UP_CORE] = 9;
}

static void older_core(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)s, (void)f;
    strcpy(m->requires_core, "core");
    m->requires_version = 18;
}

static void core_new_enough(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    older_core(m, s, f);
    m->requires_version = 17;
}

static void other_core(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    core_new_enough(m, s, f);
    strcpy(m->requires_core, "another");
}

static void newer_moult(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)s, (void)f;
    strcpy(m->min_moult, "1.10.1");
}

static void this_moult(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)s, (void)f;
    strcpy(m->min_moult, "1.10");
}

static void expired(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)s;
    m->not_after = f->time - 1;
}

static void last_second(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)s;
    m->not_after = f->time;
}

static void quarantine(struct up_journal_state *s, uint8_t strikes)
{
    s->quarantine[15] = (struct up_quarantined){.sequence = 2, .strikes = strikes, .project = "METER"};
}

static void quarantined(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)m, (void)f;
    quarantine(s, 2);
}

static void lost_power_once(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)m, (void)f;
    quarantine(s, 1);
}

static void reached_no_cloud_once(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)m, (void)f;
    quarantine(s, UP_STRIKE_OUTAGE);
}

static void needs_slots(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)s, (void)f;
    m->part[0].kind = UP_CORE;
}

static void has_files(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)s;
    m->part[0].kind = UP_FILES;
    f->files_root = "/app";
    f->files_free = m->part[0].size;
}

static void files_without_roots(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    has_files(m, s, f);
    f->files_root = NULL;
}

static void files_a_byte_too_few(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    has_files(m, s, f);
    f->files_free--;
}

static void files_that_are_there(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    files_without_roots(m, s, f);
    f->files_left_out = true;
}

static void files_and_an_older_moult(struct up_manifest *m, struct up_journal_state *s,
                                     struct up_gate_facts *f)
{
    has_files(m, s, f);
    s->slot[!f->running].present = true;
    s->slot[!f->running].reads = 3;
}

static void files_and_this_moult(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    files_and_an_older_moult(m, s, f);
    s->slot[!f->running].reads = 4;
}

/* A core that was cut while it was armed: what is in its slot starts nothing. */
static void files_and_an_unarmed_core(struct up_manifest *m, struct up_journal_state *s,
                                      struct up_gate_facts *f)
{
    files_and_an_older_moult(m, s, f);
    s->phase = UP_ARMING;
    s->tx.parts = 1u << UP_CORE;
    s->tx.target = !f->running;
}

static void files_and_an_unarmed_script(struct up_manifest *m, struct up_journal_state *s,
                                        struct up_gate_facts *f)
{
    files_and_an_unarmed_core(m, s, f);
    s->tx.parts = 1u << UP_SCRIPT;
}

static void has_hotfix(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    static const struct up_hotfix_ledger empty;

    (void)s;
    m->part[0].kind = UP_HOTFIX;
    strcpy(m->hotfix_name, "clock");
    strcpy(m->hotfix_version, "1");
    f->ledger = &empty;
}

static void hotfix_and_an_older_moult(struct up_manifest *m, struct up_journal_state *s,
                                      struct up_gate_facts *f)
{
    has_hotfix(m, s, f);
    s->slot[!f->running].present = true;
    s->slot[!f->running].reads = 3;
}

static void hotfix_and_this_moult(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    hotfix_and_an_older_moult(m, s, f);
    s->slot[!f->running].reads = 4;
}

static void hotfix_known(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    static const struct up_hotfix_ledger applied = {
        .count = 1, .entry = {{.name = "clock", .version = "1", .state = UP_HOTFIX_APPLIED}}};

    has_hotfix(m, s, f);
    f->ledger = &applied;
}

static void hotfix_without_a_ledger(struct up_manifest *m, struct up_journal_state *s,
                                    struct up_gate_facts *f)
{
    has_hotfix(m, s, f);
    f->ledger = NULL;
    f->ledger_why.code = UP_WRITE;
}

static void hotfix_with_files(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    has_hotfix(m, s, f);
    m->hotfix_files = true;
    f->files_root = "/app";
    f->files_free = m->part[0].size;
}

static void hotfix_with_files_and_no_root(struct up_manifest *m, struct up_journal_state *s,
                                          struct up_gate_facts *f)
{
    hotfix_with_files(m, s, f);
    f->files_root = NULL;
}

static void hotfix_with_files_a_byte_too_large(struct up_manifest *m, struct up_journal_state *s,
                                               struct up_gate_facts *f)
{
    hotfix_with_files(m, s, f);
    m->part[0].size++;
}

static void floor_of_files(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    has_files(m, s, f);
    s->floor[UP_FILES] = 2;
}

static void delta(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    needs_slots(m, s, f);
    m->part[0].delta = true;
    m->part[0].source_size = 5000;
    memset(m->part[0].source_digest, 7, sizeof m->part[0].source_digest);
    s->slot[0].core_size = 5000;
    ((struct up_config *)f->config)->boot = UP_BOOT_FILE;
}

static void delta_of_another_size(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    delta(m, s, f);
    s->slot[0].core_size = 4999;
}

static void delta_by_digest(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    static const uint8_t same[32] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
                                     7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};

    delta(m, s, f);
    f->source_digest = same;
}

static void delta_of_another_digest(struct up_manifest *m, struct up_journal_state *s,
                                    struct up_gate_facts *f)
{
    delta_by_digest(m, s, f);
    m->part[0].source_digest[31] ^= 1;
}

static void delta_mounted_read_only(struct up_manifest *m, struct up_journal_state *s,
                                    struct up_gate_facts *f)
{
    delta(m, s, f);
    f->source_mounted = UP_MOUNTED;
}

static void delta_mounted_open(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    delta(m, s, f);
    f->source_mounted = UP_MOUNTED_WRITABLE;
}

/* It was not when the transaction began; each block is compared. */
static void delta_mounted_meanwhile(struct up_manifest *m, struct up_journal_state *s,
                                    struct up_gate_facts *f)
{
    delta_mounted_open(m, s, f);
    f->same_open = true;
}

static void delta_mounted_somehow(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    delta(m, s, f);
    f->source_mounted = -1;
}

static void delta_without_a_pair(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    delta(m, s, f);
    s->slot[0].present = false;
}

static void delta_without_a_core(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    delta(m, s, f);
    s->slot[0].core_name[0] = '\0';
}

/* The core of the package runs already, so that nothing is made from it. */
static void delta_left_out(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    delta_mounted_open(m, s, f);
    f->core_left_out = true;
}

static void core_too_large(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    needs_slots(m, s, f);
    ((struct up_config *)f->config)->boot = UP_BOOT_FILE;
    f->slot_size = m->part[0].size - 1;
}

static void core_fits_to_the_byte(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    core_too_large(m, s, f);
    f->slot_size = m->part[0].size;
}

static void a_byte_too_few(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    (void)s;
    f->need_bytes = up_gate_space(m);
    f->free_bytes = f->need_bytes - 1;
}

static void space_to_the_byte(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    a_byte_too_few(m, s, f);
    f->free_bytes++;
}

static void brings_the_core(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    core_fits_to_the_byte(m, s, f);
    strcpy(m->core_name, "fresh");
    m->core_version = 3;
    strcpy(m->requires_core, "fresh");
    m->requires_version = 3;
}

static void brings_an_older_core(struct up_manifest *m, struct up_journal_state *s, struct up_gate_facts *f)
{
    brings_the_core(m, s, f);
    m->core_version = 2;
}

static const struct gate_case gate_cases[] = {
    {"accepts the required core in the package itself", brings_the_core, NULL, UP_OK},
    {"refuses an older one in the package itself", brings_an_older_core, "requires", UP_INCOMPATIBLE},
    {"opens for a newer package", as_is, NULL, UP_OK},
    {"refuses another project", other_project, "project", UP_INCOMPATIBLE},
    {"refuses another product key", other_key, "product_key", UP_INCOMPATIBLE},
    {"refuses other hardware", other_hardware, "hardware", UP_INCOMPATIBLE},
    {"accepts hardware named second", our_hardware_second, NULL, UP_OK},
    {"refuses a sequence at the floor", at_the_floor, "floor", UP_INCOMPATIBLE},
    {"its script is damaged", damaged_at_the_floor, NULL, 0},
    {"its script is damaged, and it is older", damaged_under_the_floor, "floor", UP_INCOMPATIBLE},
    {"its script is damaged, and its core is older", damaged_with_a_core_under_its_floor, "floor",
     UP_INCOMPATIBLE},
    {"does not look at the floor of a part that is not there", floor_of_another_part, NULL, UP_OK},
    {"refuses when the core is older than required", older_core, "requires", UP_INCOMPATIBLE},
    {"accepts the required core", core_new_enough, NULL, UP_OK},
    {"refuses on a core of another name", other_core, "requires", UP_INCOMPATIBLE},
    {"refuses what needs a newer Moult", newer_moult, "min_moult", UP_INCOMPATIBLE},
    {"accepts what needs this Moult", this_moult, NULL, UP_OK},
    {"refuses a second after the end", expired, "not_after", UP_INCOMPATIBLE},
    {"accepts in the last second", last_second, NULL, UP_OK},
    {"refuses what failed here", quarantined, "quarantine", UP_INCOMPATIBLE},
    {"allows one more try after power loss", lost_power_once, NULL, UP_OK},
    {"allows one more try after an outage", reached_no_cloud_once, NULL, UP_OK},
    {"accepts files that fit to the byte", has_files, NULL, UP_OK},
    {"refuses files without roots", files_without_roots, "files", UP_INCOMPATIBLE},
    {"refuses files with a byte too few in a root", files_a_byte_too_few, "files", UP_NOSPACE},
    {"accepts files that are there already", files_that_are_there, NULL, UP_OK},
    {"refuses files beside a Moult that knows none", files_and_an_older_moult, "files", UP_INCOMPATIBLE},
    {"accepts files beside one that does", files_and_this_moult, NULL, UP_OK},
    {"accepts files beside a core that was not armed", files_and_an_unarmed_core, NULL, UP_OK},
    {"refuses them if that was a script alone", files_and_an_unarmed_script, "files", UP_INCOMPATIBLE},
    {"refuses a hotfix beside a Moult that knows none", hotfix_and_an_older_moult, "hotfix", UP_INCOMPATIBLE},
    {"accepts a hotfix beside one that does", hotfix_and_this_moult, NULL, UP_OK},
    {"refuses a hotfix that is applied", hotfix_known, "hotfix", UP_NOTHING},
    {"refuses a hotfix while the ledger cannot be read", hotfix_without_a_ledger, "hotfix", UP_WRITE},
    {"accepts a hotfix whose files fit to the byte", hotfix_with_files, NULL, UP_OK},
    {"refuses a hotfix's files without a root", hotfix_with_files_and_no_root, "hotfix", UP_INCOMPATIBLE},
    {"refuses a hotfix's files a byte too large", hotfix_with_files_a_byte_too_large, "hotfix", UP_NOSPACE},
    {"refuses files at their floor", floor_of_files, "floor", UP_INCOMPATIBLE},
    {"refuses a core on a device without slots", needs_slots, "slot", UP_INCOMPATIBLE},
    {"accepts a delta against what runs, as far as it is known", delta, NULL, UP_OK},
    {"accepts a delta against what runs", delta_by_digest, NULL, UP_OK},
    {"refuses a delta against a core of another size", delta_of_another_size, "source", UP_INCOMPATIBLE},
    {"refuses a delta against another core", delta_of_another_digest, "source", UP_INCOMPATIBLE},
    {"accepts a delta against what is mounted read-only", delta_mounted_read_only, NULL, UP_OK},
    {"refuses a delta against what is mounted read-write", delta_mounted_open, "source", UP_INCOMPATIBLE},
    {"goes on with a delta when that is mounted meanwhile", delta_mounted_meanwhile, NULL, UP_OK},
    {"refuses a delta when mounts cannot be told", delta_mounted_somehow, "source", UP_INCOMPATIBLE},
    {"refuses a delta before there is a pair", delta_without_a_pair, "source", UP_INCOMPATIBLE},
    {"refuses a delta when no core runs", delta_without_a_core, "source", UP_INCOMPATIBLE},
    {"needs no old core for a core that is left out", delta_left_out, NULL, UP_OK},
    {"refuses a core a byte larger than the slot", core_too_large, "slot", UP_NOSPACE},
    {"accepts a core that fits to the byte", core_fits_to_the_byte, NULL, UP_OK},
    {"refuses with a byte too little space", a_byte_too_few, "space", UP_NOSPACE},
    {"accepts with space to the byte", space_to_the_byte, NULL, UP_OK},
};

/* Whoever reads the report sees these, open or closed. */
static const char *const always_asked[] = {"project", "product_key", "hardware", "floor",  "requires",
                                           "slot",    "quarantine",  "files",    "source", "space"};

static bool is_asked(const struct up_gate_report *r, const char *gate)
{
    for (unsigned n = 0; n < r->count; n++)
        if (strcmp(r->line[n].gate, gate) == 0)
            return true;
    return false;
}

static void gates_open_and_close(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof gate_cases / sizeof gate_cases[0]; i++) {
        const struct gate_case *c = &gate_cases[i];
        struct up_manifest m = a_manifest();
        struct up_journal_state s = {.slot[0] = {.present = true, .core_name = "core", .core_version = 17}};
        struct up_config config = {.boot = UP_BOOT_NONE};
        struct up_gate_facts f = {.config = &config,
                                  .state = &s,
                                  .time = 1700000000,
                                  .version = "1.10.0",
                                  .free_bytes = 1 << 20,
                                  .need_bytes = 1000,
                                  .slot_size = UINT64_MAX};
        struct up_gate_report report, again;
        struct up_error err = {0};
        int rc;

        memset(&again, 1, sizeof again); /* as another answer may have left it */
        strcpy(config.project, "METER");
        strcpy(config.product_key, variant_product_key());
        strcpy(config.hardware, "rev-a");
        c->change(&m, &s, &f);
        rc = up_gates_ask(&report, &m, &f, &err);
        if (rc != c->code || (c->gate && !strstr(err.message, c->gate)))
            fail_msg("%s: code %d, message '%s'", c->what, rc, err.message);
        assert_int_equal(up_gates_ask(&again, &m, &f, &err), rc);
        if (again.count != report.count || again.permit != report.permit ||
            again.permitted != report.permitted || (again.repairs && !f.damaged))
            fail_msg("%s: what the report held before is in it still", c->what);
        for (size_t n = 0; n < sizeof always_asked / sizeof *always_asked; n++)
            if (!is_asked(&report, always_asked[n]))
                fail_msg("%s: gate %s was not asked", c->what, always_asked[n]);
        for (unsigned n = 0; n < report.count; n++)
            if (!report.line[n].open && strcmp(report.line[n].gate, c->gate ? c->gate : "") != 0)
                fail_msg("%s: gate %s closed too: %s", c->what, report.line[n].gate, report.line[n].text);
    }
}

/* Whether the old pair is whole and runs, whatever went wrong. */
static void assert_old_pair(struct sim *sim)
{
    assert_true(variant_is_core(sim, "/device/slot-a.img", 1));
    assert_true(variant_is_script(sim, "/device/state/script/1", 1));
}

/*
 * The n-th call of each operation fails, for n = 1, 2, ... until the update
 * does not meet it any more; once, or from then on. Then the fault is gone
 * and the device starts again: it must end on the new release, since a fault
 * of the medium is no fault of the release.
 */
static void fail_each_call(const struct world_plan *p, enum sim_op op, int error, bool forever,
                           unsigned long *count)
{
    for (unsigned n = 1;; n++) {
        struct sim *sim = world_new(p);
        struct world_log log = {.tampered = true};
        bool met;

        sim_reset_counters(sim);
        sim_fail(sim, op, n, error, forever);
        world_live(sim, p, true, &log);
        met = sim_calls(sim, op) >= n;
        sim_fail(sim, op, 0, 0, false);
        assert_old_pair(sim);
        if (strstr(log.bad, "succeeded"))
            fail_msg("call %u of %s failed with %s%s: %s", n, sim_op_name(op), strerror(error),
                     forever ? " for ever" : "", log.bad);

        log = (struct world_log){0};
        world_live(sim, p, true, &log);
        if (!log.bad[0])
            world_check(sim, p, true, &log);
        if (log.bad[0] || sim_open_files(sim) > 0)
            fail_msg("call %u of %s failed with %s%s: then %s, %u files left open", n, sim_op_name(op),
                     strerror(error), forever ? " for ever" : "", log.bad, sim_open_files(sim));
        assert_true(variant_is_core(sim, "/device/slot-b.img", 2));
        sim_free(sim);
        (*count)++;
        if (!met)
            return;
    }
}

static void survives_the_nth_failure_of_every_call(void **state)
{
    static const enum sim_op ops[] = {SIM_OPEN,       SIM_PREAD,  SIM_PWRITE, SIM_SYNC,     SIM_SYNC_DIR,
                                      SIM_RENAME,     SIM_UNLINK, SIM_MKDIR,  SIM_RMDIR,    SIM_SYMLINK,
                                      SIM_STAT,       SIM_SPACE,  SIM_LIST,   SIM_TRUNCATE, SIM_ZERO_RANGE,
                                      SIM_DROP_CACHE, SIM_MOUNTED};
    static const enum sim_op board_ops[] = {SIM_BOOT_GET, SIM_BOOT_SET, SIM_OPEN, SIM_PREAD, SIM_PWRITE};
    unsigned long count = 0;

    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        fail_each_call(&plan, ops[i], EIO, false, &count);
        fail_each_call(&plan, ops[i], EIO, true, &count);
        fail_each_call(&plan, ops[i], EROFS, true, &count);
    }
    fail_each_call(&plan, SIM_PWRITE, ENOSPC, true, &count);
    for (size_t i = 0; i < sizeof board_ops / sizeof board_ops[0]; i++) {
        fail_each_call(&on_uboot, board_ops[i], EIO, false, &count);
        fail_each_call(&on_uboot, board_ops[i], EIO, true, &count);
    }
    print_message("fail-nth: %lu failing calls, 0 bad\n", count);
}

/* Less and less space: the old pair stays, and the word is nospace. */
static void a_full_disk_leaves_the_old_pair(void **state)
{
    unsigned refused = 0;

    (void)state;
    for (uint64_t room = 0; room < 256 << 10; room += 4096) {
        struct sim *sim = world_new(&plan);
        struct world_log log = {0};

        sim_set_free(sim, room);
        world_live(sim, &plan, true, &log);
        assert_old_pair(sim);
        if (!log.confirmed) {
            refused++;
            if (log.code != UP_NOSPACE)
                fail_msg("with %u bytes free: %s (%s)", (unsigned)room, log.bad, up_code_word(log.code));
        }
        sim_set_free(sim, UINT64_MAX);
        log = (struct world_log){0};
        world_live(sim, &plan, true, &log);
        if (!log.bad[0])
            world_check(sim, &plan, true, &log);
        assert_string_equal(log.bad, "");
        sim_free(sim);
    }
    assert_true(refused > 0);
}

/* A medium that stores one bit wrong is noticed before anything is armed. */
static void a_flipped_bit_on_the_medium_is_noticed(void **state)
{
    (void)state;
    for (unsigned n = 1;; n++) {
        struct sim *sim = world_new(&plan);
        struct world_log log = {.tampered = true};
        bool met;

        sim_reset_counters(sim);
        sim_flip_write(sim, n);
        world_live(sim, &plan, true, &log);
        met = sim_calls(sim, SIM_PWRITE) >= n;
        assert_old_pair(sim);
        if (log.confirmed && (!variant_is_core(sim, "/device/slot-b.img", 2)))
            fail_msg("write %u stored a flipped bit, and it was confirmed", n);
        sim_free(sim);
        if (!met)
            return;
    }
}

/*
 * The process dies at each operation; the next one goes on. What it fetched
 * in vain is at most one block (and the head, which is verified again).
 */
static void kill_everywhere(const struct world_plan *p)
{
    unsigned deaths = 0;

    for (unsigned k = 1;; k++) {
        struct sim *sim = world_new(p), *next;
        struct world_log log = {0};
        uint64_t first;
        bool cut;

        sim_reset_counters(sim);
        sim_cut_at(sim, k);
        world_live(sim, p, true, &log);
        cut = sim_is_cut(sim);
        first = log.block_bytes;
        next = sim_respawn(sim);
        sim_free(sim);
        log.block_bytes = 0;
        world_live(next, p, true, &log);
        if (!log.bad[0])
            world_check(next, p, true, &log);
        assert_string_equal(log.bad, "");
        assert_true(variant_is_core(next, "/device/slot-b.img", world_new_core(p->package)));
        if (first + log.block_bytes > log.content_bytes + 4096)
            fail_msg("died at operation %u: %u + %u bytes for %u", k, (unsigned)first,
                     (unsigned)log.block_bytes, (unsigned)log.content_bytes);
        deaths++;
        sim_free(next);
        if (!cut)
            break;
    }
    print_message("resume: %s: killed at %u operations, at most one block fetched again each\n", p->name,
                  deaths);
}

static void a_killed_transfer_wastes_at_most_a_block(void **state)
{
    (void)state;
    kill_everywhere(&plan);
    kill_everywhere(&by_delta);
    kill_everywhere(&remote);
}

static void a_second_process_is_told_that_it_is_busy(void **state)
{
    struct sim *sim = world_new(&plan);
    struct up_device *first = NULL, *second = NULL;
    struct up_config config;
    struct up_error err;

    (void)state;
    world_configure(&config);
    assert_int_equal(up_device_open(&first, sim_storage(sim), &config, UP_DEVICE_LOCK, &err), 0);
    assert_int_equal(up_device_open(&second, sim_storage(sim), &config, UP_DEVICE_LOCK, &err), UP_BUSY);
    assert_non_null(strstr(err.message, "another moult process"));
    assert_int_equal(up_device_provision(&second, sim_storage(sim), &config, &err), UP_BUSY);
    assert_int_equal(up_device_open(&second, sim_storage(sim), &config, UP_DEVICE_READ, &err), 0);
    up_device_close(second);
    up_device_close(first);
    up_config_free(&config);
    sim_free(sim);
}

/* On record from the start: which forms of the journal its pair reads, and which sequences may not come again. */
static void a_new_device_knows_what_it_reads_and_what_it_had(void **state)
{
    struct sim *sim = world_new(&plan);
    struct up_device *device;
    struct up_config config;
    struct up_error err;

    (void)state;
    world_configure(&config);
    assert_int_equal(up_device_open(&device, sim_storage(sim), &config, UP_DEVICE_READ, &err), 0);
    assert_int_equal(up_device_state(device)->slot[0].reads, UP_JOURNAL_FORM);
    assert_int_equal(up_device_state(device)->slot[1].reads, 0);
    assert_int_equal(up_device_state(device)->floor[UP_SCRIPT], 1);
    assert_int_equal(up_device_state(device)->floor[UP_CORE], 1);
    assert_int_equal(up_device_state(device)->floor[UP_FILES], 0);
    up_device_close(device);
    up_config_free(&config);
    sim_free(sim);
}

static void provision_refuses_a_device_that_is_there(void **state)
{
    struct sim *sim = world_new(&plan);
    struct up_device *device = NULL;
    struct up_config config;
    struct up_error err;

    (void)state;
    world_configure(&config);
    assert_int_equal(up_device_provision(&device, sim_storage(sim), &config, &err), UP_USAGE);
    assert_non_null(strstr(err.message, "is provisioned already"));
    up_config_free(&config);
    sim_free(sim);
}

/* A verb that changes something needs to know which slot runs; one that reads does not. */
static void a_lost_boot_record_is_no_base_for_changes(void **state)
{
    struct sim *sim = world_new(&plan);
    struct up_device *device = NULL;
    struct up_config config;
    struct up_error err;

    (void)state;
    sim_put_text(sim, "/device/state/boot.0", "rubbish");
    sim_put_text(sim, "/device/state/boot.1", "rubbish");
    world_configure(&config);
    assert_int_equal(up_device_open(&device, sim_storage(sim), &config, UP_DEVICE_LOCK, &err), UP_STATELOST);
    assert_non_null(strstr(err.message, "boot"));
    assert_int_equal(up_device_open(&device, sim_storage(sim), &config, UP_DEVICE_READ, &err), 0);
    assert_int_equal(up_device_trouble(device)->cause.code, UP_STATELOST);
    up_device_close(device);
    up_config_free(&config);
    sim_free(sim);
}

/* What open and provision say of a state: 0 would be a device, or that one may be made. */
static void expect_state(struct sim *sim, int opened, int provisioned)
{
    struct up_device *device = NULL;
    struct up_config config;
    struct up_error err;

    world_configure(&config);
    assert_int_equal(up_device_open(&device, sim_storage(sim), &config, UP_DEVICE_LOCK, &err), opened);
    if (opened == 0)
        up_device_close(device);
    assert_int_equal(up_device_provision(&device, sim_storage(sim), &config, &err), provisioned);
    if (provisioned == 0)
        up_device_close(device);
    up_config_free(&config);
}

/* Either file of the journal, and of the boot record, is lost: the device goes
 * on, has both again at its next start, and nobody provisions over it. */
static void one_file_of_each_record_is_enough(void **state)
{
    static const char *const names[] = {"journal.0", "journal.1", "boot.0", "boot.1", "history"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct sim *sim = world_new(&plan);
        struct world_log log = {0};
        char path[64];
        size_t len;

        snprintf(path, sizeof path, "/device/state/%s", names[i]);
        assert_int_equal(sim_storage(sim)->ops->unlink(sim_storage(sim), path), 0);
        expect_state(sim, 0, UP_USAGE);
        assert_int_equal(world_live(sim, &plan, false, &log), WORLD_SETTLED);
        world_check(sim, &plan, false, &log);
        assert_string_equal(log.bad, "");
        free(sim_get(sim, path, &len));
        assert_true(len >= UP_RECORD_SPREAD);
        sim_free(sim);
    }
}

static bool is_there(struct sim *sim, const char *path)
{
    struct up_stat st;

    return sim_storage(sim)->ops->stat(sim_storage(sim), path, &st) == 0;
}

/* Without a journal a start goes by the marks: none may point to what is half removed. */
static void the_old_script_stays_until_the_new_one_is_marked(void **state)
{
    static const struct world_plan script = {.name = "script", .provisioned = true, .package = WORLD_SCRIPT};
    struct sim *sim = world_new(&script);
    struct world_log log = {.tampered = true};

    (void)state;
    sim_reset_counters(sim);
    sim_fail(sim, SIM_CHANGES, 1, EIO, true);
    sim_fail_below(sim, "/device/state/script/2.good");
    world_live(sim, &script, true, &log);
    assert_string_equal(log.bad, "");
    assert_true(is_there(sim, "/device/state/script/1/main.lua"));
    assert_true(is_there(sim, "/device/state/script/1.good"));
    sim_fail(sim, SIM_CHANGES, 0, 0, false);
    log = (struct world_log){0};
    world_live(sim, &script, true, &log);
    world_check(sim, &script, true, &log);
    assert_string_equal(log.bad, "");
    assert_true(is_there(sim, "/device/state/script/2.good"));
    assert_false(is_there(sim, "/device/state/script/1"));
    sim_free(sim);
}

/* The second file of the journal lies elsewhere, comes later, or is out of reach. */
static void the_journal_may_lie_in_two_places(void **state)
{
    static const char *const elsewhere = "/other/journal.1", *const beside = "/device/state/journal.1";
    static const char *const first = "/device/state/journal.0";
    struct sim *sim = world_new(&plan);
    struct up_storage *s = sim_storage(sim);
    enum up_start_action action;
    struct up_journal *journal;
    struct up_device *device;
    struct up_config config;
    struct up_error err;

    (void)state;
    world_configure(&config);
    config.journal_dir = strdup("/other");
    for (int round = 0; round < 4; round++) {
        /* 0: it moves; 1: the first is lost; 2: its place is out of reach; 3: and there again */
        if (round == 1)
            assert_int_equal(s->ops->unlink(s, first), 0);
        if (round == 2)
            assert_int_equal(s->ops->rename(s, "/other", "/away"), 0);
        if (round == 2)
            sim_fail(sim, SIM_MKDIR, 1, EROFS, true);
        if (round == 3)
            sim_fail(sim, SIM_MKDIR, 0, 0, false);
        assert_int_equal(up_device_open(&device, s, &config, UP_DEVICE_LOCK, &err), 0);
        assert_int_equal(up_device_start(device, &action, &err), 0);
        assert_int_equal(up_journal_open(&journal, s, config.state, &err), 0);
        assert_int_equal(up_journal_second(journal, config.journal_dir, &err), 0);
        for (int again = 0; again < 3; again++)
            assert_int_equal(up_journal_write(journal, up_device_state(device), &err), 0);
        up_journal_close(journal);
        up_device_close(device);
        assert_true(sim_exists(sim, first));
        assert_int_equal(sim_exists(sim, elsewhere), round != 2);
        assert_false(sim_exists(sim, beside));
        assert_old_pair(sim);
    }
    assert_int_equal(up_device_provision(&device, s, &config, &err), UP_USAGE);
    up_config_free(&config);
    sim_free(sim);
}

/* Without a whole journal: what was never finished may begin again, what was a
 * device once is not taken for nothing. */
static void what_a_device_leaves_behind_is_not_taken_for_nothing(void **state)
{
    static const struct {
        const char *broken, *mark, *kept; /* names in the state */
        int opened, provisioned;
    } cases[] = {
        {NULL, NULL, NULL, UP_USAGE, 0},
        {NULL, NULL, "history", UP_STATELOST, UP_STATELOST},
        {NULL, NULL, "script/7/main.lua", UP_STATELOST, UP_STATELOST},
        {NULL, "provisioning", "history", UP_USAGE, 0},
        {NULL, "provisioning", "script/1/main.lua", UP_USAGE, 0},
        {"journal.0", NULL, NULL, UP_STATELOST, UP_STATELOST},
        {"journal.1", NULL, NULL, UP_STATELOST, UP_STATELOST},
        {"journal.0", "provisioning", NULL, UP_USAGE, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const names[] = {cases[i].broken, cases[i].mark, cases[i].kept};
        struct sim *sim = world_new(&(const struct world_plan){.name = "factory"});

        sim_put_dir(sim, "/device/state/script", 0755);
        for (int n = 0; n < 3; n++) {
            char path[64];

            snprintf(path, sizeof path, "/device/state/%s", names[n] ? names[n] : "other");
            sim_put_text(sim, path, "x");
        }
        expect_state(sim, cases[i].opened, cases[i].provisioned);
        sim_free(sim);
    }
}

static void a_lost_journal_is_said_and_nothing_is_touched(void **state)
{
    struct sim *sim = world_new(&plan);
    struct up_device *device = NULL;
    struct up_config config;
    struct up_error err;

    (void)state;
    sim_put_text(sim, "/device/state/journal.0", "rubbish");
    sim_put_text(sim, "/device/state/journal.1", "rubbish");
    world_configure(&config);
    assert_int_equal(up_device_open(&device, sim_storage(sim), &config, UP_DEVICE_LOCK, &err), UP_STATELOST);
    assert_int_equal(up_device_provision(&device, sim_storage(sim), &config, &err), UP_STATELOST);
    assert_old_pair(sim);
    up_config_free(&config);
    sim_free(sim);
}

/* An error that passes, while the mark of the factory is there still. */
static void a_journal_that_cannot_be_read_is_not_taken_for_none(void **state)
{
    struct sim *sim = world_new(&plan);
    struct up_device *device = NULL;
    struct up_config config;
    struct up_error err;
    char *before, *after;

    (void)state;
    sim_put_text(sim, "/device/state/provisioning", "");
    before = sim_dump(sim, "/");
    world_configure(&config);
    sim_fail(sim, SIM_PREAD, 1, EIO, true);
    assert_int_equal(up_device_provision(&device, sim_storage(sim), &config, &err), UP_WRITE);
    assert_non_null(strstr(err.message, "journal.0: could not be read"));
    assert_int_equal(up_device_open(&device, sim_storage(sim), &config, UP_DEVICE_LOCK, &err), UP_WRITE);
    sim_fail(sim, SIM_PREAD, 0, 0, false);
    after = sim_dump(sim, "/");
    assert_string_equal(before, after);
    assert_int_equal(up_device_open(&device, sim_storage(sim), &config, UP_DEVICE_LOCK, &err), 0);
    up_device_close(device);
    free(before);
    free(after);
    up_config_free(&config);
    sim_free(sim);
}

static void a_mounted_slot_is_not_written(void **state)
{
    struct sim *sim = world_new(&plan);
    struct world_log log = {.tampered = true};
    char *content;

    (void)state;
    sim_put_text(sim, "/device/slot-b.img", "somebody else's file system");
    sim_set_mounted(sim, "/device/slot-b.img", UP_MOUNTED);
    world_live(sim, &plan, true, &log);
    assert_false(log.armed);
    content = sim_get(sim, "/device/slot-b.img", NULL);
    assert_string_equal(content, "somebody else's file system");
    free(content);
    assert_old_pair(sim);
    sim_free(sim);
}

/* The factory on a board that U-Boot started from slot b: the image is there,
 * is compared and never written. */
static void a_board_that_runs_from_b_is_adopted_there(void **state)
{
    static const struct world_plan factory = {.name = "factory", .loader = WORLD_UBOOT};
    struct sim *made = world_new(&on_uboot), *sim = world_new(&factory);
    struct world_log log = {0};
    char order[UP_BOOT_VALUE_SIZE], left[UP_BOOT_VALUE_SIZE], *image;
    size_t len;

    (void)state;
    image = sim_get(made, "/device/slot-a.img", &len);
    sim_put(sim, "/device/slot-b.img", image, len, 0400);
    sim_put_variable(sim, "BOOT_ORDER", "b");
    sim_settle(sim);
    world_live(sim, &factory, true, &log);
    world_check(sim, &factory, true, &log);
    assert_string_equal(log.bad, "");
    assert_int_equal(log.slot, 'b');
    sim_variable(sim, "BOOT_ORDER", order);
    sim_variable(sim, "BOOT_a_LEFT", left);
    assert_string_equal(order, "b");
    assert_string_equal(left, "0");
    assert_false(sim_exists(sim, "/device/slot-a.img"));

    /* Another image there is refused, and left alone. */
    sim_free(sim);
    sim = world_new(&factory);
    image[0] ^= 1;
    sim_put(sim, "/device/slot-b.img", image, len, 0400);
    sim_put_variable(sim, "BOOT_ORDER", "b");
    log = (struct world_log){0};
    world_live(sim, &factory, true, &log);
    assert_true(strstr(log.bad, "provision") != NULL);
    free(image);
    image = sim_get(sim, "/device/slot-b.img", NULL);
    assert_false(variant_is_core(sim, "/device/slot-b.img", 1));
    assert_false(sim_exists(sim, "/device/slot-a.img"));
    free(image);
    sim_free(sim);
    sim_free(made);
}

/* Another image in the slot that the loader says we were started from. */
static void the_slot_that_runs_is_never_written_by_the_factory(void **state)
{
    static const struct world_plan on_a = {.name = "factory", .loader = WORLD_UBOOT};
    struct sim *made = world_new(&on_uboot), *sim = world_new(&on_a);
    struct world_log log = {0};
    char *image, *left;
    size_t len;

    (void)state;
    image = sim_get(made, SLOT_A, &len);
    image[0] ^= 1;
    sim_put(sim, SLOT_A, image, len, 0400);
    sim_put_variable(sim, "BOOT_ORDER", "a");
    sim_settle(sim);
    world_live(sim, &on_a, true, &log);
    assert_true(strstr(log.bad, "provision") != NULL);
    left = sim_get(sim, SLOT_A, &len);
    assert_memory_equal(left, image, len);
    free(left);
    free(image);
    sim_free(sim);
    sim_free(made);
}

static const struct world_plan factory = {.name = "factory"};

/* The factory's root file system, which was written before we were: compared,
 * and never written. */
static void a_mounted_slot_is_adopted_by_the_factory(void **state)
{
    size_t len;
    const void *core = variant_core(1, &len);
    char *image = malloc(len), *found;

    (void)state;
    memcpy(image, core, len);
    for (int other = 0; other < 2; other++) {
        struct sim *sim = world_new(&factory);
        struct world_log log = {0};

        image[len - 1] ^= (char)other;
        sim_put(sim, SLOT_A, image, len, 0400);
        sim_set_mounted(sim, SLOT_A, UP_MOUNTED);
        sim_settle(sim);
        world_live(sim, &factory, false, &log);
        if (log.confirmed == other)
            fail_msg("%d: %s", other, log.bad);
        assert_int_equal(sim_exists(sim, "/device/state/journal.0"), !other);
        if (other)
            assert_non_null(strstr(log.bad, "is mounted and holds another image than release 1"));
        else
            world_check(sim, &factory, false, &log);
        assert_int_equal(log.bad[0] != '\0', other);
        found = sim_get(sim, SLOT_A, NULL);
        assert_memory_equal(found, image, len);
        free(found);
        sim_free(sim);
    }
    free(image);
}

/* However large it is, its last byte is compared. */
static void a_large_mounted_slot_is_compared_to_its_end(void **state)
{
    const size_t size = (10 << 20) + 1;
    char *image = calloc(1, size);

    (void)state;
    for (int other = 0; other < 2; other++) {
        struct sim *sim = world_new(&factory);
        struct up_fixture f = {
            .script = true, .core = true, .encoding = UP_ZSTD, .image = image, .image_size = size};
        struct up_config config;
        struct up_device *device;
        struct up_error err;

        image[size - 1] = 1;
        assert_int_equal(up_fixture_pack(sim_storage(sim), FACTORY, "/packages", &f, &err), 0);
        sim_settle(sim);
        image[size - 1] = (char)(other + 1);
        sim_put(sim, SLOT_A, image, size, 0400);
        sim_set_mounted(sim, SLOT_A, UP_MOUNTED);
        world_configure(&config);
        assert_int_equal(up_device_provision(&device, sim_storage(sim), &config, &err), 0);
        assert_int_equal(world_install(device, sim_storage(sim), FACTORY, &err), other ? UP_INCOMPATIBLE : 0);
        assert_int_equal(up_device_provisioning(device), other);
        up_device_close(device);
        up_config_free(&config);
        sim_free(sim);
    }
    free(image);
}

/* It has no record that could be read again, and no slot. */
static void a_device_in_the_making_is_what_it_is_in_memory(void **state)
{
    struct sim *sim = world_new(&factory);
    struct up_config config;
    struct up_device *device;
    struct up_error err;

    (void)state;
    world_configure(&config);
    for (int i = 0; i < UP_SLOTS; i++) {
        free(config.slot[i]);
        config.slot[i] = NULL;
    }
    config.boot = UP_BOOT_NONE;
    assert_int_equal(up_device_provision(&device, sim_storage(sim), &config, &err), 0);
    assert_int_equal(up_device_reload(device, &err), 0);
    assert_true(up_device_provisioning(device));
    assert_false(up_device_adopts(device));
    assert_int_equal(up_device_state(device)->next_transaction, 1);
    up_device_close(device);
    up_config_free(&config);
    sim_free(sim);
}

static int tell_medium_once_it_is_there(void *user, enum sim_op op)
{
    if (op != SIM_LOCK)
        return 0;
    sim_settle(user);
    sim_set_medium(user, "/device/made", "/dev/part2", NULL);
    return 0;
}

/* What a state lies on can be told once it is there: it is asked again then. */
static void a_state_that_turns_out_to_lie_on_a_slot_is_refused(void **state)
{
    struct sim *sim = world_new(&factory);
    struct up_config config;
    struct up_device *device;
    struct up_error err;

    (void)state;
    world_configure(&config);
    free(config.slot[1]);
    config.slot[1] = strdup("/dev/part2");
    free(config.state);
    config.state = strdup("/device/made");
    sim_put_block(sim, "/dev/part2", 1 << 20);
    sim_watch_calls(sim, tell_medium_once_it_is_there, sim);
    assert_int_equal(up_device_provision(&device, sim_storage(sim), &config, &err), UP_USAGE);
    assert_non_null(strstr(err.message, "the state, /device/made, is on /dev/part2"));
    up_config_free(&config);
    sim_free(sim);
}

/* A board whose kernel was not told which slot runs is not provisioned. */
static void provision_has_to_know_what_runs(void **state)
{
    struct sim *sim = world_new(&factory);
    struct up_config config;
    struct up_device *device;
    struct up_error err;

    (void)state;
    world_configure(&config);
    config.boot = UP_BOOT_UBOOT;
    config.fw_env = strdup("/etc/fw_env.config");
    config.cmdline = strdup("/proc/nothing");
    assert_int_equal(up_device_provision(&device, sim_storage(sim), &config, &err), UP_MISSING);
    assert_non_null(strstr(err.message, "/proc/nothing"));
    assert_int_equal(sim_open_files(sim), 0); /* nor is it locked any more */
    up_config_free(&config);
    sim_free(sim);
}

/* What the first try wrote to flash is found by the next; nothing is noted
 * meanwhile, for there is no record yet. */
static void provisioning_goes_on_where_it_failed(void **state)
{
    static const struct world_plan on_nor = {.name = "factory", .medium = WORLD_ON_NOR};
    struct world_log log = {.confirmed = true};
    unsigned again = 0;
    bool met = true;

    (void)state;
    for (unsigned n = 1; met; n++) {
        struct sim *sim = world_new(&on_nor);
        struct up_config config;
        struct up_device *device;
        struct up_error err;
        int rc;

        world_configure(&config);
        assert_int_equal(up_device_provision(&device, sim_storage(sim), &config, &err), 0);
        sim_reset_counters(sim);
        sim_fail(sim, SIM_CHANGES, n, EIO, false);
        rc = world_install(device, sim_storage(sim), FACTORY, &err);
        met = sim_calls(sim, SIM_CHANGES) >= n;
        sim_fail(sim, SIM_CHANGES, 0, 0, false);
        if (rc < 0 && up_device_provisioning(device)) {
            again++;
            assert_int_equal(up_device_state(device)->tx.hint, 0);
            assert_int_equal(world_install(device, sim_storage(sim), FACTORY, &err), 0);
        } else { /* what was only in the way, after the record */
            assert_int_equal(rc, 0);
            if (up_device_trouble(device)->cause.code != UP_OK) {
                assert_true(up_device_trouble(device)->updates);
                up_device_clean(device);
            }
            assert_int_equal(up_device_trouble(device)->cause.code, UP_OK);
        }
        assert_int_equal(up_device_state(device)->phase, UP_IDLE);
        assert_false(up_device_provisioning(device));
        assert_true(variant_is_core(sim, SLOT_A, 1));
        /* None of it goes into a device's image. */
        assert_false(sim_exists(sim, "/device/state/tx"));
        if (!met)
            assert_false(sim_exists(sim, "/device/state/provisioning"));
        up_device_close(device);
        up_config_free(&config);
        world_live(sim, &on_nor, false, &log); /* it may have to make a file of a record anew */
        world_check(sim, &on_nor, false, &log);
        assert_string_equal(log.bad, "");
        sim_free(sim);
    }
    assert_true(again > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_open_and_close),
        cmocka_unit_test(a_board_that_runs_from_b_is_adopted_there),
        cmocka_unit_test(survives_the_nth_failure_of_every_call),
        cmocka_unit_test(a_full_disk_leaves_the_old_pair),
        cmocka_unit_test(a_flipped_bit_on_the_medium_is_noticed),
        cmocka_unit_test(a_killed_transfer_wastes_at_most_a_block),
        cmocka_unit_test(a_second_process_is_told_that_it_is_busy),
        cmocka_unit_test(a_new_device_knows_what_it_reads_and_what_it_had),
        cmocka_unit_test(a_lost_boot_record_is_no_base_for_changes),
        cmocka_unit_test(provision_refuses_a_device_that_is_there),
        cmocka_unit_test(a_lost_journal_is_said_and_nothing_is_touched),
        cmocka_unit_test(one_file_of_each_record_is_enough),
        cmocka_unit_test(the_old_script_stays_until_the_new_one_is_marked),
        cmocka_unit_test(the_journal_may_lie_in_two_places),
        cmocka_unit_test(what_a_device_leaves_behind_is_not_taken_for_nothing),
        cmocka_unit_test(a_journal_that_cannot_be_read_is_not_taken_for_none),
        cmocka_unit_test(a_mounted_slot_is_not_written),
        cmocka_unit_test(a_mounted_slot_is_adopted_by_the_factory),
        cmocka_unit_test(a_large_mounted_slot_is_compared_to_its_end),
        cmocka_unit_test(a_device_in_the_making_is_what_it_is_in_memory),
        cmocka_unit_test(a_state_that_turns_out_to_lie_on_a_slot_is_refused),
        cmocka_unit_test(provision_has_to_know_what_runs),
        cmocka_unit_test(provisioning_goes_on_where_it_failed),
        cmocka_unit_test(the_slot_that_runs_is_never_written_by_the_factory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
