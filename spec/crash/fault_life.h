/*
 * fault_life.h -- one device whose storage fails and whose power is cut: what it
 * lives through, and how that may end.
 */
#ifndef FAULT_LIFE_H
#define FAULT_LIFE_H

#include "known.h"
#include "world.h"

/* What the device meets. README.md of this folder says what holds in which. */
enum fault_kind {
    FAULT_CALL,   /* one call of one kind fails from its n-th time */
    FAULT_FULL,   /* a full file system that copies on write: room for n pages yet, for ever */
    FAULT_FLIP,   /* the n-th write is stored with a flipped bit, which the cache does not show */
    FAULT_LOST,   /* fsck after the cut loses the n-th file of the state */
    FAULT_LOADER, /* as FAULT_CALL, and it fails for the boot loader, too */
    FAULT_PAIRED, /* the cut takes along what was made durable before */
    FAULT_LYING,  /* what was synced may be lost */
    FAULT_KINDS
};

struct fault_spec {
    enum fault_kind kind;
    enum sim_op op;
    unsigned n;
    int error;
    bool forever; /* outliving restarts; else once */
    bool moment;  /* or as often as a read is tried again */
    bool late;    /* it fails although it was done */
    bool state;   /* op SIM_CHANGES: only what lies in the state directory fails */
    enum sim_failed_sync sync;
    bool direct; /* reads past the cache leave it as it is */
};

/* "sync:14:EIO:once:now:unsure:all", also "moment" and "ever", or "lost:3", either with
 * ":direct", for messages; and back: 0 or -1. */
const char *fault_text(const struct fault_spec *f, char out[80]);
int fault_parse(struct fault_spec *f, const char *text);

/* "sync", "any", "lost", ... */
const char *fault_name(enum fault_kind kind, enum sim_op op);

/* The fault is in force from now on: the counters start anew. `again`: it was
 * met before a power cut, and lasts. */
void fault_arm(struct sim *sim, const struct fault_spec *f, bool again);
/* Whether it outlives restarts. */
bool fault_lasts(const struct fault_spec *f);

/* A life up to the start that comes next. */
struct fault_life {
    struct world_log log;
    unsigned starts;         /* so many were made */
    unsigned failures, same; /* of them; in a row, for one cause */
    bool ran;                /* a pair ran in the last but one */
};

/*
 * The device goes on with it: a start that fails is tried again by a new process
 * of the same boot, then by restarts, at most 8 starts (a dead core adds the
 * loader's). One start; whether another one follows: not when the power was cut
 * or nothing is left to do.
 */
bool fault_start(struct sim *sim, const struct world_plan *plan, struct fault_life *life);
/* All of them. */
void fault_live(struct sim *sim, const struct world_plan *plan, struct fault_life *life);

/* The medium that a choice leaves, by what the fault does to it. */
struct sim *fault_reboot(const struct sim *sim, const struct fault_spec *f, const struct sim_choice *choice);
/* Whether the device met it, and after how many operations. */
bool fault_met(const struct sim *sim, const struct fault_spec *f, unsigned *met_at);

/*
 * What becomes of a medium as the power left it: a fault that lasts is met
 * again, and then gone. `before` is the log of the life until then and stays.
 * The end's log goes to *log, which says in `bad` what is wrong with it; whether
 * nothing is. Of `known` ends none is lived through again; NULL: all are.
 */
bool fault_judge(struct sim *medium, const struct world_plan *plan, const struct fault_spec *f,
                 const struct world_log *before, struct known *known, struct world_log *log);

#endif
