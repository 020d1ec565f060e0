#include "index_reader.h"

#include "digest.h"
#include "error.h"

#include <string.h>

int up_index_reader_begin(struct up_index_reader *c, const struct up_part *part, struct up_error *err)
{
    memset(c, 0, sizeof *c);
    c->part = part;
    return up_digest_new(&c->digest, UP_SHA256, err);
}

void up_index_reader_release(struct up_index_reader *c)
{
    up_digest_free(c->digest);
    c->digest = NULL;
}

/* c->rest holds a whole head or entry. */
static int take_piece(struct up_index_reader *c)
{
    struct up_block block;
    uint64_t i;
    int rc;

    if (c->fed == UP_INDEX_HEAD)
        return up_index_get_head(&c->head, c->rest, c->part, &c->why);
    i = (c->fed - UP_INDEX_HEAD) / UP_INDEX_ENTRY - 1;
    rc = up_index_get_block(&block, c->rest, &c->head, (uint32_t)i, &c->why);
    if (rc == 0)
        c->stored += block.stored;
    return rc;
}

void up_index_reader_feed(struct up_index_reader *c, const void *data, size_t len)
{
    const uint8_t *in = data;

    up_digest_update(c->digest, data, len);
    while (len > 0) {
        size_t whole = c->fed < UP_INDEX_HEAD ? UP_INDEX_HEAD : UP_INDEX_ENTRY;
        size_t n = whole - c->held < len ? whole - c->held : len;

        memcpy(c->rest + c->held, in, n);
        c->held += n;
        c->fed += n;
        in += n;
        len -= n;
        if (c->held < whole)
            return;
        c->held = 0;
        if (c->rc == 0)
            c->rc = take_piece(c);
    }
}

int up_index_reader_end(struct up_index_reader *c, struct up_error *err)
{
    const char *name = up_manifest_part_name(c->part->kind);
    uint8_t digest[UP_DIGEST_MAX];

    up_digest_final(c->digest, digest);
    if (c->fed != c->part->index_size || memcmp(digest, c->part->index_digest, UP_SHA256_SIZE) != 0)
        return up_fail(err, UP_UNTRUSTED, "%s.idx: differs from what was signed", name);
    if (c->rc < 0)
        return up_fail(err, c->rc, "%s", c->why.message);
    if (c->stored != c->part->data_size)
        return up_fail(err, UP_UNTRUSTED, "%s.idx: its blocks do not add up to %s.dat", name, name);
    return 0;
}
