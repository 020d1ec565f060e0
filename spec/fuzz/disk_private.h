/*
 * disk_private.h -- the inside of disk.h: names and nodes (disk.c), the
 * operations on them (disk_ops.c).
 */
#ifndef FUZZ_DISK_PRIVATE_H
#define FUZZ_DISK_PRIVATE_H

#include "disk.h"

#define NODES 512
#define HANDLES 16
#define PATH 512 /* of what is there, with its zero byte */

struct node {
    enum up_node_kind kind; /* UP_NODE_OTHER: free */
    unsigned mode;
    uint32_t hash;
    size_t len; /* of the path */
    char path[PATH];
    uint8_t *data;
    size_t size, room;
};

struct handle {
    struct node *node; /* NULL: closed */
    bool writes;
};

struct disk {
    struct up_storage storage; /* first: the operations are handed this */
    struct node nodes[NODES];  /* the first is the root; those from `count` on are free */
    size_t count;
    struct handle handles[HANDLES];
    const char *fence;
    uint64_t random;
};

/* Where a path leads: its canonical form ("" for the root), and what is there. */
struct place {
    char path[PATH];
    size_t len;
    struct node *node;
};

extern const struct up_storage_ops disk_ops;

/* 0, or -1 with errno; that nothing is there is no error of disk_walk(). */
int disk_walk(struct disk *d, const char *path, struct place *p);
int disk_walk_to(struct disk *d, const char *path, struct place *p);
/* Every change of a name or of content passes here. */
void disk_guard(const struct disk *d, const char *path);
/* NULL with errno when there is no room. */
struct node *disk_make(struct disk *d, const struct place *p, enum up_node_kind kind, unsigned mode);
/* 0. Removing a file that is open aborts: nothing here does that. */
int disk_drop(struct disk *d, struct node *n);
void disk_resize(struct node *n, uint64_t size);
bool disk_is_below(const struct node *n, const char *path, size_t len);
bool disk_is_empty(const struct disk *d, const struct node *dir);
/* The node, which was at a path of old_len bytes or below it, is now at `to`. */
int disk_move(struct node *n, size_t old_len, const struct place *to);

#endif
