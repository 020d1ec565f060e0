/*
 * elf.h -- the load addresses of an ELF file. Host side, for deltas.
 *
 * Kernels are linked to addresses that are not offsets in the file. What is not
 * a valid little-endian ELF file has no segments; then offsets count as
 * addresses.
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
    struct up_segment segment[UP_ELF_SEGMENTS]; /* the loaded ones; the rest is ignored */
    unsigned count;
};

void up_elf_read(struct up_elf *out, const uint8_t *image, uint64_t size);
/* Addresses modulo 2^32. */
uint32_t up_elf_address(const struct up_elf *elf, uint64_t offset);
/* False: not in a loaded segment. */
bool up_elf_offset(const struct up_elf *elf, uint32_t address, uint32_t *offset);

#endif
