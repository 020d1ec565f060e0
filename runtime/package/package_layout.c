/*
 * package_layout.c -- the place of each member of a package, and its header.
 */
#include "package.h"

#include "tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Place one member after those placed so far; returns the offset of its content. */
static uint64_t lay(uint64_t *end, uint64_t size)
{
    uint64_t at = *end + UP_TAR_BLOCK;

    *end = at + up_tar_padded(size);
    return at;
}

void up_package_layout_of(struct up_package_layout *layout, const struct up_manifest *m,
                          uint64_t manifest_size, uint64_t signature_size)
{
    uint64_t end = 0;

    memset(layout, 0, sizeof *layout);
    layout->manifest_size = manifest_size;
    layout->signature_size = signature_size;
    lay(&end, manifest_size);
    lay(&end, signature_size);
    for (unsigned i = 0; i < m->part_count; i++)
        layout->index_offset[i] = lay(&end, m->part[i].index_size);
    layout->head_size = end;
    for (unsigned i = 0; i < m->part_count; i++)
        layout->data_offset[i] = lay(&end, m->part[i].data_size);
    layout->size = end + UP_TAR_END;
}

/* Write the part of a member's header that lies in [offset, offset + len). */
static void fill_header(uint64_t content, const char *stem, const char *suffix, uint64_t size,
                        uint64_t offset, uint8_t *out, size_t len)
{
    uint64_t start = content - UP_TAR_BLOCK, from = start > offset ? start : offset;
    uint64_t to = content < offset + len ? content : offset + len;
    struct up_tar_entry entry = {.mode = 0644, .size = size};
    uint8_t header[UP_TAR_BLOCK];

    if (from >= to)
        return;
    snprintf(entry.name, sizeof entry.name, "%s%s", stem, suffix);
    if (up_tar_put(header, &entry, NULL) < 0)
        abort(); /* names are ours, and sizes were checked with the manifest, so this cannot happen */
    memcpy(out + (from - offset), header + (from - start), (size_t)(to - from));
}

void up_package_layout_fill(const struct up_package_layout *layout, const struct up_manifest *m,
                            uint64_t offset, void *out, size_t len)
{
    uint64_t end = 0, at;

    memset(out, 0, len);
    at = lay(&end, layout->manifest_size);
    fill_header(at, "manifest", ".json", layout->manifest_size, offset, out, len);
    at = lay(&end, layout->signature_size);
    fill_header(at, "manifest", ".minisig", layout->signature_size, offset, out, len);
    for (unsigned i = 0; i < m->part_count; i++) {
        const struct up_part *part = &m->part[i];
        const char *name = up_manifest_part_name(part->kind);

        fill_header(layout->index_offset[i], name, ".idx", part->index_size, offset, out, len);
        fill_header(layout->data_offset[i], name, ".dat", part->data_size, offset, out, len);
    }
}
