/*
 * files_executable.h -- one program of a plan: its file, its process, how to stop and
 * start it. Private to files_programs.c.
 */
#ifndef UP_FILES_EXECUTABLE_H
#define UP_FILES_EXECUTABLE_H

#include <stdbool.h>

#include "error.h"
#include "files_programs.h"
#include "files_tree.h"

struct up_files_executable {
    char path[UP_PATH_SIZE];
    const char *name;
    bool there, script; /* the file exists; it begins with #! */
    bool link;          /* a link has its name, which is not followed */
    struct up_stat st;
};

/* Program `n` of the plan as it is now. Errors: UP_WRITE, UP_INCOMPATIBLE a link is on the way. */
UP_MUST_CHECK int up_files_executable(struct up_files_executable *out, const struct up_files *f, uint32_t n,
                                      struct up_error *err);
/* Whether a file begins with #!. Errors: UP_WRITE. */
UP_MUST_CHECK int up_files_executable_is_script(const struct up_files_place *p, const char *name, bool *out,
                                                struct up_error *err);
/* The first process that runs it, as its parent started it: 1, 0 none, or UP_WRITE. */
UP_MUST_CHECK int up_files_executable_runs(const struct up_files_hands *hands,
                                           const struct up_files_executable *e, struct up_running *out,
                                           struct up_error *err);
/* Ask it to end, by a signal or by the command. Errors: UP_WRITE the command failed, and nothing else
 * shows whether it ended. */
UP_MUST_CHECK int up_files_executable_ask_to_end(const struct up_files_hands *hands,
                                                 const struct up_files_executable *e, struct up_error *err);
void up_files_executable_kill(const struct up_files_hands *hands, const struct up_files_executable *e);
/* `as` NULL: as the owner of the file, in its folder. Does nothing if it runs already. Errors: UP_WRITE. */
UP_MUST_CHECK int up_files_executable_start(const struct up_files_hands *hands,
                                            const struct up_files_executable *e, const struct up_running *as,
                                            struct up_error *err);

#endif
