#include "files_found.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "error.h"

#define MAGIC "MOULTFF1"
#define ROW (4 + 4 + 4 + 4 + 8 + 8 + UP_SHA256_SIZE)
#define NOTHING 0xffffffffu /* for a kind */

int up_files_found_encode(const struct up_files_found *found, uint32_t count, uint8_t **out, size_t *len,
                          struct up_error *err)
{
    uint8_t *at;

    *len = 8 + (size_t)count * ROW;
    *out = calloc(1, *len);
    if (!*out)
        return up_fail(err, UP_INTERNAL, "files: out of memory");
    memcpy(*out, MAGIC, 8);
    at = *out + 8;
    for (const struct up_files_found *f = found; f < found + count; f++, at += ROW) {
        up_put32(at, f->there ? f->st.kind : NOTHING);
        up_put32(at + 4, f->st.mode);
        up_put32(at + 8, f->st.owner);
        up_put32(at + 12, f->st.group);
        up_put64(at + 16, f->st.size);
        up_put64(at + 24, f->st.inode);
        memcpy(at + 32, f->digest, UP_SHA256_SIZE);
    }
    return 0;
}

int up_files_found_decode(struct up_files_found **out, uint32_t count, const uint8_t *data, size_t len,
                          struct up_error *err)
{
    const uint8_t *at = data + 8;

    if (len != 8 + (size_t)count * ROW || memcmp(data, MAGIC, 8) != 0)
        return up_fail(err, UP_INCOMPATIBLE,
                       "files: the record of what was there before is not of this plan");
    *out = calloc(count, sizeof **out);
    if (!*out)
        return up_fail(err, UP_INTERNAL, "files: out of memory");
    for (struct up_files_found *f = *out; f < *out + count; f++, at += ROW) {
        f->there = up_get32(at) != NOTHING;
        f->st.kind = f->there ? (enum up_node_kind)up_get32(at) : UP_NODE_OTHER;
        f->st.mode = up_get32(at + 4);
        f->st.owner = up_get32(at + 8);
        f->st.group = up_get32(at + 12);
        f->st.size = up_get64(at + 16);
        f->st.inode = up_get64(at + 24);
        memcpy(f->digest, at + 32, UP_SHA256_SIZE);
    }
    return 0;
}
