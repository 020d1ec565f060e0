/*
 * files_settle.h -- what to do with a plan that is open when the device starts.
 *
 * It follows from the phase of the journal, the stage of the plan, and the pair
 * that runs. Where they disagree, the tree goes back, unless the update was
 * confirmed: then only the new tree fits the pair.
 */
#ifndef UP_FILES_SETTLE_H
#define UP_FILES_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "files_stage.h"

/* The phases of the journal, in its order, and a journal that cannot be read. */
enum up_files_phase {
    UP_FILES_IDLE,
    UP_FILES_FETCHING,
    UP_FILES_INSTALLING,
    UP_FILES_ARMING,
    UP_FILES_ARMED,
    UP_FILES_TRIAL,
    UP_FILES_CONFIRMING,
    UP_FILES_ROLLING_BACK,
    UP_FILES_UNREADABLE,
    UP_FILES_PHASES
};

enum up_files_executable_runs {
    UP_FILES_OLD_PAIR,  /* the pair that runs names the files from before the plan */
    UP_FILES_NEW_PAIR,  /* it names the plan's new files, or is the one on trial */
    UP_FILES_FELL_BACK, /* the boot loader went back to the old pair before the verdict */
    UP_FILES_RUNS
};

enum up_files_action {
    UP_FILES_NOTHING,    /* the tree is whole */
    UP_FILES_LEAVE,      /* to the agent, which fills it */
    UP_FILES_SWEEP_NEW,  /* to the end; then the journal comes to the verdict */
    UP_FILES_SWEEP_OLD,  /* to the end; then idle with the old pair */
    UP_FILES_GO_BACK,    /* undo, which may have nothing to do; rolled back; sweep old */
    UP_FILES_FINISH,     /* finish the switch; then as SWEEP_NEW */
    UP_FILES_TRY,        /* count a start; go back when they are spent; else leave the switch to run */
    UP_FILES_TRY_SWITCH, /* the same, but switch now */
    UP_FILES_TRY_STAY,   /* the same; the tree is switched already */
    UP_FILES_VERDICT,    /* repeat the verdict; then as SWEEP_NEW */
    UP_FILES_WITHOUT,    /* undo; the device then runs without updates */
    UP_FILES_MIXED       /* the tree cannot be made whole */
};

struct up_files_facts {
    enum up_files_phase phase;
    enum up_files_step step;
    enum up_files_executable_runs runs;
    uint8_t plan[UP_SHA256_SIZE]; /* which is open; zeros: none */
    bool of_transaction;          /* the plan is the open transaction's */
    bool restart;                 /* the switch waits for a restart of the device ... */
    bool other_boot;              /* ... and this is another boot than the one it was armed in */
    bool lost;                    /* neither copy of what the stage names is readable */
};

enum up_files_action up_files_settle_decide(const struct up_files_facts *facts);

#endif
