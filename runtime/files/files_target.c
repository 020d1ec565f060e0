#include "files_target.h"

#include "error.h"

int up_files_target_open(struct up_files_target *out, const struct up_files_work *w, uint32_t n,
                         struct up_error *err)
{
    out->op = &w->plan->op[n];
    out->found = w->found ? &w->found[n] : NULL;
    for (unsigned i = 0; i < UP_FILES_TEMPORARIES; i++)
        up_files_plan_temporary(w->plan, n, (enum up_files_plan_temporary)i, out->name[i]);
    return up_files_tree_open(&out->place, w->storage, w->plan, n, err);
}

int up_files_target_refuse(const struct up_files_target *t, const char *why, struct up_error *err)
{
    return up_fail(err, UP_INCOMPATIBLE, "%s/%s%s%s: %s", t->place.root, t->place.folder,
                   *t->place.folder ? "/" : "", t->op->name, why);
}

int up_files_target_finish(struct up_files_target *t, int rc, struct up_error *err)
{
    if (rc == 0)
        rc = up_files_tree_sync(&t->place, err);
    up_files_tree_close(&t->place);
    return rc;
}
