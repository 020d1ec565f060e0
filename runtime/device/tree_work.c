#include "tree_work.h"

#include "files_switch.h"

int up_tree_do(struct up_storage *s, const char *state, enum up_tree_work work, struct up_error *err)
{
    struct up_files f;
    int rc = up_files_open(&f, s, state, err);

    if (rc < 0)
        return rc;
    if (work == UP_TREE_SWITCH)
        rc = up_files_switch(&f, err);
    else if (work == UP_TREE_UNDO)
        rc = up_files_undo(&f, err);
    else
        rc = up_files_sweep(&f, work == UP_TREE_SWEEP_NEW, err);
    up_files_close(&f);
    return rc;
}
