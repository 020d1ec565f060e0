/*
 * supervisor_files_check.c -- the supervisor and the helper that works on the tree of
 * files: what it hears, what it does with one that hangs, and when it gives up; and a plan
 * that nobody can read.
 */
#include "child.h"
#include "device_private.h"
#include "files_helper.h"
#include "processes.h"
#include "sim.h"
#include "supervisor.h"
#include "supervisor_private.h"
#include "world.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* One helper after the other: what it says, and whether it ends then. */
struct helper {
    const char *says;
    bool hangs, beats; /* for ever */
    bool waits;        /* for the disk, as the system says */
};

static struct {
    struct up_processes processes; /* first */
    const struct helper *helpers;  /* those to come; one without words cannot be started */
    const char *left;              /* to be heard of the one that runs */
    bool ended, beats, waits;
    unsigned started, killed;
    int signal;
    int manager;    /* the service manager's end */
    unsigned signs; /* of life, that it heard */
    char words[256];
} stage;

#define ZEROS_29 "0000000000000000000000000000000000000000000000000000000000"

static struct sim *sim;
static struct up_config config;

static pid_t p_start(struct up_processes *p, const char *const argv[], int *link)
{
    const struct helper *next = stage.helpers++;

    (void)p;
    snprintf(stage.words, sizeof stage.words, "%s %s %s %s %s%s", argv[0], argv[1], argv[2], argv[3], argv[4],
             argv[5] ? " and more" : "");
    errno = EAGAIN;
    if (!next->says)
        return -1;
    stage.left = next->says;
    stage.ended = !next->hangs && !next->beats;
    stage.beats = next->beats;
    stage.waits = next->waits;
    stage.started++;
    *link = 5;
    return 77;
}

static void p_signal(struct up_processes *p, pid_t pid, int number)
{
    (void)p, (void)pid;
    stage.killed += number == SIGKILL && !stage.ended;
    stage.ended = stage.ended || number == SIGKILL;
}

static bool p_over(struct up_processes *p, pid_t pid)
{
    (void)p, (void)pid;
    return stage.ended && !*stage.left;
}

static uint64_t p_waited(struct up_processes *p, pid_t pid)
{
    (void)p, (void)pid;
    return stage.waits ? sim_storage(sim)->ops->monotonic(sim_storage(sim)) : 0;
}

static int p_reap(struct up_processes *p, pid_t pid)
{
    (void)p, (void)pid;
    assert_true(stage.ended);
    return 0;
}

static int p_next_signal(struct up_processes *p)
{
    int number = stage.signal;

    (void)p;
    stage.signal = 0;
    return number;
}

/* Count what the service manager heard since the last time: that we live. */
static void listen_for_life(void)
{
    char text[64];
    ssize_t len = recv(stage.manager, text, sizeof text, MSG_DONTWAIT);

    for (; len > 0; len = recv(stage.manager, text, sizeof text, MSG_DONTWAIT)) {
        assert_memory_equal(text, "WATCHDOG=1", (size_t)len);
        stage.signs++;
    }
}

static void p_wait(struct up_processes *p, const struct up_link_watch *watches, size_t count, int timeout)
{
    (void)p;
    assert_int_equal(count, 1);
    assert_int_equal(watches[0].link, 5);
    listen_for_life();
    if (*stage.left)
        return;
    sim_advance(sim, (uint64_t)timeout);
    if (!stage.beats)
        return;
    stage.left = "beat\n";
    if (sim_storage(sim)->ops->monotonic(sim_storage(sim)) > 100000) {
        stage.left = "done\n";
        stage.ended = true;
    }
}

static ssize_t p_receive(struct up_processes *p, int link, void *buf, size_t len)
{
    size_t n = strlen(stage.left);

    (void)p, (void)link;
    errno = EAGAIN;
    if (n == 0)
        return -1;
    n = n < len ? n : len;
    memcpy(buf, stage.left, n);
    stage.left += n;
    return (ssize_t)n;
}

static void p_close(struct up_processes *p, int link)
{
    (void)p, (void)link;
}

static int p_ready(struct up_processes *p)
{
    (void)p;
    return 0;
}

static void p_release(struct up_processes *p)
{
    (void)p;
}

static unsigned p_none_left(struct up_processes *p, enum up_orphans_of of, pid_t script, pid_t tester)
{
    (void)p, (void)of, (void)script, (void)tester;
    return 0;
}

static unsigned p_none_killed(struct up_processes *p, const char *state)
{
    (void)p, (void)state;
    return 0;
}

static const struct up_processes_ops ops = {.catch_signals = p_ready,
                                            .release_signals = p_release,
                                            .adopt_orphans = p_ready,
                                            .kill_orphans = p_none_left,
                                            .kill_left = p_none_killed,
                                            .start = p_start,
                                            .signal = p_signal,
                                            .over = p_over,
                                            .waited = p_waited,
                                            .reap = p_reap,
                                            .next_signal = p_next_signal,
                                            .wait = p_wait,
                                            .receive = p_receive,
                                            .close = p_close};

/* The result of a task that these helpers are given. */
static int helped(struct up_supervisor *s, const struct helper *helpers, enum up_files_outcome *outcome,
                  struct up_error *err)
{
    stage.helpers = helpers;
    return up_supervisor_files(s, UP_FILES_ON, NULL, outcome, err);
}

static int enter(void **state)
{
    struct up_supervisor *s = calloc(1, sizeof *s);
    struct up_error err;
    int ends[2];

    memset(&stage, 0, sizeof stage);
    if (!s || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) < 0)
        return -1;
    stage.manager = ends[0];
    stage.processes.ops = &ops;
    stage.left = "";
    config = (struct up_config){.path = (char *)"/etc/config.lua"};
    sim = sim_new();
    *s = (struct up_supervisor){.config = &config,
                                .program = "/moult",
                                .verbosity = UP_QUIET,
                                .storage = sim_storage(sim),
                                .processes = &stage.processes,
                                .notify = {.fd = ends[1], .watchdog = 1}};
    *state = s;
    return up_child_new(&s->helper, s->processes, "files", UP_HELPER_HANG, &err);
}

static int leave(void **state)
{
    struct up_supervisor *s = *state;

    up_child_free(s->helper);
    close(s->notify.fd);
    close(stage.manager);
    free(s);
    sim_free(sim);
    return 0;
}

static void a_task_is_done_by_a_helper(void **state)
{
    const struct helper one[] = {{.says = "beat\nbeat\ndone\n"}};
    enum up_files_outcome outcome;
    struct up_error err;

    assert_int_equal(helped(*state, one, &outcome, &err), 0);
    assert_int_equal(outcome, UP_FILES_DONE);
    assert_int_equal(stage.started, 1);
    assert_string_equal(stage.words, "/moult --files on -c /etc/config.lua");
}

/* Whoever does it looks whether that is the plan that is open. */
static void a_helper_is_told_the_plan(void **state)
{
    const struct helper one[] = {{.says = "done\n"}};
    const uint8_t plan[32] = {0x01, 0xab, [31] = 0xfe};
    enum up_files_outcome outcome;
    struct up_error err;

    stage.helpers = one;
    assert_int_equal(up_supervisor_files(*state, UP_FILES_ON, plan, &outcome, &err), 0);
    assert_string_equal(stage.words, "/moult --files on:01ab" ZEROS_29 "fe -c /etc/config.lua");
}

static void it_says_what_failed(void **state)
{
    const struct helper one[] = {{.says = "beat\nwhat\nfailed 1 write it still runs: 7\n"}};
    enum up_files_outcome outcome;
    struct up_error err;

    assert_int_equal(helped(*state, one, &outcome, &err), UP_WRITE);
    assert_int_equal(outcome, UP_FILES_NOT_STOPPED);
    assert_string_equal(err.message, "it still runs: 7");
    assert_int_equal(stage.started, 1);
}

/* What it came to is one of those that there are; another line says nothing. */
static void what_it_came_to_is_known(void **state)
{
    static const char *const said[] = {"failed -1 write x\n", "failed 4 write x\n", "failed 0\n", "failed\n"};
    enum up_files_outcome outcome;
    struct up_error err;

    assert_int_equal(UP_FILES_NOT_STARTED, 3); /* the last */
    for (int n = 0; n <= UP_FILES_NOT_STARTED; n++) {
        char line[32];
        const struct helper one[] = {{.says = line}};

        snprintf(line, sizeof line, "failed %d corrupt x\n", n);
        assert_int_equal(helped(*state, one, &outcome, &err), UP_CORRUPT);
        assert_int_equal(outcome, n);
    }
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        const struct helper two[] = {{.says = said[i]}, {.says = "done\n"}};

        stage.started = 0;
        assert_int_equal(helped(*state, two, &outcome, &err), 0);
        assert_int_equal(stage.started, 2);
    }
}

static void one_that_hangs_is_killed_and_followed(void **state)
{
    const struct helper two[] = {{.says = "beat\n", .hangs = true}, {.says = "done\n"}};
    enum up_files_outcome outcome;
    struct up_error err;

    assert_int_equal(helped(*state, two, &outcome, &err), 0);
    assert_int_equal(stage.started, 2);
    assert_int_equal(stage.killed, 1);
    listen_for_life();
    assert_int_equal(stage.signs, 2); /* one for each that said something */
}

/* What waits for a slow disk does not hang, and the service manager does not take us for dead. */
static void one_that_waits_for_the_disk_keeps_us_alive(void **state)
{
    const struct helper two[] = {{.says = "beat\n", .hangs = true, .waits = true}, {.says = "done\n"}};
    enum up_files_outcome outcome;
    struct up_error err;

    assert_int_equal(helped(*state, two, &outcome, &err), 0);
    assert_int_equal(stage.killed, 1);
    assert_in_range(stage.signs, UP_CHILD_WAIT_MS / 1000, UP_CHILD_WAIT_MS / 1000 + 2);
}

static void one_that_makes_progress_is_not_killed(void **state)
{
    const struct helper one[] = {{.says = "beat\n", .beats = true}};
    enum up_files_outcome outcome;
    struct up_error err;

    assert_int_equal(helped(*state, one, &outcome, &err), 0);
    assert_int_equal(stage.started, 1);
    assert_int_equal(stage.killed, 0);
    assert_true(stage.signs >= 100); /* a second each */
}

static void helpers_that_say_nothing_are_not_followed_for_ever(void **state)
{
    const struct helper many[] = {
        {.says = "beat\n"}, {.says = "failed 9 write x\n"}, {.says = "beat\n"}, {0}};
    enum up_files_outcome outcome;
    struct up_error err;

    assert_int_equal(helped(*state, many, &outcome, &err), UP_INTERNAL);
    assert_int_equal(outcome, UP_FILES_NOT_SWITCHED);
    assert_string_equal(err.message, "files: the helper (on) exited with code 0, 3 times");
    assert_int_equal(stage.started, 3);
}

static void one_that_cannot_be_started_is_told(void **state)
{
    const struct helper none[] = {{0}};
    enum up_files_outcome outcome;
    struct up_error err;

    assert_int_equal(helped(*state, none, &outcome, &err), UP_INTERNAL);
    assert_string_equal(err.message, "files: cannot start: Resource temporarily unavailable");
    assert_int_equal(outcome, UP_FILES_NOT_SWITCHED);
}

/* Who is told to stop meanwhile stops afterwards: the task is not left half done. */
static void a_signal_is_heard_meanwhile(void **state)
{
    const struct helper one[] = {{.says = "beat\ndone\n"}};
    struct up_supervisor *s = *state;
    enum up_files_outcome outcome;
    struct up_error err;

    assert_int_equal(up_child_new(&s->agent, s->processes, "agent", 60, &err), 0);
    assert_int_equal(up_child_new(&s->script, s->processes, "script", 60, &err), 0);
    stage.signal = SIGTERM;
    assert_int_equal(helped(s, one, &outcome, &err), 0);
    assert_int_equal(s->leave, UP_LEAVE_STOP);
    up_child_free(s->agent);
    up_child_free(s->script);
}

/* Not the supervisor itself, which has to stay alive meanwhile. */
static void what_the_device_does_to_its_tree_is_done_by_helpers(void **state)
{
    static const struct world_plan plan = {.name = "script", .provisioned = true, .package = WORLD_SCRIPT};
    const struct helper one[] = {{.says = "done\n"}};
    struct up_supervisor_options options = {&config, "/moult", UP_QUIET, NULL, &stage.processes, NULL, NULL};
    struct up_supervisor *s;
    struct up_error err;

    (void)state;
    sim_free(sim);
    sim = world_new(&plan);
    world_configure(&config);
    options.storage = sim_storage(sim);
    assert_int_equal(up_supervisor_open(&s, &options, &err), 0);
    stage.helpers = one;
    assert_int_equal(up_device_do_tree(s->device, UP_FILES_BACK, &err), 0);
    assert_int_equal(stage.started, 1);
    up_supervisor_close(s);
    up_config_free(&config);
}

/* Of a release with files, whose programs are asked about. */
static void a_plan_that_cannot_be_read_vouches_for_nothing(void **state)
{
    struct up_supervisor *s = *state;
    struct up_device *d = calloc(1, sizeof *d);
    struct up_error err;

    config.state = (char *)"/state";
    sim_put_dir(sim, "/state", 0755);
    d->state.tx.plan.known = true;
    s->device = d;
    assert_int_equal(up_supervisor_tried(s, &err), 0);
    assert_int_equal(up_supervisor_alone_look(s, &err), 0);
    sim_fail(sim, SIM_OPEN, 1, EIO, true);
    assert_int_equal(up_supervisor_tried(s, &err), UP_STATELOST);
    assert_int_equal(up_supervisor_alone_look(s, &err), UP_STATELOST);
    up_supervisor_alone_forget(s);
    d->state.tx.plan.known = false; /* then nobody is asked */
    assert_int_equal(up_supervisor_tried(s, &err), 0);
    s->device = NULL;
    assert_int_equal(up_supervisor_tried(s, &err), 0);
    free(d);
}

#define ON_STAGE(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(a_task_is_done_by_a_helper),
        ON_STAGE(a_helper_is_told_the_plan),
        ON_STAGE(it_says_what_failed),
        ON_STAGE(what_it_came_to_is_known),
        ON_STAGE(one_that_hangs_is_killed_and_followed),
        ON_STAGE(one_that_waits_for_the_disk_keeps_us_alive),
        ON_STAGE(one_that_makes_progress_is_not_killed),
        ON_STAGE(helpers_that_say_nothing_are_not_followed_for_ever),
        ON_STAGE(one_that_cannot_be_started_is_told),
        ON_STAGE(a_signal_is_heard_meanwhile),
        ON_STAGE(what_the_device_does_to_its_tree_is_done_by_helpers),
        ON_STAGE(a_plan_that_cannot_be_read_vouches_for_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
