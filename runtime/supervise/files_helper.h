/*
 * files_helper.h -- what `moult --files` does under the supervisor: one task on the tree
 * of files, in a process that can be killed when it hangs.
 *
 * The task is a word, with ":" and the digest of a plan if it is for that one only.
 *
 * It touches <state>/files and the roots, never the journal; the supervisor holds the
 * lock for it. Lines to the supervisor (child.h), before each step and at the end:
 *
 *     beat
 *     done | failed OUTCOME CODE MESSAGE     OUTCOME: a number, enum up_files_outcome
 */
#ifndef UP_FILES_HELPER_H
#define UP_FILES_HELPER_H

#include "error.h"
#include "files_programs.h"

struct up_config;
struct up_processes;
struct up_storage;

#define UP_HELPER_HANG 10 /* seconds without a step and without a command that runs */

struct up_files_helper {
    const struct up_config *config;
    struct up_storage *storage;
    struct up_running_table *running;
    struct up_processes *processes;
    int link; /* to the supervisor */
};

/* Errors: UP_USAGE there is no supervisor, or no such task; UP_INTERNAL. What the task itself comes
 * to is told by a line. */
UP_MUST_CHECK int up_files_helper(const struct up_files_helper *h, const char *task, struct up_error *err);

#endif
