/*
 * files_helper_check.c -- what the helper says while it changes the tree of files, and
 * that it does what it is told, on a simulated device.
 */
#include "channel.h"
#include "config.h"
#include "files_helper.h"
#include "files_stand.h"
#include "processes.h"
#include "sim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "running_play.h"

static const struct files_flow flow = {.name = "check"};
static struct play play;
static char said[65536];

static bool no_channel;

int __real_up_channel_new(struct up_channel **out, struct up_processes *processes, int link,
                          struct up_error *err);
int __wrap_up_channel_new(struct up_channel **out, struct up_processes *processes, int link,
                          struct up_error *err);

int __wrap_up_channel_new(struct up_channel **out, struct up_processes *processes, int link,
                          struct up_error *err)
{
    if (!no_channel)
        return __real_up_channel_new(out, processes, link, err);
    *out = NULL;
    return up_fail(err, UP_INTERNAL, "no channel");
}

static int enter(void **state)
{
    struct world *w;

    if (world_enter(state, &flow) < 0)
        return -1;
    w = *state;
    play = (struct play){.table = {&play_ops}, .storage = w->storage};
    return world_fill(w, &flow);
}

/* What a helper for this task says. */
static const char *help(struct world *w, const char *task)
{
    static char stop[] = "stop", path[] = "{path}";
    struct up_config config = {.state = (char *)STATE};
    struct up_files_helper helper = {&config, w->storage, &play.table, up_processes_system(), -1};
    size_t len = 0;
    ssize_t got;
    int pair[2];

    config.files.stop[0] = stop;
    config.files.stop[1] = path;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    helper.link = pair[1];
    assert_int_equal(up_files_helper(&helper, task, &w->err), 0);
    do {
        got = read(pair[0], said + len, sizeof said - 1 - len);
        len += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    said[len] = '\0';
    close(pair[0]);
    return said;
}

static void assert_ends(const char *text, const char *end)
{
    size_t len = strlen(text), tail = strlen(end);

    if (len < tail || strcmp(text + len - tail, end) != 0)
        fail_msg("%s", text);
}

static void assert_tree(struct world *w, bool new)
{
    char *now = tree_visible(w->sim), *then = tree_text(&flow, new);

    assert_string_equal(now, then);
    free(now);
    free(then);
}

static void it_beats_at_each_step_and_says_the_end(void **state)
{
    struct world *w = *state;
    unsigned beats = 0;

    assert_ends(help(w, "on"), "beat\ndone\n");
    for (const char *at = strstr(said, "beat\n"); at; at = strstr(at + 1, "beat\n"))
        beats++;
    assert_true(beats > 2 * w->files.plan.op_count);
    assert_tree(w, true);
    assert_int_equal(play.started, 2);
    assert_ends(help(w, "back"), "beat\ndone\n");
    assert_tree(w, false);
    assert_ends(help(w, "keep-old"), "beat\ndone\n");
    assert_tree(w, false);
    assert_ends(help(w, "keep-old"), "beat\ndone\n"); /* nothing is open any more */
    assert_tree(w, false);
}

static void it_keeps_what_is_new(void **state)
{
    struct world *w = *state;

    assert_ends(help(w, "on"), "done\n");
    assert_ends(help(w, "keep-new"), "done\n");
    assert_tree(w, true);
}

static void it_says_which_step_failed(void **state)
{
    const struct up_running as = {.owner = 7};
    struct world *w = *state;

    play_run(&play, "/app/bin/main", &as);
    assert_ends(help(w, "on"), "failed 1 write /app/bin/main: process 100 runs it and does not end\n");
    assert_non_null(strstr(play.commands, "stop /app/bin/main\n"));
    play.count = 0;
    play.start_error = ENOEXEC;
    assert_ends(help(w, "on"), "failed 3 write /app/bin/main: cannot be started: Exec format error\n");
}

static void it_works_on_no_other_plan(void **state)
{
    struct world *w = *state;
    char task[96] = "back:", hex[2 * UP_SHA256_SIZE + 1];
    uint8_t other[UP_SHA256_SIZE] = {1};

    assert_ends(help(w, "on"), "done\n");
    up_hex(other, sizeof other, task + 5);
    assert_string_equal(help(w, task),
                        "beat\nfailed 2 busy files: another plan has begun meanwhile; try again later\n");
    assert_tree(w, true);
    up_hex(w->files.stage.plan, UP_SHA256_SIZE, hex);
    strcpy(task + 5, hex);
    assert_ends(help(w, task), "done\n");
    assert_tree(w, false);
}

/* Without the plan nothing is tried, and the cause is what the reader said. */
static void it_says_that_the_plan_cannot_be_read(void **state)
{
    static const char *const tasks[] = {"on", "back", "keep-new", "keep-old"};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        sim_reset_counters(w->sim);
        sim_fail(w->sim, SIM_PREAD, 1, EIO, true);
        assert_string_equal(help(w, tasks[i]),
                            "beat\nfailed 2 statelost " STATE "/files/stage: both records are unreadable\n");
        sim_fail(w->sim, SIM_OPS, 0, 0, false);
        assert_tree(w, false);
    }
}

static void it_is_for_the_supervisor(void **state)
{
    struct world *w = *state;
    struct up_config config = {.state = (char *)STATE};
    struct up_files_helper helper = {&config, w->storage, &play.table, up_processes_system(), 63};
    static const char *const no_order[] = {"", "off", "no", "keep-all", "on:", "on:00", "backwards"};
    int pair[2];

    assert_int_equal(up_files_helper(&helper, "on", &w->err), UP_USAGE);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    helper.link = pair[1];
    for (size_t i = 0; i < sizeof no_order / sizeof *no_order; i++)
        assert_int_equal(up_files_helper(&helper, no_order[i], &w->err), UP_USAGE);
    assert_tree(w, false);
    close(pair[0]);
    close(pair[1]);
}

/* Nobody would hear it beat. */
static void it_does_nothing_without_a_channel(void **state)
{
    struct world *w = *state;
    struct up_config config = {.state = (char *)STATE};
    struct up_files_helper helper = {&config, w->storage, &play.table, up_processes_system(), -1};
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    helper.link = pair[1];
    no_channel = true;
    assert_int_equal(up_files_helper(&helper, "on", &w->err), UP_INTERNAL);
    no_channel = false;
    assert_string_equal(w->err.message, "no channel");
    assert_tree(w, false);
    close(pair[0]);
    close(pair[1]);
}

/* When names cannot be removed now, it is on record which files stay. */
static void it_keeps_what_it_was_told_to(void **state)
{
    static const struct {
        const char *order, *keep;
        enum up_files_step step;
    } cases[] = {{"back", "keep-old", UP_FILES_SWEEPING_OLD}, {"on", "keep-new", UP_FILES_SWEEPING_NEW}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = *state;

        assert_ends(help(w, "on"), "done\n");
        assert_ends(help(w, cases[i].order), "done\n");
        sim_reset_counters(w->sim);
        sim_fail(w->sim, SIM_UNLINK, 1, EIO, true);
        assert_non_null(strstr(help(w, cases[i].keep), "failed "));
        sim_fail(w->sim, SIM_OPS, 0, 0, false);
        up_files_close(&w->files);
        assert_int_equal(up_files_open(&w->files, w->storage, STATE, &w->err), 0);
        assert_int_equal(w->files.stage.step, cases[i].step);
        assert_int_equal(leave(state), 0);
        assert_int_equal(enter(state), 0);
    }
}

/* One at a time. */
static void it_does_nothing_beside_another(void **state)
{
    struct world *w = *state;
    int claim;

    assert_int_equal(up_files_claim(&claim, w->storage, STATE, &w->err), 0);
    assert_non_null(strstr(help(w, "on"), "failed 2 busy "));
    assert_tree(w, false);
    up_files_let_go(w->storage, claim);
    assert_ends(help(w, "on"), "done\n");
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(it_beats_at_each_step_and_says_the_end),
        IN_WORLD(it_works_on_no_other_plan),
        IN_WORLD(it_keeps_what_is_new),
        IN_WORLD(it_says_which_step_failed),
        IN_WORLD(it_says_that_the_plan_cannot_be_read),
        IN_WORLD(it_is_for_the_supervisor),
        IN_WORLD(it_does_nothing_without_a_channel),
        IN_WORLD(it_keeps_what_it_was_told_to),
        IN_WORLD(it_does_nothing_beside_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
