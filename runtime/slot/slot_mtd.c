/*
 * slot_mtd.c -- a slot on raw flash: NOR or NAND.
 *
 * One erase block is collected in memory. To write it, it is erased and its
 * pages follow in order, so a page is written once, after a complete erase.
 * Before that, all content beyond it was erased, the last block first: at any
 * time, everything beyond the block that is being changed is blank. So what
 * reads correctly from the start of the slot ends with that block, whatever an
 * older image had there, except for blocks whose content is blank; and a torn
 * block is found although it still reads correctly.
 *
 * Bad blocks are left out of the map from content to flash. A block that fails
 * is left out, too, but marked bad only when another took its content: a
 * controller that refuses everything must not cost the whole chip.
 */
#include "slot_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

#define ERASE_MAX (16u << 20) /* largest erase block that we hold in memory */
#define NOWHERE UINT32_MAX
#define FAILED_MOST 4 /* blocks that may fail before one takes the content */

struct mtd {
    uint32_t *good; /* the erase blocks in use, by content block */
    uint32_t count;
    bool *blank;        /* by number on the flash: erased by us, and not written since */
    uint32_t clear_to;  /* content blocks before this one may not be blank yet */
    bool clear;         /* all blocks beyond the first written one are blank */
    uint32_t at;        /* the block being collected; NOWHERE: none */
    uint32_t low, high; /* its valid bytes */
    uint8_t *buffer;
    uint32_t failed[FAILED_MOST]; /* numbers on the flash, to be marked bad */
    unsigned failures;
};

static bool fits(const struct up_flash *f)
{
    return f->erase_size > 0 && f->erase_size <= ERASE_MAX && f->write_size > 0 &&
           f->erase_size % f->write_size == 0 && f->size / f->erase_size < NOWHERE;
}

static int wrong_geometry(const char *path, const struct up_flash *f, struct up_error *err)
{
    return up_fail(err, UP_USAGE, "slot %s: erase blocks of %u bytes in pages of %u", path,
                   (unsigned)f->erase_size, (unsigned)f->write_size);
}

/* 1 the block is good, 0 it is bad. */
static int is_good(const struct up_slot_medium *medium, struct up_storage *storage, int file,
                   const struct up_flash *f, uint32_t block)
{
    int bad;

    if (!medium->traits.bad_blocks)
        return 1;
    bad = storage->ops->flash_bad(storage, file, (uint64_t)block * f->erase_size);
    return bad < 0 ? -1 : !bad;
}

static int mtd_capacity(const struct up_slot_medium *medium, const struct up_slot_node *n, uint64_t *out,
                        struct up_error *err)
{
    const struct up_flash *f = &n->flash;

    if (!fits(f))
        return wrong_geometry(n->path, f, err);
    *out = 0;
    for (uint32_t i = 0; i < f->size / f->erase_size; i++) {
        int good = is_good(medium, n->storage, n->file, f, i);

        if (good < 0)
            return up_fail(err, UP_WRITE, "slot %s: bad blocks: %s", n->path, strerror(errno));
        *out += good ? f->erase_size : 0;
    }
    return 0;
}

/* Read the content of a block up to byte `to`. A page that cannot be read is 0xff. */
static void load(struct up_slot *s, uint32_t block, uint32_t to, uint8_t *buf)
{
    const struct up_flash *f = &s->flash;
    struct mtd *m = s->kept;
    uint64_t base = (uint64_t)m->good[block] * f->erase_size;
    uint32_t step = f->write_size < 512 ? 512 : f->write_size;

    if (to == 0 || s->storage->ops->pread(s->storage, s->file, buf, to, base) == (long long)to)
        return;
    for (uint32_t at = 0, n; at < to; at += n) {
        n = step < to - at ? step : to - at;
        if (s->storage->ops->pread(s->storage, s->file, buf + at, n, base + at) != (long long)n)
            memset(buf + at, 0xff, n);
    }
}

/* A block failed with errno: take it out of the map, if errno means that. */
static int leave_out(struct up_slot *s, uint32_t block, struct up_error *err)
{
    struct mtd *m = s->kept;

    if (errno != EIO || !s->medium->traits.bad_blocks || m->failures == FAILED_MOST)
        return up_slot_failed(s, "write", err);
    m->failed[m->failures++] = m->good[block];
    m->count--;
    memmove(m->good + block, m->good + block + 1, (m->count - block) * sizeof *m->good);
    return 0;
}

/* Erase a block of the content. */
static int erase(struct up_slot *s, uint32_t block, struct up_error *err)
{
    const struct up_flash *f = &s->flash;
    struct mtd *m = s->kept;

    for (;;) {
        if (block >= m->count)
            return up_fail(err, UP_NOSPACE, "slot %s: no good blocks are left", s->path);
        if (m->blank[m->good[block]])
            return 0;
        if (s->storage->ops->flash_erase(s->storage, s->file, (uint64_t)m->good[block] * f->erase_size,
                                         f->erase_size) == 0) {
            m->blank[m->good[block]] = true;
            return 0;
        }
        if (leave_out(s, block, err) < 0)
            return err->code;
    }
}

/* Write the collected content, without trailing pages that would hold only 0xff. -1 with errno. */
static int program(struct up_slot *s, uint32_t block)
{
    const struct up_flash *f = &s->flash;
    struct mtd *m = s->kept;
    uint32_t len = f->erase_size;

    while (len > 0 && m->buffer[len - 1] == 0xff)
        len--;
    len = (len + f->write_size - 1) / f->write_size * f->write_size;
    if (len == 0)
        return 0;
    m->blank[m->good[block]] = false;
    return s->storage->ops->pwrite(s->storage, s->file, m->buffer, len,
                                   (uint64_t)m->good[block] * f->erase_size);
}

/* Others took the content: mark the failed blocks bad. */
static int mark_failed(struct up_slot *s, struct up_error *err)
{
    struct mtd *m = s->kept;

    while (m->failures > 0)
        if (s->storage->ops->flash_mark_bad(s->storage, s->file,
                                            (uint64_t)m->failed[--m->failures] * s->flash.erase_size) < 0)
            return up_slot_failed(s, "mark a block bad", err);
    return 0;
}

static uint32_t blocks_of(const struct up_slot *s)
{
    return (uint32_t)((s->size + s->flash.erase_size - 1) / s->flash.erase_size);
}

/* Whether a block reads as erased. */
static bool reads_blank(struct up_slot *s, uint32_t block)
{
    const struct up_flash *f = &s->flash;
    struct mtd *m = s->kept;
    uint8_t part[512];

    for (uint32_t at = 0, n; at < f->erase_size; at += n) {
        n = f->erase_size - at < sizeof part ? f->erase_size - at : (uint32_t)sizeof part;
        if (s->storage->ops->pread(s->storage, s->file, part, n,
                                   (uint64_t)m->good[block] * f->erase_size + at) != (long long)n)
            return false;
        for (uint32_t i = 0; i < n; i++)
            if (part[i] != 0xff)
                return false;
    }
    return true;
}

/* Erase the blocks of the content, last first, down to `keep`: 1 one of them
 * was erased, 0 all are blank. */
static int clear(struct up_slot *s, uint32_t keep, struct up_error *err)
{
    struct mtd *m = s->kept;
    uint32_t count = m->count;

    if (blocks_of(s) > m->count)
        return up_fail(err, UP_NOSPACE, "slot %s: no good blocks are left", s->path);
    while (m->clear_to > keep) {
        uint32_t block = --m->clear_to;

        if (reads_blank(s, block))
            continue;
        if (erase(s, block, err) < 0 || mark_failed(s, err) < 0)
            return err->code;
        /* What follows has moved up, and another block is now the last. */
        if (m->count < count)
            m->clear_to = blocks_of(s);
        return 1;
    }
    m->clear = true;
    return 0;
}

static int mtd_prepare(struct up_slot *s, uint64_t offset, struct up_error *err)
{
    struct mtd *m = s->kept;

    if (m->clear && blocks_of(s) <= m->count)
        return 0;
    return clear(s, (uint32_t)(offset / s->flash.erase_size) + 1, err);
}

static int mtd_erase(struct up_slot *s, uint64_t offset, struct up_error *err)
{
    return clear(s, (uint32_t)(offset / s->flash.erase_size), err);
}

/* Write the collected block to the next good one that takes it. */
static int commit(struct up_slot *s, struct up_error *err)
{
    struct mtd *m = s->kept;
    uint32_t at = m->at, last = blocks_of(s) - 1;

    m->at = NOWHERE;
    for (;;) {
        if (erase(s, at, err) < 0)
            return err->code;
        if (m->failures > 0 && last > at && last < m->count && !reads_blank(s, last) &&
            erase(s, last, err) < 0)
            return err->code;
        if (program(s, at) == 0)
            return mark_failed(s, err);
        if (leave_out(s, at, err) < 0)
            return err->code;
    }
}

static int mtd_flush(struct up_slot *s, struct up_error *err)
{
    const struct up_flash *f = &s->flash;
    struct mtd *m = s->kept;

    if (m->at == NOWHERE)
        return 0;
    load(s, m->at, m->low, m->buffer);
    memset(m->buffer + m->high, 0xff, f->erase_size - m->high);
    return commit(s, err);
}

/* The last block that is not blank may be torn. Blank ones after it may be
 * half-erased: they are not kept. */
static int mtd_refresh(struct up_slot *s, uint64_t *end, uint64_t *from, struct up_error *err)
{
    const struct up_flash *f = &s->flash;
    struct mtd *m = s->kept;
    uint32_t block = (uint32_t)((*end - 1) / f->erase_size) + 1, held = 0, to = 0;

    while (block > 0 && held == 0) {
        block--;
        to = (uint32_t)(*end - (uint64_t)block * f->erase_size);
        if (to > f->erase_size)
            to = f->erase_size;
        load(s, block, to, m->buffer);
        for (held = to; held > 0 && m->buffer[held - 1] == 0xff;)
            held--;
    }
    *from = (uint64_t)block * f->erase_size;
    *end = held > 0 ? *from + to : 0;
    if (held == 0)
        return 0;
    m->at = block;
    m->low = m->high = to;
    return mtd_flush(s, err);
}

static int mtd_write(struct up_slot *s, const void *data, size_t len, uint64_t offset, struct up_error *err)
{
    const struct up_flash *f = &s->flash;
    struct mtd *m = s->kept;
    const uint8_t *in = data;
    int rc = 1;

    while (rc == 1)
        rc = mtd_prepare(s, offset, err);
    if (rc < 0)
        return rc;
    while (len > 0) {
        uint64_t block = offset / f->erase_size;
        uint32_t at = (uint32_t)(offset % f->erase_size);
        uint32_t n = len < f->erase_size - at ? (uint32_t)len : f->erase_size - at;

        if (m->at != NOWHERE && (m->at != block || m->high != at) && mtd_flush(s, err) < 0)
            return err->code;
        if (block >= m->count)
            return up_fail(err, UP_NOSPACE, "slot %s: byte %llu is past its good blocks", s->path,
                           (unsigned long long)offset);
        if (m->at == NOWHERE) {
            m->at = (uint32_t)block;
            m->low = at;
        }
        memcpy(m->buffer + at, in, n);
        m->high = at + n;
        if (m->high == f->erase_size && mtd_flush(s, err) < 0)
            return err->code;
        in += n;
        offset += n;
        len -= n;
    }
    return 0;
}

/* A program operation that returned is on the medium. */
static int mtd_sync(struct up_slot *s, struct up_error *err)
{
    return mtd_flush(s, err);
}

static long long mtd_read(struct up_slot *s, void *buf, size_t len, uint64_t offset, struct up_error *err)
{
    const struct up_flash *f = &s->flash;
    struct mtd *m = s->kept;
    uint8_t *out = buf;
    size_t done = 0;

    (void)err;
    while (done < len) {
        uint64_t block = (offset + done) / f->erase_size;
        uint32_t at = (uint32_t)((offset + done) % f->erase_size);
        uint32_t n = len - done < f->erase_size - at ? (uint32_t)(len - done) : f->erase_size - at;

        if (block >= m->count ||
            s->storage->ops->pread(s->storage, s->file, out + done, n,
                                   (uint64_t)m->good[block] * f->erase_size + at) != (long long)n)
            break;
        done += n;
    }
    return (long long)done;
}

static void mtd_close(struct up_slot *s)
{
    struct mtd *m = s->kept;

    if (!m)
        return;
    free(m->good);
    free(m->blank);
    free(m->buffer);
    free(m);
}

static int mtd_use(struct up_slot *s, struct up_error *err)
{
    const struct up_flash *f = &s->flash;
    struct mtd *m;
    uint32_t blocks;

    if (!fits(f))
        return wrong_geometry(s->path, f, err);
    blocks = (uint32_t)(f->size / f->erase_size);
    s->kept = m = calloc(1, sizeof *m);
    if (m) {
        m->good = calloc(blocks + 1u, sizeof *m->good);
        m->blank = calloc(blocks + 1u, sizeof *m->blank);
        m->buffer = malloc(f->erase_size);
    }
    if (!m || !m->good || !m->blank || !m->buffer)
        return up_fail(err, UP_INTERNAL, "slot %s: out of memory", s->path);
    m->at = NOWHERE;
    m->clear_to = blocks_of(s);
    for (uint32_t i = 0; i < blocks; i++) {
        int good = is_good(s->medium, s->storage, s->file, f, i);

        if (good < 0)
            return up_slot_failed(s, "bad blocks", err);
        if (good)
            m->good[m->count++] = i;
    }
    return 0;
}

/* clang-format off */
#define MTD_OPS {.write = mtd_write, .flush = mtd_flush, .prepare = mtd_prepare, .erase = mtd_erase, \
                 .refresh = mtd_refresh, .sync = mtd_sync, .read = mtd_read, .close = mtd_close}
/* clang-format on */

const struct up_slot_medium up_slot_nor = {
    .traits = {.name = "nor", .title = "NOR flash", .erasable = true, .in_order = true},
    .node = UP_NODE_CHAR,
    .flash = UP_FLASH_NOR,
    .open = UP_UPDATE,
    .ops = MTD_OPS,
    .capacity = mtd_capacity,
    .use = mtd_use,
};

const struct up_slot_medium up_slot_nand = {
    .traits = {.name = "nand", .title = "NAND flash", .erasable = true, .bad_blocks = true, .in_order = true},
    .node = UP_NODE_CHAR,
    .flash = UP_FLASH_NAND,
    .open = UP_UPDATE,
    .ops = MTD_OPS,
    .capacity = mtd_capacity,
    .use = mtd_use,
};
