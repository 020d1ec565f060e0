/*
 * files_kept_check.c -- whether two plans of files touch each other, whether a package names all of one, what
 * a plan replaced is kept, whichever call fails, and goes back as a part of another plan.
 */
#include "files_stand.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "digest.h"
#include "files_kept.h"
#include "files_named.h"
#include "files_reverse.h"
#include "sim.h"

struct row {
    struct up_files_op one;
    const char *root;
    struct up_files_op other;
    bool touch;
};

#define PUT(folder, file)                                     \
    {                                                         \
        .kind = UP_FILES_PUT, .dir = (folder), .name = (file) \
    }

static const struct row rows[] = {
    {PUT("", "a"), "/app", PUT("", "a"), true},
    {PUT("", "a"), "/app", PUT("", "ab"), false},
    {PUT("", "a"), "/app", PUT("", "b"), false},
    {PUT("", "a"), "/app", PUT("a", "b"), true},
    {PUT("", "a"), "/app", PUT("a/b", "c"), true},
    {PUT("", "a"), "/app", PUT("ab", "c"), false},
    {PUT("a", "b"), "/app", PUT("a", "b"), true},
    {PUT("a", "b"), "/app", PUT("a", "c"), false},
    {PUT("a", "b"), "/app/a", PUT("", "b"), true},
    {PUT("", "a"), "/card", PUT("", "a"), false},
    {PUT("", "a"), "/alias", PUT("", "a"), true},
    {PUT("a", "b"), "/alias", PUT("", "a"), true},
    {PUT("", "a"), "/alias", PUT("", "b"), false},
    {PUT("", "a"), "/gone", PUT("", "a"), false},
    {PUT("", "a"), "/", PUT("app", "a"), true},
    {PUT("", "a"), "/", PUT("", "app"), true},
    {{.kind = UP_FILES_DELETE, .dir = "", .name = "a"}, "/app", PUT("a", "b"), true},
    {{.kind = UP_FILES_INSIDE, .dir = "", .name = "a"}, "/app", PUT("", "a"), false},
};

static void plans_touch_by_name_and_by_folder(void **state)
{
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);

    (void)state;
    sim_put_dir(sim, "/app", 0755);
    sim_put_dir(sim, "/card", 0755);
    assert_int_equal(s->ops->symlink(s, "/app", "/alias"), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct row row = rows[i];
        struct up_files_plan one = {
            .root_count = 1, .root = {{.path = "/app"}}, .op_count = 1, .op = &row.one};
        struct up_files_plan other = {
            .root_count = 1, .root = {{.path = row.root}}, .op_count = 1, .op = &row.other};

        if (up_files_kept_touches(s, &one, &other) != row.touch ||
            up_files_kept_touches(s, &other, &one) != row.touch)
            fail_msg("row %zu: %s/%s and %s/%s", i, row.one.dir, row.one.name, row.other.dir, row.other.name);
    }
    sim_free(sim);
}

/* The plan changes `own` below these roots; what another one put at /app/etc/conf and /app/other goes back with it. */
static void assert_reversed(struct sim *sim, const char *first, const char *second, struct up_files_op own)
{
    struct up_files_op kept_ops[] = {PUT("etc", "conf"), PUT("", "other")}, ops[UP_FILES_OPS] = {own};
    struct up_files_found found[2] = {{.there = true}, {.there = false}};
    struct up_files_kept kept = {
        .storage = sim_storage(sim),
        .plan = {.root_count = 1, .root = {{.path = "/app"}}, .op_count = 2, .op = kept_ops},
        .found = found};
    const struct up_files_reverse reverse = {.kept = &kept, .count = 1};
    struct up_files_plan plan = {
        .root_count = second ? 2 : 1, .root = {{.path = first}, {.path = second}}, .op_count = 1, .op = ops};
    uint32_t roots = plan.root_count;
    struct up_error err;

    assert_int_equal(up_files_reverse(&plan, &reverse, &err), 0);
    assert_int_equal(plan.root_count, roots);
    assert_int_equal(plan.op_count, 2);
    assert_int_equal(ops[0].kind, UP_FILES_PUT);
    assert_int_equal(ops[1].kind, UP_FILES_DELETE);
    assert_int_equal(ops[1].root, 0);
    assert_string_equal(ops[1].name, "other");
}

static void a_name_is_reversed_once_whatever_its_root_is_called(void **state)
{
    struct sim *sim = sim_new();
    struct up_files_op etc = PUT("etc", "conf"), conf = PUT("", "conf"),
                       data = {.kind = UP_FILES_DELETE, .dir = "", .name = "etc"};

    (void)state;
    sim_put_dir(sim, "/app/etc", 0755);
    assert_int_equal(sim_storage(sim)->ops->symlink(sim_storage(sim), "/app", "/alias"), 0);
    assert_reversed(sim, "/app", NULL, etc);
    assert_reversed(sim, "/alias", NULL, etc);
    conf.root = 1;
    assert_reversed(sim, "/app", "/app/etc", conf);
    data.kind = UP_FILES_PUT; /* a link may take the folder's place */
    assert_reversed(sim, "/alias", NULL, data);
    sim_free(sim);
}

/* One that fills a list up to its bound, or all but the last place. */
static void fill_up(struct up_files_plan *plan, uint32_t roots, uint32_t ops, uint32_t programs)
{
    static char paths[UP_FILES_ROOTS][8];

    plan->root_count = roots;
    plan->op_count = ops;
    plan->program_count = programs;
    for (uint32_t i = 0; i < roots; i++) {
        snprintf(paths[i], sizeof paths[i], "/r%u", i);
        plan->root[i] = (struct up_files_root){.path = paths[i]};
    }
    for (uint32_t i = 0; i < ops; i++)
        plan->op[i] = (struct up_files_op){.kind = UP_FILES_DELETE, .dir = "", .name = "other"};
    for (uint32_t i = 0; i < programs; i++)
        plan->program[i] = (struct up_files_program){.dir = "", .name = "other"};
}

static void programs_run_as_before_what_is_reversed(void **state)
{
    static struct up_files_op ops[UP_FILES_OPS], op = {.kind = UP_FILES_DELETE, .dir = "", .name = "x"};
    static struct up_files_program programs[UP_FILES_PROGRAMS], theirs[] = {{0, "bin", "both", true, true},
                                                                            {0, "bin", "added", false, true},
                                                                            {0, "", "both", true, false}};
    static struct up_files_found found;
    static const struct {
        uint32_t roots, ops, programs;
        const char *why; /* NULL: there is room */
    } cases[] = {
        {UP_FILES_ROOTS - 1, UP_FILES_OPS - 1, UP_FILES_PROGRAMS - 3, NULL},
        {UP_FILES_ROOTS, 0, 0, "more than 8 roots"},
        {0, UP_FILES_OPS, 0, "more than 1024 operations"},
        {0, 0, UP_FILES_PROGRAMS - 2, "more than 256 programs"},
    };
    struct up_files_plan plan = {.op = ops, .program = programs};
    struct sim *sim = sim_new();
    struct up_files_kept kept[2] = {{.storage = sim_storage(sim)}};
    struct up_files_reverse reverse = {.kept = kept, .count = 2};
    struct up_error err;
    (void)state;

    sim_put_dir(sim, "/app", 0755);
    kept[0].plan = (struct up_files_plan){.root_count = 1,
                                          .root = {{.path = "/app"}},
                                          .op_count = 1,
                                          .op = &op,
                                          .program_count = 3,
                                          .program = theirs};
    kept[0].found = &found;
    kept[1] = kept[0]; /* of two, each program once */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int rc;

        fill_up(&plan, cases[i].roots, cases[i].ops, cases[i].programs);
        rc = up_files_reverse(&plan, &reverse, &err);
        assert_int_equal(rc, cases[i].why ? UP_NOSPACE : 0);
        if (cases[i].why)
            assert_non_null(strstr(err.message, cases[i].why));
    }
    fill_up(&plan, 1, 0, 0);
    assert_int_equal(up_files_reverse(&plan, &reverse, &err), 0);
    assert_int_equal(plan.op_count, 1);
    assert_int_equal(plan.program_count, 3);
    for (int i = 0; i < 3; i++) { /* stopped, since its file changes; started, if it was stopped before */
        assert_int_equal(plan.program[i].root, 1);
        assert_string_equal(plan.program[i].dir, theirs[i].dir);
        assert_string_equal(plan.program[i].name, theirs[i].name);
        assert_true(plan.program[i].stop);
        assert_int_equal(plan.program[i].start, theirs[i].stop);
    }
    sim_free(sim);
}

static void a_plan_is_named_by_its_paths_and_by_folders_that_are_deleted(void **state)
{
    static const struct {
        struct up_files_op op[2];
        enum up_file_operation operation;
        const char *path, *missing; /* NULL: all of it is named */
    } cases[] = {
        {{PUT("", "a")}, UP_FILE_PUT, "/app/a", NULL},
        {{PUT("", "a")}, UP_FILE_DELETE, "/app/a", NULL},
        {{PUT("", "a")}, UP_FILE_MKDIR, "/app/a", NULL},
        {{PUT("", "a")}, UP_FILE_KEEP, "/app/a", "/app/a"},
        {{PUT("", "a")}, UP_FILE_PUT, "/app/ab", "/app/a"},
        {{PUT("b/c", "a")}, UP_FILE_DELETE, "/app/b", NULL},
        {{PUT("b/c", "a")}, UP_FILE_DELETE, "/app/b/c", NULL},
        {{PUT("b/c", "a")}, UP_FILE_MKDIR, "/app/b", "/app/b/c/a"},
        {{PUT("bc", "a")}, UP_FILE_DELETE, "/app/b", "/app/bc/a"},
        {{PUT("", "b"), PUT("", "a")}, UP_FILE_PUT, "/app/b", "/app/a"},
        {{{.kind = UP_FILES_MAKE_DIR, .dir = "b", .name = "c"},
          {.kind = UP_FILES_INSIDE, .dir = "d", .name = "e"}},
         UP_FILE_DELETE,
         "/app/b",
         NULL},
        {{{.kind = UP_FILES_MAKE_DIR, .dir = "b", .name = "c"},
          {.kind = UP_FILES_INSIDE, .dir = "d", .name = "e"}},
         UP_FILE_MKDIR,
         "/app/b/c",
         "/app/b/c/d/e"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct up_update_ini_entry entry = {.operation = cases[i].operation, .path = cases[i].path};
        const struct up_update_ini ini = {.count = 1, .entry = &entry};
        struct up_files_op op[2] = {cases[i].op[0], cases[i].op[1]};
        struct up_files_plan plan = {.root_count = 1, .root = {{.path = "/app"}}, .op = op};
        char first[64];

        plan.op_count = op[1].kind ? 2 : 1;
        if (up_files_named_all(&plan, &ini, first, sizeof first) != !cases[i].missing ||
            (cases[i].missing && strcmp(first, cases[i].missing) != 0))
            fail_msg("case %zu: %s", i, first);
        plan.op_count = 0;
        assert_false(up_files_named_all(&plan, &ini, first, sizeof first));
        plan.op_count = 1;
        assert_false(up_files_named_all(&plan, &ini, first, strlen("/app/a")));
    }
}

/* What is kept. */

#define KEPT "hotfix/0123456789abcdef/kept"

static int enter(void **state, const struct files_flow *of)
{
    static const uint32_t taken[] = {0, 1, 3, 4, 9, 10}; /* no directory */
    static struct up_files_op ops[6];
    const struct up_files_source source = {(void *)of, tree_content, NULL};
    struct up_files_plan plan;
    struct world *w;

    if (world_enter(state, of) < 0)
        return -1;
    w = *state;
    sim_put_dir(w->sim, STATE "/hotfix/0123456789abcdef", 0700);
    w->before = tree_whole(w->sim);
    tree_plan(of, &plan);
    for (size_t i = 0; i < 6; i++)
        ops[i] = plan.op[taken[i]];
    plan.op = ops;
    plan.op_count = 6;
    plan.keep = KEPT;
    if (up_files_begin(&w->files, &plan, &w->err) < 0 || up_files_fill(&w->files, &source, &w->err) < 0)
        return -1;
    sim_settle(w->sim);
    return 0;
}

static void must_hold(const struct up_files_kept *k, uint32_t n)
{
    uint8_t bytes[64], digest[UP_SHA256_SIZE];
    struct up_storage *s = k->storage;
    int file = up_files_kept_file(k, n);
    long long len;

    assert_true(file >= 0);
    len = s->ops->pread(s, file, bytes, sizeof bytes, 0);
    s->ops->close(s, file);
    assert_int_equal(len, k->found[n].st.size);
    up_sha256(bytes, (size_t)len, digest);
    assert_memory_equal(digest, k->found[n].digest, sizeof digest);
}

/* All of it, after a power cut, too. */
static void must_keep(const struct sim *sim)
{
    struct sim *then = sim_reboot(sim, &(struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS});
    static const bool there[] = {true, true, true, false, true, false};
    struct up_files_kept k;
    struct up_error err;

    if (up_files_kept_open(&k, sim_storage(then), STATE "/" KEPT, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(k.plan.op_count, 6);
    for (uint32_t n = 0; n < 6; n++) {
        assert_int_equal(k.found[n].there, there[n]);
        if (there[n])
            must_hold(&k, n);
    }
    up_files_kept_close(&k);
    sim_free(then);
}

static bool works_out(const struct sim *from, const char *before, enum sim_op op, unsigned n, bool late)
{
    struct sim *sim = sim_clone(from);
    struct world w = {.sim = sim, .storage = sim_storage(sim)};
    char *now;
    bool met;

    assert_int_equal(up_files_open(&w.files, w.storage, STATE, &w.err), 0);
    sim_reset_counters(sim);
    (late ? sim_fail_late : sim_fail)(sim, op, n, EIO, false);
    if (up_files_switch(&w.files, &w.err) == 0)
        must_keep(sim);
    else if (!strstr(w.err.message, strerror(EIO)))
        fail_msg("%s %u failed, and what is told is %s", sim_op_name(op), n, w.err.message);
    met = sim_fault_hits(sim) > 0;
    sim_fail(sim, SIM_OPS, 0, 0, false);
    if (n % 2) { /* or back at once */
        assert_int_equal(up_files_switch(&w.files, &w.err), 0);
        must_keep(sim);
    }
    assert_int_equal(up_files_undo(&w.files, &w.err), 0);
    assert_int_equal(up_files_sweep(&w.files, false, &w.err), 0);
    now = tree_whole(sim);
    assert_string_equal(now, before);
    free(now);
    up_files_close(&w.files);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
    return met;
}

static void keep_whatever_fails(const struct files_flow *of)
{
    void *state = NULL;
    struct world *w;

    assert_int_equal(enter(&state, of), 0);
    w = state;
    for (int late = 0; late < 2; late++)
        for (int op = SIM_OPEN; op < SIM_OPS; op++)
            for (unsigned n = 1; works_out(w->sim, w->before, (enum sim_op)op, n, late);)
                n++;
    assert_int_equal(leave(&state), 0);
}

static void what_was_replaced_is_kept_whatever_fails(void **state)
{
    (void)state;
    keep_whatever_fails(&(struct files_flow){.name = "check"});
    keep_whatever_fails(&(struct files_flow){.name = "check", .no_links = true});
}

/* What is no file could not be brought back as it was. */
static void a_hotfix_changes_files_alone(void **state)
{
    static const struct files_flow flow = {.name = "check"};
    const struct up_files_source source = {(void *)&flow, tree_content, NULL};
    struct up_files_op op[] = {{.kind = UP_FILES_DELETE, .dir = "", .name = "data"},
                               {.kind = UP_FILES_DELETE, .dir = "etc", .name = "link"}};
    struct up_files_plan plan;
    struct world *w;

    for (size_t i = 0; i < sizeof op / sizeof op[0]; i++) {
        assert_int_equal(world_enter(state, &flow), 0);
        w = *state;
        tree_plan(&flow, &plan);
        plan.op = &op[i];
        plan.op_count = 1;
        plan.program_count = 0;
        plan.keep = KEPT;
        assert_int_equal(up_files_begin(&w->files, &plan, &w->err), 0);
        assert_int_equal(up_files_fill(&w->files, &source, &w->err), UP_INCOMPATIBLE);
        assert_non_null(strstr(w->err.message, "a hotfix changes only files"));
        assert_int_equal(up_files_sweep(&w->files, false, &w->err), 0);
        assert_int_equal(leave(state), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_touch_by_name_and_by_folder),
        cmocka_unit_test(a_name_is_reversed_once_whatever_its_root_is_called),
        cmocka_unit_test(programs_run_as_before_what_is_reversed),
        cmocka_unit_test(a_plan_is_named_by_its_paths_and_by_folders_that_are_deleted),
        cmocka_unit_test(what_was_replaced_is_kept_whatever_fails),
        cmocka_unit_test(a_hotfix_changes_files_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
