/*
 * files_world.c -- the device of files_world.h, start after start.
 */
#include "files_world.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "digest.h"
#include "files.h"
#include "files_settle.h"
#include "files_tree_fixture.h"
#include "note.h"
#include "record.h"

#define STATE "/device/state"
#define BOOTS 8
#define STARTS 3 /* of a release on trial */

const struct files_flow files_flows[] = {
    {"confirmed", .end = FILES_CONFIRM},
    {"rolled back", .end = FILES_ROLL_BACK},
    {"abandoned", .end = FILES_ABANDON},
    {"confirmed, one disk", .end = FILES_CONFIRM, .one_disk = true},
    {"rolled back, one disk", .end = FILES_ROLL_BACK, .one_disk = true},
    {"confirmed, no links", .end = FILES_CONFIRM, .no_links = true},
    {"rolled back, no links", .end = FILES_ROLL_BACK, .no_links = true},
    {"rolled back, foreign", .end = FILES_ROLL_BACK, .foreign = true},
    {"confirmed by settle", .end = FILES_CONFIRM, .restart = true},
    {"rolled back by settle", .end = FILES_ROLL_BACK, .restart = true},
    {"confirmed, overlay", .end = FILES_CONFIRM, .overlay = true},
    {"rolled back, overlay", .end = FILES_ROLL_BACK, .overlay = true},
    {"confirmed, writer", .end = FILES_CONFIRM, .writer = true},
    {"rolled back, writer", .end = FILES_ROLL_BACK, .writer = true},
};
const unsigned files_flow_count = sizeof files_flows / sizeof files_flows[0];

/* The journal: phase, starts of the trial, whether the pair that runs names the new files, whether
 * the release failed; the plan of the transaction. */
#define VALUE (4 * 4 + 37 + UP_SHA256_SIZE)

struct device {
    struct sim *sim;
    struct up_storage *storage;
    const struct files_flow *flow;
    struct files_log *log;
    struct up_record record;
    struct {
        enum up_files_phase phase;
        uint32_t starts, names_new, failed;
        char boot_id[37]; /* in which it was armed */
        uint8_t plan[UP_SHA256_SIZE];
    } journal;
    struct up_files files;
    struct up_error err;
};

#define bad(log, ...) note_bad((log)->bad, sizeof((log)->bad), __VA_ARGS__)

static struct up_record record_of(struct up_storage *s)
{
    return (struct up_record){.storage = s, .path = STATE "/journal", .magic = "JOURNAL", .capacity = 512};
}

static int save(struct device *d)
{
    uint8_t value[VALUE] = {0};

    up_put32(value, d->journal.phase);
    up_put32(value + 4, d->journal.starts);
    up_put32(value + 8, d->journal.names_new);
    up_put32(value + 12, d->journal.failed);
    memcpy(value + 16, d->journal.boot_id, 37);
    memcpy(value + 16 + 37, d->journal.plan, UP_SHA256_SIZE);
    return up_record_write(&d->record, value, sizeof value, &d->err);
}

static int enter(struct device *d, enum up_files_phase phase)
{
    d->journal.phase = phase;
    return save(d);
}

static int load(struct device *d)
{
    uint8_t value[VALUE];
    size_t len;

    if (up_record_read(&d->record, value, sizeof value, &len, &d->err) < 0)
        return -1;
    d->journal.phase = up_get32(value);
    d->journal.starts = up_get32(value + 4);
    d->journal.names_new = up_get32(value + 8);
    d->journal.failed = up_get32(value + 12);
    memcpy(d->journal.boot_id, value + 16, 37);
    memcpy(d->journal.plan, value + 16 + 37, UP_SHA256_SIZE);
    return 0;
}

/* The new tree stays, and the journal says so. */
static int end_new(struct device *d)
{
    d->journal.names_new = 1;
    if (d->journal.phase != UP_FILES_IDLE && enter(d, UP_FILES_IDLE) < 0)
        return -1;
    d->log->confirmed = true;
    return up_files_sweep(&d->files, true, &d->err);
}

static int end_old(struct device *d)
{
    if (d->journal.phase != UP_FILES_IDLE && enter(d, UP_FILES_IDLE) < 0)
        return -1;
    if (d->journal.failed)
        d->log->rolled_back = true;
    return up_files_sweep(&d->files, false, &d->err);
}

/* The tree first: its undoing needs no journal. */
static int go_back(struct device *d)
{
    d->journal.failed = d->journal.failed || d->journal.phase >= UP_FILES_ARMED;
    if (d->journal.phase != UP_FILES_IDLE && d->journal.phase != UP_FILES_ROLLING_BACK)
        (void)!enter(d, UP_FILES_ROLLING_BACK);
    return up_files_undo(&d->files, &d->err) < 0 ? -1 : end_old(d);
}

static int confirm(struct device *d)
{
    if (d->journal.phase != UP_FILES_CONFIRMING && enter(d, UP_FILES_CONFIRMING) < 0)
        return -1;
    return end_new(d);
}

/* One more start; spent: the release goes back. 1: it did, or -1. */
static int count(struct device *d)
{
    d->journal.starts++;
    if (d->journal.starts > STARTS)
        return go_back(d) < 0 ? -1 : 1;
    return enter(d, UP_FILES_TRIAL);
}

static int switch_tree(struct device *d)
{
    if (up_files_switch(&d->files, &d->err) == 0)
        return 0;
    return go_back(d) < 0 ? -1 : 1;
}

static bool says(const struct device *d, const char *when, bool old, bool new)
{
    char *now = tree_visible(d->sim), *before = tree_text(d->flow, false), *after = tree_text(d->flow, true);
    bool fine = (old && strcmp(now, before) == 0) || (new &&strcmp(now, after) == 0);

    if (!fine && !d->flow->foreign && !sim_is_cut(d->sim))
        bad(d->log, "%s the tree is neither:\n%s", when, now);
    free(now);
    free(before);
    free(after);
    return fine;
}

static struct up_files_facts facts_of(const struct device *d)
{
    char boot[37];
    struct up_files_facts f = {.phase = d->journal.phase,
                               .step = d->files.stage.step,
                               .runs = d->journal.names_new || d->journal.phase == UP_FILES_TRIAL ||
                                               d->journal.phase == UP_FILES_CONFIRMING
                                           ? UP_FILES_NEW_PAIR
                                           : UP_FILES_OLD_PAIR,
                               .lost = d->files.lost,
                               .restart = d->flow->restart};

    f.of_transaction = memcmp(d->journal.plan, d->files.stage.plan, UP_SHA256_SIZE) == 0;
    if (d->storage->ops->boot_id(d->storage, boot) == 0)
        f.other_boot = strcmp(boot, d->journal.boot_id) != 0;
    return f;
}

static int act(struct device *d, enum up_files_action action)
{
    int rc;

    switch (action) {
    case UP_FILES_NOTHING:
        return d->files.stage.step == UP_FILES_NONE ? up_files_tidy(&d->files, &d->err) : 0;
    case UP_FILES_LEAVE:
        return 0;
    case UP_FILES_SWEEP_NEW:
        return end_new(d);
    case UP_FILES_SWEEP_OLD:
        return end_old(d);
    case UP_FILES_GO_BACK:
        return go_back(d);
    case UP_FILES_FINISH:
        return up_files_switch(&d->files, &d->err) < 0 ? -1 : end_new(d);
    case UP_FILES_TRY:
    case UP_FILES_TRY_STAY:
        return count(d) < 0 ? -1 : 0;
    case UP_FILES_TRY_SWITCH:
        rc = count(d);
        return rc != 0 ? rc : switch_tree(d);
    case UP_FILES_VERDICT:
        return confirm(d);
    default:
        bad(d->log, "settle: action %u", action);
        return -1;
    }
}

static int settle(struct device *d)
{
    const struct up_files_facts facts = facts_of(d);
    enum up_files_action action = up_files_settle_decide(&facts);

    if (act(d, action) < 0)
        return -1;
    says(d, "after settling",
         d->files.stage.step != UP_FILES_SWITCHED && d->files.stage.step != UP_FILES_SWEEPING_NEW,
         d->files.stage.step == UP_FILES_SWITCHED || d->files.stage.step == UP_FILES_NONE);
    return 0;
}

/* The agent: from nothing to armed. */
static int install(struct device *d)
{
    const struct up_files_source source = {(void *)d->flow, tree_content, NULL};
    struct up_files_plan plan;
    int rc = 0;

    tree_plan(d->flow, &plan);
    if (d->journal.phase == UP_FILES_IDLE) {
        tree_plan_digest(d->flow, d->journal.plan);
        d->journal.starts = 0;
        rc = enter(d, UP_FILES_FETCHING);
    }
    if (rc == 0 && d->files.stage.step == UP_FILES_NONE)
        rc = up_files_begin(&d->files, &plan, &d->err);
    if (rc == 0)
        rc = up_files_fill(&d->files, &source, &d->err);
    if (rc < 0)
        return end_old(d) < 0 ? -1 : 1;
    if (d->flow->end == FILES_ABANDON) {
        d->journal.failed = 1;
        return end_old(d) < 0 ? -1 : 1;
    }
    if (d->storage->ops->boot_id(d->storage, d->journal.boot_id) < 0)
        return -1;
    return enter(d, UP_FILES_ARMED);
}

static int try_release(struct device *d)
{
    int rc = 0;

    if (d->journal.phase == UP_FILES_ARMED)
        rc = count(d);
    if (rc == 0)
        rc = switch_tree(d);
    if (rc != 0)
        return rc;
    says(d, "on trial", false, true);
    d->log->disturbed = false; /* while it is written in place, it may be torn */
    if (d->flow->foreign && tree_disturb(d->storage) < 0)
        return -1;
    d->log->disturbed = d->flow->foreign;
    if (d->flow->end == FILES_CONFIRM)
        return confirm(d);
    return go_back(d);
}

static bool wants(const struct device *d)
{
    return !d->journal.names_new && !d->journal.failed;
}

/* What a start does when the tree is settled. 0: nothing is open any more. */
static int run(struct device *d, bool online)
{
    if (d->journal.phase == UP_FILES_IDLE && !(online && wants(d)))
        return 0;
    if (d->journal.phase == UP_FILES_FETCHING && !online)
        return end_old(d) < 0 ? -1 : 0;
    if (d->journal.phase <= UP_FILES_FETCHING) {
        int rc = install(d);

        if (rc != 0)
            return rc < 0 ? -1 : 0;
        if (d->flow->restart)
            return 1;
    }
    if (d->journal.phase == UP_FILES_CONFIRMING) /* everything was done but the last word */
        return confirm(d);
    if (d->journal.phase == UP_FILES_ROLLING_BACK)
        return go_back(d);
    return try_release(d) < 0 ? -1 : 0;
}

/* 0: nothing is open any more, 1: go on with another start, -1: it failed. */
static int start(struct device *d, bool online)
{
    int rc;

    if (load(d) < 0 || up_files_open(&d->files, d->storage, STATE, &d->err) < 0)
        return -1;
    rc = settle(d);
    if (rc == 0)
        rc = run(d, online);
    up_files_close(&d->files);
    return rc;
}

/* Armed, and then a program writes into a target. */
static void write_while_it_waits(struct sim *sim, const struct files_flow *flow)
{
    struct files_flow armed = *flow;
    struct files_log log = {0};
    struct device d = {.sim = sim, .storage = sim_storage(sim), .flow = &armed, .log = &log};

    armed.writer = false;
    armed.restart = true; /* so that it waits for one */
    d.record = record_of(d.storage);
    if (start(&d, true) != 1)
        abort();
    sim_shutdown(sim);
    tree_written(sim);
    sim_settle(sim);
}

struct sim *files_new(const struct files_flow *flow)
{
    struct sim *sim = tree_before(flow);
    struct up_record record = record_of(sim_storage(sim));
    const uint8_t idle[VALUE] = {UP_FILES_IDLE};
    struct up_error err;

    sim_put_dir(sim, STATE, 0700);
    if (up_record_create(&record, idle, sizeof idle, &err) < 0)
        abort();
    sim_settle(sim);
    if (flow->writer)
        write_while_it_waits(sim, flow);
    return sim;
}

void files_live(struct sim *sim, const struct files_flow *flow, bool online, struct files_log *log)
{
    unsigned limit = log->boots + BOOTS;

    while (!sim_is_cut(sim) && !log->bad[0] && log->boots < limit) {
        struct device d = {.sim = sim, .storage = sim_storage(sim), .flow = flow, .log = log};
        int rc;

        d.record = record_of(d.storage);
        log->boots++;
        rc = start(&d, online);
        if (sim_is_cut(sim) || rc == 0)
            return;
        if (rc < 0 && !log->excused)
            bad(log, "start %u: %s", log->boots, d.err.message);
        sim_shutdown(sim);
        if (rc < 0 && log->excused)
            return;
    }
    if (log->boots == limit && !log->excused)
        bad(log, "%u starts and no end", BOOTS);
}

static void check_state(const struct sim *sim, struct files_log *log)
{
    char *dump = sim_dump(sim, STATE "/files"), *rest = NULL;

    for (char *line = strtok_r(dump, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const char *path = strchr(line, '/') + strlen(STATE "/files");

        if (*path && strcmp(path, "/stage.0") != 0 && strcmp(path, "/stage.1") != 0 &&
            strncmp(path, "/foreign", 8) != 0 && strcmp(path, "/stage.0.new") != 0 &&
            strcmp(path, "/stage.1.new") != 0)
            bad(log, "left over: %s", line);
    }
    free(dump);
}

void files_check(const struct sim *from, const struct files_flow *flow, struct files_log *log)
{
    struct sim *sim = sim_clone(from);
    struct device d = {.sim = sim, .storage = sim_storage(sim), .flow = flow, .log = log};
    char *now = tree_whole(sim), *text;

    d.record = record_of(d.storage);
    if (load(&d) < 0 || up_files_open(&d.files, d.storage, STATE, &d.err) < 0) {
        bad(log, "cannot be read: %s", d.err.message);
    } else {
        text = tree_text(flow, d.journal.names_new);
        if (d.journal.phase != UP_FILES_IDLE || d.files.stage.step != UP_FILES_NONE)
            bad(log, "not settled: phase %u, %s", d.journal.phase,
                up_files_stage_step_name(d.files.stage.step));
        if (strcmp(now, text) != 0)
            bad(log, "the pair is %s and the tree is\n%s", d.journal.names_new ? "new" : "old", now);
        if ((log->confirmed && !d.journal.names_new) || (log->rolled_back && d.journal.names_new))
            bad(log, "the verdict was lost");
        if (log->must_end && d.journal.names_new != (flow->end == FILES_CONFIRM))
            bad(log, "it ended otherwise than it should");
        if (log->disturbed && !tree_kept_what_disturbed(sim, STATE "/files/foreign"))
            bad(log, "what somebody else put there is gone");
        free(text);
        up_files_close(&d.files);
    }
    check_state(sim, log);
    free(now);
    sim_free(sim);
}
