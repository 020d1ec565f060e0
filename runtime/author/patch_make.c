/*
 * patch_make.c -- make a patch: a head, an index and stored blocks.
 */
#include "bytes.h"
#include "delta_blocks.h"
#include "error.h"
#include "patch_private.h"

#include <stdlib.h>
#include <string.h>

struct up_patch_make {
    struct up_delta_blocks *blocks;
    struct up_index_head head;
    uint8_t *index, *stored;
    size_t index_size;
    bool ready; /* the files are compared */
    uint32_t at;
    uint64_t end; /* of the patch, so far */
};

static void release(struct up_patch *p)
{
    struct up_patch_make *m = p->make;

    if (!m)
        return;
    up_delta_blocks_close(m->blocks);
    free(m->index);
    free(m->stored);
    free(m);
}

/* Comparing and encoding count half of the progress each. */
static void progress(const struct up_patch *p, uint64_t *done, uint64_t *total)
{
    const struct up_patch_make *m = p->make;
    uint64_t part, of;

    up_delta_blocks_progress(m->blocks, &part, &of);
    *total = 2 * (uint64_t)m->head.block_count;
    *done = m->head.block_count * part / of + m->at;
}

/* Head and index are written last. */
static int put_head(struct up_patch *p, struct up_error *err)
{
    const struct up_patch_make *m = p->make;
    uint8_t head[UP_PATCH_HEAD];
    int rc;

    memcpy(head, "MOULTPD1", 8);
    up_put64(head + 8, up_delta_blocks_old_size(m->blocks));
    memcpy(head + 16, up_delta_blocks_old_digest(m->blocks), 32);
    up_put64(head + 48, up_delta_blocks_size(m->blocks));
    memcpy(head + 56, up_delta_blocks_digest(m->blocks), 32);
    up_put32(head + 88, m->head.block_size);
    up_index_put_head(m->index, &m->head);
    rc = up_patch_put(p, head, sizeof head, 0, err);
    if (rc == 0)
        rc = up_patch_put(p, m->index, m->index_size, UP_PATCH_HEAD, err);
    p->size = m->end;
    return rc;
}

static int work(struct up_patch *p, struct up_error *err)
{
    struct up_patch_make *m = p->make;
    struct up_block block;
    int rc;

    if (!m->ready) {
        rc = up_delta_blocks_step(m->blocks, err);
        m->ready = rc == 0;
        return rc < 0 ? rc : UP_AGAIN;
    }
    if (m->at == m->head.block_count)
        return put_head(p, err);
    if (up_delta_blocks_get(m->blocks, m->at, &block, m->stored, err) < 0 ||
        up_patch_put(p, m->stored, block.stored, m->end, err) < 0)
        return err->code;
    if (block.encoding != UP_RAW && block.stored > 0)
        m->head.window = m->head.block_size;
    up_index_put_block(m->index + UP_INDEX_HEAD + (size_t)m->at * UP_INDEX_ENTRY, &block);
    m->end += block.stored;
    m->at++;
    return UP_AGAIN;
}

static int allocate(struct up_patch_make *m, struct up_error *err)
{
    m->head.block_size = UP_DELTA_BLOCK_SIZE;
    m->head.content_size = up_delta_blocks_size(m->blocks);
    m->head.block_count = (uint32_t)((m->head.content_size + m->head.block_size - 1) / m->head.block_size);
    m->index_size = UP_INDEX_HEAD + (size_t)m->head.block_count * UP_INDEX_ENTRY;
    m->end = UP_PATCH_HEAD + m->index_size;
    m->index = malloc(m->index_size);
    m->stored = malloc(m->head.block_size);
    return m->index && m->stored ? 0 : up_fail(err, UP_INTERNAL, "patch: out of memory");
}

int up_patch_make(struct up_patch **out, struct up_storage *storage, const char *old_path,
                  const char *new_path, const char *path, enum up_encoding encoding, struct up_error *err)
{
    struct up_patch *p;
    int rc = up_patch_new(&p, storage, path, err);

    if (rc < 0)
        return rc;
    p->work = work;
    p->progress = progress;
    p->release = release;
    p->make = calloc(1, sizeof *p->make);
    rc = p->make ? up_delta_blocks_open(&p->make->blocks, storage, old_path, new_path, encoding,
                                        UP_DELTA_BLOCK_SIZE, err)
                 : up_fail(err, UP_INTERNAL, "patch: out of memory");
    if (rc == 0)
        rc = allocate(p->make, err);
    if (rc == 0)
        rc = up_patch_create(p, err);
    if (rc < 0) {
        up_patch_close(p);
        return rc;
    }
    *out = p;
    return 0;
}
