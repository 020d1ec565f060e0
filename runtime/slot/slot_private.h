/*
 * slot_private.h -- a slot and its media, for slot.c, slot_media.c (the table), each medium's file (slot_plain.c,
 * slot_mtd.c, slot_ubi.c), slot_inspect.c (what doctor tells) and slot_medium.c (which medium it is).
 */
#ifndef UP_SLOT_PRIVATE_H
#define UP_SLOT_PRIVATE_H

#include "error.h"
#include "slot.h"
#include "slot_link.h"

/* As the functions of slot.h. zero, flush, prepare, erase, refresh and
 * drop_cache may be NULL: write zeros, nothing is buffered, always ready,
 * nothing to erase, nothing is doubtful, no cache. */
struct up_slot_ops {
    int (*write)(struct up_slot *s, const void *data, size_t len, uint64_t offset, struct up_error *err);
    int (*zero)(struct up_slot *s, size_t len, uint64_t offset, struct up_error *err);
    int (*flush)(struct up_slot *s, struct up_error *err);
    int (*prepare)(struct up_slot *s, uint64_t offset, struct up_error *err);
    int (*erase)(struct up_slot *s, uint64_t offset, struct up_error *err);
    int (*refresh)(struct up_slot *s, uint64_t *end, uint64_t *from, struct up_error *err);
    int (*sync)(struct up_slot *s, struct up_error *err);
    int (*drop_cache)(struct up_slot *s, struct up_error *err);
    long long (*read)(struct up_slot *s, void *buf, size_t len, uint64_t offset, struct up_error *err);
    void (*close)(struct up_slot *s); /* of `kept` */
};

/* An examined path: its node, and the kind of flash of an open device. */
struct up_slot_node {
    struct up_storage *storage;
    const char *path; /* as it was given, for messages */
    char name[UP_PATH_SIZE];
    struct up_stat st;
    int file; /* -1: not open */
    struct up_flash flash;
};

/* One medium: a row of the table. */
struct up_slot_medium {
    struct up_slot_traits traits;
    enum up_node_kind node;   /* how it is recognised: the kind of node, and */
    enum up_flash_kind flash; /* for a device that must be asked, the storage's answer */
    unsigned open;            /* flags to open it for writing; the same for all media of one kind of node */
    struct up_slot_ops ops;
    /* As up_slot_capacity(). `file` is open for reading unless flash is UP_FLASH_NONE. */
    int (*capacity)(const struct up_slot_medium *m, const struct up_slot_node *n, uint64_t *out,
                    struct up_error *err);
    /* Initialise an open slot whose medium and flash are known; NULL: nothing
     * to do. Errors: UP_USAGE an impossible geometry; UP_NOSPACE; UP_WRITE;
     * UP_INTERNAL. */
    int (*use)(struct up_slot *s, struct up_error *err);
};

struct up_slot {
    const struct up_slot_medium *medium;
    struct up_storage *storage;
    enum up_slot_use use;
    struct up_flash flash;
    uint64_t size; /* of the content */
    int file;
    uint64_t since; /* plain: bytes since write-back was last started; UBI: since the update began */
    void *kept;     /* the medium's own data */
    char path[];
};

extern const struct up_slot_medium up_slot_file, up_slot_block; /* slot_plain.c */
extern const struct up_slot_medium up_slot_nor, up_slot_nand;   /* slot_mtd.c */
extern const struct up_slot_medium up_slot_ubi;                 /* slot_ubi.c */

/*
 * The medium of a node; NULL: it can be none. A device that must be asked
 * counts at first as the first medium of its kind of node, all of which are
 * opened alike; up_slot_tell() then asks the open file. Errors: UP_USAGE no
 * medium; UP_WRITE.
 */
const struct up_slot_medium *up_slot_medium_of(enum up_node_kind node);
UP_MUST_CHECK int up_slot_tell(const struct up_slot_medium **m, struct up_slot_node *n, struct up_error *err);

/* UP_USAGE: what is at the path cannot be a slot. */
int up_slot_no_medium(const char *path, struct up_error *err);

/* Fill err after a failed call on the slot: "slot PATH: WHAT: CAUSE", a
 * spool without the first word. */
int up_slot_failed(const struct up_slot *s, const char *what, struct up_error *err);

#endif
