/*
 * sim_flash.c -- the rules of flash, and what a cut leaves of it.
 *
 * Content lies in the node's pages as it lies on the medium. Beside it stands
 * the state of each page (of 256 bytes on NOR, where a write may be cut
 * anywhere) and what is wrong with each block.
 */
#include "sim_flash.h"

#include "sim_ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOR_UNIT 256u
#define WEAK_READS 3

enum unit_state {
    UNIT_ERASED,
    UNIT_WRITTEN,
    UNIT_TORN, /* garbage */
    UNIT_LOST, /* cannot be read */
    UNIT_WEAK  /* reads right for UNIT_WEAK + 3 .. UNIT_WEAK: so often yet */
};

enum block_mark { BLOCK_BAD = 1, BLOCK_FAILS_ERASE = 2, BLOCK_FAILS_PROGRAM = 4 };

struct flash {
    enum up_flash_kind kind;
    bool writable;
    bool updating, damaged; /* UBI */
    uint64_t update_size, received;
    uint32_t erase_size, write_size, unit, blocks, units;
    uint8_t *state; /* of each unit */
    uint8_t *marks; /* of each block */
    uint16_t *erases;
};

static void broken(const struct flash *f, const char *rule, uint64_t offset)
{
    static const char *const kinds[] = {"no flash", "NOR", "NAND", "UBI"};

    fprintf(stderr, "flash (%s): %s, at byte %llu\n", kinds[f->kind], rule, (unsigned long long)offset);
    abort();
}

static struct flash *flash_new(enum up_flash_kind kind, unsigned blocks, uint32_t erase_size, uint32_t page)
{
    struct flash *f = sim_alloc(sizeof *f);

    f->kind = kind;
    f->writable = true;
    f->erase_size = erase_size;
    f->write_size = page;
    f->unit = page > 1 ? page : NOR_UNIT;
    f->blocks = blocks;
    f->units = blocks * (erase_size / f->unit);
    f->state = sim_alloc(f->units);
    f->marks = sim_alloc(blocks);
    f->erases = sim_alloc(blocks * sizeof *f->erases);
    return f;
}

struct flash *flash_copy(const struct flash *from)
{
    struct flash *to = flash_new(from->kind, from->blocks, from->erase_size, from->write_size);
    uint8_t *state = to->state, *marks = to->marks;
    uint16_t *erases = to->erases;

    *to = *from;
    to->state = memcpy(state, from->state, from->units);
    to->marks = memcpy(marks, from->marks, from->blocks);
    to->erases = memcpy(erases, from->erases, from->blocks * sizeof *erases);
    return to;
}

void flash_free(struct flash *f)
{
    if (!f)
        return;
    free(f->state);
    free(f->marks);
    free(f->erases);
    free(f);
}

static uint64_t bytes_hash(uint64_t h, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        h = (h ^ bytes[i]) * 0x100000001b3u;
    return h;
}

/* How often a block was erased decides nothing. */
uint64_t flash_hash(const struct flash *f)
{
    uint64_t h = bytes_hash(0xcbf29ce484222325u, f->state, f->units);

    h = bytes_hash(h, f->marks, f->blocks);
    h = (h ^ (f->writable | f->updating << 1 | f->damaged << 2)) * 0x100000001b3u;
    return (h ^ (f->update_size << 32 | f->received)) * 0x100000001b3u;
}

enum up_flash_kind flash_kind(const struct inode *inode)
{
    return inode->flash ? inode->flash->kind : UP_FLASH_NONE;
}

static void fill(struct inode *inode, uint64_t offset, size_t len, uint8_t byte)
{
    while (len > 0) {
        size_t at = (size_t)(offset % SIM_PAGE), n = len < SIM_PAGE - at ? len : SIM_PAGE - at;

        memset(file_page(inode, (size_t)(offset / SIM_PAGE))->data + at, byte, n);
        offset += n;
        len -= n;
    }
}

static void garble(struct inode *inode, uint64_t offset, size_t len, uint64_t *random)
{
    for (; len > 0; len--, offset++)
        file_page(inode, (size_t)(offset / SIM_PAGE))->data[offset % SIM_PAGE] ^=
            (uint8_t)sim_mix(random) | 1;
}

void sim_put_flash(struct sim *sim, const char *path, enum up_flash_kind kind, unsigned blocks,
                   uint32_t erase_size, uint32_t page)
{
    struct inode *inode = inode_new(UP_NODE_CHAR, 0600);

    inode->flash = flash_new(kind, blocks, erase_size, page);
    file_resize(inode, (uint64_t)blocks * erase_size);
    fill(inode, 0, (size_t)inode->size, 0xff);
    fixture_put(sim, path, inode);
}

static struct inode *find(const struct sim *sim, const char *path)
{
    struct place at;

    if (tree_walk(&sim->live, path, true, &at) < 0 || !at.ino || !op_inode(sim, at.ino)->flash)
        abort();
    return op_inode(sim, at.ino);
}

/* To be changed as a fixture. */
static struct flash *fixture(struct sim *sim, const char *path)
{
    struct place at;

    if (sim->log_count > 0 || tree_walk(&sim->live, path, true, &at) < 0 || !at.ino)
        abort();
    return inode_own(&sim->live.nodes[at.ino])->flash;
}

void sim_flash_fill(struct sim *sim, const char *path, const void *data, size_t len)
{
    struct flash *f = fixture(sim, path);
    struct inode *inode = find(sim, path);
    uint32_t per_block = f->erase_size / f->unit;
    const uint8_t *in = data;

    for (uint32_t i = 0; i < f->units && len > 0; i++) {
        size_t n = len < f->unit ? len : f->unit;

        if (f->marks[i / per_block] & BLOCK_BAD)
            continue;
        file_write(inode, in, n, (uint64_t)i * f->unit);
        f->state[i] = UNIT_WRITTEN;
        in += n;
        len -= n;
    }
    sim_rebase(sim);
}

void sim_flash_make_bad(struct sim *sim, const char *path, unsigned block)
{
    fixture(sim, path)->marks[block] |= BLOCK_BAD;
    sim_rebase(sim);
}

void sim_flash_wear(struct sim *sim, const char *path, unsigned block, enum sim_wear wear)
{
    fixture(sim, path)->marks[block] |= wear == SIM_WEAR_ERASE ? BLOCK_FAILS_ERASE : BLOCK_FAILS_PROGRAM;
    sim_rebase(sim);
}

void sim_flash_read_only(struct sim *sim, const char *path)
{
    fixture(sim, path)->writable = false;
    sim_rebase(sim);
}

bool sim_flash_is_bad(const struct sim *sim, const char *path, unsigned block)
{
    return find(sim, path)->flash->marks[block] & BLOCK_BAD;
}

unsigned sim_flash_erases_of(const struct sim *sim, const char *path, unsigned block)
{
    return find(sim, path)->flash->erases[block];
}

unsigned sim_flash_erases(const struct sim *sim, const char *path)
{
    const struct flash *f = find(sim, path)->flash;
    unsigned sum = 0;

    for (uint32_t i = 0; i < f->blocks; i++)
        sum += f->erases[i];
    return sum;
}

char *flash_get(const struct inode *inode, size_t *len)
{
    const struct flash *f = inode->flash;
    uint32_t per_block = f->erase_size / f->unit;
    char *data = sim_alloc((size_t)inode->size + 1);
    size_t n = 0;

    for (uint32_t i = 0; i < f->units && !f->damaged; i++) {
        if (f->marks[i / per_block] & BLOCK_BAD)
            continue;
        file_read(inode, data + n, f->unit, (uint64_t)i * f->unit);
        /* What is torn must not be taken for what it happens to look like. */
        if (f->state[i] >= UNIT_TORN)
            for (uint32_t b = 0; b < f->unit; b++)
                data[n + b] ^= 0x55;
        n += f->unit;
    }
    if (len)
        *len = n;
    return data;
}

long long flash_pread(struct sim *sim, unsigned ino, void *buf, size_t len, uint64_t offset)
{
    struct inode *inode = op_inode(sim, ino);
    struct flash *f = inode->flash;
    bool lost = false;

    if (f->damaged)
        return op_fail(EBADF);
    for (uint64_t i = offset / f->unit; i <= (offset + len - 1) / f->unit; i++) {
        if (f->state[i] >= UNIT_WEAK) {
            f = inode_own(&sim->live.nodes[ino])->flash;
            if (f->state[i] > UNIT_WEAK)
                f->state[i]--;
            else
                f->state[i] = UNIT_LOST;
        }
        lost = lost || f->state[i] == UNIT_LOST;
    }
    if (lost && f->kind == UP_FLASH_NAND)
        return op_fail(EIO);
    file_read(op_inode(sim, ino), buf, len, offset);
    if (lost)
        ((uint8_t *)buf)[0] ^= 0x55;
    return (long long)len;
}

/* An operation on units first .. first + count - 1 was applied: log it. */
static int done(struct sim *sim, unsigned ino, uint64_t first, size_t count, bool erase)
{
    struct change *c = change_new(CHANGE_FLASH, ino, 0);

    c->after = inode_ref(op_inode(sim, ino));
    c->first = first;
    c->sectors = count;
    c->erase = erase;
    log_add(sim, c);
    if (op_done(sim) < 0)
        return -1;
    sim->log[sim->log_count - 1].durable[SIM_ORDERED] = true;
    sim->log[sim->log_count - 1].durable[SIM_INDEPENDENT] = true;
    return 0;
}

static void check_program(const struct inode *inode, const uint8_t *data, size_t len, uint64_t offset)
{
    const struct flash *f = inode->flash;
    uint32_t per_block = f->erase_size / f->unit;

    if (offset % f->write_size != 0 || len % f->write_size != 0)
        broken(f, "a write is not of whole pages", offset);
    for (uint64_t i = offset / f->unit; i <= (offset + len - 1) / f->unit; i++) {
        if (f->marks[i / per_block] & BLOCK_BAD)
            broken(f, "a bad block is written", offset);
        if (f->state[i] >= UNIT_TORN)
            broken(f, "what a cut left torn is written without an erase", i * f->unit);
        if (f->kind == UP_FLASH_NAND && f->state[i] != UNIT_ERASED)
            broken(f, "a page is written twice", i * f->unit);
        for (uint64_t later = i + 1; f->kind == UP_FLASH_NAND && later % per_block != 0; later++)
            if (f->state[later] != UNIT_ERASED)
                broken(f, "a page is written after one that follows it", i * f->unit);
    }
    for (size_t i = 0; i < len && f->kind == UP_FLASH_NOR; i++) {
        uint8_t was;

        file_read(inode, &was, 1, offset + i);
        if (data[i] & ~was)
            broken(f, "a write turns a zero into a one", offset + i);
    }
}

static int ubi_pwrite(struct sim *sim, unsigned ino, const void *buf, size_t len, uint64_t offset)
{
    struct inode *inode = op_inode(sim, ino);
    struct flash *f = inode->flash;

    if (!f->updating)
        return op_fail(EPERM);
    if (offset != f->received || len > f->update_size - f->received)
        broken(f, "an update is not in order", offset);
    if (op_step(sim, SIM_PWRITE, "ubi") < 0)
        return -1;
    inode = inode_own(&sim->live.nodes[ino]);
    file_write(inode, buf, len, offset);
    inode->flash->received += len;
    if (inode->flash->received == inode->flash->update_size)
        inode->flash->updating = inode->flash->damaged = false;
    return done(sim, ino, 0, 1, false);
}

int flash_pwrite(struct sim *sim, unsigned ino, const void *buf, size_t len, uint64_t offset)
{
    const struct inode *seen = op_inode(sim, ino);
    const struct flash *f = seen->flash;
    uint64_t first = offset / f->unit, last = (offset + len - 1) / f->unit;
    struct inode *inode;
    bool fails;

    if (len > seen->size || offset > seen->size - len)
        return op_fail(ENOSPC);
    if (f->kind == UP_FLASH_UBI)
        return ubi_pwrite(sim, ino, buf, len, offset);
    check_program(seen, buf, len, offset);
    if (op_step(sim, SIM_PWRITE, "flash") < 0)
        return -1;
    fails = f->marks[offset / f->erase_size] & BLOCK_FAILS_PROGRAM;
    inode = inode_own(&sim->live.nodes[ino]);
    file_write(inode, buf, fails ? len / 2 : len, offset);
    for (uint64_t i = first; i <= last; i++)
        inode->flash->state[i] = fails ? UNIT_TORN : UNIT_WRITTEN;
    if (done(sim, ino, first, (size_t)(last - first + 1), false) < 0)
        return -1;
    return fails ? op_fail(EIO) : 0;
}

int sim_flash_info(struct up_storage *s, int file, struct up_flash *out)
{
    struct sim *sim = op_sim(s);
    struct handle *h = op_handle(sim, file);
    const struct flash *f;

    if (!h || op_begin(sim, SIM_FLASH_INFO) < 0)
        return -1;
    memset(out, 0, sizeof *out);
    f = op_inode(sim, h->ino)->flash;
    if (f)
        *out = (struct up_flash){f->kind, op_inode(sim, h->ino)->size, f->erase_size, f->write_size,
                                 f->writable};
    return 0;
}

/* The open flash, when an operation may go on with it. */
static struct handle *begin(struct sim *sim, int file, enum sim_op op, uint64_t offset)
{
    struct handle *h = op_handle(sim, file);
    const struct flash *f;

    if (!h || op_begin(sim, op) < 0)
        return NULL;
    f = op_inode(sim, h->ino)->flash;
    if (!f || (op != SIM_FLASH_BAD && !h->writes)) {
        errno = EBADF;
        return NULL;
    }
    if (offset % f->erase_size != 0 || offset >= (uint64_t)f->blocks * f->erase_size)
        broken(f, "no erase block begins here", offset);
    return h;
}

int sim_flash_bad(struct up_storage *s, int file, uint64_t offset)
{
    struct sim *sim = op_sim(s);
    struct handle *h = begin(sim, file, SIM_FLASH_BAD, offset);
    const struct flash *f;

    if (!h)
        return -1;
    f = op_inode(sim, h->ino)->flash;
    return f->marks[offset / f->erase_size] & BLOCK_BAD;
}

int sim_flash_erase(struct up_storage *s, int file, uint64_t offset, uint32_t erase_size)
{
    struct sim *sim = op_sim(s);
    struct handle *h = begin(sim, file, SIM_FLASH_ERASE, offset);
    uint32_t per_block, block;
    struct inode *inode;
    struct flash *f;
    bool fails;

    if (!h)
        return -1;
    f = op_inode(sim, h->ino)->flash;
    block = (uint32_t)(offset / f->erase_size);
    if (erase_size != f->erase_size)
        broken(f, "not one whole block is erased", offset);
    if (f->marks[block] & BLOCK_BAD)
        broken(f, "a bad block is erased", offset);
    if (op_step(sim, SIM_FLASH_ERASE, h->path->text) < 0)
        return -1;
    inode = inode_own(&sim->live.nodes[h->ino]);
    f = inode->flash;
    per_block = f->erase_size / f->unit;
    fails = f->marks[block] & BLOCK_FAILS_ERASE;
    f->erases[block]++;
    fill(inode, offset, f->erase_size, 0xff);
    memset(f->state + (size_t)block * per_block, fails ? UNIT_TORN : UNIT_ERASED, per_block);
    if (done(sim, h->ino, (uint64_t)block * per_block, per_block, true) < 0)
        return -1;
    return fails ? op_fail(EIO) : 0;
}

int sim_flash_mark_bad(struct up_storage *s, int file, uint64_t offset)
{
    struct sim *sim = op_sim(s);
    struct handle *h = begin(sim, file, SIM_FLASH_MARK_BAD, offset);
    struct inode *inode;

    if (!h)
        return -1;
    if (op_inode(sim, h->ino)->flash->kind != UP_FLASH_NAND)
        return op_fail(EOPNOTSUPP);
    if (op_step(sim, SIM_FLASH_MARK_BAD, h->path->text) < 0)
        return -1;
    inode = inode_own(&sim->live.nodes[h->ino]);
    inode->flash->marks[offset / inode->flash->erase_size] |= BLOCK_BAD;
    return done(sim, h->ino, 0, 0, false);
}

int sim_flash_update(struct up_storage *s, int file, uint64_t size)
{
    struct sim *sim = op_sim(s);
    struct handle *h = begin(sim, file, SIM_FLASH_UPDATE, 0);
    struct inode *inode;

    if (!h)
        return -1;
    inode = op_inode(sim, h->ino);
    if (inode->flash->kind != UP_FLASH_UBI || size > inode->size)
        return op_fail(EINVAL);
    if (sim->live.nodes[h->ino].opens > 1)
        return op_fail(EBUSY);
    if (op_step(sim, SIM_FLASH_UPDATE, h->path->text) < 0)
        return -1;
    inode = inode_own(&sim->live.nodes[h->ino]);
    inode->flash->updating = inode->flash->damaged = size > 0; /* of nothing it is complete at once */
    inode->flash->update_size = size;
    inode->flash->received = 0;
    inode->flash->erases[0]++;
    fill(inode, 0, (size_t)inode->size, 0xff);
    return done(sim, h->ino, 0, 0, false);
}

void flash_closed(struct sim *sim, unsigned ino)
{
    if (op_inode(sim, ino)->flash->updating)
        inode_own(&sim->live.nodes[ino])->flash->updating = false;
}

/* What one unit is after an operation that was cut in the middle of it. */
static void tear(struct inode *inode, const struct inode *after, uint64_t unit, uint64_t *random)
{
    struct flash *f = inode->flash;
    uint64_t at = unit * f->unit, how = sim_mix(random) % 5;
    uint8_t *data = sim_alloc(f->unit);

    f->state[unit] = UNIT_TORN;
    file_read(how == 0 ? inode : after, data, f->unit, at); /* 0: as if nothing had happened */
    file_write(inode, data, f->unit, at);
    free(data);
    if (how == 1)
        garble(inode, at, f->unit, random);
    else if (how == 2)
        f->state[unit] = UNIT_LOST;
    else if (how == 3)
        f->state[unit] = UNIT_WEAK + WEAK_READS;
}

/* A page of NAND that is programmed only in part may take along one that shares
 * its cells: up to three before it, in the same block. */
static void tear_paired(struct inode *inode, const struct inode *after, uint64_t unit, uint64_t *random)
{
    const struct flash *f = inode->flash;
    uint64_t back = sim_mix(random) % 6 + 1;

    if (f->kind == UP_FLASH_NAND && back <= 3 && unit % (f->erase_size / f->unit) >= back &&
        f->state[unit - back] == UNIT_WRITTEN)
        tear(inode, after, unit - back, random);
}

void flash_replay(struct node *node, const struct change *c, size_t whole, bool torn, uint64_t *random)
{
    const struct flash *after = c->after->flash;
    struct inode *inode;

    if (whole >= c->sectors && !torn) {
        inode_drop(node->inode);
        node->inode = inode_ref(c->after);
        return;
    }
    if ((whole == 0 && !torn) || after->kind == UP_FLASH_UBI || c->sectors == 0)
        return;
    inode = inode_own(node);
    if (whole >= c->sectors)
        whole = c->sectors - 1;
    for (size_t i = 0; i < c->sectors; i++) {
        uint64_t unit = c->first + i;
        uint8_t data[SIM_PAGE];

        if (c->erase || i == whole) {
            tear(inode, c->after, unit, random);
            if (!c->erase)
                tear_paired(inode, c->after, unit, random);
        } else if (i < whole) {
            if (after->unit > sizeof data)
                abort();
            file_read(c->after, data, after->unit, unit * after->unit);
            file_write(inode, data, after->unit, unit * after->unit);
            inode->flash->state[unit] = after->state[unit];
        }
    }
}
