#include "supervisor_play.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "child.h"
#include "notify.h"
#include "processes.h"
#include "running.h"
#include "storage.h"
#include "supervisor.h"

#define LINES 128
#define BEAT_MS 1987 /* falls on no time at which something is due */
#define MARKS 1000
#define OFTEN_MS 97 /* between two turns of a rehearsal */

struct process {
    const char *name;
    pid_t pid; /* 0: none */
    bool ended, deaf, stuck, killed, mute, waits;
    uint64_t waited; /* ms */
    int status;
    char line[LINES][80];
    unsigned said, heard;
    size_t begun; /* bytes of the line being heard that are heard already */
};

/* By a time: lines that it wrote, that were done, and that the service manager was told; operations that change the
 * medium. */
struct progress {
    uint64_t time;
    unsigned said, done, told, changes;
};

/* In the turns of a play that did something. */
struct diary {
    struct progress *turn;
    size_t count;
};

static struct {
    bool on;
    const struct play_step *step;
    uint64_t until; /* of the wait that goes on; 0: none does */
    struct process process[PLAYERS];
    char words[PLAYERS][2000];
    pid_t last_pid;
    unsigned children;
    int open, signal; /* links and caught signals that were not given back */
    bool child_ended; /* SIGCHLD is pending */
    unsigned long turns;
    char *said, *done, *told;
    size_t said_size, done_size, told_size;
    struct mark {
        size_t end; /* of what was done by then */
        uint64_t time;
    } marks[MARKS];
    unsigned mark_count;
    bool rehearses;   /* the supervisor is woken often */
    uint64_t beat_at; /* of those who are not mute */
    unsigned ops;     /* sim_ops() when it was asked last */
    struct diary diary;
    FILE *log, *terminal, *manager;
} stage;

struct play_refusal play_refuses;
unsigned play_orphans, play_test_orphans, play_left;
struct sim *play_sim;

const char *play_said(void)
{
    return stage.said;
}

const char *play_done(void)
{
    return stage.done;
}

const char *play_told(void)
{
    return stage.told;
}

const char *play_words(enum play_who who)
{
    return stage.words[who];
}

long play_when(const char *text, unsigned nth)
{
    const char *where = strstr(stage.done, text);

    while (where && --nth > 0)
        where = strstr(where + 1, text);
    for (unsigned i = 0; where && i < stage.mark_count; i++)
        if (stage.marks[i].end > (size_t)(where - stage.done))
            return (long)stage.marks[i].time;
    return -1;
}

unsigned play_count(const char *where, const char *text)
{
    unsigned count = 0;

    for (where = strstr(where, text); where; where = strstr(where, text)) {
        where += strlen(text);
        count++;
    }
    return count;
}

static uint64_t now(void)
{
    struct up_storage *storage = sim_storage(play_sim);

    return storage->ops->monotonic(storage);
}

/* The play cannot go on. */
__attribute__((format(printf, 1, 2))) static void broken(const char *format, ...)
{
    char text[200];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fflush(stage.log);
    fflush(stderr);
    stderr = stage.terminal;
    stage.on = false;
    fail_msg("%s\n%s\n%s", text, stage.done, stage.said);
}

/*
 * Processes.
 */

static struct process *process_of(pid_t pid)
{
    for (int i = 0; i < PLAYERS; i++)
        if (stage.process[i].pid == pid)
            return &stage.process[i];
    broken("there is no process %d", (int)pid);
    return NULL;
}

static void end(struct process *p, int status)
{
    if (p->ended)
        return;
    p->ended = true;
    p->status = status;
    stage.child_ended = true;
    fprintf(stage.log, "%s ended\n", p->name);
}

#define WRAP(type, name, parameters) \
    type __real_##name parameters;   \
    type __wrap_##name parameters;   \
    type __wrap_##name parameters

WRAP(struct up_storage *, up_storage_system, (void))
{
    return stage.on ? sim_storage(play_sim) : __real_up_storage_system();
}

WRAP(int, up_child_new,
     (struct up_child * *out, struct up_processes *processes, const char *name, unsigned heartbeat,
      struct up_error *err))
{
    if (++stage.children == play_refuses.child)
        return up_fail(err, UP_INTERNAL, "%s: not enough memory", name);
    return __real_up_child_new(out, processes, name, heartbeat, err);
}

WRAP(void, up_notify_send, (const struct up_notify *n, const char *format, ...))
{
    va_list arguments;

    (void)n;
    va_start(arguments, format);
    vfprintf(stage.manager, format, arguments);
    va_end(arguments);
    fprintf(stage.manager, "\n");
}

static enum play_who who_is(const char *mode)
{
    if (strcmp(mode, "--agent") == 0)
        return AGENT;
    return strcmp(mode, "--test") == 0 ? TESTER : SCRIPT;
}

static pid_t p_start(struct up_processes *system, const char *const argv[], int *link)
{
    enum play_who who = who_is(argv[1]);
    struct process *p = &stage.process[who];

    (void)system;
    if (play_refuses.starts > 0 || (play_refuses.tester && who == TESTER)) {
        play_refuses.starts -= play_refuses.starts > 0;
        errno = EAGAIN;
        return -1;
    }
    if (p->pid != 0)
        broken("two of the %s", p->name);
    *p = (struct process){.name = p->name, .mute = p->mute, .pid = ++stage.last_pid};
    fprintf(stage.log, "%s started\n", p->name);
    for (size_t at = 0; *argv; argv++)
        at += (size_t)snprintf(stage.words[who] + at, sizeof stage.words[who] - at, "%s ", *argv);
    *link = (int)who;
    stage.open++;
    return p->pid;
}

static void p_signal(struct up_processes *system, pid_t pid, int number)
{
    struct process *p = process_of(pid);

    (void)system;
    p->killed = p->killed || number == SIGKILL;
    if (!p->stuck && (number == SIGKILL || (number == SIGTERM && !p->deaf)))
        end(p, number);
}

static bool p_over(struct up_processes *system, pid_t pid)
{
    (void)system;
    return process_of(pid)->ended;
}

static uint64_t p_waited(struct up_processes *system, pid_t pid)
{
    (void)system;
    for (int i = 0; i < PLAYERS; i++)
        if (pid > 0 && stage.process[i].pid == pid)
            return stage.process[i].waited;
    return 0;
}

static int p_reap(struct up_processes *system, pid_t pid)
{
    struct process *p = process_of(pid);

    (void)system;
    if (p->stuck)
        fprintf(stage.log, "%s left\n", p->name);
    else if (!p->ended)
        broken("it waits for the %s, which runs", p->name);
    p->pid = 0;
    return p->status;
}

static int p_become(struct up_processes *system, const char *const argv[])
{
    (void)system;
    fprintf(stage.log, "execute %s", argv[0]);
    for (int i = 1; argv[i]; i++)
        fprintf(stage.log, " %s", argv[i]);
    fprintf(stage.log, "\n");
    errno = ENOENT;
    return -1;
}

/* What the script leaves behind: killed, but gone only some looks later. */
static int p_adopt_orphans(struct up_processes *system)
{
    (void)system;
    errno = EINVAL;
    return play_refuses.orphans ? -1 : 0;
}

static unsigned p_kill_orphans(struct up_processes *system, enum up_orphans_of of, pid_t script, pid_t tester)
{
    (void)system, (void)script;
    if (of == UP_ORPHANS_OF_TEST) {
        fprintf(stage.log, "test swept\n");
        return play_test_orphans == UINT_MAX || play_test_orphans == 0 ? play_test_orphans
                                                                       : play_test_orphans--;
    }
    if (stage.process[SCRIPT].pid != 0 && !stage.process[SCRIPT].ended)
        broken("what the script started is killed while it runs");
    if (stage.process[TESTER].pid != 0 && stage.process[TESTER].pid != tester)
        broken("the test is killed as an orphan");
    if (play_orphans == 0)
        return 0;
    fprintf(stage.log, "orphan killed\n");
    return play_orphans == UINT_MAX ? 1 : play_orphans--;
}

static unsigned p_kill_left(struct up_processes *system, const char *state)
{
    unsigned left = play_left;

    (void)system;
    if (stage.process[SCRIPT].pid != 0)
        broken("what a script of %s left is killed while one runs", state);
    play_left = 0;
    return left;
}

static void p_forget_orphans(struct up_processes *system, pid_t agent, pid_t script, pid_t tester)
{
    (void)system;
    for (int i = 0; i < PLAYERS; i++) {
        const struct process *one = &stage.process[i];

        if (one->pid != 0 && one->ended && one->pid != agent && one->pid != script && one->pid != tester)
            broken("the %s is reaped as an orphan", one->name);
    }
}

/*
 * Signals and links, which are counted.
 */

static int p_catch_signals(struct up_processes *system)
{
    (void)system;
    if (play_refuses.signals) {
        errno = EMFILE;
        return -1;
    }
    stage.open++;
    return 0;
}

static int p_next_signal(struct up_processes *system)
{
    int number = stage.signal;

    (void)system;
    stage.signal = 0;
    stage.child_ended = false;
    return number;
}

static void p_release_signals(struct up_processes *system)
{
    (void)system;
    stage.open -= !play_refuses.signals;
}

static ssize_t p_send(struct up_processes *system, int link, const void *data, size_t len)
{
    (void)system;
    fprintf(stage.log, "%s < %.*s", stage.process[link].name, (int)len, (const char *)data);
    return (ssize_t)len;
}

static ssize_t p_receive(struct up_processes *system, int link, void *buf, size_t len)
{
    struct process *p = &stage.process[link];
    char *out = buf;
    size_t n = 0;

    (void)system;
    for (; n < len && p->heard != p->said; n++) {
        char c = p->line[p->heard % LINES][p->begun++];

        out[n] = c ? c : '\n';
        if (c == '\0') {
            p->heard++;
            p->begun = 0;
        }
    }
    if (n > 0)
        return (ssize_t)n;
    errno = EAGAIN;
    return -1;
}

static void p_close(struct up_processes *system, int link)
{
    (void)system, (void)link;
    stage.open--;
}

/*
 * The play.
 */

static void say(struct process *p, const char *line)
{
    if (p->pid == 0 || p->ended)
        broken("the %s is not there to say %s", p->name, line);
    if (p->said - p->heard >= LINES)
        broken("the %s is not heard", p->name);
    snprintf(p->line[p->said++ % LINES], sizeof p->line[0], "%s", line);
}

/* Somebody beats. */
static bool anybody_stirs(void)
{
    for (int i = 0; i < PLAYERS; i++)
        if (stage.process[i].pid && !stage.process[i].ended && !stage.process[i].mute)
            return true;
    return false;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* True: time passed. False: the wait is over. */
static bool wait_on(int timeout)
{
    uint64_t left = (uint64_t)timeout;
    bool beats;

    if (stage.until == 0) {
        stage.until = now() + (uint64_t)stage.step->number;
        stage.beat_at = now() + BEAT_MS;
    }
    if (now() == stage.until) {
        stage.until = 0;
        return false;
    }
    if (anybody_stirs())
        left = least(left, stage.beat_at - now());
    if (stage.rehearses)
        left = least(left, OFTEN_MS);
    left = least(left, stage.until - now());
    sim_advance(play_sim, left);
    beats = now() == stage.until || now() >= stage.beat_at;
    for (int i = 0; i < PLAYERS; i++) {
        struct process *p = &stage.process[i];

        p->waited += p->waits ? left : 0;
        if (beats && p->pid && !p->ended && !p->stuck && !p->mute && !p->waits)
            say(p, "beat");
    }
    if (now() >= stage.beat_at)
        stage.beat_at = now() + BEAT_MS;
    return true;
}

static void take(const struct play_step *step)
{
    struct process *p = &stage.process[step->who];
    char line[80];

    switch (step->what) {
    case PLAY_SAY:
        say(p, step->line);
        sim_advance(play_sim, (uint64_t)step->number);
        break;
    case PLAY_FLOOD:
        for (long i = 1; i <= step->number; i++) {
            snprintf(line, sizeof line, "line %ld", i);
            say(p, line);
        }
        break;
    case PLAY_END:
        end(p, (int)step->number << 8);
        break;
    case PLAY_SIGNAL:
        stage.signal = (int)step->number;
        break;
    case PLAY_DEAF:
        p->deaf = true;
        break;
    case PLAY_STUCK:
        p->stuck = true;
        break;
    case PLAY_FREE:
        p->stuck = false;
        if (p->killed)
            end(p, SIGKILL);
        break;
    case PLAY_MUTE:
        p->mute = true;
        break;
    case PLAY_WAITS:
        p->waits = step->number != 0;
        break;
    case PLAY_CALL:
        step->call();
        break;
    default:
        break;
    }
}

/* Whether there is something to be heard. */
static bool ready(const struct up_link_watch *watches, size_t count)
{
    bool is = stage.signal != 0 || stage.child_ended;

    for (size_t i = 0; i < count; i++)
        is = is || (watches[i].link >= 0 &&
                    stage.process[watches[i].link].heard != stage.process[watches[i].link].said);
    return is;
}

/* What was done since the last wait was done now: no time passes in between. */
static void mark(void)
{
    size_t before = stage.mark_count > 0 ? stage.marks[stage.mark_count - 1].end : 0;

    fflush(stage.log);
    if (stage.done_size > before && stage.mark_count < MARKS)
        stage.marks[stage.mark_count++] = (struct mark){stage.done_size, now()};
}

/* The same for the diary. */
static void note(void)
{
    struct diary *d = &stage.diary;
    struct progress last = {0}, next = {.time = now()};
    unsigned ops = sim_ops(play_sim);

    fflush(stderr);
    fflush(stage.manager);
    if (d->count > 0)
        last = d->turn[d->count - 1];
    next.said = play_count(stage.said, "\n");
    next.done = play_count(stage.done, "\n");
    next.told = play_count(stage.told, "\n") - play_count(stage.told, "WATCHDOG=1\n"); /* with every turn */
    next.changes = last.changes + (ops >= stage.ops ? ops - stage.ops : ops); /* a step may have reset it */
    stage.ops = ops;
    if (next.said == last.said && next.done == last.done && next.told == last.told &&
        next.changes == last.changes)
        return;
    d->turn = realloc(d->turn, (d->count + 1) * sizeof *d->turn);
    assert_non_null(d->turn);
    d->turn[d->count++] = next;
}

static void p_wait(struct up_processes *system, const struct up_link_watch *watches, size_t count,
                   int timeout)
{
    (void)system;
    mark();
    note();
    if (++stage.turns > 200000)
        broken("it goes round and round");
    if (ready(watches, count))
        return;
    if (stage.step->what == PLAY_WAIT) {
        if (!wait_on(timeout))
            stage.step++;
    } else if (stage.step->what == PLAY_OVER) {
        if (stage.until == 0)
            stage.signal = SIGTERM;
        else
            sim_advance(play_sim, stage.rehearses ? least((uint64_t)timeout, OFTEN_MS) : (uint64_t)timeout);
        stage.until = 1;
    } else {
        take(stage.step++);
    }
}

WRAP(struct up_processes *, up_processes_system, (void))
{
    static const struct up_processes_ops ops = {
        .start = p_start,
        .signal = p_signal,
        .over = p_over,
        .waited = p_waited,
        .reap = p_reap,
        .become = p_become,
        .adopt_orphans = p_adopt_orphans,
        .kill_orphans = p_kill_orphans,
        .kill_left = p_kill_left,
        .forget_orphans = p_forget_orphans,
        .catch_signals = p_catch_signals,
        .next_signal = p_next_signal,
        .release_signals = p_release_signals,
        .wait = p_wait,
        .send = p_send,
        .receive = p_receive,
        .close = p_close,
    };
    static struct up_processes processes = {&ops};

    return stage.on ? &processes : __real_up_processes_system();
}

static int run(const struct up_config *config, enum up_verbosity verbosity, struct up_error *err)
{
    struct up_supervisor_options options = {
        config, "/moult", verbosity, up_storage_system(), up_processes_system(), up_running_system(), NULL};
    struct up_supervisor *s;
    int rc = up_supervisor_open(&s, &options, err);

    return rc == 0 ? up_supervisor_run(s, err) : rc;
}

static int perform(const struct up_config *config, enum up_verbosity verbosity, const struct play_step *steps,
                   bool rehearses, struct up_error *err)
{
    int rc;

    free(stage.said);
    free(stage.done);
    free(stage.told);
    free(stage.diary.turn);
    memset(&stage, 0, sizeof stage);
    stage.process[AGENT].name = "agent";
    stage.process[SCRIPT].name = "script";
    stage.process[TESTER].name = "test";
    stage.last_pid = 1000;
    stage.step = steps;
    stage.rehearses = rehearses;
    stage.ops = sim_ops(play_sim);
    stage.terminal = stderr;
    stage.log = open_memstream(&stage.done, &stage.done_size);
    stderr = open_memstream(&stage.said, &stage.said_size);
    stage.manager = open_memstream(&stage.told, &stage.told_size);
    stage.on = true;
    rc = run(config, verbosity, err);
    stage.on = false;
    fclose(stderr);
    stderr = stage.terminal;
    fclose(stage.log);
    fclose(stage.manager);
    assert_int_equal(stage.open, 0);
    assert_int_equal(stage.process[AGENT].pid, 0);
    assert_int_equal(stage.process[SCRIPT].pid, 0);
    assert_int_equal(stage.process[TESTER].pid, 0);
    assert_int_equal(sim_open_files(play_sim), 0);
    return rc;
}

/* At no time had less been done than in the rehearsal, in which it was woken often: it waits for nothing too long. */
static void must_keep_up(const struct diary *rehearsal)
{
    static const struct progress nothing;
    const struct diary *d = &stage.diary;
    size_t n = 0;

    for (size_t i = 0; i < rehearsal->count; i++) {
        const struct progress *then = &rehearsal->turn[i], *is;

        while (n < d->count && d->turn[n].time <= then->time)
            n++;
        is = n > 0 ? &d->turn[n - 1] : &nothing;
        if (is->said < then->said || is->done < then->done || is->told < then->told ||
            is->changes < then->changes)
            fail_msg(
                "at %llu ms it is late: %u lines said, %u done, %u told, %u changes, and not %u, %u, %u, %u"
                "\n%s\n%s",
                (unsigned long long)then->time, is->said, is->done, is->told, is->changes, then->said,
                then->done, then->told, then->changes, stage.done, stage.said);
    }
}

int play(const struct up_config *config, enum up_verbosity verbosity, const struct play_step *steps,
         struct up_error *err)
{
    struct play_refusal refuses = play_refuses;
    unsigned orphans = play_orphans, test_orphans = play_test_orphans, left = play_left;
    struct sim *sim = play_sim;
    struct diary rehearsal;
    int rc;

    play_sim = sim_clone(sim);
    perform(config, verbosity, steps, true, err);
    rehearsal = stage.diary;
    stage.diary = (struct diary){0};
    sim_free(play_sim);
    play_sim = sim;
    play_refuses = refuses;
    play_orphans = orphans;
    play_test_orphans = test_orphans;
    play_left = left;
    rc = perform(config, verbosity, steps, false, err);
    play_refuses = (struct play_refusal){0};
    play_orphans = play_test_orphans = 0;
    must_keep_up(&rehearsal);
    free(rehearsal.turn);
    return rc;
}
