/*
 * world_files.h -- the tree of files of a device of world.h: on two file systems,
 * before and after the one update of files that its packages carry.
 */
#ifndef WORLD_FILES_H
#define WORLD_FILES_H

#include "config.h"
#include "sim.h"

/* The update.ini of each package with files: it puts over what is there and where nothing
 * is, makes a directory, and deletes a file and a directory. */
extern const char world_files_ini[];

/* The tree before, and the roots of it. no_links: of the second one. */
void world_files_put(struct sim *sim, bool no_links);
void world_files_configure(struct up_config *config, bool no_links);
/* The tree of release `seed`, and a file as packages bring it. */
void world_files_after(struct sim *sim, unsigned seed);
void world_files_file(struct sim *sim, const char *path, unsigned seed, unsigned mode);
/* All that lies below the roots; the caller frees it. Without `ours`, what is ours and temporary is left out. */
char *world_files_dump(const struct sim *sim, bool ours);

/* The partition of a root is not mounted: the files that say that it is there have another name; or `back`, theirs. */
void world_files_move_here(struct sim *sim, const char *root, bool back);
/* It was made anew, and has nothing but the folders that update.ini needs. */
void world_files_format(struct sim *sim, const char *root);

/* Both copies of what the open plan found. 0: they are gone. */
int world_files_lose_found(struct sim *sim);

enum world_tree { WORLD_TREE_NEITHER, WORLD_TREE_OLD, WORLD_TREE_NEW };
/* What lies below the roots. With `ours`, what is ours and temporary counts, too. */
enum world_tree world_files_tree(const struct sim *sim, bool ours);

#endif
