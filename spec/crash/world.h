/*
 * world.h -- a device in the simulator: its factory, its packages, and what
 * supervisor and agent do with it from one power-on to the next.
 */
#ifndef WORLD_H
#define WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "cuts.h"
#include "error.h"
#include "sim.h"

/* Which parts the package of a plan carries. The old release is number 1; of a
 * package with the core that runs already, only the script is taken. A delta is
 * against the old core, and its blocks are copies, deltas and a new one. */
enum world_package {
    WORLD_FACTORY,
    WORLD_SCRIPT,
    WORLD_CORE,
    WORLD_BOTH,
    WORLD_SAME_CORE,
    WORLD_DELTA,
    WORLD_BOTH_DELTA,
    WORLD_REMOTE,  /* a core, fetched but for the blocks that the device has */
    WORLD_FILES,   /* nothing but files */
    WORLD_INTERIM, /* the old core once more, under a higher sequence: into the other slot */
    WORLD_PACKAGES
};
/* Which core variant (variants.h) runs once the package is confirmed. */
unsigned world_new_core(enum world_package package);

enum world_verdict {
    WORLD_CONFIRM, /* the new release is healthy */
    WORLD_FAIL,    /* it is not: rolled back and quarantined */
    WORLD_CRASH,   /* it crashes at each start: three starts, then rolled back */
    WORLD_AWAY,    /* no cloud answers it, nor then the old pair: it is tried once more, and healthy */
    WORLD_DEAD,    /* its core never gets as far as the supervisor */
    WORLD_DISARM   /* rolled back by hand while armed */
};

/* What chooses the slot at each power-on: the boot driver `file`, or a U-Boot
 * with the boot script of examples/uboot and the boot driver `uboot`. */
enum world_loader { WORLD_FILE, WORLD_UBOOT };

/* What the slots lie on. NOR and NAND have erase blocks of two blocks of the
 * package, small NAND of one. On NAND one block of slot b is bad from the
 * factory and another goes bad when it is written. Slot b of a flash holds the
 * new image with one block wrong, so that a start over finds much in place. */
enum world_medium {
    WORLD_ON_FILES,
    WORLD_ON_BLOCK,
    WORLD_ON_NOR,
    WORLD_ON_NAND,
    WORLD_ON_SMALL_NAND,
    WORLD_ON_UBI
};

/* What becomes of a script once it is installed: a file of it is spoiled, before
 * its first start on trial or once it is confirmed; and its archive is lost. */
enum world_damage { WORLD_WHOLE, WORLD_DAMAGED_TRIAL, WORLD_LOST_TRIAL, WORLD_DAMAGED };

/* What the device is to live through. */
struct world_plan {
    const char *name;
    bool provisioned;           /* it begins with release 1 confirmed */
    enum world_package package; /* what the agent installs */
    enum world_verdict verdict;
    enum world_loader loader;
    enum world_medium medium;
    bool
        second; /* it has been updated before (WORLD_INTERIM) and runs from slot b; the package is release 3 */
    enum world_damage damage;
    bool files;   /* the package carries files, too (world_files.h); WORLD_FILES always does */
    bool weak;    /* one of their roots has no hard links */
    bool alone;   /* the device has no script */
    bool settles; /* `moult settle` comes before each start */
    bool permit;  /* its floor is that of the package already; a permit is given when the install begins */
};

/* What happened so far, over all power-ons of one life. */
struct world_log {
    bool confirmed; /* confirm said yes before the power went */
    bool refused;   /* the gates refused the package: quarantine or floor */
    bool disarmed;
    bool damaged;   /* as the plan says */
    bool withdrawn; /* what was armed was not any more what was on trial */
    bool armed;     /* something was, at some time */
    bool tampered;  /* told by the caller: the package is not to be accepted */
    bool faulty;    /* told by the caller: the storage fails now, so a step may, too: that start ends with
                      WORLD_FAILED, and only what runs is judged */
    bool
        was_faulty; /* told by the caller: at some time it did, and a release may have lost its trial to that */
    bool loader_fails; /* told by the caller: what fails fails for the boot loader, too */
    bool ran;          /* a pair ran in the last start */
    bool mixed;        /* none, because the tree of files was neither old nor new ... */
    bool unsure;       /* ... or the device could not tell */
    struct known
        *known; /* told by the caller: ends that are shared; NULL: none. `part` goes with known_state() */
    unsigned part;
    bool shared; /* it came to where the rest is known */
    char slot;   /* WORLD_UBOOT: the slot it started last, 'a' or 'b'; 0: none, before there is a device */
    unsigned boots;
    uint64_t block_bytes;    /* stored bytes that transfers took from the source */
    uint64_t content_bytes;  /* of the package */
    int code;                /* of the last failure */
    char cause[200];         /* what it said */
    struct up_error trouble; /* why the last power-on was degraded */
    char bad[512];           /* the first broken promise; "" while there is none */
};

enum world_result {
    WORLD_SETTLED,  /* nothing is left to do */
    WORLD_DEGRADED, /* a whole pair runs, without updates: something cannot be read or written */
    WORLD_RESTART,  /* power on again */
    WORLD_FAILED,   /* faulty: something said why it could not go on; it is tried again */
    WORLD_CUT       /* the power is gone */
};

struct up_config;
/* The configuration of the device; release with up_config_free(). */
void world_configure(struct up_config *config);

/* The world before the first power-on of `plan`: keys, packages and, when the
 * plan says so, a device. Settled. */
struct sim *world_new(const struct world_plan *plan);

#define WORLD_PERMIT "/packages/permit"
struct up_journal_state;
/* A permit for the package at `path`, signed by the key of all fixtures. */
void world_put_permit(struct sim *sim, const char *path);
/* Whether the journal says that it was used. */
bool world_permit_used(struct sim *sim, const struct up_journal_state *s);
/* The floors as after sequence 2, which somebody wants to go back from. */
void world_raise_floor(struct sim *sim, const char *state);

struct up_device;
/* Head, begin, blocks, finish, as the agent does them: 0 when it is armed. */
int world_install(struct up_device *device, struct up_storage *storage, const char *path,
                  struct up_error *err);

/* One power-on. With `online` the agent has a server and goes on with the
 * package; without, the device is alone with what it has. */
enum world_result world_boot(struct sim *sim, const struct world_plan *plan, bool online,
                             struct world_log *log);

/* Power on until settled or the rest is known, at most 8 times (a dead core adds
 * the boot loader's six tries of it: two installs, three each). The last result. */
enum world_result world_live(struct sim *sim, const struct world_plan *plan, bool online,
                             struct world_log *log);

/* Such lives, online, for cuts_each(): a flow is a plan, its log a world_log. */
extern const struct cuts_kind world_lives;

/* The promises on a settled device: exactly the old or the new pair runs,
 * a confirmed release is not lost, nothing is left over. Sets log->bad. */
void world_check(struct sim *sim, const struct world_plan *plan, bool online, struct world_log *log);

/* What stays beside the generations of an idle device: archives that give them
 * again, and marks and heads that prove, without a journal, what runs. */
void world_check_kept(struct sim *sim, const struct world_plan *plan, struct world_log *log);

#endif
