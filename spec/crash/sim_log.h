/*
 * sim_log.h -- the inside of the crash simulator: what happened since the last
 * durable state, and how durable each change has become.
 *
 * Only for spec/crash/sim*.c.
 */
#ifndef SIM_LOG_H
#define SIM_LOG_H

#include "sim.h"
#include "sim_tree.h"

enum change_kind {
    CHANGE_NAMES,  /* up to two entries, together or not at all */
    CHANGE_DATA,   /* sectors, and perhaps the size */
    CHANGE_RESIZE, /* truncate */
    CHANGE_MODE,   /* owner and extended attributes, too */
    CHANGE_ENV,    /* the boot loader's environment as a whole */
    CHANGE_FLASH   /* durable when it is done: only a cut leaves one pending */
};

/* Variables of the boot loader: lines of NAME=VALUE. Never altered; shared. */
struct env {
    unsigned refs;
    char text[];
};

struct entry_change {
    unsigned dir;
    struct name *name;
    unsigned ino; /* 0: removed */
};

/* Never altered once it is logged; shared by clones. */
struct change {
    unsigned refs;
    enum change_kind kind;
    unsigned fs;        /* whose journal orders it */
    unsigned ino;       /* the node concerned; for names, the one made or moved */
    struct inode *made; /* NAMES: the node as it was created, else NULL */
    struct entry_change entries[2];
    unsigned entry_count;
    uint64_t size; /* DATA, RESIZE: of the file afterwards */
    unsigned mode; /* MODE: as all of them were afterwards */
    uint32_t owner, group;
    uint64_t xattrs;
    struct env *env;     /* ENV: as it was afterwards */
    struct inode *after; /* FLASH: the node as it was afterwards */
    uint64_t hash;       /* 0: not made yet */
    bool erase;
    uint64_t first; /* DATA: first sector, and how many; FLASH: units */
    size_t sectors;
    size_t page_count; /* DATA: the pages that hold them, as they were afterwards */
    bool keeps_size;   /* DATA: content alone */
    struct page *pages[];
};

struct logged {
    struct change *change;
    bool durable[2];   /* by enum sim_model */
    bool doomed;       /* a sync of it failed: later ones do not help */
    bool stored_wrong; /* the medium has it with a flipped bit */
};

struct base {
    unsigned refs;
    uint64_t hash; /* 0: not made yet */
    struct env *env;
    struct tree tree;
};

struct handle {
    struct name *path; /* NULL: free */
    unsigned ino;
    bool writes, locks;
    bool direct; /* reads past the cache */
};

struct fault {
    enum sim_op op;
    unsigned n;
    int error;
    unsigned more; /* calls after the n-th */
    bool forever, late, paused;
    const char *below;
};

struct sim {
    struct up_storage storage; /* first: the operations are handed this */
    struct base *base;         /* what is durable whatever happens */
    struct tree live;          /* what the running system sees */
    struct env *env;           /* and of the boot loader's variables */
    struct logged *log;
    size_t log_count, log_room;
    struct handle *handles;
    size_t handle_count;

    unsigned ops, syncs, restarts, calls[SIM_OPS];
    struct name **sync_names;
    unsigned cut_at;
    bool cut;
    struct change
        *second_step; /* of the rename that was cut between its two, which a kill does not prevent; or NULL */
    unsigned ignored_sync;
    const char *ignored_pattern;
    struct fault fault;
    unsigned fault_hits, fault_at; /* how often it was met, and after how many operations first */
    int late_error;                /* of the call at hand; 0: it does not fail */
    enum sim_failed_sync failed_sync;
    bool reads_direct;
    bool unlike; /* the medium holds something else than the cache calls clean */
    unsigned flipped_write, flipped_medium;
    uint64_t capacity; /* bytes that files may hold */
    bool copies_on_write;
    bool overlay; /* some directory lies in its lower layer */

    uint64_t now, monotonic, suspended, random;
    bool synchronised;
    unsigned boot;
    FILE *trace;
    sim_watch_fn *watch; /* NULL: none */
    void *watch_user;
    sim_cut_fn *cut_fn; /* NULL: none */
    void *cut_user;
    uint64_t trail; /* of the calls since sim_begin_trail() */
};

extern const struct up_storage_ops sim_ops_table;

struct change *change_new(enum change_kind kind, unsigned ino, size_t pages);
void change_drop(struct change *change);
/* Data or flash: counted by sectors or units. */
bool change_is_data(const struct logged *entry);
/* On another medium than the tree: no journal orders it. */
bool change_is_env(const struct logged *entry);
struct env *env_new(const char *text);
struct env *env_ref(struct env *env);
void env_drop(struct env *env); /* NULL allowed */
/* Apply to a tree whose nodes all exist; links are kept up to date. */
void apply_names(struct tree *tree, const struct change *change);
/* One sector of CHANGE_DATA into a file that is unshared; the size stays. */
void change_put_sector(struct inode *file, const struct change *change, uint64_t sector);
/* CHANGE_MODE, both ways. */
void change_put_attributes(struct inode *inode, const struct change *change);
struct change *change_of_attributes(unsigned ino, const struct inode *inode);
/* Append; takes over the reference. */
void log_add(struct sim *sim, struct change *change);
void log_clear(struct sim *sim);
/* The base becomes what is live now. */
void sim_rebase(struct sim *sim);
void sim_close_all(struct sim *sim);
/* Put a node at path as a fixture, replacing what is there; takes over the reference. */
void fixture_put(struct sim *sim, const char *path, struct inode *inode);

/* The write that was logged last is stored with a flipped bit at this offset;
 * the cache has it right. */
void cache_flip(struct sim *sim, uint64_t offset);
/* What reads through this file see: the node, or what the medium holds of it; inode_drop() it. */
struct inode *cache_seen_by(const struct sim *sim, const struct handle *h);

/* What sim_hash.c does for the others. */
uint64_t sim_mix_in(uint64_t h, uint64_t word);
uint64_t sim_mix_text(uint64_t h, const char *text);
uint64_t sim_content_hash(const struct inode *inode);

/* What sim_flash.c does for the others. */
enum up_flash_kind flash_kind(const struct inode *inode);
char *flash_get(const struct inode *inode, size_t *len); /* as sim_get(); torn pages read wrong */
long long flash_pread(struct sim *sim, unsigned ino, void *buf, size_t len, uint64_t offset);
int flash_pwrite(struct sim *sim, unsigned ino, const void *buf, size_t len, uint64_t offset);
void flash_closed(struct sim *sim, unsigned ino);
/* A change that was cut: its first `whole` units were done, and the next was
 * begun when `torn`. Of an erase, all are torn unless none was begun. */
void flash_replay(struct node *node, const struct change *c, size_t whole, bool torn, uint64_t *random);
uint64_t sim_mix(uint64_t *state); /* the next random number */

#endif
