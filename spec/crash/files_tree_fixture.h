/*
 * files_tree_fixture.h -- the tree that the device of files_world.h changes: as it
 * was, as it becomes, and the plan for it.
 *
 * Two roots in file systems of their own, with each kind of operation on each
 * kind of thing: owners, modes, extended attributes, a link, folders within
 * folders.
 */
#ifndef FILES_TREE_FIXTURE_H
#define FILES_TREE_FIXTURE_H

#include "files_plan.h"
#include "files_world.h"
#include "sim.h"

/* A simulator with the tree before the update. */
struct sim *tree_before(const struct files_flow *flow);
/* What a program makes of one of the targets while the update waits: content, mode, owner. */
void tree_written(struct sim *sim);
/* The tree before or after the update, in text; the caller frees it. */
char *tree_text(const struct files_flow *flow, bool after);
/* The same of what is there: all but what was set aside, or without temporary names. */
char *tree_whole(const struct sim *sim);
char *tree_visible(const struct sim *sim);
/* Nothing in it is to be freed. */
void tree_plan(const struct files_flow *flow, struct up_files_plan *plan);
void tree_plan_digest(const struct files_flow *flow, uint8_t out[UP_SHA256_SIZE]);
/* A source for up_files_fill(). */
long long tree_content(void *user, uint32_t content, void *buf, size_t len, uint64_t offset,
                       struct up_error *err);
/* Somebody puts files where new ones are, and where one was deleted, durable. 0 or -1. */
int tree_disturb(struct up_storage *s);
/* Whether they are in the folder for what others put there, or set aside beside it. */
bool tree_kept_what_disturbed(const struct sim *sim, const char *folder);

#endif
