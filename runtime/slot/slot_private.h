/*
 * slot_private.h -- a slot and its media, for slot.c and each medium's file.
 */
#ifndef UP_SLOT_PRIVATE_H
#define UP_SLOT_PRIVATE_H

#include "slot.h"

/* As the functions of slot.h. zero, flush, prepare, refresh and drop_cache may
 * be NULL: write zeros, nothing is held back, always ready, nothing is doubtful, there is no cache. */
struct up_slot_ops {
    int (*write)(struct up_slot *s, const void *data, size_t len, uint64_t offset, struct up_error *err);
    int (*zero)(struct up_slot *s, size_t len, uint64_t offset, struct up_error *err);
    int (*flush)(struct up_slot *s, struct up_error *err);
    int (*prepare)(struct up_slot *s, uint64_t offset, struct up_error *err);
    int (*refresh)(struct up_slot *s, uint64_t *end, uint64_t *from, struct up_error *err);
    int (*sync)(struct up_slot *s, struct up_error *err);
    int (*drop_cache)(struct up_slot *s, struct up_error *err);
    long long (*read)(struct up_slot *s, void *buf, size_t len, uint64_t offset, struct up_error *err);
    void (*close)(struct up_slot *s); /* of `medium` */
};

struct up_slot {
    const struct up_slot_ops *ops;
    struct up_storage *storage;
    enum up_slot_use use;
    struct up_slot_traits traits;
    uint64_t size; /* of the content */
    int file;
    uint64_t since; /* plain: bytes since write-back was last started; UBI: since the update began */
    void *medium;   /* what the medium keeps besides */
    char path[];
};

extern const struct up_slot_ops up_slot_plain_ops; /* regular files and block devices */

/* Take over an open slot whose traits are known. Errors: UP_USAGE a geometry
 * that cannot be; UP_WRITE; UP_INTERNAL. */
int up_slot_use_mtd(struct up_slot *s, struct up_error *err);
int up_slot_use_ubi(struct up_slot *s, struct up_error *err);

/* Bytes that fit on a flash of the storage's open file. Errors: UP_WRITE. */
int up_slot_mtd_capacity(struct up_storage *storage, int file, const struct up_flash *flash, const char *path,
                         uint64_t *out, struct up_error *err);

/* Fill err after a failed call on the slot: "slot PATH: WHAT: CAUSE", a
 * spool without the first word. */
int up_slot_failed(const struct up_slot *s, const char *what, struct up_error *err);

#endif
