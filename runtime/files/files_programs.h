/*
 * files_programs.h -- an update of files with the programs around it: processes that
 * run one of its executables are stopped before the tree changes, and started after.
 *
 *     go on    stop, switch, start the new ones         before a start on trial
 *     go back  stop, undo, start those that were stopped
 *
 * What ran is on record before the first stop. Only the effect of a stop counts: as long
 * as a process executes the file, the program is not stopped. A file that begins with #!
 * is executed by its interpreter, so there the exit status of the commands decides.
 *
 * A program is only started in the boot in which it was stopped: after a restart of the
 * device, its init does that. Each call can be interrupted anywhere and repeated.
 */
#ifndef UP_FILES_PROGRAMS_H
#define UP_FILES_PROGRAMS_H

#include "error.h"
#include "files.h"
#include "running.h"

#define UP_FILES_STOP_MS 10000 /* from SIGTERM to SIGKILL; after a command, until it counts as failed */
#define UP_FILES_KILL_MS 5000  /* for the effect of SIGKILL */

struct up_files_hands {
    struct up_running_table *running;
    /* Commands of the configuration, or NULL. "{name}" and "{path}" are words of their own. */
    const char *const *stop, *const *start;
};

/* Where going on failed. */
enum up_files_outcome {
    UP_FILES_DONE,
    UP_FILES_NOT_STOPPED,  /* nothing was changed; what was stopped runs again */
    UP_FILES_NOT_SWITCHED, /* the tree is to be put back */
    UP_FILES_NOT_STARTED   /* the tree is new */
};

/* When everything is staged: whether each program can be stopped and started.
 * Errors: UP_INCOMPATIBLE it begins with #!, and there are no commands; UP_WRITE. */
UP_MUST_CHECK int up_files_programs_fit(const struct up_files *f, const struct up_files_hands *hands,
                                        struct up_error *err);

/* Whether what ran was noted in this boot, so that going on and going back start programs in it. */
bool up_files_program_starts_here(const struct up_files *f);

/* A piece of work on the tree. It changes <state>/files and the roots, and no journal. */
enum up_files_task {
    UP_FILES_ON,       /* to the new tree */
    UP_FILES_BACK,     /* to the old one */
    UP_FILES_KEEP_NEW, /* sweep */
    UP_FILES_KEEP_OLD,
    UP_FILES_STAGE, /* begin and fill the plan of hotfixes: the device's, not up_files_program_do()'s */
    UP_FILES_TASKS
};
/* "on", "back", ... */
const char *up_files_program_task_name(enum up_files_task task);

/* Without hands nothing is stopped and nothing started. *outcome is UP_FILES_DONE, or says what failed.
 * Errors: those of the two below, and of up_files_sweep(). */
UP_MUST_CHECK int up_files_program_do(struct up_files *f, enum up_files_task task,
                                      const struct up_files_hands *hands, enum up_files_outcome *outcome,
                                      struct up_error *err);

/* The same as up_files_program_do(), in another process, which is killed if it hangs. It works on the plan in
 * <state>, if that is the one of this digest (up_files_check_plan()); a caller who has that open must read it again.
 * Errors, too: UP_BUSY it is another one, or another process is at the tree. */
struct up_files_worker {
    int (*work)(void *user, enum up_files_task task, const uint8_t *plan, enum up_files_outcome *outcome,
                struct up_error *err);
    void *user;
};

/* On trial: make sure that no process runs an executable that was replaced. Errors: UP_DEFERRED one does, so
 * the new one was not tried; UP_WRITE it cannot be told. */
UP_MUST_CHECK int up_files_program_are_tried(const struct up_files *f, const struct up_files_hands *hands,
                                             struct up_error *err);

/* Begin at staged, or go on where it was cut. If the tree is switched already, start what does not run.
 * Errors: UP_WRITE not stopped or not started; those of up_files_switch(). */
UP_MUST_CHECK int up_files_program_go_on(struct up_files *f, const struct up_files_hands *hands,
                                         enum up_files_outcome *outcome, struct up_error *err);

/* Put the tree back as it was found. A program that cannot be stopped or started does not prevent that, and
 * is reported. Errors: those of up_files_undo(). */
UP_MUST_CHECK int up_files_program_go_back(struct up_files *f, const struct up_files_hands *hands,
                                           struct up_error *err);

#endif
