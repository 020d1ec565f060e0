/*
 * boot.h -- which slot starts: the boot loader's variables.
 *
 * One call writes all of them, and that write is the commit point of arming,
 * confirming and rolling back.
 *
 * Driver `file` keeps them in <state>/boot, a two-slot record, and acts as the
 * boot loader itself: each start of `moult run` is one boot.
 *
 * Driver `uboot` keeps them in the U-Boot environment. A boot script
 * (examples/uboot) chooses the slot and counts down:
 *
 *   BOOT_ORDER    slots that may start, first choice first: "b a"
 *   BOOT_x_LEFT   not set: slot x is good and never counted; else the tries it
 *                 has left, counted down before each of them
 *
 * and passes the started slot on the kernel command line: moult.slot=b.
 */
#ifndef UP_BOOT_H
#define UP_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

#define UP_SLOTS 2
#define UP_BOOT_TRIES 3

enum up_boot_driver { UP_BOOT_NONE, UP_BOOT_FILE, UP_BOOT_UBOOT }; /* none: no core slots configured */

/* Where the variables are; the strings outlive the up_boot. */
struct up_boot_place {
    enum up_boot_driver driver;
    const char *state;            /* the directory of the device's state */
    const char *fw_env, *cmdline; /* with UP_BOOT_UBOOT: fw_env.config(5), and the kernel command line */
};

struct up_boot_state {
    uint8_t order[UP_SLOTS]; /* slots that may start, first choice first */
    uint8_t count;           /* of them */
    uint8_t tries[UP_SLOTS]; /* left; counted down for a slot that is not good */
    bool good[UP_SLOTS];
    uint8_t running; /* the slot that this boot started */
    uint64_t boots;  /* since provision */
};

struct up_storage;
struct up_boot; /* opaque; released with up_boot_close() */

/* Errors: UP_INTERNAL; UP_USAGE a driver that is not built in. With UP_BOOT_NONE the device has one pair, and the
 * calls below keep it as slot 0 in memory. */
UP_MUST_CHECK int up_boot_open(struct up_boot **out, struct up_storage *storage, struct up_boot_place place,
                               struct up_error *err);
void up_boot_close(struct up_boot *b);
/* The slot that the boot loader started, 0 or 1, according to the loader; -1 if
 * it does not say, so that as far as we know nothing runs from a slot. For use
 * before there is a device; afterwards up_boot_read() knows. Errors: UP_WRITE; *slot stays then. */
UP_MUST_CHECK int up_boot_started(struct up_boot *b, int *slot, struct up_error *err);
/* The first variables; preallocates (driver `file`). Errors: UP_WRITE,
 * UP_NOSPACE; UP_USAGE, UP_STATELOST an environment that cannot be used. */
UP_MUST_CHECK int up_boot_create(struct up_boot *b, const struct up_boot_state *first, struct up_error *err);
/* Errors: UP_STATELOST both records (or copies of the environment) are
 * unreadable; UP_NOTHING not provisioned; UP_USAGE no environment, or a boot
 * script that does not name the slot; UP_WRITE. Even then out->running is the
 * slot that was started, if known, else UP_SLOTS; the rest is 0. */
UP_MUST_CHECK int up_boot_read(struct up_boot *b, struct up_boot_state *out, struct up_error *err);
/* One durable write of all variables. Errors: UP_WRITE; UP_STATELOST; UP_USAGE
 * the environment has only one copy. */
UP_MUST_CHECK int up_boot_write(struct up_boot *b, const struct up_boot_state *s, struct up_error *err);
/* Act as the boot loader: choose, count down, record. Only driver `file`; with
 * others it just reads. If the choice cannot be recorded, *out is as after
 * up_boot_unwritable(). Errors: those of read and write. */
UP_MUST_CHECK int up_boot_select(struct up_boot *b, struct up_boot_state *out, struct up_error *err);
/* The variables in *s cannot be written. Driver `file`, which starts nothing
 * from a slot: the last good slot counts as running then, also for later reads
 * of b, until a write succeeds. Others: the started slot stays. */
void up_boot_unwritable(struct up_boot *b, struct up_boot_state *s);
/* Driver `file`: see up_record_tend() and up_record_inspect(). Others keep
 * nothing of their own, and have nothing to inspect. */
UP_MUST_CHECK int up_boot_tend(struct up_boot *b, struct up_error *err);
struct up_record_view;
UP_MUST_CHECK int up_boot_inspect(struct up_boot *b, struct up_record_view *out, struct up_error *err);
/* An identifier of this boot as the driver counts boots; "": not known. */
void up_boot_id(struct up_boot *b, const struct up_boot_state *s, char out[37]);

#endif
