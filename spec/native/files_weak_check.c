/*
 * files_weak_check.c -- roots without hard links: what their file system lost when the power went is
 * written anew. A rename that is cut between its two steps is in spec/crash, flows "... no links".
 */
#include "files_stand.h"
#include "files_try.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct files_flow flow = {.name = "check", .no_links = true};

static int enter(void **state)
{
    struct world *w;

    if (world_enter(state, &flow) < 0)
        return -1;
    w = *state;
    w->before = tree_whole(w->sim);
    return world_fill(w, &flow);
}

/* The power goes, and with it what was not synced, or nothing. */
static void cut_power(struct world *w, struct sim_choice choice)
{
    struct sim *old = w->sim;

    up_files_close(&w->files);
    w->sim = sim_reboot(old, &choice);
    sim_free(old);
    w->storage = sim_storage(w->sim);
    assert_int_equal(up_files_open(&w->files, w->storage, STATE, &w->err), 0);
}

static void boot(struct world *w)
{
    cut_power(w, (struct sim_choice){SIM_ORDERED, SIM_ALL, 0, SIM_HARMLESS});
}

/* As a check of the file system would. */
static void cut(struct world *w, const char *path)
{
    int file = w->storage->ops->open(w->storage, path, UP_UPDATE, 0);

    assert_true(file >= 0);
    assert_int_equal(w->storage->ops->truncate(w->storage, file, 0), 0);
    w->storage->ops->close(w->storage, file);
}

static void assert_new(struct world *w, bool is)
{
    char *now = tree_visible(w->sim), *wanted = tree_text(&flow, true);

    if ((strcmp(now, wanted) == 0) != is)
        fail_msg("%s", now);
    free(now);
    free(wanted);
}

static void a_new_file_is_written_anew_after_a_cut(void **state)
{
    struct world *w = *state;

    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    boot(w);
    cut(w, "/app/bin/main");
    cut(w, "/card/fresh");
    assert_new(w, false);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_new(w, true);
    boot(w);
    cut(w, "/app/etc/conf");
    assert_int_equal(up_files_sweep(&w->files, true, &w->err), 0); /* the verdict comes first */
    assert_new(w, true);
}

/* While the switch is under way: until then, it would be found, and come back. */
static void what_has_appeared_is_not_covered(void **state)
{
    struct world *w = *state;
    char *text;

    for (unsigned n = 1; w->files.stage.step != UP_FILES_SWITCHING; n++) {
        sim_reset_counters(w->sim);
        sim_fail(w->sim, SIM_RENAME, n, EIO, true);
        assert_int_equal(up_files_switch(&w->files, &w->err), UP_WRITE);
    }
    sim_fail(w->sim, SIM_RENAME, 0, 0, false);
    sim_settle(w->sim);
    sim_put_text(w->sim, "/card/fresh", "of a program");
    assert_int_equal(up_files_switch(&w->files, &w->err), UP_INCOMPATIBLE);
    assert_non_null(strstr(w->err.message, "has appeared"));
    text = sim_get(w->sim, "/card/fresh", NULL);
    assert_string_equal(text, "of a program");
    free(text);
}

/* What a program made of it since belongs to that. */
static void without_a_cut_a_new_file_is_left_alone(void **state)
{
    struct world *w = *state;

    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    cut(w, "/app/etc/conf");
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_new(w, false);
}

static void an_old_file_is_written_anew_wherever_it_was_lost(void **state)
{
    struct world *w = *state;
    char *now;

    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    boot(w);
    cut(w, "/app/bin/main");
    cut(w, "/app/bin/.moult-1122334455667788-0.old");
    cut(w, "/app/.moult-1122334455667788-3.old"); /* gone */
    assert_int_equal(up_files_undo(&w->files, &w->err), 0);
    assert_int_equal(up_files_sweep(&w->files, false, &w->err), 0);
    now = tree_whole(w->sim);
    assert_string_equal(now, w->before);
    free(now);
}

/* Deleted is what was there: a file that a program makes in its place on trial is not. */
static void what_a_program_makes_of_a_deleted_file_stays(void **state)
{
    struct world *w = *state;
    const char *path = "/app/gone";
    char *text;

    assert_true(sim_exists(w->sim, path));
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_false(sim_exists(w->sim, path));
    boot(w);
    sim_settle(w->sim);
    sim_put_text(w->sim, path, "made again");
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    boot(w);
    assert_int_equal(up_files_sweep(&w->files, true, &w->err), 0);
    text = sim_exists(w->sim, path) ? sim_get(w->sim, path, NULL) : NULL;
    assert_non_null(text);
    assert_string_equal(text, "made again");
    free(text);
}

/* As a check of the file system would, of a directory with two names. */
static void empty(struct world *w, const char *dir, const char *const files[], unsigned count)
{
    char path[128];

    for (unsigned i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        assert_int_equal(w->storage->ops->unlink(w->storage, path), 0);
        *strrchr(path, '/') = '\0';
        assert_int_equal(w->storage->ops->sync_dir(w->storage, path), 0);
    }
}

static void a_new_directory_is_filled_anew_after_a_cut(void **state)
{
    static const char *const files[] = {"x", "deep/y"};
    struct world *w = *state;

    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    boot(w);
    empty(w, "/app/new", files, 2);
    assert_new(w, false);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    assert_new(w, true);
    /* That is durable before what was kept is gone. */
    assert_int_equal(up_files_sweep(&w->files, true, &w->err), 0);
    cut_power(w, (struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS});
    assert_new(w, true);
}

/* The other name of the directory that the plan deletes. */
static void name_of_deleted(const struct world *w, char *out, size_t len)
{
    *out = '\0';
    for (unsigned n = 0; n < w->files.plan.op_count; n++)
        if (strcmp(w->files.plan.op[n].name, "data") == 0)
            snprintf(out, len, "/app/.moult-1122334455667788-%u.old", n);
}

/* Its other name may have lost what was in it, and a program may have made another one. */
static void a_deleted_directory_comes_back_whole(void **state)
{
    static const char *const files[] = {"a", "sub/b"};
    struct world *w = *state;
    char old[64], *now;

    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    boot(w);
    name_of_deleted(w, old, sizeof old);
    empty(w, old, files, 2);
    assert_int_equal(up_files_undo(&w->files, &w->err), 0);
    assert_int_equal(up_files_sweep(&w->files, false, &w->err), 0);
    cut_power(w, (struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS});
    now = tree_whole(w->sim);
    assert_string_equal(now, w->before);
    free(now);
    now = sim_dump(w->sim, STATE "/files");
    assert_null(strstr(now, "1122334455667788")); /* nothing is kept any longer */
    free(now);
}

static void what_cannot_be_read_is_written_anew(void **state)
{
    for (unsigned i = 0; i < 3; i++) {
        struct world *w = *state;
        char path[96] = "/app/bin/main", *now;

        if (i == 1)
            snprintf(path, sizeof path, "/card/fresh");
        assert_int_equal(up_files_switch(&w->files, &w->err), 0);
        if (i == 2) {
            name_of_deleted(w, path, sizeof path);
            strcat(path, "/a");
        }
        boot(w);
        assert_int_equal(spoil(w, path), 0);
        if (up_files_undo(&w->files, &w->err) < 0 || up_files_sweep(&w->files, false, &w->err) < 0)
            fail_msg("%s: %s", path, w->err.message);
        w->storage->ops = sound;
        now = tree_whole(w->sim);
        assert_string_equal(now, w->before);
        free(now);
        assert_int_equal(leave(state), 0);
        assert_int_equal(enter(state), 0);
    }
}

/* Some file systems without hard links have symbolic ones. */
static void a_link_in_a_deleted_directory_comes_back(void **state)
{
    struct world *w = *state;
    char target[16] = "";

    sim_settle(w->sim);
    assert_int_equal(w->storage->ops->symlink(w->storage, "elsewhere", "/app/data/link"), 0);
    assert_int_equal(up_files_switch(&w->files, &w->err), 0);
    boot(w);
    if (up_files_undo(&w->files, &w->err) < 0)
        fail_msg("%s", w->err.message);
    assert_int_equal(up_files_sweep(&w->files, false, &w->err), 0);
    cut_power(w, (struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS});
    assert_true(w->storage->ops->readlink(w->storage, "/app/data/link", target, sizeof target) > 0);
    assert_string_equal(target, "elsewhere");
}

/* The program made one of that name again, with something in it or not: the old one takes its place. */
static void a_deleted_directory_comes_back_in_place_of_another(void **state)
{
    struct world *w = *state;

    for (int with = 0; with < 2; with++) {
        assert_int_equal(up_files_switch(&w->files, &w->err), 0);
        boot(w);
        sim_settle(w->sim);
        sim_put_dir(w->sim, "/app/data", 0700);
        if (with)
            sim_put_text(w->sim, "/app/data/made", "by the program");
        assert_int_equal(up_files_undo(&w->files, &w->err), 0);
        assert_true(sim_exists(w->sim, "/app/data/a"));
        assert_true(sim_exists(w->sim, "/app/data/sub/b"));
        assert_false(sim_exists(w->sim, "/app/data/made"));
        assert_int_equal(up_files_sweep(&w->files, false, &w->err), 0);
        assert_true(sim_exists(w->sim, "/app/data/a"));
        if (!with) {
            assert_int_equal(leave(state), 0);
            assert_int_equal(enter(state), 0);
            w = *state;
        }
    }
}

static struct up_storage_ops full;
static uint64_t state_device, state_bytes, state_files;

static int little_in_the_state(struct up_storage *s, int dir, struct up_space *out)
{
    struct up_stat st;

    *out = (struct up_space){.bytes = UINT64_MAX, .files = UINT64_MAX};
    if (s->ops->stat_file(s, dir, &st) == 0 && st.device == state_device)
        *out = (struct up_space){.bytes = state_bytes, .files = state_files};
    return 0;
}

static void what_is_kept_needs_room_in_the_state(void **state)
{
    struct up_files_work work = {.folder = STATE "/files"};
    struct up_files_plan plan;
    struct world *w = *state;
    struct up_stat st;

    tree_plan(&flow, &plan);
    work.storage = w->storage;
    work.plan = &plan;
    assert_int_equal(w->storage->ops->stat(w->storage, STATE, &st), 0);
    state_device = st.device;
    full = *w->storage->ops;
    full.space_at = little_in_the_state;
    w->storage->ops = &full;
    state_files = UINT64_MAX;
    assert_int_equal(up_files_try_room(&work, &w->err), UP_NOSPACE);
    assert_non_null(strstr(w->err.message, STATE "/files: at main: "));
    state_bytes = UINT64_MAX;
    for (state_files = 0; up_files_try_room(&work, &w->err) == UP_NOSPACE; state_files++)
        assert_non_null(strstr(w->err.message, " files are made, only "));
    assert_int_equal(state_files, 17); /* each new content, and each file that was there */
    state_bytes = 0;
    plan.root[0].weak = plan.root[1].weak = false;
    assert_int_equal(up_files_try_room(&work, &w->err), 0);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_new_file_is_written_anew_after_a_cut),
        IN_WORLD(what_has_appeared_is_not_covered),
        IN_WORLD(without_a_cut_a_new_file_is_left_alone),
        IN_WORLD(an_old_file_is_written_anew_wherever_it_was_lost),
        IN_WORLD(what_a_program_makes_of_a_deleted_file_stays),
        IN_WORLD(a_new_directory_is_filled_anew_after_a_cut),
        IN_WORLD(a_deleted_directory_comes_back_whole),
        IN_WORLD(what_cannot_be_read_is_written_anew),
        IN_WORLD(a_link_in_a_deleted_directory_comes_back),
        IN_WORLD(a_deleted_directory_comes_back_in_place_of_another),
        IN_WORLD(what_is_kept_needs_room_in_the_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
