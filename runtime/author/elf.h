/*
 * elf.h -- where an ELF file is to be loaded. Host side, for deltas.
 *
 * Kernels are linked to addresses that are no offsets in the file. Anything
 * that is no sound little-endian ELF file has no segments; then an offset is
 * taken for an address.
 */
#ifndef UP_ELF_H
#define UP_ELF_H

#include <stdbool.h>
#include <stdint.h>

#define UP_ELF_SEGMENTS 16u

struct up_segment {
    uint64_t offset, address, size; /* size in the file */
};

struct up_elf {
    struct up_segment segment[UP_ELF_SEGMENTS]; /* those that are loaded; more are left out */
    unsigned count;
};

void up_elf_read(struct up_elf *out, const uint8_t *image, uint64_t size);
/* Addresses modulo 2^32. */
uint32_t up_elf_address(const struct up_elf *elf, uint64_t offset);
/* False: it is not loaded there. */
bool up_elf_offset(const struct up_elf *elf, uint32_t address, uint32_t *offset);

#endif
