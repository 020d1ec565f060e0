/*
 * What the players take for the operating system: storage that may be slow or
 * fail, programs that can be started, signals, waiting.
 */
#include "stage.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "device_settle.h"
#include "processes.h"
#include "supervisor.h"

#define SELDOM 24 /* one call in so many lets the others run first */

#define WRAP(type, name, parameters) \
    type __real_##name parameters;   \
    type __wrap_##name parameters;   \
    type __wrap_##name parameters

WRAP(struct up_storage *, up_storage_system, (void))
{
    return stage.current ? sim_storage(stage.sim) : __real_up_storage_system();
}

/* What was to happen in the midst of a call happens now. */
static void doom(struct sim *sim)
{
    struct player *p = &stage.player[stage.doomed], *caller = stage.current;

    if (stage.doomed == PLAYERS) {
        trace("the power goes in a call of player %d", (int)caller->who);
        sim_cut_at(sim, sim_ops(sim) + 1);
        stage.reset = RESET_POWER;
        for (int i = 0; i < PLAYERS; i++)
            player_kill(&stage.player[i], SIGKILL);
    } else if (p->alive) {
        trace("player %d is killed in a call of player %d", (int)p->who, (int)caller->who);
        stage.kills++;
        player_kill(p, SIGKILL);
    }
}

/* A call that takes its time: meanwhile whoever made it cannot beat. */
static void be_slow(struct player *p)
{
    p->since = stage.now;
    player_sleep(stage.slow_ms);
    p->waited += stage.now - p->since;
    p->since = 0;
}

/* Before every call to the storage: 0 or the error that it fails with. */
static int on_call(void *user, enum sim_op op)
{
    struct player *p = stage.current;

    if (!p)
        return 0;
    if (p->dead)
        return EIO;
    stage.calls++;
    if (op == SIM_RESTART && stage.reset == RESET_NOT) {
        trace("the restart command runs");
        stage.reset = RESET_DEVICE;
    }
    if (stage.calls_left > 0 && --stage.calls_left == 0) {
        doom(user);
        return stage.reset != RESET_POWER && p->dead ? EIO : 0; /* this call is the one that is cut */
    }
    if ((op == SIM_SYNC || op == SIM_SYNC_DIR) && stage.now < stage.slow_until)
        be_slow(p);
    else if (pick(SELDOM) == 0)
        player_sleep(0);
    return p->dead ? EIO : 0;
}

void stage_attach(struct sim *sim)
{
    struct up_storage *storage = sim_storage(sim);
    int file[48];
    unsigned n = 0;

    /* A call that gave way must find its handle where it was: the table has to
     * be large enough from the beginning. */
    while (n < sizeof file / sizeof *file)
        file[n++] = storage->ops->open(storage, "/device", UP_READ, 0);
    while (n > 0)
        storage->ops->close(storage, file[--n]);
    sim_watch_calls(sim, on_call, sim);
}

/*
 * Programs.
 */

static struct player *player_of(pid_t pid)
{
    for (int i = 0; i < PLAYERS; i++)
        if (pid > 0 && stage.player[i].pid == pid)
            return &stage.player[i];
    return NULL;
}

static struct player *program(const char *option)
{
    if (strcmp(option, "--agent") == 0)
        return &stage.player[AGENT];
    if (strcmp(option, "--files") == 0)
        return &stage.player[HELPER];
    return &stage.player[strcmp(option, "--test") == 0 ? TESTER : SCRIPT];
}

static pid_t p_start(struct up_processes *system, const char *const argv[], int *link)
{
    void (*const runs[PLAYERS])(struct player *) = {
        [AGENT] = agent_run, [SCRIPT] = script_run, [HELPER] = helper_run, [TESTER] = tester_run};
    struct player *p = program(argv[1]);
    int pair[2];

    (void)system;
    errno = EAGAIN;
    if (stage.current->dead)
        return -1;
    if (p->pid != 0 || p->alive) {
        bad("a second %s is started beside the first", argv[1] + 2);
        return -1;
    }
    link_pair(stage.current, p, pair);
    p->waited = p->since = 0;
    snprintf(p->order, sizeof p->order, "%s", argv[2]);
    player_start(p, runs[p->who]);
    p->link = pair[1];
    *link = pair[0];
    trace("%s is started: %s", argv[1] + 2, p->who == AGENT ? "" : argv[2]);
    if (p->who == TESTER)
        hotfixes_test_start(argv[2], p);
    if (p->who == SCRIPT)
        judge_script_start(argv[2], argv[3], p);
    return p->pid;
}

static void p_signal(struct up_processes *system, pid_t pid, int number)
{
    struct player *p = player_of(pid);

    (void)system;
    if (!p || stage.current->dead)
        return;
    if (number == SIGCONT)
        p->frozen = 0;
    if (number == SIGTERM && p->frozen > stage.now)
        p->signal = SIGTERM;
    else if (number == SIGKILL || number == SIGTERM)
        player_kill(p, number);
    else if (number == SIGCONT && p->signal)
        player_kill(p, p->signal);
}

static bool p_over(struct up_processes *system, pid_t pid)
{
    const struct player *p = player_of(pid);

    (void)system;
    return !p || p->ended;
}

static uint64_t p_waited(struct up_processes *system, pid_t pid)
{
    struct player *p = player_of(pid);

    (void)system;
    if (!p)
        return 0;
    return p->waited + (p->since > 0 ? stage.now - p->since : 0);
}

static int p_reap(struct up_processes *system, pid_t pid)
{
    struct player *p = player_of(pid);

    (void)system;
    if (!p || stage.current->dead)
        return 0;
    if (!p->ended)
        bad("the supervisor waits for a child that runs");
    p->pid = 0;
    if (p->who == SCRIPT && pick(8) == 0)
        stage.orphans = 1 + pick(3);
    return p->status;
}

static int p_become(struct up_processes *system, const char *const argv[])
{
    (void)system, (void)argv;
    if (!stage.current->dead)
        stage.reset = RESET_SUPERVISOR;
    errno = 0;
    return -1;
}

static int p_adopt_orphans(struct up_processes *system)
{
    (void)system;
    return 0;
}

static unsigned p_kill_left(struct up_processes *system, const char *state)
{
    (void)system, (void)state;
    return 0;
}

static unsigned p_kill_orphans(struct up_processes *system, enum up_orphans_of of, pid_t script, pid_t tester)
{
    (void)system, (void)script, (void)tester;
    return of == UP_ORPHANS_OF_TEST || stage.current->dead || stage.orphans == 0 ? 0 : stage.orphans--;
}

static void p_forget_orphans(struct up_processes *system, pid_t agent, pid_t script, pid_t tester)
{
    (void)system, (void)agent, (void)script, (void)tester;
}

static int p_catch_signals(struct up_processes *system)
{
    (void)system;
    return 0;
}

static int p_next_signal(struct up_processes *system)
{
    int number = stage.current->signal;

    (void)system;
    stage.current->signal = 0;
    return number;
}

static void p_release_signals(struct up_processes *system)
{
    (void)system;
}

static void p_wait(struct up_processes *system, const struct up_link_watch *watches, size_t count,
                   int timeout)
{
    struct player *p = stage.current;
    struct up_watch watch[4];

    (void)system;
    for (size_t i = 0; i < count && i < 4; i++)
        watch[i] = (struct up_watch){.fd = watches[i].link, .write = watches[i].write};
    p->watches = watch;
    p->watch_count = count < 4 ? count : 4;
    player_wait(stage.now + (uint64_t)timeout, true);
    p->watches = NULL;
    p->watch_count = 0;
}

static int p_adopt(struct up_processes *system, int link)
{
    (void)system, (void)link;
    return 0;
}

static ssize_t p_send(struct up_processes *system, int link, const void *data, size_t len)
{
    (void)system;
    errno = EPIPE;
    return stage.current->dead ? -1 : link_send(link, data, len);
}

static ssize_t p_receive(struct up_processes *system, int link, void *buf, size_t len)
{
    (void)system;
    return stage.current->dead ? 0 : link_receive(link, buf, len);
}

static void p_close(struct up_processes *system, int link)
{
    (void)system;
    link_close(link);
}

struct up_processes *stage_processes(void)
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
        .adopt = p_adopt,
        .send = p_send,
        .receive = p_receive,
        .close = p_close,
    };
    static struct up_processes processes = {&ops};

    return &processes;
}

WRAP(struct up_processes *, up_processes_system, (void))
{
    return stage.current ? stage_processes() : __real_up_processes_system();
}

/*
 * The agent's loop.
 */

static struct up_loop *const the_loop = (struct up_loop *)&stage;

WRAP(int, up_loop_new, (struct up_loop * *out, struct up_error *err))
{
    (void)err;
    *out = the_loop;
    return 0;
}

WRAP(void, up_loop_free, (struct up_loop * loop))
{
    (void)loop;
}

WRAP(int, up_loop_poll,
     (struct up_loop * loop, struct up_watch *watches, size_t count, int timeout, struct up_error *err))
{
    struct player *p = stage.current;
    uint64_t till = stage.now + (timeout < 0 || timeout > 60000 ? 60000 : (uint64_t)timeout),
             due = cloud_due();

    (void)loop;
    p->watches = watches;
    p->watch_count = count;
    player_wait(due < till ? due : till, true);
    p->watches = NULL;
    p->watch_count = 0;
    if (p->dead)
        return up_fail(err, UP_INTERNAL, "killed");
    for (size_t i = 0; i < count; i++)
        watches[i].ready = (watches[i].read && link_ready(watches[i].fd)) || watches[i].write;
    return 0;
}

/*
 * The supervisor.
 */

/* Programs would start now. One that is killed is run again before the supervisor is; one that fails is not. */
static void settle(const struct player *p)
{
    enum up_settled settled;
    struct up_error err;
    int rc = up_device_settle(&settled, sim_storage(stage.sim), stage.config, &err);

    if (p->dead)
        return;
    stage.unsettled = false;
    if (rc == 0) {
        judge_settle(up_device_settled_name(settled));
        programs_boot();
    } else if (stage.fault_until == 0 || stage.now >= stage.fault_until)
        bad("settle: %s", err.message);
}

static void supervisor_run(struct player *p)
{
    struct up_supervisor_options options = {
        stage.config, "/moult", UP_NORMAL, sim_storage(stage.sim), stage_processes(), stage_running(), NULL};
    struct up_supervisor *s;
    struct up_error err;
    int n, timeout;

    if (stage.unsettled)
        settle(p);
    n = p->dead ? UP_INTERNAL : up_supervisor_open(&s, &options, &err);
    if (n == 0) {
        do {
            n = up_supervisor_step(s, &timeout, &err);
            if (stage.reset == RESET_SUPERVISOR)
                break; /* it became another */
            if (n > 0 && !p->dead)
                player_wait(stage.now + (uint64_t)timeout, true);
        } while (n > 0 && !p->dead);
        up_supervisor_close(s);
    }
    if (n < 0 && !p->dead && stage.reset == RESET_NOT) {
        trace("the supervisor ends: %s", err.message);
        if (stage.now >= stage.fault_until && n != UP_RESTART)
            bad("the supervisor ended by itself: %s", err.message);
    }
}

void supervisor_begin(void)
{
    player_start(&stage.player[SUPERVISOR], supervisor_run);
}
