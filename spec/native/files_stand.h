/*
 * files_stand.h -- a simulated device with the tree of files_tree_fixture.h and no
 * plan yet: what each test of runtime/files/ begins with.
 */
#ifndef FILES_STAND_H
#define FILES_STAND_H

#include <errno.h>
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

/* A block of the flash is bad under the file that has that path now, until the operations are `sound` again. */
static struct up_stat spoilt;
static struct up_storage_ops spoils;
static const struct up_storage_ops *sound;
static int spoilt_file = -1;

static inline int open_spoilt(struct up_storage *s, int dir, const char *name, unsigned flags, unsigned mode)
{
    int file = sound->open_at(s, dir, name, flags, mode);
    struct up_stat st;

    if (file >= 0 && sound->stat_file(s, file, &st) == 0 && st.inode == spoilt.inode &&
        st.device == spoilt.device)
        spoilt_file = file;
    return file;
}

static inline long long read_spoilt(struct up_storage *s, int file, void *buf, size_t len, uint64_t offset)
{
    if (file != spoilt_file)
        return sound->pread(s, file, buf, len, offset);
    errno = EIO;
    return -1;
}

static inline int close_spoilt(struct up_storage *s, int file)
{
    spoilt_file = file == spoilt_file ? -1 : spoilt_file;
    return sound->close(s, file);
}

/* Not 0: there is no such file. */
static inline int spoil(struct world *w, const char *path)
{
    int rc = w->storage->ops->stat(w->storage, path, &spoilt);

    sound = w->storage->ops;
    spoils = *sound;
    spoils.open_at = open_spoilt;
    spoils.pread = read_spoilt;
    spoils.close = close_spoilt;
    w->storage->ops = &spoils;
    return rc;
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
