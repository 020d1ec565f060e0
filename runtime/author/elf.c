#include "elf.h"

#include "bytes.h"

#include <string.h>

/* Field offsets of the ELF-64 object file format and of ELF-32: the file header
 * locates the table of segments, whose entries are laid out as below. */
struct form {
    unsigned table, each, count;    /* in the file's header */
    unsigned offset, address, size; /* in an entry */
    unsigned entry;                 /* least bytes of an entry */
};
static const struct form forms[2] = {{28, 42, 44, 4, 8, 16, 32}, {32, 54, 56, 8, 16, 32, 56}};

static uint64_t number(const uint8_t *p, bool wide)
{
    return wide ? up_get64(p) : up_get32(p);
}

void up_elf_read(struct up_elf *out, const uint8_t *image, uint64_t size)
{
    const struct form *form;
    unsigned each, count;
    uint64_t at;
    bool wide;

    out->count = 0;
    if (size < 64 || memcmp(image, "\177ELF", 4) != 0 || image[5] != 1 || (image[4] != 1 && image[4] != 2))
        return;
    wide = image[4] == 2;
    form = &forms[wide];
    at = number(image + form->table, wide);
    each = image[form->each] | (unsigned)image[form->each + 1] << 8;
    count = image[form->count] | (unsigned)image[form->count + 1] << 8;
    if (each < form->entry)
        return;
    for (; count > 0 && at < size && each <= size - at && out->count < UP_ELF_SEGMENTS; at += each, count--) {
        const uint8_t *p = image + at;

        if (up_get32(p) == 1) /* PT_LOAD */
            out->segment[out->count++] =
                (struct up_segment){number(p + form->offset, wide), number(p + form->address, wide),
                                    number(p + form->size, wide)};
    }
}

uint32_t up_elf_address(const struct up_elf *elf, uint64_t offset)
{
    for (unsigned i = 0; i < elf->count; i++)
        if (offset - elf->segment[i].offset < elf->segment[i].size)
            return (uint32_t)(elf->segment[i].address + (offset - elf->segment[i].offset));
    return (uint32_t)offset;
}

bool up_elf_offset(const struct up_elf *elf, uint32_t address, uint32_t *offset)
{
    for (unsigned i = 0; i < elf->count; i++) {
        uint32_t distance = address - (uint32_t)elf->segment[i].address;

        if (distance < elf->segment[i].size) {
            *offset = (uint32_t)elf->segment[i].offset + distance;
            return true;
        }
    }
    return false;
}
