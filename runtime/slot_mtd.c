/*
 * slot_mtd.c -- a slot on raw flash: NOR or NAND.
 *
 * One erase block is collected in memory. Written, it is erased and its pages
 * follow in order, so a page is written once and only after an erase that was
 * not cut short. Blocks that are bad are left out of the map from content to
 * flash; one that fails is left out too, but marked only when another took the
 * content: a controller that refuses everything must not cost the whole chip.
 */
#include "slot_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

#define ERASE_MAX (16u << 20) /* bytes of an erase block that we hold in memory */
#define NOWHERE UINT32_MAX
#define TAKE_MOST 4 /* blocks tried for one block's content */

struct mtd {
    uint32_t *good; /* the erase blocks in use, by their number in the content */
    uint32_t count;
    uint32_t at;        /* which one is collected; NOWHERE */
    uint32_t low, high; /* of it, these bytes are there */
    uint8_t *buffer;
};

static bool fits(const struct up_flash *f)
{
    return f->erase_size > 0 && f->erase_size <= ERASE_MAX && f->write_size > 0 &&
           f->erase_size % f->write_size == 0 && f->size / f->erase_size < NOWHERE;
}

/* 1 the block is good, 0 it is bad. Only NAND has bad ones. */
static int is_good(struct up_storage *storage, int file, const struct up_flash *f, uint32_t block)
{
    int bad;

    if (f->kind != UP_FLASH_NAND)
        return 1;
    bad = storage->ops->flash_bad(storage, file, (uint64_t)block * f->erase_size);
    return bad < 0 ? -1 : !bad;
}

int up_slot_mtd_capacity(struct up_storage *storage, int file, const struct up_flash *flash, const char *path,
                         uint64_t *out, struct up_error *err)
{
    *out = flash->size;
    if (flash->kind == UP_FLASH_UBI)
        return 0;
    if (!fits(flash))
        return up_fail(err, UP_USAGE, "slot %s: erase blocks of %u bytes in pages of %u", path,
                       (unsigned)flash->erase_size, (unsigned)flash->write_size);
    *out = 0;
    for (uint32_t i = 0; i < flash->size / flash->erase_size; i++) {
        int good = is_good(storage, file, flash, i);

        if (good < 0)
            return up_fail(err, UP_WRITE, "slot %s: bad blocks: %s", path, strerror(errno));
        *out += good ? flash->erase_size : 0;
    }
    return 0;
}

/* What a block holds from `from` on. A page that cannot be read is left as it
 * is in buf and counted. */
static unsigned load(struct up_slot *s, uint32_t block, uint32_t from, uint32_t to, uint8_t *buf)
{
    const struct up_flash *f = &s->traits.flash;
    struct mtd *m = s->medium;
    uint64_t base = (uint64_t)m->good[block] * f->erase_size;
    uint32_t step = f->write_size < 512 ? 512 : f->write_size;
    unsigned lost = 0;

    if (from >= to ||
        s->storage->ops->pread(s->storage, s->file, buf, to - from, base + from) == (long long)(to - from))
        return 0;
    for (uint32_t n; from < to; from += n, buf += n) {
        n = step - from % step;
        if (n > to - from)
            n = to - from;
        if (s->storage->ops->pread(s->storage, s->file, buf, n, base + from) != (long long)n) {
            memset(buf, 0xff, n);
            lost++;
        }
    }
    return lost;
}

/* Erase a block and write the collected content, without the pages at its end
 * that would hold nothing. */
static int program(struct up_slot *s, uint32_t block)
{
    const struct up_flash *f = &s->traits.flash;
    struct mtd *m = s->medium;
    uint64_t base = (uint64_t)m->good[block] * f->erase_size;
    uint32_t len = f->erase_size;

    while (len > 0 && m->buffer[len - 1] == 0xff)
        len--;
    len = (len + f->write_size - 1) / f->write_size * f->write_size;
    if (s->storage->ops->flash_erase(s->storage, s->file, base, f->erase_size) < 0)
        return -1;
    return len > 0 ? s->storage->ops->pwrite(s->storage, s->file, m->buffer, len, base) : 0;
}

/* The blocks from number `first` on that failed are given up. */
static int give_up(struct up_slot *s, uint32_t first, uint32_t count, struct up_error *err)
{
    struct mtd *m = s->medium;

    for (uint32_t i = first; i < first + count; i++)
        if (s->storage->ops->flash_mark_bad(s->storage, s->file,
                                            (uint64_t)m->good[i] * s->traits.flash.erase_size) < 0)
            return up_slot_failed(s, "mark a block bad", err);
    m->count -= count;
    memmove(m->good + first, m->good + first + count, (m->count - first) * sizeof *m->good);
    return count > 0;
}

/* Put the collected block where the next good one takes it. */
static int commit(struct up_slot *s, struct up_error *err)
{
    const struct up_flash *f = &s->traits.flash;
    struct mtd *m = s->medium;
    uint32_t at = m->at, tries = f->kind == UP_FLASH_NAND ? TAKE_MOST : 1;

    m->at = NOWHERE;
    for (uint32_t i = 0; i < tries; i++) {
        if (at + i >= m->count)
            return up_fail(err, UP_NOSPACE, "slot %s: no good blocks are left", s->path);
        if (program(s, at + i) == 0)
            return give_up(s, at, i, err);
        if (errno != EIO)
            break;
    }
    return up_slot_failed(s, "write", err);
}

static int mtd_flush(struct up_slot *s, struct up_error *err)
{
    const struct up_flash *f = &s->traits.flash;
    struct mtd *m = s->medium;
    uint64_t start = (uint64_t)m->at * f->erase_size;
    uint32_t end = f->erase_size;

    if (m->at == NOWHERE)
        return 0;
    if (s->size < start + end)
        end = s->size > start ? (uint32_t)(s->size - start) : 0;
    /* What lies before was found in place: without it, nothing is written. What
     * comes after may be anything. */
    if (load(s, m->at, 0, m->low, m->buffer) > 0) {
        m->at = NOWHERE;
        return up_fail(err, UP_WRITE, "slot %s: block %u cannot be read any more", s->path,
                       (unsigned)(start / f->erase_size));
    }
    if (m->high < end)
        load(s, m->at, m->high, end, m->buffer + m->high);
    else
        end = m->high;
    memset(m->buffer + end, 0xff, f->erase_size - end);
    return commit(s, err);
}

static int mtd_write(struct up_slot *s, const void *data, size_t len, uint64_t offset, struct up_error *err)
{
    const struct up_flash *f = &s->traits.flash;
    struct mtd *m = s->medium;
    const uint8_t *in = data;
    int moved = 0, rc;

    while (len > 0) {
        uint64_t block = offset / f->erase_size;
        uint32_t at = (uint32_t)(offset % f->erase_size);
        uint32_t n = len < f->erase_size - at ? (uint32_t)len : f->erase_size - at;

        if (m->at != NOWHERE && (m->at != block || m->high != at)) {
            if ((rc = mtd_flush(s, err)) < 0)
                return rc;
            moved |= rc;
        }
        if (block >= m->count)
            return up_fail(err, UP_NOSPACE, "slot %s: byte %llu is past its good blocks", s->path,
                           (unsigned long long)offset);
        if (m->at == NOWHERE) {
            m->at = (uint32_t)block;
            m->low = at;
        }
        memcpy(m->buffer + at, in, n);
        m->high = at + n;
        if (m->high == f->erase_size) {
            if ((rc = mtd_flush(s, err)) < 0)
                return rc;
            moved |= rc;
        }
        in += n;
        offset += n;
        len -= n;
    }
    return moved;
}

/* A program that returned is on the medium. */
static int mtd_sync(struct up_slot *s, struct up_error *err)
{
    int rc = mtd_flush(s, err);

    return rc < 0 ? rc : 0;
}

static long long mtd_read(struct up_slot *s, void *buf, size_t len, uint64_t offset, struct up_error *err)
{
    const struct up_flash *f = &s->traits.flash;
    struct mtd *m = s->medium;
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
    struct mtd *m = s->medium;

    if (!m)
        return;
    free(m->good);
    free(m->buffer);
    free(m);
}

static const struct up_slot_ops mtd_ops = {
    .write = mtd_write,
    .flush = mtd_flush,
    .sync = mtd_sync,
    .read = mtd_read,
    .close = mtd_close,
};

int up_slot_use_mtd(struct up_slot *s, struct up_error *err)
{
    const struct up_flash *f = &s->traits.flash;
    struct mtd *m;
    uint32_t blocks;

    if (!fits(f))
        return up_fail(err, UP_USAGE, "slot %s: erase blocks of %u bytes in pages of %u", s->path,
                       (unsigned)f->erase_size, (unsigned)f->write_size);
    blocks = (uint32_t)(f->size / f->erase_size);
    s->ops = &mtd_ops;
    s->medium = m = calloc(1, sizeof *m);
    if (!m || !(m->good = calloc(blocks + 1u, sizeof *m->good)) || !(m->buffer = malloc(f->erase_size)))
        return up_fail(err, UP_INTERNAL, "slot %s: out of memory", s->path);
    m->at = NOWHERE;
    for (uint32_t i = 0; i < blocks; i++) {
        int good = is_good(s->storage, s->file, f, i);

        if (good < 0)
            return up_slot_failed(s, "bad blocks", err);
        if (good)
            m->good[m->count++] = i;
    }
    return 0;
}
