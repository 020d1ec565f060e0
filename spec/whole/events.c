/*
 * One history: the device is switched on, things happen to it, and then nothing
 * more, so that it can show that it still takes a release.
 */
#include "stage.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"

#define QUIET_MS 3600000  /* at most, until it has the last release */
#define LOOK_MS 5000      /* between two looks whether it has */
#define TURNS 20000       /* while the clock stands still; more is going round and round */
#define READING 4         /* calls at the end of those that fail with --faults only */
#define ORDER_MS 70000    /* after which nobody waits for an answer */
#define BUSY 100          /* turns that take a millisecond */
#define WATCHDOG_MS 60000 /* a dead core is reset after */

struct stage stage;

static struct {
    unsigned stalled; /* turns since the clock moved */
    uint64_t next;    /* ms; when something happens */
    uint64_t reboot;  /* ms; when the device goes down; FOREVER: it does not */
} plan;

unsigned pick(unsigned n)
{
    uint64_t z = stage.random += 0x9e3779b97f4a7c15u; /* splitmix64 */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ z >> 31) % n);
}

static void tell(const char *what, const char *format, va_list arguments)
{
    fprintf(stage.trace, "%8.3f %s", (double)stage.now / 1000, what);
    vfprintf(stage.trace, format, arguments);
    fputc('\n', stage.trace);
}

void trace(const char *format, ...)
{
    va_list arguments;

    if (!stage.trace)
        return;
    va_start(arguments, format);
    tell("", format, arguments);
    va_end(arguments);
}

void bad(const char *format, ...)
{
    va_list arguments;

    if (!stage.bad[0]) {
        va_start(arguments, format);
        vsnprintf(stage.bad, sizeof stage.bad, format, arguments);
        va_end(arguments);
    }
    if (!stage.trace)
        return;
    va_start(arguments, format);
    tell("BAD: ", format, arguments);
    va_end(arguments);
}

/*
 * Power.
 */

static void kill_all(int status)
{
    for (int i = 0; i < PLAYERS; i++)
        player_kill(&stage.player[i], status);
    for (int i = 0; i < PLAYERS; i++)
        stage.player[i].pid = 0;
    links_reset();
    cloud_close();
    if (sim_open_files(stage.sim) > 0)
        bad("%u files stay open when all have ended", sim_open_files(stage.sim));
}

static void set_clock(void)
{
    int64_t seconds = stage.wall + (int64_t)(stage.now / 1000);

    sim_set_now(stage.sim, seconds > 0 ? (uint64_t)seconds : 0);
}

static void set_fault(void)
{
    enum sim_op op = stage.fault.op;

    if (stage.now < stage.fault_until)
        sim_fail(stage.sim, op, sim_calls(stage.sim, op) + 1 + (stage.fault.forever ? 0 : pick(20)),
                 stage.fault.error, stage.fault.forever);
}

static bool is_dead_core(unsigned number)
{
    for (int i = 0; i < PARCELS; i++)
        if (stage.parcel[i].number == number && stage.parcel[i].dead)
            return true;
    return false;
}

/* U-Boot's boot script, as examples/uboot has it: '\0' when nothing can start. */
static char choose_slot(void)
{
    struct up_storage *storage = sim_storage(stage.sim);
    char order[UP_BOOT_VALUE_SIZE], name[16];

    sim_variable(stage.sim, "BOOT_ORDER", order);
    for (const char *p = order; *p; p++) {
        struct up_boot_variable left = {.name = name};

        if (*p == ' ')
            continue;
        snprintf(name, sizeof name, "BOOT_%c_LEFT", *p);
        sim_variable(stage.sim, name, left.value);
        if (left.value[0] == '\0')
            return *p;
        if (left.value[0] == '0')
            continue;
        left.value[0]--;
        if (storage->ops->boot_set(storage, "", &left, 1) == 0)
            return *p;
    }
    return '\0';
}

/* U-Boot starts something; false: that dies, and a watchdog resets the device. */
static bool load(void)
{
    char line[64];

    stage.slot = choose_slot();
    if (!stage.slot) {
        bad("U-Boot has nothing to start");
        return false;
    }
    if (is_dead_core(core_number(stage.sim, stage.slot == 'b')))
        return false;
    snprintf(line, sizeof line, "console=ttyS0 moult.slot=%c\n", stage.slot);
    sim_settle(stage.sim); /* counting down is durable; so nothing is pending */
    sim_put_text(stage.sim, "/device/cmdline", line);
    return true;
}

/* The driver `file` is its own loader: a core on trial may die before it is any. */
static bool dies(void)
{
    struct up_boot_state state;
    struct up_boot *boot;
    struct up_error err;
    bool dead = false;

    if (stage.uboot || up_boot_open(&boot, sim_storage(stage.sim), up_config_boot(stage.config), &err) < 0)
        return false;
    if (up_boot_read(boot, &state, &err) == 0 && !state.good[state.order[0]] &&
        state.tries[state.order[0]] > 0 && is_dead_core(core_number(stage.sim, state.order[0])))
        dead = up_boot_select(boot, &state, &err) == 0;
    up_boot_close(boot);
    return dead;
}

static void power_on(void)
{
    stage.reset = RESET_NOT;
    plan.reboot = FOREVER;
    stage.restart_at = stage.now + 500;
    stage.unsettled = stage.settles;
    programs_reset();
    stage_attach(stage.sim);
    set_clock();
    if (stage.uboot && !load()) {
        trace("the core does not come up");
        stage.reset = RESET_POWER;
        plan.reboot = stage.now + WATCHDOG_MS;
        stage.restart_at = FOREVER;
    }
    set_fault();
}

static void power_cycle(bool cut)
{
    struct sim_choice choice = {.model = SIM_ORDERED, .loss = SIM_ALL};
    struct sim *old = stage.sim;
    char text[64];

    kill_all(SIGKILL);
    if (cut) {
        stage.cuts++;
        choice = sim_choice(old, pick(sim_choices(old)));
    }
    trace("%s: %s", cut ? "the power goes" : "the device restarts", sim_choice_text(&choice, text));
    stage.sim = sim_reboot(old, &choice);
    sim_free(old);
    power_on();
}

static void begin_supervisor(void)
{
    if (dies()) {
        trace("the core dies before it starts the supervisor");
        stage.restart_at = stage.now + WATCHDOG_MS;
        return;
    }
    stage.restart_at = FOREVER;
    trace("the supervisor starts");
    supervisor_begin();
}

/*
 * What happens.
 */

static enum who someone(void)
{
    return (enum who)pick(TESTER + 1);
}

static const char *some_order(void)
{
    static char line[160];

    switch (pick(10)) {
    case 0:
    case 1:
        return "{\"id\":7,\"verb\":\"rollback\",\"reason\":\"by hand\"}";
    case 2:
        return "{\"id\":7,\"verb\":\"confirm\",\"force\":true}";
    case 3:
        return "{\"id\":7,\"verb\":\"check\"}";
    case 4:
        return "{\"id\":7,\"verb\":\"status\"}";
    case 5:
        return pick(2) ? "{\"id\":7,\"verb\":\"undo\",\"name\":\"clock\"}"
                       : "{\"id\":7,\"verb\":\"undo\",\"name\":\"clock\",\"all_above\":true}";
    case 6:
    case 7:
        snprintf(line, sizeof line, "{\"id\":7,\"verb\":\"install\",\"source\":\"/packages/fix%u\"}",
                 1 + pick(FIXES));
        return line;
    default:
        snprintf(line, sizeof line, "{\"id\":7,\"verb\":\"install\",\"source\":\"%s\"}",
                 stage.parcel[1 + pick(PARCELS - 2)].path);
        return line;
    }
}

static void break_storage(void)
{
    static const enum sim_op ops[] = {SIM_PWRITE,   SIM_PWRITE, SIM_SYNC,    SIM_SYNC,  SIM_SYNC_DIR,
                                      SIM_RENAME,   SIM_UNLINK, SIM_SYMLINK, SIM_MKDIR, SIM_SPACE,
                                      SIM_BOOT_SET, SIM_STAT,   SIM_LIST,    SIM_OPEN,  SIM_PREAD};
    static const int errors[] = {EIO, ENOSPC, EROFS};

    stage.fault.op = ops[pick(sizeof ops / sizeof *ops - (stage.faults ? 0 : READING))];
    stage.fault.error = errors[pick(3)];
    stage.fault.forever = pick(2);
    stage.fault_until = stage.now + 1000 + pick(30000);
    trace("%s fails %s with %s until %.1f s", sim_op_name(stage.fault.op),
          stage.fault.forever ? "each time" : "once", strerror(stage.fault.error),
          (double)stage.fault_until / 1000);
    set_fault();
}

void endanger(const enum who victims[4])
{
    if (stage.quiet || stage.outage || stage.calls_left > 0 || pick(3) > 0)
        return;
    stage.calls_left = 1 + pick(120);
    stage.doomed = victims[pick(4)];
}

static void freeze(struct player *p)
{
    static const unsigned spans[] = {2000, 10000, 40000};

    if (!p->alive)
        return;
    p->frozen = stage.now + spans[pick(3)];
    trace("player %d is frozen until %.1f s", (int)p->who, (double)p->frozen / 1000);
}

static void jump(void)
{
    static const int64_t jumps[] = {-86400, 86400, 10 * 365 * 86400LL, 3600};

    stage.wall = pick(3) == 0 ? 0 : stage.wall + jumps[pick(4)];
    trace("the clock jumps");
    set_clock();
}

static void happen(void)
{
    unsigned n = pick(24);

    if (n < 5 && stage.offered < PARCELS - 2) {
        stage.offered++;
        trace("the cloud offers release %u: %s%s%s%s%s, manner %d", stage.parcel[stage.offered].number,
              stage.parcel[stage.offered].script ? "script " : "",
              stage.parcel[stage.offered].core ? "core " : "",
              stage.parcel[stage.offered].files ? "files " : "",
              stage.parcel[stage.offered].forged ? "forged " : "",
              stage.parcel[stage.offered].dead ? "dead" : "", (int)stage.parcel[stage.offered].manner);
    } else if (n < 10) {
        const char *order = some_order();

        trace("somebody orders %s", order);
        person_begin(order);
    } else if (n < 12) {
        stage.kills++;
        player_kill(&stage.player[someone()], SIGKILL);
    } else if (n < 16) {
        stage.calls_left = 1 + pick(300);
        stage.doomed = pick(2) == 0 ? PLAYERS : someone();
    } else if (n < 18) {
        stage.reset = RESET_POWER;
    } else if (n < 19) {
        freeze(&stage.player[someone()]);
    } else if (n < 21) {
        break_storage();
    } else if (n < 22) {
        stage.slow_ms = 200 + pick(5000);
        stage.slow_until = stage.now + 10000;
        trace("each sync takes %u ms", stage.slow_ms);
    } else if (n < 23) {
        stage.away = stage.now + 5000 + pick(40000);
        trace("the cloud is away until %.1f s", (double)stage.away / 1000);
    } else {
        jump();
    }
}

static void plan_next(void)
{
    static const unsigned gaps[] = {1000, 4000, 10000, 25000};

    plan.next = stage.now + 1 + pick(gaps[pick(4)]);
}

/*
 * The scheduler.
 */

static bool has_ended(int who)
{
    return stage.player[who].pid && stage.player[who].ended;
}

/* For what it watches. A supervisor that does watches its helper. */
static bool watch_is_ready(const struct player *p)
{
    for (size_t i = 0; i < p->watch_count; i++)
        if (p->watches[i].write ||
            (p->watches[i].fd == INHERITED ? link_ready(p->link) : link_ready(p->watches[i].fd)))
            return true;
    return p->who == SUPERVISOR && (has_ended(HELPER) || has_ended(TESTER) || p->signal != 0);
}

static bool runnable(const struct player *p)
{
    if (!p->alive || p->frozen > stage.now)
        return false;
    if (p->wake <= stage.now)
        return true;
    if (!p->waits)
        return false;
    if (p->watches)
        return watch_is_ready(p);
    if (p->who == SUPERVISOR && (has_ended(AGENT) || has_ended(SCRIPT) || has_ended(TESTER)))
        return true;
    return p->signal != 0 || links_ready(p);
}

static void sooner(uint64_t *till, uint64_t at)
{
    if (at < *till && at > stage.now)
        *till = at;
}

static void advance(uint64_t ms)
{
    sim_advance(stage.sim, ms);
    stage.now += ms;
    set_clock();
}

/* Nobody can run: the clock goes on to when somebody can. */
static void pass_time(void)
{
    uint64_t till = stage.now + LOOK_MS;

    for (int i = 0; i < PLAYERS; i++)
        if (stage.player[i].alive) {
            sooner(&till, stage.player[i].frozen > stage.now ? stage.player[i].frozen : stage.player[i].wake);
        }
    sooner(&till, plan.next);
    sooner(&till, plan.reboot);
    sooner(&till, stage.restart_at);
    sooner(&till, stage.fault_until);
    plan.stalled = 0;
    advance(till - stage.now);
    judge_gap();
    if (stage.now >= stage.fault_until)
        sim_fail(stage.sim, SIM_OPS, 0, 0, false);
}

/* The supervisor has ended, or is to. */
static void follow_reset(void)
{
    bool down = !stage.player[SUPERVISOR].alive;

    if (stage.reset == RESET_SUPERVISOR && down) {
        stage.reset = RESET_NOT;
        stage.restart_at = stage.now + 10;
    } else if (stage.reset == RESET_DEVICE && plan.reboot == FOREVER) {
        plan.reboot = stage.now + 1000 + pick(5000);
        if (!stage.quiet && pick(8) == 0) { /* it hangs while it goes down, and is not reset */
            plan.reboot = FOREVER;
            stage.reset = RESET_NOT;
        }
    } else if (stage.reset == RESET_NOT && down && stage.restart_at == FOREVER) {
        stage.restart_at = stage.now + 1000; /* by the service manager */
    }
    if (stage.reset == RESET_POWER && plan.reboot == FOREVER)
        power_cycle(true);
    else if (plan.reboot <= stage.now)
        power_cycle(false);
    else if (stage.reset == RESET_NOT && down && stage.restart_at <= stage.now)
        begin_supervisor();
}

bool history_turn(void)
{
    struct player *can[PLAYERS];
    unsigned count = 0;

    stage.turns++;
    plan.stalled++;
    follow_reset();
    for (int i = 0; i < PLAYERS; i++)
        if (runnable(&stage.player[i]))
            can[count++] = &stage.player[i];
    if (count > 0 && plan.stalled == TURNS)
        bad("player %d goes round and round", (int)can[0]->who);
    if (plan.stalled % BUSY == 0)
        advance(1); /* no processor is infinitely fast */
    if (count == 0 || plan.stalled >= TURNS)
        pass_time();
    else
        player_run(can[pick(count)]);
    return plan.stalled < TURNS;
}

static void live(uint64_t till)
{
    while (stage.now < till && plan.stalled < TURNS) {
        history_turn();
        if (stage.now >= plan.next) {
            happen();
            plan_next();
        }
    }
}

/* All is mended, and the last release is there to be had. */
static void be_quiet(void)
{
    uint64_t till, look;

    stage.quiet = true;
    plan.next = FOREVER;
    stage.calls_left = 0;
    stage.away = 0;
    stage.gone = false;
    if (stage.slow_until > stage.now)
        stage.slow_until = stage.now;
    if (stage.fault_until > stage.now)
        stage.fault_until = stage.now;
    sim_fail(stage.sim, SIM_OPS, 0, 0, false);
    for (int i = 0; i < PLAYERS; i++)
        stage.player[i].frozen = 0;
    if (stage.player[PERSON].alive) /* what somebody ordered may still be under way */
        live(stage.now + ORDER_MS);
    stage.offered = PARCELS - 1;
    stage.gone_since = stage.now;
    programs_stay();
    trace("from now on nothing happens, and the cloud offers release %u", stage.parcel[PARCELS - 1].number);
    till = stage.now + QUIET_MS;
    look = stage.now;
    while (stage.now < till && plan.stalled < TURNS) {
        history_turn();
        if (stage.now < look)
            continue;
        look = stage.now + LOOK_MS;
        if (judge_settled())
            return;
    }
}

void history_run(void)
{
    struct player kept[PLAYERS];
    uint64_t seed = stage.seed;
    FILE *log = stage.trace;
    bool faults = stage.faults;

    memcpy(kept, stage.player, sizeof kept); /* their stacks */
    memset(&stage, 0, sizeof stage);
    for (int i = 0; i < PLAYERS; i++)
        stage.player[i] =
            (struct player){.who = (enum who)i, .stack = kept[i].stack, .context = kept[i].context};
    stage.seed = stage.random = seed;
    stage.trace = log;
    stage.faults = faults;
    stage.wall = FIRST_SECOND;
    stage.tls = pick(2);
    stage.gone_since = FOREVER;
    stage.last_pid = 1000;
    stage.outage = pick(8) == 0;
    factory_stage();
    if (stage.outage)
        outage_stage();
    judge_reset();
    power_on();
    plan_next();
    if (stage.outage)
        outage_live();
    else
        live(30000 + pick(120000));
    be_quiet();
    judge_end();
    kill_all(SIGKILL);
    sim_free(stage.sim);
    stage.sim = NULL;
}
