/*
 * sim_flash.h -- raw flash and UBI volumes in the crash simulator.
 *
 * The model holds to the rules of the parts and ends the check (with a message
 * and abort()) when the code under test breaks one:
 *
 *   both   an erase block is erased whole and at its boundary; a bad block is
 *          neither erased nor written; nothing is synced that has no cache
 *   NAND   whole pages, each once after an erase, in order within a block
 *   NOR    any bytes, but a write turns ones into zeros only
 *   UBI    as many bytes as were announced, in order
 *
 * There is no cache: what was done is on the medium. A cut while pages are
 * written leaves the first of them written, the next torn and the others as
 * they were, and on NAND perhaps one of the three pages before it in its block
 * torn, too, since they share cells; a cut while a block is erased leaves all of it torn. What is torn
 * reads as garbage, as erased, not at all (EIO), or right for the next three
 * reads and not later; it has to be erased. A UBI volume whose update was cut
 * reads with EBADF until a new one is complete.
 */
#ifndef SIM_FLASH_H
#define SIM_FLASH_H

#include "sim.h"

/* Fixtures, as those of sim.h. An erased flash of so many erase blocks; page
 * is 1 for NOR. A UBI volume is empty and has logical blocks. */
void sim_put_flash(struct sim *sim, const char *path, enum up_flash_kind kind, unsigned blocks,
                   uint32_t erase_size, uint32_t page);
/* Written with this from its first good block on, as an image of old. */
void sim_flash_fill(struct sim *sim, const char *path, const void *data, size_t len);
/* The block is bad from the factory. */
void sim_flash_make_bad(struct sim *sim, const char *path, unsigned block);
enum sim_wear { SIM_WEAR_ERASE, SIM_WEAR_PROGRAM };
/* From now on it fails to be erased, or to be written half-way. */
void sim_flash_wear(struct sim *sim, const char *path, unsigned block, enum sim_wear wear);
void sim_flash_read_only(struct sim *sim, const char *path);

/* Inspection. */

bool sim_flash_is_bad(const struct sim *sim, const char *path, unsigned block);
/* How often blocks were erased, or a volume's update began. */
unsigned sim_flash_erases(const struct sim *sim, const char *path);
/* How often this block was. */
unsigned sim_flash_erases_of(const struct sim *sim, const char *path, unsigned block);

#endif
