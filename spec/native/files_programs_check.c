/*
 * files_programs_check.c -- the programs around an update of files: what is stopped,
 * what is started, as whom, and after which cut; on a simulated device with played
 * processes, and the system's own table with real ones.
 */
#include "files_alive.h"
#include "files_programs.h"
#include "files_ran.h"
#include "files_stand.h"
#include "running.h"
#include "sim.h"
#include "storage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "running_play.h"
#include "waits.h"

#define MAIN "/app/bin/main"
#define FRESH "/card/fresh"

static const struct files_flow flow = {.name = "check"};
static const struct up_running user7 = {
    .owner = 7, .group = 8, .group_count = 2, .groups = {8, 9}, .folder = "/app/etc"};

static struct play play;
static struct up_files_hands hands = {.running = &play.table};

static int enter(void **state)
{
    struct world *w;

    if (world_enter(state, &flow) < 0)
        return -1;
    w = *state;
    w->before = tree_visible(w->sim);
    play = (struct play){.table = {&play_ops}, .storage = w->storage};
    hands = (struct up_files_hands){.running = &play.table};
    return world_fill(w, &flow);
}

static void assert_tree(struct world *w, bool new)
{
    char *now = tree_visible(w->sim), *then = tree_text(&flow, new);

    assert_string_equal(now, then);
    free(now);
    free(then);
}

static int go_on(struct world *w, enum up_files_outcome expected)
{
    enum up_files_outcome outcome;
    int rc = up_files_program_go_on(&w->files, &hands, &outcome, &w->err);

    if (outcome != expected)
        fail_msg("outcome %d: %s", (int)outcome, rc < 0 ? w->err.message : "");
    return rc;
}

/* Another process takes the plan up. */
static void take_up(struct world *w)
{
    up_files_close(&w->files);
    assert_int_equal(up_files_open(&w->files, w->storage, STATE, &w->err), 0);
}

static void nothing_has_changed_yet(struct play *p)
{
    struct world *w = p->user;
    char *now = tree_visible(w->sim);

    assert_string_equal(now, w->before);
    free(now);
}

static void old_ones_end_and_new_ones_start(void **state)
{
    struct world *w = *state;

    assert_true(play_run(&play, MAIN, &user7) > 0);
    play.user = w;
    play.on_signal = nothing_has_changed_yet;
    assert_int_equal(go_on(w, UP_FILES_DONE), 0);
    assert_tree(w, true);
    assert_int_equal(play.terms, 1);
    assert_int_equal(play.kills, 0);
    assert_int_equal(play.count, 2);
    assert_int_equal(play_count(&play, MAIN), 1);
    assert_int_equal(play_count(&play, FRESH), 1);
    assert_int_equal(play.process[0].p.owner, 7);
    assert_int_equal(play.process[0].p.group_count, 2);
    assert_string_equal(play.process[0].p.folder, "/app/etc");
    /* What did not run: as the owner of its file, in its folder. */
    assert_int_equal(play.process[1].p.group_count, 0);
    assert_string_equal(play.process[1].p.folder, "/card");
    assert_int_equal(go_on(w, UP_FILES_DONE), 0); /* once more: all of them run */
    assert_int_equal(play.started, 2);
}

/* What the next look finds; `which`: the path that it names. */
static void must_find(struct world *w, struct up_files_alive *alive, enum up_files_life expected,
                      const char *which)
{
    enum up_files_life life;

    assert_int_equal(up_files_alive_look(alive, &w->files, &hands, &life, &w->err), 0);
    assert_int_equal(life, expected);
    if (which)
        assert_non_null(strstr(w->err.message, which));
}

static void a_program_that_ends_is_noticed(void **state)
{
    struct up_files_alive alive = {0};
    struct world *w = *state;

    assert_true(play_run(&play, MAIN, &user7) > 0);
    must_find(w, &alive, UP_FILES_LIVE, NULL); /* nothing is started yet */
    assert_int_equal(go_on(w, UP_FILES_DONE), 0);
    must_find(w, &alive, UP_FILES_LIVE, NULL);
    play_end(&play, play_find(&play, play.process[0].p.pid)); /* that of MAIN */
    must_find(w, &alive, UP_FILES_ENDED, MAIN);
    must_find(w, &alive, UP_FILES_ENDED, MAIN);
    assert_true(play_run(&play, MAIN, &user7) > 0);
    must_find(w, &alive, UP_FILES_AGAIN, MAIN);
    must_find(w, &alive, UP_FILES_LIVE, NULL);
    /* Between two looks. */
    play_end(&play, &play.process[play.process[0].p.owner == 7 ? 0 : 1]);
    assert_true(play_run(&play, MAIN, &user7) > 0);
    must_find(w, &alive, UP_FILES_AGAIN, MAIN);
    up_files_alive_free(&alive);
    /* Another boot starts its programs by itself. */
    sim_shutdown(w->sim);
    take_up(w);
    play.count = 0;
    must_find(w, &alive, UP_FILES_LIVE, NULL);
    assert_null(alive.pid);
}

static void a_program_that_a_command_starts_may_come_late(void **state)
{
    static const char *const command[] = {"service", "{path}", NULL};
    struct up_files_alive alive = {0};
    struct world *w = *state;

    assert_int_equal(go_on(w, UP_FILES_DONE), 0);
    play.count = 0;
    hands.start = command;
    must_find(w, &alive, UP_FILES_LIVE, NULL);
    assert_true(play_run(&play, MAIN, &user7) > 0);
    must_find(w, &alive, UP_FILES_LIVE, NULL);
    play.count = 0;
    must_find(w, &alive, UP_FILES_ENDED, MAIN);
    up_files_alive_free(&alive);
    hands.start = NULL;
    must_find(w, &alive, UP_FILES_ENDED, NULL); /* one that was started directly runs, or has ended */
    up_files_alive_free(&alive);
}

static void what_was_stopped_runs_again(void **state)
{
    struct world *w = *state;

    play_run(&play, MAIN, &user7);
    assert_int_equal(go_on(w, UP_FILES_DONE), 0);
    take_up(w);
    assert_int_equal(up_files_program_go_back(&w->files, &hands, &w->err), 0);
    assert_tree(w, false);
    assert_int_equal(play.count, 1); /* and what was started new has ended */
    assert_int_equal(play_count(&play, MAIN), 1);
    assert_int_equal(play.process[0].p.owner, 7);
    assert_int_equal(play.process[0].p.groups[1], 9);
    assert_int_equal(up_files_sweep(&w->files, false, &w->err), 0);
    assert_tree(w, false);
}

static void what_did_not_run_is_not_started(void **state)
{
    struct world *w = *state;

    assert_int_equal(go_on(w, UP_FILES_DONE), 0);
    assert_int_equal(play_count(&play, MAIN), 1);
    assert_int_equal(up_files_program_go_back(&w->files, &hands, &w->err), 0);
    assert_int_equal(play.count, 0);
}

static void one_that_is_deaf_is_killed(void **state)
{
    struct world *w = *state;

    play_run(&play, MAIN, &user7);
    play.process[0].deaf = true;
    assert_int_equal(go_on(w, UP_FILES_DONE), 0);
    assert_int_equal(play.terms, 1);
    assert_int_equal(play.kills, 1);
    assert_int_equal(play_count(&play, MAIN), 1);
}

static void one_that_cannot_be_stopped_changes_nothing(void **state)
{
    struct world *w = *state;

    play_run(&play, MAIN, &user7);
    play.process[0].immortal = true;
    assert_int_equal(go_on(w, UP_FILES_NOT_STOPPED), UP_WRITE);
    assert_non_null(strstr(w->err.message, MAIN ": process 100 runs it and does not end"));
    assert_int_equal(w->files.stage.step, UP_FILES_STAGED);
    assert_tree(w, false);
    assert_int_equal(play.count, 1);
}

/* The other one was stopped, and runs again. */
static void what_was_stopped_in_vain_runs_again(void **state)
{
    struct world *w = *state;

    play_run(&play, MAIN, &user7);
    play_run(&play, MAIN, &user7);
    play.process[1].immortal = true;
    assert_int_equal(go_on(w, UP_FILES_NOT_STOPPED), UP_WRITE);
    play.process[0].immortal = false;
    assert_int_equal(play.count, 1);
    play.count = 0;
    assert_int_equal(up_files_program_go_back(&w->files, &hands, &w->err), 0);
    assert_int_equal(play_count(&play, MAIN), 1);
    assert_int_equal(w->files.stage.step, UP_FILES_STAGED);
}

static void a_start_that_fails_is_told(void **state)
{
    struct world *w = *state;

    play.start_error = EACCES;
    assert_int_equal(go_on(w, UP_FILES_NOT_STARTED), UP_WRITE);
    assert_string_equal(w->err.message, MAIN ": cannot be started: Permission denied");
    assert_tree(w, true);
    play.start_error = 0;
    assert_int_equal(go_on(w, UP_FILES_DONE), 0);
}

static void nothing_is_started_in_another_boot(void **state)
{
    struct world *w = *state;

    play_run(&play, MAIN, &user7);
    assert_int_equal(go_on(w, UP_FILES_DONE), 0);
    memset(w->files.stage.boot_id, 'x', 36);
    assert_int_equal(up_files_stage_write(&w->files.record, &w->files.stage, &w->err), 0);
    play.count = play.started = 0;
    assert_int_equal(go_on(w, UP_FILES_DONE), 0);
    assert_int_equal(play.started, 0);
    /* What runs now is what is stopped and started again when it goes back. */
    play_run(&play, FRESH, &user7);
    play_run(&play, MAIN, &user7);
    assert_int_equal(up_files_program_go_back(&w->files, &hands, &w->err), 0);
    assert_tree(w, false);
    assert_int_equal(play.count, 1);
    assert_int_equal(play_count(&play, MAIN), 1);
}

/* Started by somebody else, and not stopped: what it shows on trial is nothing of the new one. */
static void one_that_runs_the_old_file_is_told(void **state)
{
    struct world *w = *state;
    struct played old;

    play_run(&play, MAIN, &user7);
    old = play.process[0];
    assert_int_equal(go_on(w, UP_FILES_DONE), 0);
    assert_int_equal(up_files_program_are_tried(&w->files, &hands, &w->err), 0);
    play.process[play.count++] = old;
    assert_int_equal(up_files_program_are_tried(&w->files, &hands, &w->err), UP_DEFERRED);
    assert_string_equal(w->err.message, "process 100 still runs the old " MAIN "; restart it, or the device");
}

static const char *const stop[] = {"stop", "{path}", "x{name}", NULL};
static const char *const start[] = {"start", "{name}", NULL};

static void commands_stop_and_start(void **state)
{
    struct world *w = *state;

    hands.stop = stop;
    hands.start = start;
    play.managed = true;
    play_run(&play, MAIN, &user7);
    assert_int_equal(go_on(w, UP_FILES_DONE), 0);
    assert_string_equal(play.commands, "stop " MAIN " x{name}\nstart main\nstart fresh\n");
    assert_int_equal(play.terms, 0);
    assert_int_equal(play.started, 0);
}

static void a_stop_counts_by_its_effect(void **state)
{
    struct world *w = *state;

    hands.stop = stop;
    hands.start = start;
    play.managed = true;
    play.command_status = 5; /* nobody runs it: that is what was wanted */
    assert_int_equal(go_on(w, UP_FILES_NOT_STARTED), UP_WRITE);
    assert_string_equal(w->err.message, MAIN ": command start exited with code 5");
    assert_int_equal(up_files_program_go_back(&w->files, &hands, &w->err), 0);
}

static void a_command_that_stops_nothing_is_no_stop(void **state)
{
    struct world *w = *state;

    hands.stop = stop;
    play_run(&play, MAIN, &user7);
    assert_int_equal(go_on(w, UP_FILES_NOT_STOPPED), UP_WRITE);
    assert_int_equal(play.kills, 0); /* a service manager would start it again */
    assert_tree(w, false);
}

static void put_script(struct world *w)
{
    struct up_storage *s = w->storage;
    int file = s->ops->open(s, MAIN, UP_UPDATE, 0);

    assert_int_equal(s->ops->pwrite(s, file, "#!", 2, 0), 0);
    assert_int_equal(s->ops->sync(s, file), 0);
    s->ops->close(s, file);
}

/* None is cut short. */
static void a_command_has_so_many_words(void **state)
{
    const char *words[65] = {"stop"};
    struct world *w = *state;

    for (int i = 1; i < 64; i++)
        words[i] = "w";
    hands.stop = words;
    hands.start = start;
    put_script(w); /* so that its end counts */
    assert_int_equal(go_on(w, UP_FILES_NOT_STOPPED), UP_USAGE);
    assert_string_equal(w->err.message, MAIN ": command stop has more than 63 words");
    assert_null(strstr(play.commands, "stop"));
    words[63] = NULL;
    assert_int_equal(go_on(w, UP_FILES_DONE), 0);
    assert_non_null(strstr(play.commands, "stop w"));
}

static void a_script_needs_commands(void **state)
{
    struct world *w = *state;

    assert_int_equal(up_files_programs_fit(&w->files, &hands, &w->err), 0);
    put_script(w);
    assert_int_equal(up_files_programs_fit(&w->files, &hands, &w->err), UP_INCOMPATIBLE);
    assert_non_null(strstr(w->err.message, MAIN ": begins with #!"));
    hands.stop = stop;
    assert_int_equal(up_files_programs_fit(&w->files, &hands, &w->err), UP_INCOMPATIBLE);
    hands.start = start;
    assert_int_equal(up_files_programs_fit(&w->files, &hands, &w->err), 0);
    play.command_status = 3;
    assert_int_equal(go_on(w, UP_FILES_NOT_STOPPED), UP_WRITE);
    assert_string_equal(w->err.message, MAIN ": command stop exited with code 3");
    play.command_status = 0;
    assert_int_equal(go_on(w, UP_FILES_DONE), 0);
}

/* It is stopped and started, and no operation puts it there. */
static void a_program_that_stays_needs_no_operation(void **state)
{
    struct world *w = *state;

    for (uint32_t n = 0; n < w->files.plan.program_count; n++)
        w->files.plan.program[n].name = "stays";
    assert_int_equal(up_files_programs_fit(&w->files, &hands, &w->err), 0);
}

/* What runs has another name, which may lie anywhere. */
static void a_program_that_is_a_link_needs_commands(void **state)
{
    struct world *w = *state;
    struct up_storage *s = w->storage;

    assert_int_equal(s->ops->unlink(s, MAIN), 0);
    assert_int_equal(s->ops->symlink(s, "elsewhere", MAIN), 0);
    assert_int_equal(up_files_programs_fit(&w->files, &hands, &w->err), UP_INCOMPATIBLE);
    assert_non_null(strstr(w->err.message, MAIN ": is a link"));
    hands.stop = stop;
    hands.start = start;
    assert_int_equal(up_files_programs_fit(&w->files, &hands, &w->err), 0);
}

/* One that becomes a script, too. */
static void a_script_that_is_staged_needs_commands(void **state)
{
    struct world *w = *state;
    struct up_storage *s = w->storage;
    int file = s->ops->open(s, "/card/.moult-1122334455667788-10.new", UP_UPDATE, 0);

    assert_true(file >= 0);
    assert_int_equal(s->ops->pwrite(s, file, "#!", 2, 0), 0);
    s->ops->close(s, file);
    assert_int_equal(up_files_programs_fit(&w->files, &hands, &w->err), UP_INCOMPATIBLE);
    assert_non_null(strstr(w->err.message, FRESH ": begins with #!"));
}

static int fit(struct world *w)
{
    return up_files_programs_fit(&w->files, &hands, &w->err);
}

static int look_alive(struct world *w)
{
    struct up_files_alive alive = {0};
    enum up_files_life life;
    int rc = up_files_alive_look(&alive, &w->files, &hands, &life, &w->err);

    up_files_alive_free(&alive);
    return rc;
}

/* Whichever call fails: what cannot be told is not taken for all being well. A boot that cannot be told is another,
 * which has started its programs itself. */
static void must_say_what_fails(struct world *w, int (*look)(struct world *))
{
    unsigned failures = 0;

    for (int op = SIM_OPEN; op < SIM_OPS; op++)
        for (unsigned n = 1, met = 1; met; n++) {
            int rc;

            sim_reset_counters(w->sim);
            sim_fail(w->sim, (enum sim_op)op, n, EIO, false);
            rc = look(w);
            met = sim_fault_hits(w->sim) > 0;
            if (met && op != SIM_BOOT_ID ? rc != UP_WRITE || !strstr(w->err.message, strerror(EIO)) : rc < 0)
                fail_msg("%s %u: %d", sim_op_name((enum sim_op)op), n, rc);
            failures += met;
        }
    sim_fail(w->sim, SIM_OPS, 0, 0, false);
    assert_true(failures > 4);
}

static void what_cannot_be_looked_at_is_said(void **state)
{
    struct world *w = *state;

    must_say_what_fails(w, fit);
    assert_true(play_run(&play, MAIN, &user7) > 0);
    assert_int_equal(go_on(w, UP_FILES_DONE), 0);
    must_say_what_fails(w, look_alive);
}

/* The process was killed at operation k, and another one goes on, or back. Whether it got there. */
static bool killed_at(const struct world *w, unsigned k, bool back)
{
    const struct play before = play;
    struct sim *sim = sim_clone(w->sim), *next;
    struct world there = {.sim = sim, .storage = sim_storage(sim)};
    enum up_files_outcome outcome;
    bool met;

    sim_reset_counters(sim);
    sim_cut_at(sim, k);
    play.storage = there.storage;
    if (up_files_open(&there.files, there.storage, STATE, &there.err) == 0) {
        (void)!up_files_program_go_on(&there.files, &hands, &outcome, &there.err);
        up_files_close(&there.files);
    }
    met = sim_is_cut(sim);
    next = sim_respawn(sim);
    there.sim = next;
    play.storage = there.storage = sim_storage(next);
    assert_int_equal(up_files_open(&there.files, there.storage, STATE, &there.err), 0);
    if (back)
        assert_int_equal(up_files_program_go_back(&there.files, &hands, &there.err), 0);
    else
        assert_int_equal(go_on(&there, UP_FILES_DONE), 0);
    assert_tree(&there, !back);
    if (play_count(&play, MAIN) != 1 || play.count != (back ? 1 : 2))
        fail_msg("operation %u: %u run, %u of them main", k, play.count, play_count(&play, MAIN));
    assert_int_equal(play.process[0].p.owner, 7);
    up_files_close(&there.files);
    assert_int_equal(sim_open_files(next), 0);
    sim_free(next);
    sim_free(sim);
    play = before;
    return met;
}

static void whoever_was_killed_nothing_stays_stopped(void **state)
{
    struct world *w = *state;
    unsigned cuts = 0;

    play_run(&play, MAIN, &user7);
    for (int back = 0; back < 2; back++)
        for (unsigned k = 1; killed_at(w, k, back); k++)
            cuts++;
    assert_true(cuts > 100);
    print_message("killed at %u operations\n", cuts);
}

/* What is left to do after a call of it has failed, and that nothing stays stopped. */
static void must_end_well(struct world *w, enum up_files_outcome outcome, const char *what, unsigned n)
{
    if (outcome == UP_FILES_NOT_STOPPED && (play_count(&play, MAIN) != 1 || play.count != 1))
        fail_msg("%s %u failed: main does not run again", what, n);
    if (outcome == UP_FILES_NOT_STOPPED)
        assert_tree(w, false);
    if (outcome == UP_FILES_NOT_STARTED)
        assert_tree(w, true);
    if (n % 2) { /* or back at once */
        assert_int_equal(go_on(w, UP_FILES_DONE), 0);
        assert_tree(w, true);
        if (play_count(&play, MAIN) != 1 || play_count(&play, FRESH) != 1 || play.count != 2)
            fail_msg("%s %u failed: %u run", what, n, play.count);
    }
    assert_int_equal(up_files_program_go_back(&w->files, &hands, &w->err), 0);
    assert_tree(w, false);
    if (play_count(&play, MAIN) != 1 || play.count != 1)
        fail_msg("%s %u failed: %u run in the end", what, n, play.count);
    assert_int_equal(play.process[0].p.owner, 7);
}

/* A call fails once on the way to the new tree. Whether there was one. */
static bool failed_at(const struct world *w, enum sim_op op, unsigned n)
{
    const struct play before = play;
    struct sim *sim = sim_clone(w->sim);
    struct world there = {.sim = sim, .storage = sim_storage(sim)};
    enum up_files_outcome outcome;
    bool met;
    int rc;

    play.storage = there.storage;
    assert_int_equal(up_files_open(&there.files, there.storage, STATE, &there.err), 0);
    sim_reset_counters(sim);
    sim_fail(sim, op, n, EIO, false);
    rc = up_files_program_go_on(&there.files, &hands, &outcome, &there.err);
    met = sim_fault_hits(sim) > 0;
    sim_fail(sim, SIM_OPS, 0, 0, false);
    if (rc < 0 ? outcome == UP_FILES_DONE || !strstr(there.err.message, strerror(EIO))
               : outcome != UP_FILES_DONE)
        fail_msg("%s %u failed: outcome %d, %s", sim_op_name(op), n, (int)outcome, there.err.message);
    if (rc == 0)
        assert_tree(&there, true);
    must_end_well(&there, outcome, sim_op_name(op), n);
    up_files_close(&there.files);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
    play = before;
    return met;
}

static void whatever_fails_nothing_stays_stopped(void **state)
{
    struct world *w = *state;
    unsigned failures = 0;

    play_run(&play, MAIN, &user7);
    for (int op = SIM_OPEN; op < SIM_OPS; op++)
        for (unsigned n = 1; failed_at(w, (enum sim_op)op, n); n++)
            failures++;
    assert_true(failures > 100);
}

static void a_record_of_what_ran_reads_as_it_was_written(void **state)
{
    const struct up_files_ran ran[] = {{1, user7}, {0, {.folder = ""}}};
    struct up_files_plan plan = {.program_count = 2};
    struct up_files_ran *again;
    struct up_error err;
    uint32_t count;
    uint8_t *bytes;
    size_t len;

    (void)state;
    assert_int_equal(up_files_ran_encode(ran, 2, &bytes, &len, &err), 0);
    assert_int_equal(up_files_ran_decode(&again, &count, &plan, bytes, len, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(again[0].program, 1);
    assert_int_equal(again[0].as.groups[1], 9);
    assert_string_equal(again[0].as.folder, "/app/etc");
    free(again);
    plan.program_count = 1;
    assert_int_equal(up_files_ran_decode(&again, &count, &plan, bytes, len, &err), UP_INCOMPATIBLE);
    plan.program_count = 2;
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(up_files_ran_decode(&again, &count, &plan, bytes, cut, &err), UP_INCOMPATIBLE);
    free(bytes);
}

/* The system's own table: this program, copied, waits when it is called so. */
#define WAITS "waits-to-be-stopped"

static void copy_of_ours(const char *path)
{
    int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_EXCL, 0755);
    char buf[65536];
    ssize_t got;

    assert_true(from >= 0 && to >= 0);
    for (got = read(from, buf, sizeof buf); got > 0; got = read(from, buf, sizeof buf))
        assert_int_equal(write(to, buf, (size_t)got), got);
    close(from);
    close(to);
}

static int keep(void *user, const struct up_running *p)
{
    *(struct up_running *)user = *p;
    return 0;
}

/* Whoever may become another one does; nobody else can, and needs not. */
static struct up_running somebody(void)
{
    struct up_running as = {.owner = 12345, .group = 23456, .group_count = 2, .groups = {34567, 45678}};
    gid_t groups[UP_RUNNING_GROUPS];
    int count;

    if (geteuid() == 0)
        return as;
    count = getgroups(UP_RUNNING_GROUPS, groups);
    as = (struct up_running){.owner = geteuid(), .group = getegid(), .group_count = count > 0 ? count : 0};
    for (int i = 0; i < count; i++)
        as.groups[i] = groups[i];
    return as;
}

static void the_system_starts_sees_and_ends(void **state)
{
    struct up_running_table *t = up_running_system();
    struct up_running as = somebody(), seen = {0};
    char dir[] = "/tmp/programs.XXXXXX", path[128];
    struct up_stat st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0755), 0);
    snprintf(path, sizeof path, "%s/" WAITS, dir);
    snprintf(as.folder, sizeof as.folder, "%s", dir);
    copy_of_ours(path);
    assert_int_equal(up_storage_system()->ops->stat(up_storage_system(), path, &st), 0);
    assert_int_equal(t->ops->each(t, &st, keep, &seen), 0);
    assert_int_equal(seen.pid, 0);
    assert_int_equal(t->ops->start(t, path, &as), 0);
    assert_int_equal(t->ops->each(t, &st, keep, &seen), 0);
    assert_true(seen.pid > 1);
    assert_int_equal(seen.parent, getpid());
    assert_int_equal(seen.owner, as.owner);
    assert_int_equal(seen.group, as.group);
    assert_int_equal(seen.group_count, as.group_count);
    assert_memory_equal(seen.groups, as.groups, as.group_count * sizeof as.groups[0]);
    assert_string_equal(seen.folder, dir);
    assert_int_equal(getsid((pid_t)seen.pid), seen.pid);
    st.inode++;
    t->ops->signal(t, seen.pid, &st, SIGKILL); /* runs another file: is left alone */
    st.inode--;
    assert_int_equal(waitpid((pid_t)seen.pid, NULL, WNOHANG), 0);
    t->ops->signal(t, seen.pid, &st, SIGTERM);
    assert_int_equal(waitpid((pid_t)seen.pid, NULL, 0), seen.pid);
    unlink(path);
    assert_int_equal(t->ops->start(t, path, &as), -1);
    assert_int_equal(errno, ENOENT);
    rmdir(dir);
}

/* A command or a start that takes long is no silence, as long as it takes and no longer. */
static void what_is_waited_for_is_told(void **state)
{
    char name[] = "/bin/sleep", time[] = "0.05", nothing[] = "/nonexistent";
    char *const command[] = {name, time, NULL}, *const missing[] = {nothing, NULL};
    struct up_running_table *t = up_running_system();
    struct up_running as = somebody();
    struct up_waits_page *page;
    int fd = up_waits_new(&page);
    uint64_t waited;

    (void)state;
    assert_true(fd > UP_WAITS_FD);
    assert_int_equal(dup2(fd, UP_WAITS_FD), UP_WAITS_FD);
    close(fd);
    up_waits_adopt();
    assert_int_equal(t->ops->run(t, command), 0);
    waited = up_waits_read(page);
    assert_true(waited > 0);
    assert_int_equal(t->ops->run(t, missing), -1);
    assert_int_equal(t->ops->start(t, "/nonexistent", &as), -1);
    waited = up_waits_read(page);
    usleep(20000);
    assert_int_equal(up_waits_read(page), waited);
    up_waits_free(page);
}

static void our_own_processes_are_not_seen(void **state)
{
    struct up_running seen = {0};
    struct up_stat st;
    struct stat own;

    (void)state;
    assert_int_equal(stat("/proc/self/exe", &own), 0);
    st = (struct up_stat){.device = own.st_dev, .inode = own.st_ino};
    assert_int_equal(up_running_system()->ops->each(up_running_system(), &st, keep, &seen), 0);
    assert_int_equal(seen.pid, 0);
}

/* A file or folder on a server that does not answer: nobody waits for it for ever. */
static bool hangs;

int __real_execve(const char *path, char *const argv[], char *const environment[]);
int __wrap_execve(const char *path, char *const argv[], char *const environment[]);
int __wrap_execve(const char *path, char *const argv[], char *const environment[])
{
    while (hangs)
        pause();
    return __real_execve(path, argv, environment);
}

/* A child that waits so is alive; see waits.h. */
static int waits;

void __real_up_waits_begin(void);
void __wrap_up_waits_begin(void);
void __wrap_up_waits_begin(void)
{
    __real_up_waits_begin();
    waits++;
}

void __real_up_waits_end(void);
void __wrap_up_waits_end(void);
void __wrap_up_waits_end(void)
{
    waits--;
    __real_up_waits_end();
}

int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    if (hangs) {
        assert_int_equal(timeout, UP_COMMAND_SECONDS * 1000);
        assert_int_equal(waits, 1);
        return 0;
    }
    return __real_poll(fds, count, timeout);
}

/* An old kernel does not know it, and a container's filter may say anything. */
static bool filtered;

int __real_close_range(unsigned first, unsigned last, int flags);
int __wrap_close_range(unsigned first, unsigned last, int flags);
int __wrap_close_range(unsigned first, unsigned last, int flags)
{
    errno = EPERM;
    return filtered ? -1 : __real_close_range(first, last, flags);
}

static void a_program_starts_without_calls_that_a_filter_refuses(void **state)
{
    struct up_running_table *t = up_running_system();
    struct up_running as = somebody();
    int status;

    (void)state;
    snprintf(as.folder, sizeof as.folder, "/");
    filtered = true;
    assert_int_equal(t->ops->start(t, "/bin/true", &as), 0);
    filtered = false;
    assert_true(waitpid(-1, &status, 0) > 0);
    assert_int_equal(status, 0);
}

static bool no_fork;

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
    errno = EAGAIN;
    return no_fork ? -1 : __real_fork();
}

static void a_process_that_cannot_be_is_told(void **state)
{
    struct up_running_table *t = up_running_system();
    struct up_running as = somebody();
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC), rc;

    (void)state;
    snprintf(as.folder, sizeof as.folder, "/");
    close(next);
    no_fork = true;
    rc = t->ops->start(t, "/bin/true", &as) == -1 ? errno : 0;
    no_fork = false;
    assert_int_equal(rc, EAGAIN);
    assert_int_equal(open("/dev/null", O_RDONLY | O_CLOEXEC), next); /* nothing stays open */
    close(next);
}

/* No number is left for what it would tell the result by. */
static void a_program_that_could_not_tell_why_is_not_started(void **state)
{
    struct up_running_table *t = up_running_system();
    struct up_running as = somebody();
    struct rlimit usual, full;
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC), rc;

    (void)state;
    snprintf(as.folder, sizeof as.folder, "/");
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    full = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &full), 0);
    rc = t->ops->start(t, "/bin/true", &as) == -1 ? errno : 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_int_equal(rc, EMFILE);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a_start_that_hangs_is_given_up(void **state)
{
    struct up_running_table *t = up_running_system();
    struct up_running as = somebody();

    (void)state;
    snprintf(as.folder, sizeof as.folder, "/");
    hangs = true;
    assert_int_equal(t->ops->start(t, "/bin/true", &as), -1);
    hangs = false;
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(waits, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left of it */
}

static void the_system_runs_commands(void **state)
{
    struct up_running_table *t = up_running_system();
    const char *const fine[] = {"true", NULL}, *const code[] = {"sh", "-c", "exit 7", NULL};
    const char *const none[] = {"/nowhere/x", NULL};

    (void)state;
    assert_int_equal(t->ops->run(t, (char *const *)fine), 0);
    assert_int_equal(t->ops->run(t, (char *const *)code), 7);
    assert_int_equal(t->ops->run(t, (char *const *)none), -1);
    assert_int_equal(errno, ENOENT);
}

/* So long as a command may take is over at once. */
static bool hurries;
static int begun; /* a pipe that the command writes to */

int __real_up_program_wait(pid_t pid, unsigned ms, int *status);
int __wrap_up_program_wait(pid_t pid, unsigned ms, int *status);
int __wrap_up_program_wait(pid_t pid, unsigned ms, int *status)
{
    char byte;

    if (!hurries)
        return __real_up_program_wait(pid, ms, status);
    assert_int_equal(ms, UP_COMMAND_SECONDS * 1000);
    assert_int_equal(read(begun, &byte, 1), 1); /* it has started another one by now */
    return __real_up_program_wait(pid, 0, status);
}

/* It is killed, with what it started: then nobody has its end of the pipe any more. */
static void a_command_that_takes_too_long_is_killed(void **state)
{
    struct up_running_table *t = up_running_system();
    char path[] = "/tmp/moult-check-XXXXXX", fifo[64], script[160], byte;
    const char *const slow[] = {"sh", "-c", script, NULL};

    (void)state;
    assert_non_null(mkdtemp(path));
    snprintf(fifo, sizeof fifo, "%s/pipe", path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    snprintf(script, sizeof script, "exec 3>%s; (echo >&3; sleep 600) & wait", fifo);
    begun = open(fifo, O_RDWR | O_CLOEXEC);
    assert_true(begun >= 0);
    hurries = true;
    assert_int_equal(t->ops->run(t, (char *const *)slow), -1);
    assert_int_equal(errno, ETIMEDOUT);
    hurries = false;
    close(begun);
    begun = open(fifo, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    assert_true(begun >= 0);
    while (read(begun, &byte, 1) != 0) /* EAGAIN while somebody lives */
        usleep(1000);
    close(begun);
    assert_int_equal(unlink(fifo), 0);
    assert_int_equal(rmdir(path), 0);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(old_ones_end_and_new_ones_start),
        IN_WORLD(a_program_that_ends_is_noticed),
        IN_WORLD(a_program_that_a_command_starts_may_come_late),
        IN_WORLD(what_was_stopped_runs_again),
        IN_WORLD(what_did_not_run_is_not_started),
        IN_WORLD(one_that_is_deaf_is_killed),
        IN_WORLD(one_that_cannot_be_stopped_changes_nothing),
        IN_WORLD(what_was_stopped_in_vain_runs_again),
        IN_WORLD(a_start_that_fails_is_told),
        IN_WORLD(nothing_is_started_in_another_boot),
        IN_WORLD(one_that_runs_the_old_file_is_told),
        IN_WORLD(commands_stop_and_start),
        IN_WORLD(a_stop_counts_by_its_effect),
        IN_WORLD(a_command_that_stops_nothing_is_no_stop),
        IN_WORLD(a_command_has_so_many_words),
        IN_WORLD(a_script_needs_commands),
        IN_WORLD(a_program_that_stays_needs_no_operation),
        IN_WORLD(a_program_that_is_a_link_needs_commands),
        IN_WORLD(a_script_that_is_staged_needs_commands),
        IN_WORLD(what_cannot_be_looked_at_is_said),
        IN_WORLD(whoever_was_killed_nothing_stays_stopped),
        IN_WORLD(whatever_fails_nothing_stays_stopped),
        cmocka_unit_test(a_record_of_what_ran_reads_as_it_was_written),
        cmocka_unit_test(the_system_starts_sees_and_ends),
        cmocka_unit_test(what_is_waited_for_is_told),
        cmocka_unit_test(our_own_processes_are_not_seen),
        cmocka_unit_test(a_program_starts_without_calls_that_a_filter_refuses),
        cmocka_unit_test(a_program_that_could_not_tell_why_is_not_started),
        cmocka_unit_test(a_process_that_cannot_be_is_told),
        cmocka_unit_test(a_start_that_hangs_is_given_up),
        cmocka_unit_test(the_system_runs_commands),
        cmocka_unit_test(a_command_that_takes_too_long_is_killed),
    };

    if (argc == 1 && strstr(argv[0], WAITS))
        return pause();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
