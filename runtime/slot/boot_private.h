/*
 * boot_private.h -- the drivers behind boot.h: boot_file.c and boot_uboot.c (boot_no_uboot.c in a build without).
 */
#ifndef UP_BOOT_PRIVATE_H
#define UP_BOOT_PRIVATE_H

#include "boot.h"
#include "record.h"
#include "storage.h"

/* Each as the function of boot.h with the same name. */
struct up_boot_driver_ops {
    int (*started)(struct up_boot *b, int *slot, struct up_error *err);
    int (*create)(struct up_boot *b, const struct up_boot_state *first, struct up_error *err);
    int (*read)(struct up_boot *b, struct up_boot_state *out, struct up_error *err);
    int (*write)(struct up_boot *b, const struct up_boot_state *s, struct up_error *err);
    int (*select)(struct up_boot *b, struct up_boot_state *out, struct up_error *err);
    void (*unwritable)(struct up_boot *b, struct up_boot_state *s);
    void (*id)(struct up_boot *b, const struct up_boot_state *s, char out[37]);
};

struct up_boot {
    const struct up_boot_driver_ops *ops;
    struct up_storage *storage;
    struct up_record record;      /* file */
    char path[UP_PATH_SIZE];      /* file: <state>/boot */
    bool unwritable;              /* file: see up_boot_unwritable() */
    const char *fw_env, *cmdline; /* uboot: the configuration's */
};

/* For drivers whose boot loader starts slots. */
void up_boot_stays(struct up_boot *b, struct up_boot_state *s);
/* For drivers that count no boots: the kernel's, "" when that cannot be told. */
void up_boot_kernel_id(struct up_boot *b, const struct up_boot_state *s, char out[37]);

extern const struct up_boot_driver_ops up_boot_file_ops;
extern const struct up_boot_driver_ops *const up_boot_uboot_ops; /* NULL in a build without U-Boot */

/* Whether these are variables that the driver `file` wrote. */
bool up_boot_file_fits(const uint8_t *value, size_t len);

#endif
