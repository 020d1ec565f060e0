/*
 * stage.h -- a whole device in one process: supervisor, agent, script, a person
 * at the command line and a cloud, on simulated storage, clocks and boot loader.
 *
 * The program is the real one: up_supervisor_step(), and lua/update/agent/init.lua
 * over the bindings. Linked with --wrap (spec/CMakeLists.txt), so that storage,
 * processes, links, waiting, HTTP and the policy process are asked for here.
 * Each player is a coroutine with a stack of its own, which gives way where it
 * waits and, now and then, at a call to the storage. A scheduler that is driven
 * by a seed picks who runs, moves the clock, and lets things happen: kills,
 * freezes, faults, slow calls, power cuts, releases, people.
 *
 * A player that is killed runs on to where it waits next, but none of its calls
 * has an effect any more; so it gives back its memory and its files.
 */
#ifndef STAGE_H
#define STAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "config.h"
#include "error.h"
#include "loop.h"
#include "sim.h"

#define FOREVER UINT64_MAX
#define PARCELS 6 /* releases of one history, the factory's with them */
#define FIXES 2   /* hotfixes */
#define LINKS 64
#define FIRST_LINK 100 /* their numbers, which are no descriptors */
#define INHERITED 3    /* as a program knows the link that it was started with */
#define LISTENER 99
#define FIRST_SECOND 1800000000 /* since 1970, when a history begins */

enum who { SUPERVISOR, AGENT, SCRIPT, HELPER, TESTER, PERSON, APPLICATION, PLAYERS };

/* What becomes of a hotfix. */
enum fix_manner {
    FIX_GOOD,
    FIX_FAILS, /* its test says no */
    FIX_HANGS, /* its test says nothing */
    FIX_ILL,   /* it passes, and a script crashes with it */
    FIX_MANNERS
};

struct player {
    enum who who;
    pid_t pid;                /* 0: none, or it was reaped */
    bool alive;               /* its coroutine has not come to its end */
    bool dead;                /* killed: nothing that it does has an effect */
    bool ended;               /* whoever started it can see its end */
    int status;               /* as waitpid() tells it */
    uint64_t wake;            /* ms, when it goes on at the latest */
    bool waits;               /* and when something comes for it */
    uint64_t frozen;          /* until then it does not run; 0: it does */
    int signal;               /* that waits to be taken; 0: none */
    int link;                 /* to who started it */
    struct up_watch *watches; /* of the agent's loop, while it waits there */
    size_t watch_count;
    uint64_t started, beaten; /* ms */
    uint64_t waited, since;   /* ms, of slow calls; when the one began that it is in, 0: in none */
    unsigned number;          /* of the release whose script it is */
    bool ill;                 /* a hotfix that it has makes it crash */
    enum fix_manner fix;      /* of a tester: what it tests */
    void (*run)(struct player *p);
    char order
        [200]; /* of a person: the JSON line that it sends; of a helper: its task; of a tester: a folder */
    void *context, *back; /* coroutine.c */
    void *stack;
};

/* How a script of a release behaves. */
enum manner {
    GOOD,     /* beats; confirms itself when the configuration waits for that */
    CRASHES,  /* ends at once */
    HANGS,    /* falls silent after a while */
    FAILS,    /* reports errors and never confirms */
    LEAVES,   /* ends well before it could be confirmed */
    RESTARTS, /* good, but asks to be started anew now and then */
    BOASTFUL, /* says that it is another release */
    MODEST,   /* good, and leaves it to policy to say so */
    BREAKS,   /* breaks the network as long as it runs */
    MANNERS
};

/* A release of this history. */
struct parcel {
    unsigned number; /* sequence, and of its script, core and files */
    bool script, core, files;
    bool forged; /* the signature is not of its content */
    bool dead;   /* its core never gets as far as the supervisor */
    enum manner manner;
    char path[64];
};

/* Why the device starts anew. */
enum reset { RESET_NOT, RESET_SUPERVISOR, RESET_DEVICE, RESET_POWER };

struct truth; /* judge.c */

struct stage {
    uint64_t seed, random;
    uint64_t now; /* ms since the history began */
    int64_t wall; /* seconds since 1970 when it did */
    struct sim *sim;
    const struct up_config *config;
    bool uboot;
    bool files; /* it has a tree of files, which releases may change */
    bool alone; /* it has no script, but a program among its files */
    bool settles,
        unsettled; /* each of its boots begins with `moult settle`; this one did not get that far yet */
    char slot;     /* U-Boot: which one was started */
    struct player player[PLAYERS];
    struct player *current; /* NULL: the scheduler */
    pid_t last_pid;
    struct parcel parcel[PARCELS];
    unsigned offered; /* index of the release that the cloud offers; 0: none */
    bool tls;         /* its certificate is verified, so that its time is believed */
    uint64_t away;    /* until then the cloud cannot be reached */
    bool gone;        /* nor as long as this is so */
    bool outage;      /* the history is about a trial without a cloud; outage.c */
    uint64_t slow_until;
    unsigned slow_ms; /* that a sync takes */
    uint64_t fault_until;
    struct {
        enum sim_op op;
        int error;
        bool forever;
    } fault;
    unsigned calls_left; /* until what `doom` says happens, in the midst of a call; 0: never */
    enum who doomed;     /* PLAYERS: the power goes */
    enum reset reset;
    uint64_t restart_at; /* of the supervisor, when there is none */
    uint64_t gone_since; /* no script runs; FOREVER: one does */
    unsigned orphans;    /* that the script left behind */
    bool faults;         /* calls that read may fail, too */
    bool quiet;          /* nothing more happens to the device */
    unsigned long turns, calls, kills, cuts;
    char bad[600];
    FILE *trace; /* NULL: none */
};
extern struct stage stage;

/* A number below n, by the seed. */
unsigned pick(unsigned n);
/* The first broken promise stays; all are traced. */
void bad(const char *format, ...) __attribute__((format(printf, 1, 2)));
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * coroutine.c
 */
void player_start(struct player *p, void (*run)(struct player *));
/* Let it run until it waits; from the scheduler or from another player. */
void player_run(struct player *p);
/* For the current player: wait until `wake` or, with `waits`, until something
 * came for it. Returns at once when it is dead. */
void player_wait(uint64_t wake, bool waits);
/* For ms; false when it was killed. */
bool player_sleep(uint64_t ms);
/* It ends at once, with this status. */
void player_kill(struct player *p, int status);

/*
 * links.c: what connects players. All as processes.h has it.
 */
void links_reset(void);
/* Two ends, of these players. */
void link_pair(struct player *a, struct player *b, int out[2]);
ssize_t link_send(int link, const void *data, size_t len);
ssize_t link_receive(int link, void *buf, size_t len);
void link_close(int link);
/* Something can be read there, or its other end is gone. */
bool link_ready(int link);
/* The same for any link of this player. */
bool links_ready(const struct player *p);
void links_drop(const struct player *p);
/* To the control socket, for the current player; -1 when nobody listens. */
int link_connect(void);

/*
 * system.c
 */
struct up_processes *stage_processes(void);
/* Look at every call to this simulator. */
void stage_attach(struct sim *sim);
void supervisor_begin(void);

/* agent.c, actors.c */
void agent_run(struct player *p);
void agent_prepare(void);
void script_run(struct player *p);
const struct parcel *release_of(const struct player *p);
void person_begin(const char *order);
/* What a program does besides: it calls the release good, as long as it runs. */
void application_begin(void);

/*
 * files.c: the tree of a device that has one, and who changes it.
 */
void files_put(struct sim *sim);
const char *files_ini(unsigned number, bool alone); /* valid until the next call */
/* The number of the release whose tree is there whole; 0: none. */
unsigned files_number(struct sim *sim);
/* Something temporary lies below the roots. */
bool files_left(const struct sim *sim);
void helper_run(struct player *p);

/*
 * programs.c: what runs of the files of a device without a script.
 */
#define PROGRAM "/app/bin/meter"
struct up_running_table *stage_running(void);
/* The power goes, or comes back: none runs. */
void programs_reset(void);
/* What starts programs at boot: once `moult settle` lets them, or without it when the supervisor is up. */
void programs_boot(void);
bool programs_run(void); /* one does */
/* From now on those that are confirmed, and leave for reasons of their own, stay. */
void programs_stay(void);

/*
 * hotfixes.c: packages "/packages/fix1" and "/packages/fix2", the process that
 * tests them, and what must hold. The simulators are copies in which nothing fails.
 */
void hotfixes_prepare(void);
void hotfixes_stage(void);
/* A script starts, and these lead it. */
void hotfixes_script_start(struct sim *sim, const char *overlays, struct player *p);
bool hotfixes_is_ill(const char *dir);
/* A test of the hotfix in this folder starts. */
void hotfixes_test_start(const char *dir, struct player *p);
void tester_run(struct player *p);
bool hotfixes_settled(struct sim *sim, unsigned script);
void hotfixes_end(struct sim *sim, unsigned script);

/*
 * factory.c: devices before their first history, and packages.
 */
void factory_prepare(void);
/* Fills sim, config and parcels by the seed. */
void factory_stage(void);
/* The number of the release that lies there whole; 0: none. */
unsigned script_number(struct sim *sim, const char *dir);
unsigned core_number(struct sim *sim, int slot);

/* events.c: one history, by stage.seed. */
void history_run(void);
/* While this is done, more happens than elsewhere: one of these is killed soon, or with PLAYERS the power goes. */
void endanger(const enum who victims[4]);
/* Somebody runs on, or the clock does. False: it goes round and round. */
bool history_turn(void);

/*
 * outage.c: histories of a release that runs its trial without a cloud, because
 * it breaks the network or because that is away.
 */
void outage_stage(void);
void outage_live(void);
/* Its script is started. */
void outage_trial(const struct player *p);

/* cloud.c */
bool cloud_is_away(void);
void cloud_close(void);
/* When something comes over the network, ms; FOREVER: never. */
uint64_t cloud_due(void);

/*
 * judge.c: what must hold.
 */
void judge_reset(void);
void judge_script_start(const char *dir, const char *overlays, struct player *p);
/* `moult settle` says that programs may start. */
void judge_settle(const char *what);
/* One does, whose file is of release `number`; 0: of none. */
void judge_program(unsigned number);
void judge_query(const char *url);
void judge_journal(void);
/* No script was running for longer than may be. */
void judge_gap(void);
/* The end: everything is mended and had its time. */
void judge_end(void);
/* Nothing is left to do, as the journal says. */
bool judge_idle(void);
bool judge_settled(void);
/* What is held against the release, enum up_strike or 0; whether it is confirmed. */
int judge_strikes(const struct parcel *p);
bool judge_has(const struct parcel *p);

#endif
