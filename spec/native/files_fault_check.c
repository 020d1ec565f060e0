/*
 * files_fault_check.c -- any one call fails while a tree is staged, switched, put back or kept: what is said
 * to be done is done, for good, and what is not is told, and can be done again or put back. Power cuts, and
 * faults that stay, are spec/crash/files.c's.
 */
#include "files_stand.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "error.h"

/* From a tree in a certain state to another one; it may be repeated. */
struct deed {
    const char *name;
    int (*act)(struct world *w, const struct files_flow *of);
    bool new_tree; /* what there is then */
    bool ends;     /* and nothing else */
};

static int stage(struct world *w, const struct files_flow *of)
{
    if (up_files_sweep(&w->files, false, &w->err) < 0)
        return w->err.code;
    return world_fill(w, of) ? w->err.code : 0;
}

static int make_new(struct world *w, const struct files_flow *of)
{
    (void)of;
    return up_files_switch(&w->files, &w->err);
}

static int put_back(struct world *w, const struct files_flow *of)
{
    (void)of;
    return up_files_undo(&w->files, &w->err) < 0 ? w->err.code : up_files_sweep(&w->files, false, &w->err);
}

static int keep_new(struct world *w, const struct files_flow *of)
{
    (void)of;
    return up_files_sweep(&w->files, true, &w->err);
}

static const struct deed staging = {"stage", stage, false, false},
                         switching = {"switch", make_new, true, false},
                         going_back = {"put back", put_back, false, true},
                         keeping = {"keep", keep_new, true, true};

/* One fault of one deed. */
struct fault {
    const struct files_flow *of;
    const struct deed *deed;
    enum sim_op op;
    unsigned n;
    bool late;      /* what the call was to do has happened all the same */
    bool disturbed; /* other programs wrote into the new tree, and a file system lost some of the old one */
};

static void wrong(const struct fault *f, const char *what, const char *more)
{
    fail_msg("%s%s%s: %s %u failed%s: %s: %s", f->deed->name, f->of->no_links ? ", no links" : "",
             f->of->overlay ? ", overlay" : "", sim_op_name(f->op), f->n, f->late ? " late" : "", what, more);
}

static void must_be(const struct fault *f, const struct sim *sim, bool new_tree, bool whole)
{
    char *now = whole ? tree_whole(sim) : tree_visible(sim), *then = tree_text(f->of, new_tree);

    if (strcmp(now, then) != 0)
        wrong(f, "there is", now);
    free(now);
    free(then);
    if (whole && f->disturbed && !new_tree && !tree_kept_what_disturbed(sim, STATE "/files/foreign"))
        wrong(f, "lost", "what another program wrote");
}

/* The power goes now: that was for good. */
static void must_stay(const struct fault *f, const struct sim *sim)
{
    struct sim *then = sim_reboot(sim, &(struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS});

    must_be(f, then, f->deed->new_tree, false);
    sim_free(then);
}

static void must_work(const struct fault *f, const struct deed *deed, struct world *w)
{
    if (deed->act(w, f->of) < 0)
        wrong(f, deed->name, w->err.message);
    must_be(f, w->sim, deed->new_tree, deed->ends);
}

/* Whether there was such a call. */
static bool works_out(const struct fault *f, const struct sim *from)
{
    struct sim *sim = sim_clone(from);
    struct world w = {.sim = sim, .storage = sim_storage(sim)};
    bool met;
    int rc;

    assert_int_equal(up_files_open(&w.files, w.storage, STATE, &w.err), 0);
    w.err = (struct up_error){.code = 0};
    sim_reset_counters(sim);
    if (f->late)
        sim_fail_late(sim, f->op, f->n, EIO, false);
    else
        sim_fail(sim, f->op, f->n, EIO, false);
    rc = f->deed->act(&w, f->of);
    met = sim_fault_hits(sim) > 0;
    sim_fail(sim, SIM_OPS, 0, 0, false);
    if (rc < 0 && (rc != w.err.code || !strstr(w.err.message, strerror(EIO))))
        wrong(f, "not told, but", w.err.message);
    if (rc == 0) {
        must_be(f, sim, f->deed->new_tree, false);
        if (met)
            must_stay(f, sim);
    }
    if (rc == 0 || f->n % 2 || f->deed->ends) /* or back at once */
        must_work(f, f->deed, &w);
    if (!f->deed->ends)
        must_work(f, &going_back, &w);
    up_files_close(&w.files);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
    return met;
}

static void try_each(const struct files_flow *of, const struct deed *deed, const struct sim *from,
                     bool disturbed)
{
    struct fault f = {of, deed, SIM_OPEN, 1, false, disturbed};
    unsigned failures = 0;

    for (int late = 0; late < 2; late++)
        for (int op = SIM_OPEN; op < SIM_OPS; op++) {
            f.late = late;
            f.op = (enum sim_op)op;
            for (f.n = 1; works_out(&f, from); f.n++)
                failures++;
        }
    assert_true(failures > 100);
}

/* As a check of the file system would, of what is beside the targets. */
static void lose_old(struct world *w)
{
    struct up_storage *s = w->storage;
    int file = s->ops->open(s, "/app/.moult-1122334455667788-2.old/a", UP_UPDATE, 0);

    assert_true(file >= 0);
    assert_int_equal(s->ops->truncate(s, file, 0), 0);
    s->ops->close(s, file);
    assert_int_equal(s->ops->unlink(s, "/app/.moult-1122334455667788-2.old/sub/b"), 0);
}

static void remove_in_new(struct sim *sim)
{
    struct up_storage *s = sim_storage(sim);
    int file = s->ops->open(s, "/app/bin/main", UP_UPDATE, 0);

    assert_true(file >= 0);
    assert_int_equal(s->ops->truncate(s, file, 0), 0);
    s->ops->close(s, file);
    assert_int_equal(s->ops->unlink(s, "/app/new/x"), 0);
    assert_int_equal(s->ops->unlink(s, "/app/new/deep/y"), 0);
    assert_int_equal(s->ops->rmdir(s, "/app/new/deep"), 0);
}

/* The device was started anew, and the file system lost some of the new tree. */
static void try_lost(const struct files_flow *of, const struct sim *switched)
{
    struct sim *sim = sim_reboot(switched, &(struct sim_choice){SIM_ORDERED, SIM_ALL, 0, SIM_HARMLESS});

    remove_in_new(sim);
    sim_settle(sim);
    try_each(of, &switching, sim, false);
    try_each(of, &keeping, sim, false);
    sim_free(sim);
}

/* A rename in two steps was cut: the new directory has both names, and is empty under its own. */
static void try_cut(const struct files_flow *of, const struct sim *staged)
{
    struct sim *sim = sim_clone(staged);
    struct world w = {.sim = sim, .storage = sim_storage(sim)};

    assert_int_equal(up_files_open(&w.files, w.storage, STATE, &w.err), 0);
    for (unsigned n = 1; w.files.stage.step != UP_FILES_SWITCHING; n++) {
        sim_reset_counters(sim);
        sim_fail(sim, SIM_RENAME, n, EIO, false);
        assert_true(up_files_switch(&w.files, &w.err) < 0);
    }
    up_files_close(&w.files);
    sim_fail(sim, SIM_OPS, 0, 0, false);
    assert_false(sim_exists(sim, "/app/new"));
    sim_settle(sim);
    sim_put_dir(sim, "/app/new", 0755);
    try_each(of, &switching, sim, false);
    try_each(of, &going_back, sim, false);
    sim_free(sim);
}

static void try_all(const struct files_flow *of)
{
    void *room = NULL;
    struct world *w;

    assert_int_equal(world_enter(&room, of), 0);
    w = room;
    try_each(of, &staging, w->sim, false);
    must_work(&(struct fault){of, &staging, .op = SIM_OPS}, &staging, w);
    sim_settle(w->sim);
    try_each(of, &switching, w->sim, false);
    if (of->no_links)
        try_cut(of, w->sim);
    must_work(&(struct fault){of, &switching, .op = SIM_OPS}, &switching, w);
    sim_settle(w->sim);
    try_each(of, &going_back, w->sim, false);
    try_each(of, &keeping, w->sim, false);
    if (of->no_links)
        try_lost(of, w->sim);
    assert_int_equal(tree_disturb(w->storage), 0);
    if (of->no_links)
        lose_old(w);
    sim_settle(w->sim);
    try_each(of, &going_back, w->sim, true);
    assert_int_equal(leave(&room), 0);
}

static void a_tree_is_whole_whatever_failed(void **state)
{
    (void)state;
    try_all(&(struct files_flow){.name = "check"});
}

static void without_links_it_is_too(void **state)
{
    (void)state;
    try_all(&(struct files_flow){.name = "check", .no_links = true});
}

/* Where a directory is copied before it is deleted. */
static void on_an_overlay_it_is_too(void **state)
{
    (void)state;
    try_all(&(struct files_flow){.name = "check", .overlay = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_is_whole_whatever_failed),
        cmocka_unit_test(without_links_it_is_too),
        cmocka_unit_test(on_an_overlay_it_is_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
