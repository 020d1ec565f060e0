/*
 * files_world.h -- a small device that updates files on a live tree, in the
 * simulator: the real stage, switch and table of runtime/files, with a journal of
 * its own that has the phases and nothing else.
 */
#ifndef FILES_WORLD_H
#define FILES_WORLD_H

#include "sim.h"

#include <stdbool.h>

enum files_end { FILES_CONFIRM, FILES_ROLL_BACK, FILES_ABANDON };

struct files_flow {
    const char *name;
    enum files_end end;
    bool no_links; /* the roots have no hard links */
    bool one_disk; /* roots and state lie in one file system */
    bool foreign;  /* on trial somebody puts files where the new ones are */
    bool restart;  /* settle switches */
    bool overlay;  /* a directory that is deleted cannot be renamed */
    bool writer;   /* between armed and switch a program changes a target */
};

extern const struct files_flow files_flows[];
extern const unsigned files_flow_count;

/* What was promised by a device, over its lives. */
struct files_log {
    bool confirmed;   /* the journal said so, durably */
    bool rolled_back; /* the same */
    bool disturbed;   /* somebody else's files lay where ours were, durably */
    bool must_end;    /* nothing but processes was lost: it ends as the flow says */
    bool excused;     /* storage fails: a start may end without an end */
    unsigned boots;
    char bad[512]; /* "" as long as all is well */
};

/* A device before its update, everything durable. */
struct sim *files_new(const struct files_flow *flow);
/* Start after start until nothing is open any more, at most 8, or until the power goes. With
 * `online` an update that is not there yet is begun. */
void files_live(struct sim *sim, const struct files_flow *flow, bool online, struct files_log *log);
/* Whether what is there is whole, with nothing left over, and what was promised. */
void files_check(const struct sim *sim, const struct files_flow *flow, struct files_log *log);

#endif
