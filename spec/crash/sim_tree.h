/*
 * sim_tree.h -- the file tree in memory under the crash simulator.
 *
 * Pages, names and inodes are counted and shared between trees; one that is
 * shared is copied before it is changed (inode_own). A tree is an array of
 * nodes by inode number; numbers are never used twice within one simulator, so
 * a change that was logged still finds its file.
 *
 * Only for spec/crash/sim*.c. Nothing here knows of power cuts.
 */
#ifndef SIM_TREE_H
#define SIM_TREE_H

#include "storage.h"

#define SIM_PAGE 4096u
#define SIM_SECTOR 512u
#define SIM_FILE_SYSTEMS 4u
#define SIM_ROOT 1u /* inode number of the root; 0 is none */

struct page {
    unsigned refs;
    bool hashed;
    uint64_t hash;
    uint8_t data[SIM_PAGE];
};

struct name {
    unsigned refs;
    char text[];
};

struct entry {
    struct name *name;
    unsigned ino;
};

struct flash; /* the state of flash beside its content: sim_flash.c */
struct flash *flash_copy(const struct flash *from);
void flash_free(struct flash *flash); /* NULL allowed */
uint64_t flash_hash(const struct flash *flash);

struct inode {
    unsigned refs;
    enum up_node_kind kind;
    unsigned mode;
    uint32_t owner, group;
    uint64_t xattrs;  /* stands for all of them */
    unsigned fs;      /* file system that it lies on, 0 to SIM_FILE_SYSTEMS - 1 */
    bool no_links;    /* which has no hard links */
    bool lower;       /* a directory of an overlay's lower layer, which cannot be renamed */
    bool folds;       /* for which a and A are one name */
    bool mount_point; /* the root of a file system, or of a bind mount */
    bool fixed;       /* immutable: only said, not enforced */
    uint64_t size;
    size_t page_count; /* those past it are zeros, as are NULL ones */
    struct page **pages;
    size_t entry_count; /* sorted by name */
    struct entry *entries;
    struct name *target;
    struct flash *flash; /* NULL: none */
};

struct node {
    struct inode *inode; /* NULL: gone */
    unsigned links, opens;
    enum up_mounted mounted;
    bool locked;
    unsigned lies_on;     /* another node; 0: none */
    uint64_t from, to;    /* the bytes of that one that it shows; 0, 0: no loop device */
    const char *identity; /* NULL: none */
};

struct tree {
    size_t count;
    struct node *nodes;
};

/* Abort when there is no memory. */
void *sim_alloc(size_t size);
void *sim_realloc(void *old, size_t size);

struct page *page_new(void); /* zeros */
struct page *page_ref(struct page *page);
void page_drop(struct page *page);
uint64_t page_hash(struct page *page); /* 0 for zeros and NULL */

struct name *name_new(const char *text);
struct name *name_ref(struct name *name);
void name_drop(struct name *name);

struct inode *inode_new(enum up_node_kind kind, unsigned mode);
struct inode *inode_ref(struct inode *inode);
void inode_drop(struct inode *inode);
/* A new one lies where its directory does. */
void inode_settle(struct inode *made, const struct inode *dir);
/* The node's inode, unshared, to be changed. */
struct inode *inode_own(struct node *node);

/* Inode number of an entry, 0 when there is none. */
unsigned dir_find(const struct inode *dir, const char *name);
/* Make name stand for ino, or for nothing when ino is 0. dir must be unshared. */
void dir_set(struct inode *dir, struct name *name, unsigned ino);

void file_read(const struct inode *file, void *buf, size_t len, uint64_t offset);
/* Store and grow. The file must be unshared. */
void file_write(struct inode *file, const void *data, size_t len, uint64_t offset);
void file_zero(struct inode *file, uint64_t offset, uint64_t len);
void file_resize(struct inode *file, uint64_t size);
/* The page at an index, unshared, made when it is a hole. */
struct page *file_page(struct inode *file, size_t index);
/* Put a page (NULL: a hole) at an index; takes over the caller's reference. */
void file_put_page(struct inode *file, size_t index, struct page *page);

/* `out` becomes a copy that shares all inodes. */
void tree_copy(struct tree *out, const struct tree *from);
void tree_clear(struct tree *tree);
/* A new node; takes over the reference. Returns its number. */
unsigned tree_add(struct tree *tree, struct inode *inode);
/* Free a node that has neither names nor openers. */
void tree_forget(struct tree *tree, unsigned ino);
/* Count links from the root on and forget what it does not reach. */
void tree_collect(struct tree *tree);
/* Bytes of pages that regular files hold. */
uint64_t tree_used(const struct tree *tree);

/* Where a path leads: the directory, the last name in it, and what it stands
 * for (0 when nothing is there). For "/" itself the name is empty. */
struct place {
    unsigned dir;
    char name[256];
    unsigned ino;
};

/* 0, or -1 with errno as the system would set it; a missing last component is
 * not an error. A final link is followed when `follow`. */
int tree_walk(const struct tree *tree, const char *path, bool follow, struct place *out);

#endif
