/*
 * files.h -- an update of files from its plan to its end.
 *
 *     begin -> fill -> switch -> sweep(new)             confirmed
 *                            \-> undo -> sweep(old)     rolled back
 *          \-> sweep(old)                               abandoned
 *
 * Each call can be interrupted anywhere and repeated by another process, which
 * goes on from the stage record. The caller's journal says which call is due
 * (files_settle.h). At every moment the complete old or the complete new tree
 * can be reached; until switch() nothing live changes.
 *
 * open() and what belongs to it are in files_open.c, begin() and fill() in files_staging.c, tidy() in files_tidy.c.
 *
 * Nothing below a root is touched unless the plan's .here file lies there: a
 * partition may be mounted late.
 */
#ifndef UP_FILES_H
#define UP_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "files_found.h"
#include "files_ops.h"
#include "files_plan.h"
#include "files_stage.h"
#include "storage.h"

struct up_files {
    struct up_storage *storage;
    char state[UP_PATH_SIZE], folder[UP_PATH_SIZE]; /* <state>/files */
    struct up_files_record record, below_record;
    struct up_files_stage stage, below; /* below: of a plan that waits under this one (files_suspended.c) */
    bool resumed;                       /* the open plan is the suspended one, and that is still on record */
    bool lost;                          /* the stage names a plan, or what was found, that cannot be read */
    bool ended;                         /* this handle wrote UP_FILES_NONE */
    struct up_files_plan plan;          /* unless the step is UP_FILES_NONE, or it is lost */
    struct up_files_found *found;       /* from UP_FILES_SWITCHING on */
    void (*stepped)(void *watcher);     /* called before each step, to detect a hang; may be NULL */
    void *watcher;
};

/* Reads the stage and what it names. Does not move afterwards; released with
 * up_files_close(), unless this fails. Errors: UP_STATELOST the stage cannot be
 * read; UP_WRITE, UP_INTERNAL. */
UP_MUST_CHECK int up_files_open(struct up_files *f, struct up_storage *s, const char *state,
                                struct up_error *err);
void up_files_close(struct up_files *f);
/* One process at a time changes the tree and its records: the agent, which stages, or a helper of the supervisor. Taken
 * before up_files_open(), and given back with up_files_let_go() after close; ends with the process. *out is -1 when
 * there is no <state>/files yet, or its file system has no locks. Errors: UP_BUSY another process is at it. */
UP_MUST_CHECK int up_files_claim(int *out, struct up_storage *s, const char *state, struct up_error *err);
void up_files_let_go(struct up_storage *s, int claim);
/* Whether `plan` is the one that is open, all zeros being none; NULL: whichever is. Errors: UP_BUSY. */
UP_MUST_CHECK int up_files_check_plan(const struct up_files *f, const uint8_t *plan, struct up_error *err);
/* Read what the stage names, into a handle without a plan: it may be lost then. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_files_load(struct up_files *f, struct up_error *err);

/* Where the verified content of new files comes from. read() returns the number of bytes, less than
 * `len` only at the end of the content, or an error code. */
struct up_files_source {
    void *user;
    long long (*read)(void *user, uint32_t content, void *buf, size_t len, uint64_t offset,
                      struct up_error *err);
    /* An open file whose owner, mode and extended attributes that content gets, and which the engine closes; -1:
     * those of what it replaces. May be NULL. */
    int (*like)(void *user, uint32_t content);
};

/* Put the plan on record, to be filled. The caller keeps it. Errors: UP_BUSY another one is
 * open; UP_INCOMPATIBLE; UP_MISSING no such root; UP_NOSPACE, UP_WRITE. */
UP_MUST_CHECK int up_files_begin(struct up_files *f, const struct up_files_plan *plan, struct up_error *err);

/* Write every new file beside its target, complete and durable, and try what the switch
 * will do. It may be repeated. Errors: UP_UNTRUSTED content that is not
 * the plan's; UP_INCOMPATIBLE a target that may not be touched; UP_MISSING no such
 * folder; UP_NOSPACE, UP_WRITE. After an error, up_files_sweep(f, false, ...) removes all of it. */
UP_MUST_CHECK int up_files_fill(struct up_files *f, const struct up_files_source *source,
                                struct up_error *err);

/* Make the new tree, from staged or from where a switch was cut. Errors: those of up_files_op_forward(); then
 * the tree has to be put back. */
UP_MUST_CHECK int up_files_switch(struct up_files *f, struct up_error *err);

/* Put the tree back as it was found, even if the disk is full by now; does nothing if it was not changed.
 * Errors: those of up_files_op_back(); the tree is mixed then. */
UP_MUST_CHECK int up_files_undo(struct up_files *f, struct up_error *err);

/* Whether the tree is the new one, or the old one, although the stage says that it is being changed
 * or put back: a medium that takes no more can keep the rest from being recorded. */
bool up_files_is(const struct up_files *f, bool new_tree);
/* The path at which the way back to the old tree has got stuck: of a target, a root that is not there, or a
 * plan that cannot be read. "": nothing is left to put back. */
void up_files_stuck(const struct up_files *f, char *out, size_t len);

/* The tree stays as it is, new or old. Remove all traces; the stage becomes none. */
UP_MUST_CHECK int up_files_sweep(struct up_files *f, bool new_tree, struct up_error *err);

/* The tree is neither the old nor the new one, and another plan is to replace all that the open one names; or the
 * tree is whole, and the traces of this one cannot be removed because a root is not there: suspend it. The handle is
 * as in stage none then. It is resumed when the one on top has gone. Errors: UP_BUSY one is suspended already;
 * UP_STATELOST both copies of this one are unreadable; UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_files_suspend(struct up_files *f, struct up_error *err);
/* The suspended one is open, and its stage is on record: its other record ends. */
UP_MUST_CHECK int up_files_resume(struct up_files *f, struct up_error *err);
/* The one on top stays for good: the suspended one ends. What cannot be removed of its names stays. */
UP_MUST_CHECK int up_files_drop_suspended(struct up_files *f, struct up_error *err);
/* Remove the temporary names of a plan, as far as that can be done. */
void up_files_sweep_loosely(const struct up_files *f, const struct up_files_plan *plan);
/* The suspended one: 1 *out is it, to be closed; 0 there is none. Errors: UP_STATELOST it cannot be read. */
UP_MUST_CHECK int up_files_open_suspended(const struct up_files *f, struct up_files *out,
                                          struct up_error *err);

/* The tree stays as it is, although nobody knows what it is; the open plan, and a suspended one, end. What cannot
 * be removed of their names stays. */
UP_MUST_CHECK int up_files_accept(struct up_files *f, struct up_error *err);

/* In stage none: remove what an interrupted plan left. Errors: UP_WRITE. */
UP_MUST_CHECK int up_files_tidy(struct up_files *f, struct up_error *err);

/* Report progress. */
void up_files_stepped(const struct up_files *f);
/* The id of this boot of the kernel. Errors: UP_WRITE. */
UP_MUST_CHECK int up_files_this_boot(const struct up_files *f, char out[37], struct up_error *err);

/* Both copies of the plan, or of what was found, are unreadable: fill err with that, and what to do. Returns its
 * code, UP_STATELOST. */
int up_files_unreadable(const struct up_files *f, struct up_error *err);

/* Whether every root of the plan is there. Errors: UP_MISSING "root R is not there"; UP_WRITE that cannot be
 * told now. */
UP_MUST_CHECK int up_files_check_here(const struct up_files *f, struct up_error *err);

#endif
