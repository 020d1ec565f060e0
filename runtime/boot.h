/*
 * boot.h -- which slot starts: the boot loader's variables.
 *
 * One call sets all of them, and that one write is the commit point of arming,
 * confirming and rolling back. Driver `file` keeps them in <state>/boot, a
 * two-slot record, and plays the boot loader itself: each start of `moult
 * run` is one boot.
 */
#ifndef UP_BOOT_H
#define UP_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

#define UP_BOOT_TRIES 3

struct up_boot_state {
    uint8_t order[UP_SLOTS]; /* slots that may start, first choice first */
    uint8_t count;           /* of them */
    uint8_t tries[UP_SLOTS]; /* left; counted down for a slot that is not good */
    bool good[UP_SLOTS];
    uint8_t running; /* the slot that this boot started */
    uint64_t boots;  /* since provision */
};

struct up_error;
struct up_storage;
struct up_boot; /* opaque; released with up_boot_close() */

/* Errors: UP_INTERNAL. With UP_BOOT_NONE the device has one pair, and the
 * calls below keep it as slot 0 in memory. */
int up_boot_open(struct up_boot **out, struct up_storage *storage, const struct up_config *config,
                 struct up_error *err);
void up_boot_close(struct up_boot *b);
/* Preallocate (driver `file`). */
int up_boot_create(struct up_boot *b, const struct up_boot_state *first, struct up_error *err);
/* Errors: UP_STATELOST both records unreadable; UP_NOTHING not provisioned. */
int up_boot_read(struct up_boot *b, struct up_boot_state *out, struct up_error *err);
/* One durable write of all variables. Errors: UP_WRITE. */
int up_boot_write(struct up_boot *b, const struct up_boot_state *s, struct up_error *err);
/* Play the boot loader: choose, count down, remember. Driver `file` only;
 * with others it just reads. */
int up_boot_select(struct up_boot *b, struct up_boot_state *out, struct up_error *err);
/* Identity of this boot as the driver counts boots. */
void up_boot_id(struct up_boot *b, const struct up_boot_state *s, char out[37]);

#endif
