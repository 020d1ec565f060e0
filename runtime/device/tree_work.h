/*
 * tree_work.h -- the work on the tree of files that a transaction asks for.
 *
 * The journal says which of it is due, and this never looks at the journal: it
 * touches <state>/files and what lies below the roots, so that it may be done
 * in a process of its own. Each can be cut anywhere and done again.
 */
#ifndef UP_TREE_WORK_H
#define UP_TREE_WORK_H

#include "error.h"
#include "storage.h"

enum up_tree_work {
    UP_TREE_SWITCH,    /* to the new tree */
    UP_TREE_UNDO,      /* as it was found; nothing when it was not touched */
    UP_TREE_SWEEP_NEW, /* it stays as it is, new: traces go */
    UP_TREE_SWEEP_OLD  /* the same, old */
};

/* Errors: those of files_switch.h; UP_STATELOST the tree cannot be made whole. */
UP_MUST_CHECK int up_tree_do(struct up_storage *s, const char *state, enum up_tree_work work,
                             struct up_error *err);

#endif
