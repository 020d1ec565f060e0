/*
 * hotfixes_world.h -- a device in the simulator that gets a hotfix: what supervisor and
 * agent do with it from one power-on to the next, and what must hold after each.
 */
#ifndef HOTFIXES_WORLD_H
#define HOTFIXES_WORLD_H

#include <stdbool.h>

#include "hotfix_ledger.h"
#include "manifest.h"
#include "sim.h"

struct up_device;

enum hotfixes_end {
    HOTFIXES_APPLIED, /* the hotfix passes, and a start lives with it */
    HOTFIXES_FAILED,  /* its test fails */
    HOTFIXES_UNDONE,  /* it was applied, and is undone by order */
    HOTFIXES_HIGHER,  /* it was applied, and a higher version takes its place */
    HOTFIXES_BACK,    /* the same, but no start of the script lives with that: the lower version is back */
    HOTFIXES_SPENT,   /* it passes, and no start of the script lives with it */
    HOTFIXES_DROPPED, /* it was applied, and another release is installed and confirmed */
    HOTFIXES_STAYS    /* it was applied, and another release is on trial and goes back */
};

struct hotfixes_flow {
    const char *name;
    enum hotfixes_end end;
    bool fetching; /* a release is being fetched meanwhile, which stays as it is */
    enum {
        HOTFIXES_LUA,
        HOTFIXES_OPAQUE,
        HOTFIXES_BOTH,
        HOTFIXES_FILES
    } parts;            /* opaque: nobody signed it */
    bool core;          /* the release has a core, too */
    bool release_files; /* the release has files, too */
    bool weak;          /* one root of the tree has no hard links */
};
static inline bool hotfixes_has_files(const struct hotfixes_flow *flow)
{
    return flow->parts >= HOTFIXES_BOTH;
}

extern const struct hotfixes_flow hotfixes_flows[];
extern const unsigned hotfixes_flow_count;

/* What happened so far, over all power-ons. */
struct hotfixes_log {
    bool passing, passed; /* that was begun, and came back, of the version that the flow brings */
    bool undoing, undone; /* the same of the order, the failure, or the release */
    unsigned tests;       /* how often it was put on test */
    unsigned boots;
    bool excused;  /* told by the caller: the storage fails now */
    char bad[256]; /* the first broken promise; "" while there is none */
};

struct sim *hotfixes_new(const struct hotfixes_flow *flow);
/* As an agent beside a supervisor: the package "/packages/fix1.upd" or "fix2.upd" becomes the folder `id`;
 * `opaque`: as one that nobody signed. */
void hotfixes_bring(struct sim *sim, const char *path, bool opaque, char id[UP_HOTFIX_ID_SIZE]);
/* Of such bytes only the package of version 2, as it is before up_hotfix_begin(): its manifest. */
void hotfixes_make_opaque(struct sim *sim, struct up_device *device, const char *path,
                          struct up_manifest *out);
/* Power on until nothing is left to do. Without `online` nothing is brought, tested or ordered. */
void hotfixes_live(struct sim *sim, const struct hotfixes_flow *flow, bool online, struct hotfixes_log *log);
/* What must hold now. `online`: it was, until the end. */
void hotfixes_check(const struct sim *sim, const struct hotfixes_flow *flow, bool online,
                    struct hotfixes_log *log);

#endif
