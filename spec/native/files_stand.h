/*
 * files_stand.h -- a simulated device with the tree of files_tree_fixture.h and no
 * plan yet: what each test of runtime/files/ begins with.
 */
#ifndef FILES_STAND_H
#define FILES_STAND_H

#include <stdlib.h>

#include "files.h"
#include "files_tree_fixture.h"
#include "sim.h"
#include "storage.h"

#define STATE "/device/state"

struct world {
    struct sim *sim;
    struct up_storage *storage;
    struct up_files files;
    struct up_error err;
    char *before;  /* the tree, when the test noted it */
    unsigned lost; /* files that the test took away */
};

static inline int world_enter(void **state, const struct files_flow *flow)
{
    struct world *w = calloc(1, sizeof *w);

    if (!w)
        return -1;
    w->sim = tree_before(flow);
    sim_put_dir(w->sim, STATE, 0700);
    w->storage = sim_storage(w->sim);
    *state = w;
    return up_files_open(&w->files, w->storage, STATE, &w->err);
}

/* Stage the plan of the flow. Not 0: it failed. */
static inline int world_fill(struct world *w, const struct files_flow *flow)
{
    const struct up_files_source source = {(void *)flow, tree_content, NULL};
    struct up_files_plan plan;

    tree_plan(flow, &plan);
    return up_files_begin(&w->files, &plan, &w->err) < 0 || up_files_fill(&w->files, &source, &w->err) < 0;
}

/* Not 0: files were left open. */
static inline int leave(void **state)
{
    struct world *w = *state;
    int open;

    up_files_close(&w->files);
    open = (int)sim_open_files(w->sim);
    free(w->before);
    sim_free(w->sim);
    free(w);
    return open;
}

#endif
