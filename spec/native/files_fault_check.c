/*
 * files_fault_check.c -- any one call fails while a tree is switched: what is said to be done is
 * done, and the tree can be put back. Power cuts, and faults that stay, are spec/crash/files.c's.
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

static void assert_text(char *now, const char *then, enum sim_op op, unsigned n)
{
    if (strcmp(now, then) != 0)
        fail_msg("%s %u failed: there is\n%s\ninstead of\n%s", sim_op_name(op), n, now, then);
    free(now);
}

/* Call `n` of one kind fails once while a staged tree is switched. Whether there was one. */
static bool goes_back_after(const struct world *w, const char *after, enum sim_op op, unsigned n)
{
    struct sim *sim = sim_clone(w->sim);
    struct world there = {.sim = sim, .storage = sim_storage(sim)};
    bool met;

    assert_int_equal(up_files_open(&there.files, there.storage, STATE, &there.err), 0);
    sim_reset_counters(sim);
    sim_fail(sim, op, n, EIO, false);
    if (up_files_switch(&there.files, &there.err) == 0)
        assert_text(tree_visible(sim), after, op, n);
    met = sim_fault_hits(sim) > 0;
    sim_fail(sim, SIM_OPS, 0, 0, false);
    if (up_files_undo(&there.files, &there.err) < 0 || up_files_sweep(&there.files, false, &there.err) < 0)
        fail_msg("%s %u failed: %s", sim_op_name(op), n, there.err.message);
    assert_text(tree_whole(sim), w->before, op, n);
    up_files_close(&there.files);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
    return met;
}

static void go_back_after_each(const struct files_flow *of)
{
    const struct up_files_source source = {(void *)of, tree_content, NULL};
    char *after = tree_text(of, true);
    struct up_files_plan plan;
    unsigned failures = 0;
    void *room = NULL;
    struct world *w;

    assert_int_equal(world_enter(&room, of), 0);
    w = room;
    w->before = tree_whole(w->sim);
    tree_plan(of, &plan);
    assert_int_equal(up_files_begin(&w->files, &plan, &w->err), 0);
    assert_int_equal(up_files_fill(&w->files, &source, &w->err), 0);
    sim_settle(w->sim);
    for (int op = SIM_OPEN; op < SIM_OPS; op++)
        for (unsigned n = 1; goes_back_after(w, after, (enum sim_op)op, n); n++)
            failures++;
    assert_true(failures > 200);
    free(after);
    assert_int_equal(leave(&room), 0);
}

static void a_tree_goes_back_whatever_failed(void **state)
{
    (void)state;
    go_back_after_each(&(struct files_flow){.name = "check"});
}

static void without_links_it_does_too(void **state)
{
    (void)state;
    go_back_after_each(&(struct files_flow){.name = "check", .no_links = true});
}

/* Where a directory is copied before it is deleted. */
static void on_an_overlay_it_does_too(void **state)
{
    (void)state;
    go_back_after_each(&(struct files_flow){.name = "check", .overlay = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_goes_back_whatever_failed),
        cmocka_unit_test(without_links_it_does_too),
        cmocka_unit_test(on_an_overlay_it_does_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
