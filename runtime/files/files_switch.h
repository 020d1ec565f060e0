/*
 * files_switch.h -- an update of files from its plan to its end.
 *
 *     begin -> fill -> switch -> sweep(new)             confirmed
 *                            \-> undo -> sweep(old)     rolled back
 *          \-> sweep(old)                               abandoned
 *
 * Each call can be cut anywhere and called again by another process, which
 * goes on from the stage record. The caller's journal says which of them is
 * due (files_settle.h). At every instant a whole old or a whole new tree can be
 * reached; until switch() nothing live changes.
 *
 * begin() and fill() are in files_staging.c, tidy() in files_tidy.c.
 *
 * Nothing below a root is touched unless the plan's .here file lies there: a
 * partition may be mounted late.
 */
#ifndef UP_FILES_SWITCH_H
#define UP_FILES_SWITCH_H

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
    char folder[UP_PATH_SIZE]; /* <state>/files */
    struct up_files_record record;
    struct up_files_stage stage;
    bool lost;                      /* the stage names a plan, or what was found, that cannot be read */
    struct up_files_plan plan;      /* unless the step is UP_FILES_NONE, or it is lost */
    struct up_files_found *found;   /* from UP_FILES_SWITCHING on */
    void (*stepped)(void *watcher); /* told before each step, for whoever looks for a hang; NULL: nobody */
    void *watcher;
};

/* Reads the stage and what it names. Does not move afterwards; released with
 * up_files_close(), unless this fails. Errors: UP_STATELOST the stage cannot be
 * read; UP_WRITE, UP_INTERNAL. */
UP_MUST_CHECK int up_files_open(struct up_files *f, struct up_storage *s, const char *state,
                                struct up_error *err);
void up_files_close(struct up_files *f);

/* Where the content of new files comes from: verified bytes. Bytes read, fewer than
 * asked only at its end, or an error code. */
struct up_files_source {
    void *user;
    long long (*read)(void *user, uint32_t content, void *buf, size_t len, uint64_t offset,
                      struct up_error *err);
};

/* Put the plan on record, to be filled. It stays the caller's. Errors: UP_BUSY another is
 * open; UP_INCOMPATIBLE; UP_MISSING no such root; UP_NOSPACE, UP_WRITE. */
UP_MUST_CHECK int up_files_begin(struct up_files *f, const struct up_files_plan *plan, struct up_error *err);

/* Write every new file beside its target, whole and durable, and try what the switch
 * will do; also when that was begun before. Errors: UP_UNTRUSTED content that is not
 * the plan's; UP_INCOMPATIBLE a target that may not be touched; UP_MISSING no such
 * folder; UP_NOSPACE, UP_WRITE. Then up_files_sweep(f, false, ...) takes all of it back. */
UP_MUST_CHECK int up_files_fill(struct up_files *f, const struct up_files_source *source,
                                struct up_error *err);

/* From staged, or where a switch was cut, to the new tree. Errors: those of
 * up_files_forward(); the tree is to be put back then. */
UP_MUST_CHECK int up_files_switch(struct up_files *f, struct up_error *err);

/* The tree as it was found; nothing when it was not touched. Errors: those of
 * up_files_back(); the tree is mixed then. */
UP_MUST_CHECK int up_files_undo(struct up_files *f, struct up_error *err);

/* The tree stays as it is, new or old: traces go, and the stage becomes none. */
UP_MUST_CHECK int up_files_sweep(struct up_files *f, bool new_tree, struct up_error *err);

/* In stage none: what a cut left of a plan. Errors: UP_WRITE. */
UP_MUST_CHECK int up_files_tidy(struct up_files *f, struct up_error *err);

/* There is progress. */
void up_files_stepped(const struct up_files *f);
/* The id of this boot of the kernel. Errors: UP_WRITE. */
UP_MUST_CHECK int up_files_this_boot(const struct up_files *f, char out[37], struct up_error *err);

/* Whether every root of the plan is there. Errors: UP_MISSING "root R is not there". */
UP_MUST_CHECK int up_files_check_here(const struct up_files *f, struct up_error *err);

#endif
