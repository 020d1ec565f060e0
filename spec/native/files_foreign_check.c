/*
 * files_foreign_check.c -- updates of files where others have their hands in: what programs on
 * trial leave at a target, and what an administrator has made fixed.
 */
#include "files.h"
#include "files_foreign.h"
#include "files_stand.h"
#include "sim.h"
#include "storage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int enter(void **state)
{
    const struct files_flow flow = {.name = "check"};
    int rc = world_enter(state, &flow);
    struct world *w = *state;

    if (rc == 0)
        w->before = tree_whole(w->sim);
    return rc;
}

/* Every new file holds one byte. */
static long long one_byte(void *user, uint32_t content, void *buf, size_t len, uint64_t offset,
                          struct up_error *err)
{
    (void)user, (void)content, (void)offset, (void)err;
    memset(buf, 'x', len);
    return (long long)len;
}

static int begin(struct world *w, struct up_files_op *op, uint32_t count)
{
    const struct up_files_plan plan = {
        .id = {1}, .root_count = 1, .root = {{.path = "/app", .here = {1}}}, .op_count = count, .op = op};

    for (uint32_t i = 0; i < count; i++)
        if (op[i].kind == UP_FILES_PUT) {
            op[i].size = 1;
            up_sha256("x", 1, op[i].digest);
        }
    return up_files_begin(&w->files, &plan, &w->err);
}

static int fill(struct world *w)
{
    const struct up_files_source source = {NULL, one_byte, NULL};

    return up_files_fill(&w->files, &source, &w->err);
}

static int stage(struct world *w, struct up_files_op *op, uint32_t count)
{
    assert_int_equal(begin(w, op, count), 0);
    return fill(w);
}

static void assert_goes_back(struct world *w)
{
    char *now;

    if (up_files_undo(&w->files, &w->err) < 0 || up_files_sweep(&w->files, false, &w->err) < 0)
        fail_msg("%s", w->err.message);
    now = tree_whole(w->sim);
    assert_string_equal(now, w->before);
    free(now);
}

/* A program on trial makes a directory where one was deleted, where a file was and where none was. */
static void directories_of_others_are_set_aside(void **state)
{
    struct up_files_op op[] = {{.kind = UP_FILES_DELETE, .dir = "", .name = "data"},
                               {.kind = UP_FILES_PUT, .dir = "bin", .name = "main"},
                               {.kind = UP_FILES_PUT, .dir = "", .name = "fresh"}};
    struct world *w = *state;
    struct up_storage *s = w->storage;
    char *kept;

    assert_int_equal(stage(w, op, 3), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_int_equal(s->ops->unlink(s, "/app/bin/main") | s->ops->unlink(s, "/app/fresh"), 0);
    sim_settle(w->sim);
    sim_put_text(w->sim, "/app/data/log", "theirs");
    sim_put_dir(w->sim, "/app/bin/main", 0755);
    sim_put_dir(w->sim, "/app/fresh", 0755);
    assert_goes_back(w);
    kept = sim_get(w->sim, "/app/.moult-0100000000000000-0.foreign/log", NULL);
    assert_string_equal(kept, "theirs");
    free(kept);
}

/* Or it puts something else where an update has made a directory. */
static void what_took_the_place_of_a_new_directory_is_set_aside(void **state)
{
    struct up_files_op op[] = {{.kind = UP_FILES_MAKE_DIR, .dir = "", .name = "made", .mode = 0755},
                               {.kind = UP_FILES_MAKE_DIR, .dir = "", .name = "also", .mode = 0755}};
    struct world *w = *state;
    struct up_storage *s = w->storage;
    char *kept, target[16] = "";

    assert_int_equal(stage(w, op, 2), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_int_equal(s->ops->rmdir(s, "/app/made") | s->ops->rmdir(s, "/app/also"), 0);
    assert_int_equal(s->ops->symlink(s, "elsewhere", "/app/also"), 0);
    sim_settle(w->sim);
    sim_put_text(w->sim, "/app/made", "theirs");
    assert_int_equal(up_files_undo(&w->files, &w->err), 0);
    assert_int_equal(up_files_sweep(&w->files, false, &w->err), 0);
    kept = sim_get(w->sim, STATE "/files/foreign/0100000000000000-0", NULL);
    assert_non_null(kept);
    assert_string_equal(kept, "theirs");
    free(kept);
    assert_true(s->ops->readlink(s, "/app/.moult-0100000000000000-1.foreign", target, sizeof target) > 0);
    assert_string_equal(target, "elsewhere");
}

static void a_folder_of_a_new_file_may_go(void **state)
{
    struct up_files_op op[] = {{.kind = UP_FILES_PUT, .dir = "emptied", .name = "one"}};
    struct world *w = *state;
    struct up_storage *s = w->storage;

    sim_put_dir(w->sim, "/app/emptied", 0755);
    assert_int_equal(stage(w, op, 1), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_int_equal(s->ops->unlink(s, "/app/emptied/one") | s->ops->rmdir(s, "/app/emptied"), 0);
    assert_goes_back(w);
}

static void what_cannot_be_read_does_not_hold_up_the_way_back(void **state)
{
    struct up_files_op op[] = {{.kind = UP_FILES_PUT, .dir = "", .name = "fresh"},
                               {.kind = UP_FILES_DELETE, .dir = "", .name = "gone"}};
    struct world *w = *state;

    assert_int_equal(stage(w, op, 2), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_int_equal(spoil(w, "/app/fresh"), 0);
    assert_goes_back(w);
    assert_true(sim_exists(w->sim, "/app/.moult-0100000000000000-0.foreign"));
    assert_false(sim_exists(w->sim, STATE "/files/foreign/0100000000000000-0"));
    w->storage->ops = sound;
    assert_int_equal(stage(w, op, 2), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    sim_settle(w->sim);
    sim_put_text(w->sim, "/app/gone", "theirs");
    assert_int_equal(spoil(w, "/app/gone"), 0);
    assert_goes_back(w);
    w->storage->ops = sound;
    assert_true(sim_exists(w->sim, "/app/.moult-0100000000000000-1.foreign"));
}

/* An update is what mends a file with a bad block under it. */
static void what_cannot_be_read_can_be_replaced(void **state)
{
    struct up_files_op op[] = {{.kind = UP_FILES_PUT, .dir = "bin", .name = "main"},
                               {.kind = UP_FILES_DELETE, .dir = "", .name = "gone"}};
    const char *const paths[] = {"/app/bin/main", "/app/gone"};
    struct world *w = *state;
    char *text;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(stage(w, op, 2), 0);
        assert_int_equal(spoil(w, paths[i]), 0);
        if (up_files_switch(&w->files, &w->err) < 0)
            fail_msg("%s", w->err.message);
        text = sim_get(w->sim, "/app/bin/main", NULL);
        assert_string_equal(text, "x");
        free(text);
        assert_false(sim_exists(w->sim, "/app/gone"));
        assert_goes_back(w);
        w->storage->ops = sound;
    }
}

/* Too large for <state>: it stays where it was, under another name. */
static void what_finds_no_room_stays_in_its_folder(void **state)
{
    struct up_files_op op[] = {{.kind = UP_FILES_PUT, .dir = "", .name = "fresh"}};
    struct world *w = *state;

    assert_int_equal(stage(w, op, 1), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    sim_settle(w->sim);
    sim_put_text(w->sim, "/app/fresh", "theirs");
    sim_set_free(w->sim, 0);
    assert_goes_back(w);
    assert_true(sim_exists(w->sim, "/app/.moult-0100000000000000-0.foreign"));
    assert_false(sim_exists(w->sim, STATE "/files/foreign/0100000000000000-0"));
}

/* An immutable file can be linked and copied, but neither replaced nor put back. */
static const struct {
    const char *fixed, *said;
    struct up_files_op op;
} fixed[] = {
    {"/app/gone",
     "/app/gone: is immutable or append-only",
     {.kind = UP_FILES_PUT, .dir = "", .name = "gone"}},
    {"/app/gone", "/app/gone: is immutable", {.kind = UP_FILES_DELETE, .dir = "", .name = "gone"}},
    {"/app/data", "/app/data: is immutable", {.kind = UP_FILES_DELETE, .dir = "", .name = "data"}},
    {"/app/data/sub/b",
     "/app/data: something immutable or append-only lies below it",
     {.kind = UP_FILES_DELETE, .dir = "", .name = "data"}},
    {"/app/bin",
     "/app/bin/new: its folder is immutable",
     {.kind = UP_FILES_PUT, .dir = "bin", .name = "new"}},
    {"/app", "/app/new: its folder is immutable", {.kind = UP_FILES_MAKE_DIR, .dir = "", .name = "new"}},
};

static void what_is_fixed_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        struct up_files_op op = fixed[i].op;
        void *other = NULL;
        struct world *w;

        assert_int_equal(enter(&other), 0);
        w = other;
        sim_put_fixed(w->sim, fixed[i].fixed);
        assert_int_equal(stage(w, &op, 1), UP_INCOMPATIBLE);
        if (!strstr(w->err.message, fixed[i].said))
            fail_msg("%s", w->err.message);
        assert_goes_back(w);
        assert_int_equal(leave(&other), 0);
    }
}

/* It became so while the release waited: nothing has changed when that is seen. */
static void what_has_become_fixed_is_not_touched(void **state)
{
    struct up_files_op op[] = {{.kind = UP_FILES_PUT, .dir = "", .name = "gone"}};
    struct world *w = *state;

    assert_int_equal(stage(w, op, 1), 0);
    sim_settle(w->sim);
    sim_put_fixed(w->sim, "/app/gone");
    assert_int_equal(up_files_switch(&w->files, &w->err), UP_INCOMPATIBLE);
    assert_int_equal(w->files.stage.step, UP_FILES_STAGED);
    assert_goes_back(w);
}

/* A program on trial puts a file where none was; the tree goes back. Whether it is kept in the state. */
static bool is_kept_in_state(struct world *w, size_t size)
{
    struct up_files_op op[] = {{.kind = UP_FILES_PUT, .dir = "", .name = "fresh"}};
    char *theirs = calloc(1, size);
    bool kept;

    assert_int_equal(stage(w, op, 1), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    sim_settle(w->sim);
    sim_put(w->sim, "/app/fresh", theirs, size, 0644);
    free(theirs);
    assert_goes_back(w);
    kept = sim_exists(w->sim, STATE "/files/foreign/0100000000000000-0");
    assert_true(kept != sim_exists(w->sim, "/app/.moult-0100000000000000-0.foreign"));
    return kept;
}

static void many_files_of_others_stay_in_their_folders(void **state)
{
    struct world *w = *state;
    char path[96];

    for (unsigned i = 1; i < UP_FILES_FOREIGN_COUNT; i++) {
        snprintf(path, sizeof path, STATE "/files/foreign/%u", i);
        sim_put_text(w->sim, path, "theirs");
    }
    assert_true(is_kept_in_state(w, 9)); /* the last one */
    sim_settle(w->sim);
    assert_int_equal(w->storage->ops->rename(w->storage, STATE "/files/foreign/0100000000000000-0",
                                             STATE "/files/foreign/0"),
                     0);
    assert_false(is_kept_in_state(w, 9));
}

static void large_files_of_others_stay_in_their_folders(void **state)
{
    assert_true(is_kept_in_state(*state, UP_FILES_FOREIGN_BYTES));
    assert_true(is_kept_in_state(*state, 9)); /* in its place */
}

/* With what is kept of an earlier plan. */
static void files_of_others_count_together(void **state)
{
    struct world *w = *state;
    char *earlier = calloc(1, UP_FILES_FOREIGN_BYTES - 8);

    sim_put(w->sim, STATE "/files/foreign/0", earlier, UP_FILES_FOREIGN_BYTES - 8, 0600);
    free(earlier);
    assert_false(is_kept_in_state(w, 9));
}

static void larger_files_of_others_stay_in_their_folders(void **state)
{
    assert_false(is_kept_in_state(*state, UP_FILES_FOREIGN_BYTES + 1));
}

/* With one of its two files alone, the stage would need room when there is none. */
static void no_plan_is_begun_without_room_to_end_it(void **state)
{
    unsigned begun = 0, refused = 0;

    (void)state;
    for (uint64_t room = 0; room < 300000; room += 4096) {
        struct up_files_op op[] = {{.kind = UP_FILES_DELETE, .dir = "", .name = "data"}};
        void *other = NULL;
        struct world *w;
        int rc;

        assert_int_equal(enter(&other), 0);
        w = other;
        sim_set_free(w->sim, room);
        rc = begin(w, op, 1);
        assert_true(rc == 0 || rc == UP_NOSPACE);
        begun += rc == 0;
        refused += rc < 0;
        assert_int_equal(w->files.stage.step, rc == 0 ? UP_FILES_STAGING : UP_FILES_NONE);
        if (rc == 0)
            assert_true(sim_exists(w->sim, STATE "/files/stage.0") &&
                        sim_exists(w->sim, STATE "/files/stage.1"));
        sim_set_free(w->sim, 0);
        assert_goes_back(w);
        assert_int_equal(leave(&other), 0);
    }
    assert_true(begun > 10 && refused > 10);
}

/* A file system that needs room even to write over something, until something is removed. */
static int full(void *user, enum sim_op op)
{
    bool *is_full = user;

    if (op == SIM_UNLINK)
        *is_full = false;
    return op == SIM_PWRITE && *is_full ? ENOSPC : 0;
}

static void what_filled_the_disk_is_removed_first(void **state)
{
    struct up_files_op op[] = {{.kind = UP_FILES_PUT, .dir = "", .name = "gone"},
                               {.kind = UP_FILES_PUT, .dir = "", .name = "fresh"}};
    struct world *w = *state;
    bool is_full = true;

    assert_int_equal(begin(w, op, 2), 0);
    sim_fail(w->sim, SIM_PWRITE, sim_calls(w->sim, SIM_PWRITE) + 2, ENOSPC, false);
    assert_int_equal(fill(w), UP_NOSPACE);
    sim_watch_calls(w->sim, full, &is_full);
    assert_goes_back(w);
    assert_false(is_full);
}

/* What a program on trial put at a target, and where it lies when the tree went back. */
static const struct {
    const char *path, *in_state, *in_folder;
} theirs[] = {
    {"/app/gone", STATE "/files/foreign/0100000000000000-0", "/app/.moult-0100000000000000-0.foreign"},
    {"/app/fresh", STATE "/files/foreign/0100000000000000-1", "/app/.moult-0100000000000000-1.foreign"},
    {"/app/data/log", "", "/app/.moult-0100000000000000-2.foreign/log"},
};

static bool holds_theirs(struct sim *sim, const char *path)
{
    char *text = sim_exists(sim, path) ? sim_get(sim, path, NULL) : NULL;
    bool same = text && strcmp(text, "theirs") == 0;

    free(text);
    return same;
}

/* Change `k` of going back fails once. Whether there was one. */
static bool stay_when_one_fails(const struct world *w, unsigned k)
{
    struct sim *sim = sim_clone(w->sim);
    struct world there = {.sim = sim, .storage = sim_storage(sim), .before = w->before};
    bool met;

    assert_int_equal(up_files_open(&there.files, there.storage, STATE, &there.err), 0);
    sim_reset_counters(sim);
    sim_fail(sim, SIM_CHANGES, k, EIO, false);
    (void)!up_files_undo(&there.files, &there.err);
    met = sim_fault_hits(sim) > 0;
    sim_fail(sim, SIM_CHANGES, 0, 0, false);
    assert_goes_back(&there);
    for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
        if (!holds_theirs(sim, theirs[i].in_folder) &&
            !(*theirs[i].in_state && holds_theirs(sim, theirs[i].in_state)))
            fail_msg("change %u fails: %s is lost", k, theirs[i].path);
    up_files_close(&there.files);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
    return met;
}

static void files_of_others_stay_whatever_fails(void **state)
{
    struct up_files_op op[] = {{.kind = UP_FILES_DELETE, .dir = "", .name = "gone"},
                               {.kind = UP_FILES_PUT, .dir = "", .name = "fresh"},
                               {.kind = UP_FILES_DELETE, .dir = "", .name = "data"}};
    struct world *w = *state;
    struct up_storage *s = w->storage;
    uint64_t room[] = {UINT64_MAX, 0};
    unsigned k;

    assert_int_equal(stage(w, op, 3), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_int_equal(s->ops->unlink(s, "/app/fresh"), 0);
    sim_settle(w->sim);
    for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
        sim_put_text(w->sim, theirs[i].path, "theirs");
    for (size_t i = 0; i < sizeof room / sizeof room[0]; i++) {
        sim_set_free(w->sim, room[i]);
        for (k = 1; stay_when_one_fails(w, k); k++)
            continue;
        assert_true(k > 10);
    }
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(directories_of_others_are_set_aside),
        IN_WORLD(what_took_the_place_of_a_new_directory_is_set_aside),
        IN_WORLD(a_folder_of_a_new_file_may_go),
        IN_WORLD(what_cannot_be_read_does_not_hold_up_the_way_back),
        IN_WORLD(what_cannot_be_read_can_be_replaced),
        IN_WORLD(what_finds_no_room_stays_in_its_folder),
        IN_WORLD(files_of_others_stay_whatever_fails),
        IN_WORLD(many_files_of_others_stay_in_their_folders),
        IN_WORLD(large_files_of_others_stay_in_their_folders),
        IN_WORLD(files_of_others_count_together),
        IN_WORLD(larger_files_of_others_stay_in_their_folders),
        cmocka_unit_test(what_is_fixed_is_refused),
        IN_WORLD(what_has_become_fixed_is_not_touched),
        cmocka_unit_test(no_plan_is_begun_without_room_to_end_it),
        IN_WORLD(what_filled_the_disk_is_removed_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
