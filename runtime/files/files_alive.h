/*
 * files_alive.h -- on trial without a script: do the programs that were started with the
 * new files still run?
 *
 * Only its effect tells of a program, as in files_programs.h: a process runs the file. So
 * one that begins with #! is not watched, nor one that a restart of the device ended.
 */
#ifndef UP_FILES_ALIVE_H
#define UP_FILES_ALIVE_H

#include <stdint.h>

#include "error.h"
#include "files_programs.h"

struct up_files_alive {
    uint32_t count;
    long *pid; /* for each program of the plan: the first of its processes when it was looked at last; 0: it
                  did not run yet; -1: it ended */
};

enum up_files_life {
    UP_FILES_LIVE,  /* all run, and did so at the last look */
    UP_FILES_AGAIN, /* one was started again since */
    UP_FILES_ENDED  /* one does not run any more */
};

/* Look at them. `a` is all zeros at first. Of UP_FILES_AGAIN and UP_FILES_ENDED err says which one. A program that a
 * command starts may come late; one that was started directly must run at the first look. Errors: UP_WRITE it cannot
 * be told; UP_INTERNAL. */
UP_MUST_CHECK int up_files_alive_look(struct up_files_alive *a, const struct up_files *f,
                                      const struct up_files_hands *hands, enum up_files_life *life,
                                      struct up_error *err);
/* All zeros again. */
void up_files_alive_free(struct up_files_alive *a);

#endif
