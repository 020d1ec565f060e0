/*
 * files_check.c -- updates of files: what is decided in every state, what is refused,
 * and what is kept. That it holds wherever the power goes is shown by spec/crash/files.c;
 * which plans are taken, by files_plan_check.c.
 */
#include "files.h"
#include "files_found.h"
#include "files_make.h"
#include "files_part.h"
#include "files_plan.h"
#include "files_settle.h"
#include "files_stage.h"
#include "files_stand.h"
#include "files_try.h"
#include "files_twin.h"
#include "sim.h"
#include "storage.h"
#include "tar.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct files_flow flow = {.name = "check"};

/* The table. */

static bool keeps_new(enum up_files_action action)
{
    return action == UP_FILES_SWEEP_NEW || action == UP_FILES_FINISH || action == UP_FILES_VERDICT;
}

static void check_row(enum up_files_phase phase, enum up_files_step step, enum up_files_executable_runs runs)
{
    const struct up_files_facts facts = {.phase = phase, .step = step, .runs = runs, .of_transaction = true};
    struct up_files_facts lost = facts;
    enum up_files_action action = up_files_settle_decide(&facts);

    lost.lost = true;
    if (step == UP_FILES_NONE) /* what a verdict or going back still lacks is the journal */
        assert_true(action == UP_FILES_NOTHING || phase == UP_FILES_CONFIRMING ||
                    phase == UP_FILES_ROLLING_BACK);
    else if (step == UP_FILES_SWEEPING_NEW)
        assert_int_equal(action, UP_FILES_SWEEP_NEW);
    else if (step == UP_FILES_SWEEPING_OLD)
        assert_int_equal(action, UP_FILES_SWEEP_OLD);
    else if (runs != UP_FILES_NEW_PAIR || phase == UP_FILES_ROLLING_BACK)
        assert_false(keeps_new(action));
    if (up_files_stage_is_between(step)) { /* the tree is not left as it is but by a verdict or on trial */
        assert_int_not_equal(action, UP_FILES_NOTHING);
        assert_int_not_equal(action, UP_FILES_LEAVE);
        assert_int_not_equal(action, UP_FILES_SWEEP_OLD);
        if (action != UP_FILES_SWEEP_NEW)
            assert_int_equal(up_files_settle_decide(&lost), UP_FILES_MIXED);
    }
    if (phase == UP_FILES_UNREADABLE)
        assert_true(action == UP_FILES_WITHOUT || !up_files_stage_is_between(step));
    else
        assert_int_not_equal(action, UP_FILES_WITHOUT);
    if (phase < UP_FILES_ARMED && phase > UP_FILES_IDLE && !keeps_new(action)) {
        struct up_files_facts other = facts;

        other.of_transaction = false;
        assert_int_not_equal(up_files_settle_decide(&other), UP_FILES_LEAVE);
    }
}

static void every_state_has_a_row(void **state)
{
    unsigned rows = 0;

    (void)state;
    for (unsigned phase = 0; phase < UP_FILES_PHASES; phase++)
        for (unsigned step = 0; step < UP_FILES_STEPS; step++)
            for (unsigned runs = 0; runs < UP_FILES_RUNS; runs++, rows++)
                check_row(phase, step, runs);
    assert_int_equal(rows, 9 * 8 * 3);
}

static const struct {
    enum up_files_phase phase;
    enum up_files_step step;
    enum up_files_executable_runs runs;
    enum up_files_action action;
} told[] = {
    {UP_FILES_IDLE, UP_FILES_SWITCHED, UP_FILES_NEW_PAIR, UP_FILES_SWEEP_NEW},
    {UP_FILES_IDLE, UP_FILES_STAGED, UP_FILES_OLD_PAIR, UP_FILES_SWEEP_OLD},
    {UP_FILES_IDLE, UP_FILES_SWITCHED, UP_FILES_OLD_PAIR, UP_FILES_GO_BACK},
    {UP_FILES_INSTALLING, UP_FILES_STAGING, UP_FILES_OLD_PAIR, UP_FILES_LEAVE},
    {UP_FILES_ARMING, UP_FILES_STAGED, UP_FILES_OLD_PAIR, UP_FILES_LEAVE},
    {UP_FILES_ARMED, UP_FILES_STAGED, UP_FILES_OLD_PAIR, UP_FILES_NOTHING},
    {UP_FILES_ARMED, UP_FILES_SWITCHED, UP_FILES_OLD_PAIR, UP_FILES_GO_BACK},
    {UP_FILES_TRIAL, UP_FILES_STAGING, UP_FILES_NEW_PAIR, UP_FILES_NOTHING},
    {UP_FILES_TRIAL, UP_FILES_STAGED, UP_FILES_NEW_PAIR, UP_FILES_TRY},
    {UP_FILES_TRIAL, UP_FILES_SWITCHING, UP_FILES_NEW_PAIR, UP_FILES_TRY_SWITCH},
    {UP_FILES_TRIAL, UP_FILES_SWITCHED, UP_FILES_NEW_PAIR, UP_FILES_TRY_STAY},
    {UP_FILES_TRIAL, UP_FILES_UNDOING, UP_FILES_NEW_PAIR, UP_FILES_GO_BACK},
    {UP_FILES_TRIAL, UP_FILES_SWITCHED, UP_FILES_FELL_BACK, UP_FILES_GO_BACK},
    {UP_FILES_CONFIRMING, UP_FILES_SWITCHED, UP_FILES_NEW_PAIR, UP_FILES_VERDICT},
    {UP_FILES_CONFIRMING, UP_FILES_SWITCHING, UP_FILES_NEW_PAIR, UP_FILES_GO_BACK},
    {UP_FILES_CONFIRMING, UP_FILES_NONE, UP_FILES_NEW_PAIR, UP_FILES_VERDICT},
    {UP_FILES_CONFIRMING, UP_FILES_NONE, UP_FILES_FELL_BACK, UP_FILES_GO_BACK},
    {UP_FILES_ROLLING_BACK, UP_FILES_NONE, UP_FILES_OLD_PAIR, UP_FILES_GO_BACK},
    {UP_FILES_ROLLING_BACK, UP_FILES_SWITCHED, UP_FILES_NEW_PAIR, UP_FILES_GO_BACK},
    {UP_FILES_UNREADABLE, UP_FILES_SWITCHED, UP_FILES_OLD_PAIR, UP_FILES_WITHOUT},
};

static void it_is_decided_as_told(void **state)
{
    struct up_files_facts facts = {.of_transaction = true};

    (void)state;
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        facts.phase = told[i].phase;
        facts.step = told[i].step;
        facts.runs = told[i].runs;
        if (up_files_settle_decide(&facts) != told[i].action)
            fail_msg("row %zu: %u", i, up_files_settle_decide(&facts));
    }
    facts = (struct up_files_facts){
        .phase = UP_FILES_ARMED, .step = UP_FILES_STAGED, .restart = true, .of_transaction = true};
    assert_int_equal(up_files_settle_decide(&facts), UP_FILES_NOTHING);
    facts.other_boot = true;
    assert_int_equal(up_files_settle_decide(&facts), UP_FILES_TRY_SWITCH);
    facts.phase = UP_FILES_TRIAL;
    facts.runs = UP_FILES_NEW_PAIR;
    assert_int_equal(up_files_settle_decide(&facts), UP_FILES_TRY_SWITCH);
}

/* A device in the simulator. */

static const struct up_files_source source = {NULL, tree_content, NULL};

static int enter(void **state)
{
    return world_enter(state, &flow);
}

static void begin(struct world *w)
{
    struct up_files_plan plan;

    free(w->before); /* of a round before */
    w->before = tree_whole(w->sim);
    tree_plan(&flow, &plan);
    assert_int_equal(up_files_begin(&w->files, &plan, &w->err), 0);
}

static void assert_as_before(struct world *w)
{
    char *now;

    assert_int_equal(up_files_undo(&w->files, &w->err), 0);
    assert_int_equal(up_files_sweep(&w->files, false, &w->err), 0);
    now = tree_whole(w->sim);
    assert_string_equal(now, w->before);
    free(now);
}

static void open_again(struct world *w)
{
    up_files_close(&w->files);
    assert_int_equal(up_files_open(&w->files, w->storage, STATE, &w->err), 0);
}

static void a_tree_is_switched_and_put_back(void **state)
{
    struct world *w = *state;
    char *now, *after = tree_text(&flow, true);

    begin(w);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    now = tree_visible(w->sim);
    assert_string_equal(now, w->before);
    free(now);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    now = tree_visible(w->sim);
    assert_string_equal(now, after);
    free(now);
    free(after);
    open_again(w);
    assert_as_before(w);
}

enum step { FILL, SWITCH, UNDO, SWEEP, STEPS };

static int take_step(struct up_files *f, enum step step, struct up_error *err)
{
    switch (step) {
    case FILL:
        return up_files_fill(f, &source, err);
    case SWITCH:
        return up_files_switch(f, err);
    case UNDO:
        return up_files_undo(f, err);
    default:
        return up_files_sweep(f, false, err);
    }
}

/* Ends whole although it was killed at operation k. Returns whether it got there. */
static bool goes_on_after(const struct sim *before, enum step step, unsigned k)
{
    struct sim *sim = sim_clone(before), *next;
    struct up_files files;
    struct up_error err;
    bool met;

    sim_reset_counters(sim);
    sim_cut_at(sim, k);
    if (up_files_open(&files, sim_storage(sim), STATE, &err) == 0) {
        (void)!take_step(&files, step, &err);
        up_files_close(&files);
    }
    met = sim_is_cut(sim);
    next = sim_respawn(sim);
    assert_int_equal(up_files_open(&files, sim_storage(next), STATE, &err), 0);
    if (take_step(&files, step, &err) < 0)
        fail_msg("step %d, operation %u: %s", step, k, err.message);
    up_files_close(&files);
    assert_int_equal(sim_open_files(next), 0);
    sim_free(next);
    sim_free(sim);
    return met;
}

/* What is half put back is on record as such, and is never taken for a tree on trial. */
static void going_back_is_on_record_first(void **state)
{
    struct world *w = *state;
    char *now;

    begin(w);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    sim_fail(w->sim, SIM_RENAME, sim_calls(w->sim, SIM_RENAME) + 2, EIO, false);
    assert_int_equal(up_files_undo(&w->files, &w->err), UP_WRITE);
    open_again(w);
    assert_int_equal(w->files.stage.step, UP_FILES_UNDOING);
    now = tree_visible(w->sim);
    assert_string_not_equal(now, w->before);
    free(now);
    assert_int_equal(up_files_switch(&w->files, &w->err), UP_BUSY);
    assert_as_before(w);
}

static void each_step_goes_on(const struct files_flow *of)
{
    struct sim *sim = tree_before(of);
    struct up_files files;
    struct up_files_plan plan;
    struct up_error err;
    unsigned cuts = 0;

    sim_put_dir(sim, STATE, 0700);
    tree_plan(of, &plan);
    assert_int_equal(up_files_open(&files, sim_storage(sim), STATE, &err), 0);
    assert_int_equal(up_files_begin(&files, &plan, &err), 0);
    for (enum step step = FILL; step < STEPS; step++) {
        for (unsigned k = 1; goes_on_after(sim, step, k); k++)
            cuts++;
        assert_int_equal(take_step(&files, step, &err), 0);
    }
    assert_true(cuts > 150);
    up_files_close(&files);
    sim_free(sim);
}

static void each_step_goes_on_where_it_was_killed(void **state)
{
    const struct files_flow without_links = {.name = "check", .no_links = true};

    (void)state;
    each_step_goes_on(&flow);
    each_step_goes_on(&without_links);
}

static void count_step(void *watcher)
{
    ++*(unsigned *)watcher;
}

/* Whoever watches takes one that says nothing for one that hangs. */
static void each_operation_is_a_step(void **state)
{
    struct world *w = *state;
    unsigned steps = 0, all;

    assert_int_equal(world_fill(w, &flow), 0);
    all = w->files.plan.op_count;
    w->files.stepped = count_step;
    w->files.watcher = &steps;
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_int_equal(steps, 2 * all); /* what is there, and the new one */
    assert_int_equal(up_files_undo(&w->files, &w->err), 0);
    assert_int_equal(steps, 3 * all);
    assert_int_equal(up_files_sweep(&w->files, false, &w->err), 0);
    assert_int_equal(steps, 4 * all);
}

static void one_plan_at_a_time(void **state)
{
    struct world *w = *state;
    struct up_files_plan plan;

    begin(w);
    tree_plan(&flow, &plan);
    assert_int_equal(up_files_begin(&w->files, &plan, &w->err), UP_BUSY);
    assert_int_equal(up_files_switch(&w->files, &w->err), UP_BUSY);
    assert_as_before(w);
}

static void nothing_is_done_without_every_root(void **state)
{
    struct world *w = *state;

    begin(w);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    assert_int_equal(w->storage->ops->unlink(w->storage, "/card/.moult-1122334455667788.here"), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), UP_MISSING);
    assert_string_equal(
        w->err.message,
        "root /card is not there: mount it, or, if it was made anew, order `moult settle --accept`");
    assert_int_equal(up_files_sweep(&w->files, false, &w->err), UP_MISSING);
    assert_int_equal(w->files.stage.step, UP_FILES_STAGED);
}

static void assert_refused(struct world *w, const char *what)
{
    begin(w);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), UP_INCOMPATIBLE);
    assert_non_null(strstr(w->err.message, what));
    assert_as_before(w);
}

static void a_mount_below_a_deleted_folder_is_refused(void **state)
{
    struct world *w = *state;

    sim_put_mount(w->sim, "/app/data/sub/mount", 1, false);
    assert_refused(w, "a mount lies below it");
}

static void a_target_that_is_a_mount_is_refused(void **state)
{
    struct world *w = *state;

    sim_put_mount(w->sim, "/card/fresh", 0, false);
    assert_refused(w, "/card/fresh: is a mount");
}

static void a_folder_that_is_there_is_not_made(void **state)
{
    struct world *w = *state;

    sim_put_dir(w->sim, "/app/new", 0755);
    assert_refused(w, "/app/new: is there already");
}

static void a_link_on_the_way_is_refused(void **state)
{
    struct world *w = *state;
    struct up_storage *s = w->storage;

    begin(w);
    assert_int_equal(s->ops->rename(s, "/app/etc", "/device/etc"), -1); /* another file system */
    assert_int_equal(s->ops->rename(s, "/app/etc", "/app/etc2"), 0);
    assert_int_equal(s->ops->symlink(s, "/app/etc2", "/app/etc"), 0);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), UP_INCOMPATIBLE);
    assert_int_equal(up_files_sweep(&w->files, false, &w->err), UP_INCOMPATIBLE);
}

static void no_room_changes_nothing(void **state)
{
    struct world *w = *state;

    begin(w);
    sim_set_free(w->sim, 8192);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), UP_NOSPACE);
    assert_as_before(w);
}

/* The file system has no room for one name more than the ones of ours. */
static int refuse_name(void *user, enum sim_op op)
{
    unsigned *left = user;

    return op == SIM_OPEN && *left > 0 && --*left == 0 ? EINVAL : 0;
}

static void a_name_that_cannot_be_is_refused(void **state)
{
    struct world *w = *state;
    struct up_files_op op = {.kind = UP_FILES_PUT, .dir = "etc", .name = "a:b", .size = 1};
    const struct up_files_plan plan = {
        .id = {1}, .root_count = 1, .root = {{.path = "/app", .here = {1}}}, .op_count = 1, .op = &op};
    unsigned opens = 4; /* the .here file, two of the try, and then the name */

    w->before = tree_whole(w->sim);
    assert_int_equal(up_files_begin(&w->files, &plan, &w->err), 0);
    sim_watch_calls(w->sim, refuse_name, &opens);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), UP_WRITE);
    assert_string_equal(w->err.message, "/app/etc/a:b: a name that cannot be: Invalid argument");
    sim_watch_calls(w->sim, NULL, NULL);
    assert_as_before(w);
}

/* Two operations in /app/etc, whose file system takes a and A for one name. */
static void assert_folded(struct world *w, enum up_files_kind kind, const char *one, const char *other,
                          const char *said)
{
    struct up_files_op op[] = {{.kind = kind, .dir = "etc", .name = one, .size = 1},
                               {.kind = kind, .dir = "etc", .name = other, .size = 1}};
    struct up_files_plan plan = {
        .id = {1}, .root_count = 1, .root = {{.path = "/app", .here = {1}}}, .op_count = 2, .op = op};

    for (int i = 0; kind != UP_FILES_DELETE && i < 2; i++) {
        op[i].size = 1;
        assert_int_equal(source.read(NULL, 0, op[i].digest, 1, 0, &w->err), 1);
        up_sha256(op[i].digest, 1, op[i].digest);
    }
    if (kind == UP_FILES_DELETE)
        op[0].size = op[1].size = 0;
    sim_put_folding(w->sim, "/app/etc");
    w->before = tree_whole(w->sim);
    assert_int_equal(up_files_begin(&w->files, &plan, &w->err), 0);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), said ? UP_INCOMPATIBLE : 0);
    if (said)
        assert_string_equal(w->err.message, said);
    assert_as_before(w);
}

static void names_that_the_file_system_folds_are_refused(void **state)
{
    assert_folded(*state, UP_FILES_PUT, "one", "One",
                  "/app/etc/One: is the same name as that of another line on this file system");
}

static void names_to_delete_that_are_one_are_refused(void **state)
{
    assert_folded(*state, UP_FILES_DELETE, "one", "One",
                  "/app/etc/One: is the same name as that of another line on this file system");
}

static void another_spelling_of_a_target_is_refused(void **state)
{
    assert_folded(
        *state, UP_FILES_PUT, "Conf", "other",
        "/app/etc/Conf: is there in another spelling, and this file system does not tell them apart");
}

static void names_that_differ_are_taken_where_case_is_folded(void **state)
{
    assert_folded(*state, UP_FILES_PUT, "conf", "other", NULL);
}

/* Not as much as all of it takes, though as much as what is largest. */
static void room_is_asked_for_before_the_first_file(void **state)
{
    struct world *w = *state;
    unsigned writes;

    begin(w);
    writes = sim_calls(w->sim, SIM_PWRITE);
    sim_set_free(w->sim, 9 * 4096);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), UP_NOSPACE);
    if (!strstr(w->err.message, " bytes are needed, 36864 are free"))
        fail_msg("%s", w->err.message);
    assert_int_equal(sim_calls(w->sim, SIM_PWRITE), writes);
    assert_as_before(w);
}

static struct up_storage_ops few_files;

static int three_files(struct up_storage *s, int dir, struct up_space *out)
{
    (void)s, (void)dir;
    *out = (struct up_space){UINT64_MAX, 3, false, false};
    return 0;
}

static void files_that_cannot_be_made_are_refused(void **state)
{
    struct world *w = *state;
    const struct up_storage_ops *ops = w->storage->ops;

    begin(w);
    few_files = *ops;
    few_files.space_at = three_files;
    w->storage->ops = &few_files;
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), UP_NOSPACE);
    assert_string_equal(w->err.message, "root /app: at x: 4 files are made, only 3 more can be");
    w->storage->ops = ops;
    assert_as_before(w);
}

/* Call `n` of one kind fails: that is said, and not that there is too little. Whether there was one. */
static bool room_cannot_be_told(struct world *w, const struct up_files_work *work, enum sim_op op, unsigned n)
{
    bool met;
    int rc;

    sim_reset_counters(w->sim);
    sim_fail(w->sim, op, n, EIO, false);
    rc = up_files_try_room(work, &w->err);
    met = sim_fault_hits(w->sim) > 0;
    sim_fail(w->sim, op, 0, 0, false);
    if (rc != (met ? UP_WRITE : 0))
        fail_msg("%s %u: %d %s", sim_op_name(op), n, rc, rc < 0 ? w->err.message : "");
    return met;
}

/* Where there are no hard links, and on an overlay, old content needs room, too. */
static void copies_need_room(void **state)
{
    const struct files_flow without = {.name = "check", .no_links = true};
    struct up_files_work work = {.folder = STATE "/files"};
    struct world *w = *state;
    struct up_files_plan plan;
    struct up_error err;
    uint64_t least[3] = {0, 0, 0};
    unsigned failures = 0;

    tree_plan(&without, &plan);
    work.plan = &plan;
    work.storage = w->storage;
    sim_put_dir(w->sim, STATE "/files", 0700);
    for (int kind = 0; kind < 3; kind++) {
        plan.root[0].weak = plan.root[1].weak = kind == 1;
        if (kind == 2)
            sim_put_lower(w->sim, "/app/data");
        for (uint64_t n = 0; n < 400 && !least[kind]; n++) {
            sim_set_free(w->sim, n * 4096);
            if (up_files_try_room(&work, &err) == 0)
                least[kind] = n;
        }
    }
    assert_true(least[0] > 0);
    assert_true(least[1] >= least[0] + 3); /* main, conf, image */
    assert_true(least[2] >= least[0] + 8); /* the same, and data, a, sub and b in it, gone */
    sim_set_free(w->sim, UINT64_MAX);
    for (int op = SIM_OPEN; op < SIM_OPS; op++)
        for (unsigned n = 1; room_cannot_be_told(w, &work, (enum sim_op)op, n); n++)
            failures++;
    assert_true(failures > 10);
}

static void what_others_set_after_staging_is_kept(void **state)
{
    struct world *w = *state;
    char *now;

    begin(w);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    sim_settle(w->sim);
    sim_put_owner(w->sim, "/app/etc/conf", 5, 6, 77); /* an access list, say */
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    now = sim_dump(w->sim, "/app/etc");
    if (!strstr(now, "f 0640 5:6+77 300 "))
        fail_msg("%s", now);
    free(now);
    assert_int_equal(up_files_sweep(&w->files, true, &w->err), 0);
}

/* Nobody signed what it does with them. */
static void what_nobody_signed_takes_no_setuid_bits(void **state)
{
    struct world *w = *state;
    struct up_files_plan plan;
    char *now;

    tree_plan(&flow, &plan);
    plan.root[0].plain = true;
    assert_int_equal(up_files_begin(&w->files, &plan, &w->err), 0);
    assert_true(w->files.plan.root[0].plain && !w->files.plan.root[1].plain); /* on record */
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    now = sim_dump(w->sim, "/app/bin");
    if (!strstr(now, "f 0755 7:8+9 9000 ") || !strstr(now, "f 4755 7:8+9 11 "))
        fail_msg("%s", now);
    free(now);
    assert_int_equal(up_files_undo(&w->files, &w->err), 0);
    assert_int_equal(up_files_sweep(&w->files, false, &w->err), 0);
    now = sim_dump(w->sim, "/app/bin");
    assert_non_null(strstr(now, "f 4755 7:8+9 11 "));
    free(now);
}

/* Of a file that is there after a power cut, however little of the rest is: it has its room. */
static size_t durable_size(const struct sim *sim, const char *path)
{
    struct sim *after = sim_reboot(sim, &(struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS});
    size_t size = 0;

    if (sim_exists(after, path))
        free(sim_get(after, path, &size));
    sim_free(after);
    return size;
}

static void room_that_was_kept_is_given_up_to_go_back(void **state)
{
    struct world *w = *state;

    sim_set_copy_on_write(w->sim, true);
    begin(w);
    assert_true(durable_size(w->sim, "/card/.moult-1122334455667788.spare") > 65536);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    sim_reset_counters(w->sim);
    sim_fail(w->sim, SIM_RENAME, 1, ENOSPC, false);
    assert_int_equal(up_files_undo(&w->files, &w->err), 0);
    assert_int_equal(sim_fault_hits(w->sim), 1);
    assert_false(sim_exists(w->sim, "/card/.moult-1122334455667788.spare"));
    sim_fail(w->sim, SIM_RENAME, 0, 0, false);
    assert_as_before(w);
}

static void no_room_is_kept_where_renaming_takes_none(void **state)
{
    struct world *w = *state;

    begin(w);
    assert_false(sim_exists(w->sim, "/card/.moult-1122334455667788.spare"));
    assert_as_before(w);
}

static int read_only(void *user, enum sim_op op)
{
    (void)user;
    return op == SIM_LINK || op == SIM_RENAME || op == SIM_UNLINK || op == SIM_MKDIR ? EROFS : 0;
}

/* What was possible while staging is tried again after every stop, before the plan is to be switched. */
static void what_became_read_only_is_told_before_a_target_changes(void **state)
{
    struct world *w = *state;

    begin(w);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    sim_watch_calls(w->sim, read_only, NULL);
    assert_int_equal(up_files_switch(&w->files, &w->err), UP_WRITE);
    assert_non_null(strstr(w->err.message, "Read-only file system"));
    assert_int_equal(w->files.stage.step, UP_FILES_STAGED);
    sim_watch_calls(w->sim, NULL, NULL);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0); /* what that left is no .old */
    assert_as_before(w);
}

static long long other_content(void *user, uint32_t content, void *buf, size_t len, uint64_t offset,
                               struct up_error *err)
{
    (void)user, (void)content, (void)offset, (void)err;
    memset(buf, 'x', len);
    return (long long)len;
}

static void a_root_without_links_must_be_weak(void **state)
{
    const struct files_flow without = {.name = "check", .no_links = true};
    struct sim *sim = tree_before(&without);
    struct up_files files;
    struct up_files_plan plan;
    struct up_error err;

    (void)state;
    sim_put_dir(sim, STATE, 0700);
    tree_plan(&without, &plan);
    plan.root[1].weak = false;
    assert_int_equal(up_files_open(&files, sim_storage(sim), STATE, &err), 0);
    assert_int_equal(up_files_begin(&files, &plan, &err), 0);
    assert_int_equal(up_files_fill(&files, &source, &err), UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "root /card: a file in it takes no hard link"));
    assert_int_equal(up_files_sweep(&files, false, &err), 0);
    up_files_close(&files);
    sim_free(sim);
}

static void other_content_is_not_staged(void **state)
{
    const struct up_files_source other = {NULL, other_content, NULL};
    struct world *w = *state;

    begin(w);
    assert_int_equal(up_files_fill(&w->files, &other, &w->err), UP_UNTRUSTED);
    assert_as_before(w);
}

static void what_appeared_is_not_written_over(void **state)
{
    struct world *w = *state;
    char *now;

    begin(w);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    assert_int_equal(w->storage->ops->mkdir(w->storage, "/app/new", 0700), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), UP_INCOMPATIBLE);
    assert_int_equal(w->storage->ops->rmdir(w->storage, "/app/new"), 0);
    assert_as_before(w);
    now = sim_dump(w->sim, STATE "/files");
    assert_null(strstr(now, "foreign"));
    free(now);
}

static void what_others_put_there_is_kept(void **state)
{
    struct world *w = *state;
    char *kept;

    begin(w);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_int_equal(tree_disturb(w->storage), 0);
    assert_as_before(w);
    kept = sim_get(w->sim, STATE "/files/foreign/1122334455667788-3", NULL);
    assert_string_equal(kept, "and made this anew");
    free(kept);
    kept = sim_get(w->sim, STATE "/files/foreign/1122334455667788-10", NULL);
    assert_non_null(strstr(kept, "somebody else"));
    free(kept);
}

static void assert_stuck(struct world *w, const char *expected)
{
    char path[UP_PATH_SIZE];

    memset(path, 'x', sizeof path);
    up_files_stuck(&w->files, path, sizeof path);
    assert_string_equal(path, expected);
}

static int damage(void *user, const char *name, enum up_node_kind kind)
{
    struct world *w = user;
    char path[256];
    int file;

    if (kind != UP_NODE_FILE || strncmp(name, "stage.", 6) == 0)
        return 0;
    snprintf(path, sizeof path, STATE "/files/%s", name);
    file = w->storage->ops->open(w->storage, path, UP_UPDATE, 0);
    assert_int_equal(w->storage->ops->pwrite(w->storage, file, "damaged", 7, 20), 0);
    return w->storage->ops->close(w->storage, file);
}

static void a_plan_that_is_lost_is_told(void **state)
{
    struct world *w = *state;

    begin(w);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_int_equal(w->storage->ops->list(w->storage, STATE "/files", damage, w), 0);
    open_again(w);
    assert_true(w->files.lost);
    assert_stuck(w, STATE "/files");
    assert_int_equal(up_files_undo(&w->files, &w->err), UP_STATELOST);
}

/* For people: the first thing in the way of the old tree, from the end of the plan on. */
static void where_it_is_stuck_is_told(void **state)
{
    struct world *w = *state;

    assert_stuck(w, "");
    begin(w);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    assert_stuck(w, "");
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_stuck(w, "/app/etc/link");
    assert_int_equal(w->storage->ops->unlink(w->storage, "/card/.moult-1122334455667788.here"), 0);
    assert_stuck(w, "/card");
}

/* One copy of it is enough, also when the other is not there. */
static int lose_first_copy(void *user, const char *name, enum up_node_kind kind)
{
    struct world *w = user;
    size_t len = strlen(name);
    char path[128];

    if (kind != UP_NODE_FILE || len < 64 || strcmp(name + len - 2, ".0") != 0)
        return 0;
    snprintf(path, sizeof path, STATE "/files/%s", name);
    w->lost++;
    return w->storage->ops->unlink(w->storage, path);
}

static void one_copy_of_a_plan_is_enough(void **state)
{
    struct world *w = *state;

    begin(w);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    assert_int_equal(w->storage->ops->list(w->storage, STATE "/files", lose_first_copy, w), 0);
    assert_true(w->lost > 0);
    open_again(w);
    assert_false(w->files.lost);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
}

/* From the plan to the new tree and back; what failed first. */
static int there_and_back(struct world *w)
{
    struct up_files_plan plan;
    int rc;

    tree_plan(&flow, &plan);
    rc = up_files_begin(&w->files, &plan, &w->err);
    if (rc == 0)
        rc = up_files_fill(&w->files, &source, &w->err);
    if (rc == 0)
        rc = up_files_switch(&w->files, &w->err);
    if (rc == 0)
        rc = up_files_undo(&w->files, &w->err);
    return rc < 0 ? rc : up_files_sweep(&w->files, false, &w->err);
}

static bool is_tried_again(enum sim_op op)
{
    return op == SIM_OPEN || op == SIM_PREAD || op == SIM_DROP_CACHE;
}

/* But for what the other half of a record or a second try makes good, what is replaced unread, and what
 * is tidied up: no more of that than there was. */
static void whatever_fails_is_said(void **state)
{
    unsigned failures = 0, unsaid = 0;

    (void)state;
    for (int op = SIM_OPEN; op < SIM_OPS; op++) {
        bool met = true;

        for (unsigned n = 1; met; n++) {
            struct world *w;
            void *room = NULL;
            int rc;

            assert_int_equal(enter(&room), 0);
            w = room;
            sim_reset_counters(w->sim);
            sim_fail(w->sim, (enum sim_op)op, n, EIO, false);
            rc = there_and_back(w);
            met = sim_fault_hits(w->sim) > 0;
            assert_true(met || rc == 0);
            if (rc == UP_INCOMPATIBLE) /* that would be the package's fault */
                fail_msg("%s %u failed: %s", sim_op_name((enum sim_op)op), n, w->err.message);
            failures += met;
            unsaid += met && rc == 0 && !is_tried_again((enum sim_op)op);
            sim_fail(w->sim, SIM_OPS, 0, 0, false);
            assert_int_equal(leave(&room), 0);
        }
    }
    assert_true(failures > 700);
    assert_in_range(unsaid, 1, 34);
}

static int count_one(void *user, const char *name, enum up_node_kind kind)
{
    (void)name, (void)kind;
    ++*(unsigned *)user;
    return 0;
}

static unsigned files_in(struct sim *sim, const char *folder)
{
    unsigned count = 0;

    assert_int_equal(sim_storage(sim)->ops->list(sim_storage(sim), folder, count_one, &count), 0);
    return count;
}

static void both_copies_are_written_or_it_is_said(void **state)
{
    bool met = true;

    (void)state;
    for (unsigned n = 1; met; n++) {
        struct sim *sim = sim_new();
        uint8_t digest[UP_SHA256_SIZE];
        struct up_error err;
        int rc;

        sim_put_dir(sim, "/twins", 0700);
        sim_fail(sim, SIM_CHANGES, n, EIO, false);
        rc = up_files_twin_write(sim_storage(sim), "/twins", "text", 4, digest, &err);
        met = sim_fault_hits(sim) > 0;
        assert_int_equal(rc, met ? UP_WRITE : 0);
        if (!met)
            assert_int_equal(files_in(sim, "/twins"), 2);
        sim_free(sim);
    }
}

/* Every field; and what is of another plan, or none, is refused. */
static void what_was_found_reads_as_it_was_written(void **state)
{
    struct up_files_found in[3] = {{.there = true, .digest = {1, 2, 3}}, {.there = false}, {.there = true}},
                          *out;
    struct up_error err;
    uint8_t *bytes;
    size_t len;

    (void)state;
    in[0].st = (struct up_stat){
        .kind = UP_NODE_FILE, .mode = 04751, .owner = 5, .group = 6, .size = UINT64_C(1) << 33, .inode = 77};
    in[1].st.kind = UP_NODE_OTHER;
    in[2].st = (struct up_stat){.kind = UP_NODE_LINK, .mode = 0777, .inode = UINT64_C(1) << 40};
    in[2].digest[UP_SHA256_SIZE - 1] = 9;
    assert_int_equal(up_files_found_encode(in, 3, &bytes, &len, &err), 0);
    assert_int_equal(up_files_found_decode(&out, 3, bytes, len, &err), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(out[i].there, in[i].there);
        assert_int_equal(out[i].st.kind, in[i].st.kind);
        assert_int_equal(out[i].st.mode, in[i].st.mode);
        assert_int_equal(out[i].st.owner, in[i].st.owner);
        assert_int_equal(out[i].st.group, in[i].st.group);
        assert_int_equal(out[i].st.size, in[i].st.size);
        assert_int_equal(out[i].st.inode, in[i].st.inode);
        assert_memory_equal(out[i].digest, in[i].digest, UP_SHA256_SIZE);
    }
    free(out);
    assert_int_equal(up_files_found_decode(&out, 2, bytes, len, &err), UP_INCOMPATIBLE);
    bytes[0] ^= 1;
    assert_int_equal(up_files_found_decode(&out, 3, bytes, len, &err), UP_INCOMPATIBLE);
    free(bytes);
}

/* In place of what a stage wrote: `at` bytes of it, the byte there another, or one left out. */
static void refuse_stage(struct sim *sim, struct up_files_record *r, size_t at, uint8_t byte, bool left_out)
{
    struct up_record raw = r->record;
    struct up_files_stage out;
    struct up_error err;
    uint8_t value[512];
    size_t len;

    raw.fits = NULL;
    assert_int_equal(up_record_read(&raw, value, sizeof value, &len, &err), 0);
    value[at] = byte;
    for (int i = 0; i < 2; i++) /* both halves */
        assert_int_equal(up_record_write(&raw, value, len - left_out, &err), 0);
    assert_int_equal(up_files_stage_read(r, &out, &err), UP_STATELOST);
    assert_int_equal(sim_open_files(sim), 0);
}

static void a_stage_reads_as_it_was_written(void **state)
{
    const size_t size = offsetof(struct up_files_stage, boot_id) + sizeof((struct up_files_stage){0}).boot_id;
    const struct up_files_stage in = {
        .step = UP_FILES_SWITCHED, .plan = {1}, .found = {2}, .ran = {3}, .boot_id = "the boot"};

    (void)state;
    for (int bad = 0; bad < 4; bad++) {
        struct sim *sim = sim_new();
        struct up_files_record r;
        struct up_files_stage out;
        struct up_error err;

        sim_put_dir(sim, "/files", 0700);
        assert_int_equal(up_files_stage_init(&r, sim_storage(sim), "/files", "stage", &err), 0);
        memset(&out, 0xff, sizeof out);
        assert_int_equal(up_files_stage_read(&r, &out, &err), 0);
        assert_memory_equal(&out, &(struct up_files_stage){.step = UP_FILES_NONE}, size);
        sim_fail(sim, SIM_CHANGES, 1, EROFS, true);
        assert_int_equal(up_files_stage_prepare(&r, &err), UP_WRITE);
        sim_fail(sim, SIM_OPS, 0, 0, false);
        assert_int_equal(up_files_stage_prepare(&r, &err), 0);
        assert_int_equal(up_files_stage_write(&r, &in, &err), 0);
        assert_true(sim_exists(sim, "/files/stage.0") && sim_exists(sim, "/files/stage.1"));
        assert_int_equal(up_files_stage_read(&r, &out, &err), 0);
        assert_memory_equal(&out, &in, size);
        if (bad == 0)
            refuse_stage(sim, &r, 0, 99, false); /* of another form */
        else if (bad == 1)
            refuse_stage(sim, &r, 4, UP_FILES_STEPS, false);
        else if (bad == 2)
            refuse_stage(sim, &r, 8 + 3 * UP_SHA256_SIZE + 36, 'x', false); /* a boot without an end */
        else
            refuse_stage(sim, &r, 8, 1, true);
        sim_free(sim);
    }
}

static void which_boot_began_to_switch_is_on_record(void **state)
{
    struct world *w = *state;
    char id[37];

    begin(w);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    assert_string_equal(w->files.stage.boot_id, "");
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    open_again(w);
    assert_int_equal(w->storage->ops->boot_id(w->storage, id), 0);
    assert_string_equal(w->files.stage.boot_id, id);
}

/* Only what a weak file system may have lost is looked at again in another boot. */
static void a_tree_without_weak_roots_is_not_switched_again(void **state)
{
    struct world *w = *state;
    struct sim *after;
    char first[37];

    begin(w);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    strcpy(first, w->files.stage.boot_id);
    after = sim_reboot(w->sim, &(struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS});
    up_files_close(&w->files);
    assert_int_equal(up_files_open(&w->files, sim_storage(after), STATE, &w->err), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_string_equal(w->files.stage.boot_id, first);
    sim_free(after);
}

/* Whatever lies in the folder and is no plan goes, also what is too large for one. */
static void a_plan_begins_in_a_tidy_folder(void **state)
{
    struct world *w = *state;
    size_t large = UP_FILES_PLAN_LIMIT + 1;
    char *bytes = calloc(1, large);

    sim_settle(w->sim);
    sim_put_text(w->sim, STATE "/files/rubbish", "of an earlier one");
    sim_put(w->sim, STATE "/files/large", bytes, large, 0600);
    free(bytes);
    begin(w);
    assert_false(sim_exists(w->sim, STATE "/files/rubbish"));
    assert_false(sim_exists(w->sim, STATE "/files/large"));
}

/* A write of the record that failed may still reach the medium, so a plan goes after both files say none. */
static void a_plan_goes_after_the_record_says_none_twice(void **state)
{
    const struct up_files_stage none = {.step = UP_FILES_NONE};
    struct up_files_stage stage;
    struct world *w = *state;

    for (int half = 0; half < 2; half++) {
        begin(w);
        assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
        assert_int_equal(up_files_stage_write(&w->files.record, &none, &w->err), 0);
        open_again(w);
        assert_int_equal(w->files.stage.step, UP_FILES_NONE);
        assert_int_equal(w->storage->ops->list(w->storage, STATE "/files", lose_first_copy, w), 0);
        assert_int_equal(up_files_tidy(&w->files, &w->err), 0);
        assert_int_equal(
            w->storage->ops->unlink(w->storage, half ? STATE "/files/stage.1" : STATE "/files/stage.0"), 0);
        assert_int_equal(up_files_stage_read(&w->files.record, &stage, &w->err), 0);
        assert_int_equal(stage.step, UP_FILES_NONE);
    }
}

/* From an update.ini to a plan. */

static const struct up_files_content contents[] = {{"main", 9, {1}}, {"x", 3, {2}}, {"y", 4, {3}}};
static const struct up_files_root roots[] = {{.path = "/app"}, {.path = "/card", .weak = true}};

static int make(struct world *w, struct up_files_plan *plan, struct up_update_ini *ini, const char *text)
{
    assert_int_equal(up_update_ini_parse(ini, text, strlen(text), &w->err), 0);
    return up_files_make(plan, w->storage, ini, contents, 3, roots, 2, &w->err);
}

static void assert_op(const struct up_files_op *op, enum up_files_kind kind, uint32_t root, const char *dir,
                      const char *name, unsigned mode)
{
    assert_int_equal(op->kind, kind);
    assert_int_equal(op->root, root);
    assert_string_equal(op->dir, dir);
    assert_string_equal(op->name, name);
    assert_int_equal(op->mode, mode);
}

/* What is mounted below a root may come late, as the root. */
static void a_mount_below_a_root_is_a_root(void **state)
{
    struct world *w = *state;
    struct up_files_plan plan;
    struct up_update_ini ini;

    sim_put_mount(w->sim, "/card/part", 2, false);
    sim_put_mount(w->sim, "/card/part/deep/other", 3, false);
    sim_put_dir(w->sim, "/card/part/etc", 0755);
    for (unsigned n = 1; n <= 4; n++) { /* for the plan, two roots, and what is mounted below one */
        sim_reset_counters(w->sim);
        sim_fail(w->sim, SIM_GET_RANDOM, n, EIO, false);
        assert_int_equal(make(w, &plan, &ini, "x\t/card/part\t1\t4\n"), UP_INTERNAL);
        up_update_ini_free(&ini);
    }
    assert_int_equal(make(w, &plan, &ini,
                          "x\t/card/part\t1\t4\n"
                          "y\t/card/part/etc\t1\t4\n"
                          "main\t/card/part/deep/other\t28\t2\n"
                          "new\t/card\t1\t1\n"),
                     0);
    assert_int_equal(plan.root_count, 4);
    assert_string_equal(plan.root[2].path, "/card/part");
    assert_string_equal(plan.root[3].path, "/card/part/deep/other");
    assert_true(plan.root[2].weak && plan.root[3].weak);
    assert_memory_not_equal(plan.root[2].here, plan.root[1].here, UP_FILES_HERE_SIZE);
    assert_op(&plan.op[0], UP_FILES_PUT, 2, "", "x", 0644);
    assert_op(&plan.op[1], UP_FILES_PUT, 2, "etc", "y", 0644);
    assert_op(&plan.op[2], UP_FILES_PUT, 3, "", "main", 0755);
    assert_op(&plan.op[3], UP_FILES_MAKE_DIR, 1, "", "new", 0755);
    assert_int_equal(plan.program[0].root, 3);
    assert_string_equal(plan.program[0].dir, "");
    up_files_plan_free(&plan);
    up_update_ini_free(&ini);
}

static void a_plan_is_made_of_the_lines(void **state)
{
    struct world *w = *state;
    struct up_files_plan plan;
    struct up_update_ini ini;
    uint8_t *bytes;
    size_t len;

    assert_int_equal(make(w, &plan, &ini,
                          "main\t/app/bin\t28\t2\n"  /* over one that is there; stop, start */
                          "new\t/app\t1\t1\n"        /* a directory, */
                          "deep\t/app/new\t1\t1\n"   /* one in it, */
                          "x\t/app/new/deep\t1\t4\n" /* and a file in that */
                          "etc\t/app\t1\t1\n"        /* is there already */
                          "y\t/app/etc\t1\t2\n"      /* so this is put */
                          "data\t/app\t2\t1\n"       /* a directory goes, */
                          "never\t/card\t2\t4\n"     /* and what is not there */
                          "z\t/card/nowhere\t2\t4\n" /* nor can be */
                          "image\t/card\t16\t2\n"    /* only started, */
                          "image\t/card\t8\t2\n"),   /* and stopped */
                     0);
    assert_int_equal(plan.program_count, 2);
    assert_true(plan.program[1].stop && plan.program[1].start && plan.program[1].root == 1);
    assert_string_equal(plan.program[0].dir, "bin");
    assert_string_equal(plan.program[0].name, "main");
    assert_int_equal(plan.op_count, 7);
    assert_true(!plan.root[0].weak && plan.root[1].weak);
    assert_op(&plan.op[0], UP_FILES_PUT, 0, "bin", "main", 0755);
    assert_int_equal(plan.op[0].size, 9);
    assert_op(&plan.op[1], UP_FILES_MAKE_DIR, 0, "", "new", 0755);
    assert_op(&plan.op[2], UP_FILES_INSIDE_DIR, 0, "", "deep", 0755);
    assert_op(&plan.op[3], UP_FILES_INSIDE, 0, "deep", "x", 0644);
    assert_int_equal(plan.op[3].parent, 1);
    assert_int_equal(plan.op[3].content, 1);
    assert_op(&plan.op[4], UP_FILES_PUT, 0, "etc", "y", 0755);
    assert_op(&plan.op[5], UP_FILES_DELETE, 0, "", "data", 0);
    assert_op(&plan.op[6], UP_FILES_DELETE, 1, "", "never", 0);
    assert_int_equal(up_files_plan_encode(&plan, &bytes, &len, &w->err), 0);
    free(bytes);
    up_files_plan_free(&plan);
    up_update_ini_free(&ini);
}

static const struct {
    const char *text, *said;
    int code;
} refused[] = {
    {"main\t/application\t1\t2\n", "line 1: /application/main: lies below none of the roots",
     UP_INCOMPATIBLE},
    {"main\t/\t1\t2\n", "below none of the roots", UP_INCOMPATIBLE},
    {"\nmain\t/app/none\t1\t2\n", "line 2: /app/none/main: there is no such directory", UP_MISSING},
    {"main\t/app/out\t1\t2\n", "a link or a file is on the way", UP_INCOMPATIBLE},
    {"main\t/app/gone\t1\t2\n", "a link or a file is on the way", UP_INCOMPATIBLE},
    {"gone\t/app\t1\t1\n", "no directory is there", UP_INCOMPATIBLE},
    {"other\t/app\t1\t2\n", "is not in the package", UP_MISSING},
};

static void a_line_that_cannot_be_done_is_named(void **state)
{
    struct world *w = *state;
    struct up_files_plan plan;
    struct up_update_ini ini;

    sim_put_link(w->sim, "/app/out", "/device");
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(make(w, &plan, &ini, refused[i].text), refused[i].code);
        if (!strstr(w->err.message, refused[i].said))
            fail_msg("%s", w->err.message);
        up_update_ini_free(&ini);
    }
}

/* From the part of a package to the tree. */

#define PART STATE "/files.tar"

struct archive {
    uint8_t data[8192];
    size_t size;
};

static void pack(struct archive *a, const char *name, const char *content)
{
    struct up_tar_entry entry = {.mode = 0644, .size = strlen(content)};
    struct up_error err;

    strcpy(entry.name, name);
    assert_int_equal(up_tar_put(a->data + a->size, &entry, &err), 0);
    memcpy(a->data + a->size + UP_TAR_BLOCK, content, entry.size);
    a->size += UP_TAR_BLOCK + (size_t)up_tar_padded(entry.size);
}

static void put_part(struct world *w, struct archive *a)
{
    static const char text[] = "main\t/app/bin\t28\t2\nx\t/app/etc\t1\t4\nx\t/card\t1\t4\ngone\t/app\t2\t4\n";

    memset(a, 0, sizeof *a);
    pack(a, UP_UPDATE_INI, text);
    pack(a, "main", "a new program");
    pack(a, "x", "used twice");
    a->size += UP_TAR_END;
    sim_put(w->sim, PART, a->data, a->size, 0600);
}

static void assert_holds(struct world *w, const char *path, const char *text)
{
    char *found = sim_get(w->sim, path, NULL);

    assert_non_null(found);
    assert_string_equal(found, text);
    free(found);
}

/* From the part in the state directory to staged, or how that ends. */
static int stage_part(struct world *w)
{
    struct up_files_part part;
    struct up_files_plan plan;
    struct up_files_source from;
    uint8_t bytes[64];
    int rc = up_files_part_open(&part, w->storage, PART, &w->err);

    if (rc < 0)
        return rc;
    from = up_files_part_source(&part);
    assert_int_equal(from.read(from.user, part.archive.members, bytes, 1, 0, &w->err), UP_INTERNAL);
    assert_int_equal(from.read(from.user, 0, bytes, 4, 0, &w->err), 4);
    assert_int_equal(from.read(from.user, 0, bytes, sizeof bytes, 0, &w->err), part.content[0].size);
    assert_int_equal(up_files_make(&plan, w->storage, &part.archive.ini, part.content, part.archive.members,
                                   roots, 2, &w->err),
                     0);
    rc = up_files_begin(&w->files, &plan, &w->err);
    if (rc == 0)
        rc = up_files_fill(&w->files, &from, &w->err);
    up_files_plan_free(&plan);
    up_files_part_close(&part);
    return rc;
}

/* A spool that cannot be read is no part, and nothing waits for it. */
static void a_part_that_cannot_be_read_is_said(void **state)
{
    struct world *w = *state;
    struct archive a;

    put_part(w, &a);
    sim_reset_counters(w->sim);
    sim_fail(w->sim, SIM_PREAD, 1, EIO, true);
    assert_int_equal(stage_part(w), UP_WRITE);
    assert_non_null(strstr(w->err.message, PART));
    sim_fail(w->sim, SIM_PREAD, 0, 0, false);
}

static void a_part_becomes_the_tree(void **state)
{
    struct world *w = *state;
    struct archive a;

    put_part(w, &a);
    assert_int_equal(stage_part(w), 0);
    open_again(w);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_int_equal(up_files_sweep(&w->files, true, &w->err), 0);
    assert_holds(w, "/app/bin/main", "a new program");
    assert_holds(w, "/app/etc/x", "used twice");
    assert_holds(w, "/card/x", "used twice");
    assert_false(sim_exists(w->sim, "/app/gone"));
}

static void a_part_that_is_torn_is_refused(void **state)
{
    struct world *w = *state;
    struct archive a;

    assert_int_equal(stage_part(w), UP_MISSING);
    put_part(w, &a);
    for (size_t cut = 0; cut < a.size; cut += 100) {
        sim_put(w->sim, PART, a.data, cut, 0600);
        assert_int_equal(stage_part(w), UP_UNTRUSTED);
    }
    a.data[0] ^= 1;
    sim_put(w->sim, PART, a.data, a.size, 0600);
    assert_int_equal(stage_part(w), UP_UNTRUSTED);
}

/* Each write stores a flipped bit, in one device after the other. */
static void what_is_written_wrong_is_noticed(void **state)
{
    unsigned noticed = 0;

    (void)state;
    for (unsigned n = 1; n <= 30; n++) {
        struct archive a;
        struct world *w;
        void *other = NULL;
        int rc;

        assert_int_equal(enter(&other), 0);
        w = other;
        put_part(w, &a);
        w->before = tree_whole(w->sim);
        sim_flip_write(w->sim, n);
        rc = stage_part(w);
        noticed += rc == UP_UNTRUSTED;
        if (rc == UP_UNTRUSTED)
            assert_as_before(w);
        assert_int_equal(leave(&other), 0);
    }
    assert_int_equal(noticed, 3);
}

/* The same on the system. */
static void the_system_does_as_the_simulator(void **state)
{
    static const char old[] = "old";
    char top[] = "/tmp/files_check.XXXXXX", app[64], device[64], path[128];
    struct up_files_op op[] = {{.kind = UP_FILES_PUT, .dir = "bin", .name = "main", .mode = 0755}};
    struct up_files_plan plan = {.id = {9}, .root_count = 1, .op = op, .op_count = 1};
    const struct up_files_source other = {NULL, other_content, NULL};
    struct up_storage *s = up_storage_system();
    struct up_files files;
    struct up_error err;
    struct stat st;
    char *text;

    (void)state;
    assert_non_null(mkdtemp(top));
    snprintf(app, sizeof app, "%s/app", top);
    snprintf(device, sizeof device, "%s/device", top);
    snprintf(path, sizeof path, "%s/app/bin", top);
    assert_int_equal(mkdir(app, 0755) | mkdir(path, 0755) | mkdir(device, 0700), 0);
    snprintf(path, sizeof path, "%s/app/bin/main", top);
    assert_int_equal(up_storage_write_file(s, path, old, 3, 0711, &err), 0);
    assert_int_equal(chmod(path, 0711), 0);
    plan.root[0].path = app;
    op[0].size = 8;
    up_sha256("xxxxxxxx", 8, op[0].digest);
    assert_int_equal(up_files_open(&files, s, device, &err), 0);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(up_files_begin(&files, &plan, &err), 0);
        assert_int_equal(up_files_fill(&files, &other, &err), 0);
        assert_int_equal(up_files_switch(&files, &err), 0);
        if (round == 0)
            assert_int_equal(up_files_undo(&files, &err), 0);
        assert_int_equal(up_files_sweep(&files, round == 1, &err), 0);
        assert_int_equal(up_storage_read_file(s, path, 100, &text, NULL, &err), 0);
        assert_string_equal(text, round == 0 ? "old" : "xxxxxxxx");
        free(text);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0711);
        assert_int_equal(st.st_nlink, 1);
    }
    up_files_close(&files);
    assert_int_equal(up_storage_remove_tree(s, top, &err), 0);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_has_a_row),
        cmocka_unit_test(it_is_decided_as_told),
        IN_WORLD(a_tree_is_switched_and_put_back),
        cmocka_unit_test(each_step_goes_on_where_it_was_killed),
        IN_WORLD(going_back_is_on_record_first),
        IN_WORLD(each_operation_is_a_step),
        IN_WORLD(one_plan_at_a_time),
        IN_WORLD(nothing_is_done_without_every_root),
        IN_WORLD(a_mount_below_a_deleted_folder_is_refused),
        IN_WORLD(a_target_that_is_a_mount_is_refused),
        IN_WORLD(a_folder_that_is_there_is_not_made),
        IN_WORLD(a_link_on_the_way_is_refused),
        IN_WORLD(no_room_changes_nothing),
        IN_WORLD(what_others_set_after_staging_is_kept),
        IN_WORLD(what_nobody_signed_takes_no_setuid_bits),
        IN_WORLD(room_that_was_kept_is_given_up_to_go_back),
        IN_WORLD(no_room_is_kept_where_renaming_takes_none),
        IN_WORLD(a_name_that_cannot_be_is_refused),
        IN_WORLD(names_that_the_file_system_folds_are_refused),
        IN_WORLD(names_to_delete_that_are_one_are_refused),
        IN_WORLD(another_spelling_of_a_target_is_refused),
        IN_WORLD(names_that_differ_are_taken_where_case_is_folded),
        IN_WORLD(room_is_asked_for_before_the_first_file),
        IN_WORLD(files_that_cannot_be_made_are_refused),
        IN_WORLD(copies_need_room),
        IN_WORLD(what_became_read_only_is_told_before_a_target_changes),
        cmocka_unit_test(a_root_without_links_must_be_weak),
        IN_WORLD(other_content_is_not_staged),
        IN_WORLD(what_appeared_is_not_written_over),
        IN_WORLD(what_others_put_there_is_kept),
        IN_WORLD(a_plan_that_is_lost_is_told),
        IN_WORLD(where_it_is_stuck_is_told),
        IN_WORLD(one_copy_of_a_plan_is_enough),
        cmocka_unit_test(whatever_fails_is_said),
        cmocka_unit_test(both_copies_are_written_or_it_is_said),
        cmocka_unit_test(what_was_found_reads_as_it_was_written),
        cmocka_unit_test(a_stage_reads_as_it_was_written),
        IN_WORLD(which_boot_began_to_switch_is_on_record),
        IN_WORLD(a_tree_without_weak_roots_is_not_switched_again),
        IN_WORLD(a_plan_begins_in_a_tidy_folder),
        IN_WORLD(a_plan_goes_after_the_record_says_none_twice),
        IN_WORLD(a_mount_below_a_root_is_a_root),
        IN_WORLD(a_plan_is_made_of_the_lines),
        IN_WORLD(a_line_that_cannot_be_done_is_named),
        IN_WORLD(a_part_becomes_the_tree),
        IN_WORLD(a_part_that_cannot_be_read_is_said),
        IN_WORLD(a_part_that_is_torn_is_refused),
        cmocka_unit_test(what_is_written_wrong_is_noticed),
        cmocka_unit_test(the_system_does_as_the_simulator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
