/*
 * files_record_check.c -- the record of how far a plan is, against what lies on the
 * medium: one of its files alone, a write that failed, and what was taken away meanwhile.
 */
#include "files_stand.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "error.h"
#include "files_ops.h"

static const struct files_flow flow = {.name = "check"};
static const struct up_files_source source = {NULL, tree_content, NULL};

static int enter(void **state)
{
    return world_enter(state, &flow);
}

static void stage(struct world *w)
{
    struct up_files_plan plan;

    tree_plan(&flow, &plan);
    assert_int_equal(up_files_begin(&w->files, &plan, &w->err), 0);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
}

static enum up_files_step step_on_record(struct world *w)
{
    up_files_close(&w->files);
    assert_int_equal(up_files_open(&w->files, w->storage, STATE, &w->err), 0);
    return w->files.stage.step;
}

static void refuse(struct world *w, enum sim_op op, unsigned n)
{
    sim_reset_counters(w->sim);
    sim_fail(w->sim, op, n, EIO, false);
}

/* Up to its first step on a target. */
static void begin_to_switch(struct world *w)
{
    for (unsigned n = 1; w->files.stage.step != UP_FILES_SWITCHING; n++) {
        refuse(w, SIM_LINK, n);
        assert_int_equal(up_files_switch(&w->files, &w->err), UP_WRITE);
    }
}

/* Whichever of the two files is gone, the other one says `step`. */
static void assert_in_both(struct world *w, enum up_files_step step)
{
    struct sim *sim = w->sim;
    char path[64];

    for (int half = 0; half < 2; half++) {
        w->sim = sim_clone(sim);
        w->storage = sim_storage(w->sim);
        snprintf(path, sizeof path, STATE "/files/stage.%d", half);
        assert_int_equal(w->storage->ops->unlink(w->storage, path), 0);
        assert_int_equal(step_on_record(w), step);
        up_files_close(&w->files);
        sim_free(w->sim);
    }
    w->sim = sim;
    w->storage = sim_storage(sim);
    assert_int_equal(up_files_open(&w->files, w->storage, STATE, &w->err), 0);
}

static void a_changed_tree_is_on_record_in_both_files(void **state)
{
    struct world *w = *state;

    stage(w);
    begin_to_switch(w);
    assert_in_both(w, UP_FILES_SWITCHING);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    refuse(w, SIM_RENAME, 1);
    assert_int_equal(up_files_undo(&w->files, &w->err), UP_WRITE);
    assert_in_both(w, UP_FILES_UNDOING);
    assert_int_equal(up_files_undo(&w->files, &w->err), 0);
    assert_int_equal(up_files_sweep(&w->files, false, &w->err), 0);
    assert_in_both(w, UP_FILES_NONE);
}

/* That the system refuses to show the record says nothing of the tree: it is not taken for none. */
static void a_record_that_may_not_be_read_is_not_taken_for_none(void **state)
{
    struct world *w = *state;
    unsigned refused = 0;

    stage(w);
    for (unsigned n = 1; n < 20; n++) {
        struct up_files files;

        sim_reset_counters(w->sim);
        sim_fail(w->sim, SIM_PREAD, n, EACCES, false);
        if (up_files_open(&files, w->storage, STATE, &w->err) < 0) {
            refused++;
            continue;
        }
        assert_int_equal(files.stage.step, UP_FILES_STAGED);
        up_files_close(&files);
    }
    assert_true(refused >= 2); /* either file */
}

/* A file that took the place of another, and went back, is like one that never was replaced. */
static void assert_each_went_back(const struct world *w)
{
    const struct up_files_work work = {w->storage, w->files.folder, &w->files.plan, w->files.found};
    struct up_error err;
    bool is;

    for (uint32_t n = 0; n < w->files.plan.op_count; n++) {
        if (!up_files_plan_is_step(&w->files.plan.op[n]) || !w->files.found[n].there)
            continue;
        assert_int_equal(up_files_op_is_done(&work, n, true, &is, &err), 0);
        assert_false(is);
        assert_int_equal(up_files_op_is_done(&work, n, false, &is, &err), 0);
        assert_true(is);
    }
}

static void the_tree_tells_what_the_record_cannot(void **state)
{
    struct world *w = *state;

    stage(w);
    begin_to_switch(w);
    assert_true(up_files_is(&w->files, false));
    assert_false(up_files_is(&w->files, true));
    refuse(w, SIM_RENAME, 2);
    assert_int_equal(up_files_switch(&w->files, &w->err), UP_WRITE);
    assert_false(up_files_is(&w->files, false));
    assert_false(up_files_is(&w->files, true));
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_true(up_files_is(&w->files, true));
    assert_false(up_files_is(&w->files, false));
    assert_int_equal(up_files_undo(&w->files, &w->err), 0);
    assert_int_equal(w->files.stage.step, UP_FILES_UNDOING);
    assert_true(up_files_is(&w->files, false));
    assert_each_went_back(w);
    assert_int_equal(up_files_sweep(&w->files, false, &w->err), 0);
}

/* Each file of ours in turn, also one inside a new folder. */
static void a_switch_begins_only_with_all_that_was_staged(void **state)
{
    struct world *w = *state;
    char *whole, *line, *rest = NULL, *before;
    unsigned taken = 0;

    stage(w);
    whole = tree_whole(w->sim);
    before = tree_visible(w->sim);
    for (line = strtok_r(whole, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const char *path = strchr(line, '/');
        struct sim *sim = w->sim;
        char name[256], *now;

        if (!path || !strstr(path, ".moult-") || !strstr(path, ".new"))
            continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(path, " "), path);
        w->sim = sim_clone(sim);
        w->storage = sim_storage(w->sim);
        if (w->storage->ops->unlink(w->storage, name) == 0) {
            taken++;
            assert_int_equal(step_on_record(w), UP_FILES_STAGED);
            assert_int_equal(up_files_switch(&w->files, &w->err), UP_WRITE);
            assert_non_null(strstr(w->err.message, "what was staged for it is gone"));
            now = tree_visible(w->sim);
            assert_string_equal(now, before);
            free(now);
            up_files_close(&w->files);
        }
        sim_free(w->sim);
        w->sim = sim;
        w->storage = sim_storage(sim);
        assert_int_equal(step_on_record(w), UP_FILES_STAGED);
    }
    assert_true(taken >= 4);
    free(whole);
    free(before);
    assert_int_equal(up_files_sweep(&w->files, false, &w->err), 0);
}

/* Else it would never be found again, and nothing decided any more. */
static void what_marks_a_root_is_read_back(void **state)
{
    struct world *w = *state;
    struct up_files_plan plan;
    unsigned refused = 0;

    tree_plan(&flow, &plan);
    for (unsigned n = 1; n <= 12; n++) {
        struct sim *sim = w->sim;

        w->sim = sim_clone(sim);
        w->storage = sim_storage(w->sim);
        assert_int_equal(step_on_record(w), UP_FILES_NONE);
        sim_flip_medium(w->sim, n);
        if (up_files_begin(&w->files, &plan, &w->err) < 0)
            refused++;
        else
            assert_int_equal(up_files_check_here(&w->files, &w->err), 0);
        up_files_close(&w->files);
        sim_free(w->sim);
        w->sim = sim;
        w->storage = sim_storage(sim);
        assert_int_equal(step_on_record(w), UP_FILES_NONE);
    }
    assert_true(refused >= 2); /* both roots */
}

/* The folder of the record exists after the first try, and its name may be lost all the same. */
static void a_folder_whose_sync_failed_is_synced_again(void **state)
{
    struct world *w = *state;
    struct up_files_plan plan;
    struct sim *sim = w->sim;

    tree_plan(&flow, &plan);
    refuse(w, SIM_SYNC_DIR, 1);
    assert_int_equal(up_files_begin(&w->files, &plan, &w->err), UP_WRITE);
    assert_int_equal(up_files_begin(&w->files, &plan, &w->err), 0);
    w->sim = sim_reboot(sim, &(struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS});
    sim_free(sim);
    w->storage = sim_storage(w->sim);
    assert_int_equal(step_on_record(w), UP_FILES_STAGING);
}

struct names {
    struct up_storage *storage;
    const char *begin;
    unsigned removed;
};

static int remove_named(void *user, const char *name, enum up_node_kind kind)
{
    struct names *n = user;
    char path[256];

    (void)kind;
    if (strncmp(name, n->begin, strlen(n->begin)) != 0)
        return 0;
    snprintf(path, sizeof path, STATE "/files/%s", name);
    n->removed++;
    return n->storage->ops->unlink(n->storage, path);
}

/* A plan that waits under another one, and cannot be read: whose files are whose is not known. */
static void beside_a_suspended_plan_that_is_lost_nothing_is_removed(void **state)
{
    struct world *w = *state;
    char digest[2 * UP_SHA256_SIZE + 1], found[sizeof digest];
    struct names names = {w->storage, digest, 0};
    struct up_files_plan plan;
    struct up_files below;

    stage(w);
    begin_to_switch(w);
    up_hex(w->files.stage.plan, UP_SHA256_SIZE, digest);
    up_hex(w->files.stage.found, UP_SHA256_SIZE, found);
    refuse(w, SIM_PWRITE, 1);
    assert_int_equal(up_files_suspend(&w->files, &w->err), UP_WRITE);
    assert_int_equal(w->files.stage.step, UP_FILES_SWITCHING);
    assert_int_equal(up_files_suspend(&w->files, &w->err), 0);
    tree_plan(&flow, &plan);
    plan.id[0]++;
    assert_int_equal(up_files_begin(&w->files, &plan, &w->err), 0);
    assert_int_equal(w->storage->ops->list(w->storage, STATE "/files", remove_named, &names), 0);
    assert_int_equal(names.removed, 2);
    assert_int_equal(up_files_open_suspended(&w->files, &below, &w->err), UP_STATELOST);
    if (up_files_sweep(&w->files, false, &w->err) < 0)
        fail_msg("%s", w->err.message);
    names = (struct names){w->storage, found, 0};
    assert_int_equal(w->storage->ops->list(w->storage, STATE "/files", remove_named, &names), 0);
    assert_int_equal(names.removed, 2); /* they were there still */
}

static int count_old(void *user, const char *name, enum up_node_kind kind)
{
    (void)kind;
    *(unsigned *)user += strncmp(name, "stage.", 6) != 0;
    return 0;
}

/* Names that were removed do not come back, and one that may is told of. */
static void what_is_tidied_is_gone_for_good(void **state)
{
    static const struct sim_choice lost = {SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS};
    unsigned left = 0, told = 0;
    struct world *w = *state;
    struct sim *staged, *cut;

    stage(w);
    staged = sim_clone(w->sim);
    for (;;) {
        refuse(w, SIM_SYNC_DIR, told + 1);
        if (up_files_sweep(&w->files, false, &w->err) == 0)
            break;
        told++;
        up_files_close(&w->files);
        sim_free(w->sim);
        w->sim = sim_clone(staged);
        w->storage = sim_storage(w->sim);
        assert_int_equal(step_on_record(w), UP_FILES_STAGED);
    }
    assert_true(told > 0);
    cut = sim_reboot(w->sim, &lost);
    assert_int_equal(sim_storage(cut)->ops->list(sim_storage(cut), STATE "/files", count_old, &left), 0);
    assert_int_equal(left, 0);
    sim_free(cut);
    sim_free(staged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_changed_tree_is_on_record_in_both_files, enter, leave),
        cmocka_unit_test_setup_teardown(a_record_that_may_not_be_read_is_not_taken_for_none, enter, leave),
        cmocka_unit_test_setup_teardown(the_tree_tells_what_the_record_cannot, enter, leave),
        cmocka_unit_test_setup_teardown(a_switch_begins_only_with_all_that_was_staged, enter, leave),
        cmocka_unit_test_setup_teardown(what_marks_a_root_is_read_back, enter, leave),
        cmocka_unit_test_setup_teardown(a_folder_whose_sync_failed_is_synced_again, enter, leave),
        cmocka_unit_test_setup_teardown(what_is_tidied_is_gone_for_good, enter, leave),
        cmocka_unit_test_setup_teardown(beside_a_suspended_plan_that_is_lost_nothing_is_removed, enter,
                                        leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
