/*
 * sim_cache.c -- what the running system sees beside what the medium holds.
 *
 * The live tree is the cache. It differs from the medium in what is dirty, in
 * what a failed sync left behind, and in what was stored wrong. Dropping pages
 * makes the live tree show what the medium holds of them.
 */
#include "sim_ops.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define SECTORS_A_PAGE (SIM_PAGE / SIM_SECTOR)

/* A sync of `ino`, or of the directory that it is, is complete. */
static void make_durable(struct sim *sim, unsigned ino)
{
    bool commits = op_inode(sim, ino)->kind != UP_NODE_BLOCK;
    unsigned fs = op_inode(sim, ino)->fs;

    for (size_t i = 0; i < sim->log_count; i++) {
        struct logged *e = &sim->log[i];
        const struct change *c = e->change;
        bool own = c->kind != CHANGE_NAMES && c->ino == ino;

        for (unsigned n = 0; n < c->entry_count; n++)
            own = own || c->entries[n].dir == ino;
        if (e->doomed)
            continue;
        if (own)
            e->durable[SIM_INDEPENDENT] = true;
        if (own || (commits && c->kind != CHANGE_DATA && c->fs == fs))
            e->durable[SIM_ORDERED] = true;
    }
}

static bool is_dirty(const struct logged *e, unsigned ino)
{
    return e->change->kind == CHANGE_DATA && e->change->ino == ino && !e->durable[SIM_INDEPENDENT] &&
           !e->doomed;
}

/* A sync failed: the cache calls the pages clean, the medium does not have them. */
static int doom(struct sim *sim, unsigned ino)
{
    for (size_t i = 0; i < sim->log_count && sim->failed_sync != SIM_STAYS_DIRTY; i++)
        if (is_dirty(&sim->log[i], ino))
            sim->log[i].doomed = sim->unlike = true;
    return -1;
}

static void note_sync(struct sim *sim, enum sim_op op, const char *path)
{
    struct name *name = sim_realloc(NULL, sizeof *name + strlen(path) + 16);

    name->refs = 1;
    sprintf(name->text, "%s %s", sim_op_name(op), path);
    sim->sync_names = sim_realloc(sim->sync_names, (sim->syncs + 1) * sizeof(struct name *));
    sim->sync_names[sim->syncs++] = name;
}

static int sync_node(struct sim *sim, enum sim_op op, unsigned ino, const char *path)
{
    bool ignored;

    if (op_step(sim, op, path) < 0)
        return doom(sim, ino);
    note_sync(sim, op, path);
    ignored = sim->syncs == sim->ignored_sync ||
              (sim->ignored_pattern && fnmatch(sim->ignored_pattern, path, 0) == 0);
    /* Cut here, nothing is sure; completed, it is the cut one operation later. */
    if (op_done(sim) < 0) {
        if (!sim->cut && !ignored)
            make_durable(sim, ino); /* done, and reported as failed all the same */
        return -1;
    }
    if (!ignored)
        make_durable(sim, ino);
    return 0;
}

int sim_sync(struct up_storage *s, int file)
{
    struct sim *sim = op_sim(s);
    struct handle *h = op_handle(sim, file);

    if (!h)
        return -1;
    if (op_begin(sim, SIM_SYNC) < 0)
        return sim->cut ? -1 : doom(sim, h->ino);
    /* MTD has nothing to sync, and says so. */
    if (flash_kind(op_inode(sim, h->ino)) == UP_FLASH_NOR ||
        flash_kind(op_inode(sim, h->ino)) == UP_FLASH_NAND)
        return op_fail(EINVAL);
    return sync_node(sim, SIM_SYNC, h->ino, h->path->text);
}

int sim_sync_dir(struct up_storage *s, const char *path)
{
    struct sim *sim = op_sim(s);
    struct place at;

    if (op_begin(sim, SIM_SYNC_DIR) < 0 || op_find(sim, path, true, &at) < 0)
        return -1;
    if (op_inode(sim, at.ino)->kind != UP_NODE_DIR)
        return op_fail(ENOTDIR);
    return sync_node(sim, SIM_SYNC_DIR, at.ino, path);
}

/* Of what a failed sync left behind, whether the medium took this sector. */
static bool doomed_sector_arrived(const struct sim *sim, const struct logged *e, uint64_t sector)
{
    uint64_t state = (uint64_t)e->change->ino << 32 | sector;

    return !e->doomed || (sim->failed_sync == SIM_CLEAN_TORN && sim_mix(&state) & 1);
}

/* What the medium holds of a file or block device, by the size and the names
 * that the cache knows. To be released with inode_drop(). */
static struct inode *on_medium(const struct sim *sim, unsigned ino)
{
    struct node node = {.inode = ino < sim->base->tree.count ? sim->base->tree.nodes[ino].inode : NULL};

    inode_ref(node.inode);
    for (size_t i = 0; i < sim->log_count; i++) {
        const struct logged *e = &sim->log[i];
        const struct change *c = e->change;

        if (c->ino != ino)
            continue;
        if (c->made && !node.inode)
            node.inode = inode_ref(c->made);
        if (c->kind == CHANGE_RESIZE)
            file_resize(inode_own(&node), c->size);
        for (size_t n = 0; c->kind == CHANGE_DATA && n < c->sectors; n++)
            if (doomed_sector_arrived(sim, e, c->first + n))
                change_put_sector(inode_own(&node), c, c->first + n);
    }
    return node.inode;
}

/* From now on the medium surely holds this page. */
static void log_page(struct sim *sim, unsigned ino, size_t index, struct page *page)
{
    struct change *c = change_new(CHANGE_DATA, ino, 1);
    struct logged *e;

    c->first = (uint64_t)index * SECTORS_A_PAGE;
    c->sectors = SECTORS_A_PAGE;
    c->keeps_size = true;
    c->pages[0] = page_ref(page);
    log_add(sim, c);
    e = &sim->log[sim->log_count - 1];
    e->durable[SIM_ORDERED] = e->durable[SIM_INDEPENDENT] = true;
}

static bool touches(const struct logged *e, unsigned ino, size_t page)
{
    const struct change *c = e->change;

    return c->kind == CHANGE_DATA && c->ino == ino && c->first / SECTORS_A_PAGE <= page &&
           (c->first + c->sectors - 1) / SECTORS_A_PAGE >= page;
}

/* The cache `keeps` its page when it was only passed by. */
static void drop_page(struct sim *sim, unsigned ino, size_t index, const struct inode *medium, bool keeps)
{
    const struct inode *live = op_inode(sim, ino);
    struct page *page = index < medium->page_count ? medium->pages[index] : NULL;
    bool dirty = false, doomed = false;

    for (size_t i = 0; i < sim->log_count; i++) {
        const struct logged *e = &sim->log[i];

        if (!touches(e, ino, index))
            continue;
        dirty = dirty || is_dirty(e, ino);
        doomed = doomed || e->doomed;
    }
    /* Written since the sync that failed: the page goes to the medium as the
     * cache has it. */
    if ((dirty && doomed) || index >= live->page_count)
        return;
    if (doomed)
        log_page(sim, ino, index, page);
    if (!keeps)
        file_put_page(inode_own(&sim->live.nodes[ino]), index, page_ref(page));
}

static bool unlike(const struct sim *sim, unsigned ino)
{
    bool differs = false;

    for (size_t i = 0; i < sim->log_count && !differs; i++)
        differs = sim->log[i].change->ino == ino && (sim->log[i].doomed || sim->log[i].stored_wrong);
    return differs;
}

static void drop(struct sim *sim, unsigned ino, size_t first, size_t last, bool keeps)
{
    struct inode *medium = on_medium(sim, ino);

    for (size_t i = first; i <= last && i < op_inode(sim, ino)->page_count; i++)
        drop_page(sim, ino, i, medium, keeps);
    inode_drop(medium);
}

int sim_drop_cache(struct up_storage *s, int file, uint64_t offset, uint64_t len)
{
    struct sim *sim = op_sim(s);
    struct handle *h = op_handle(sim, file);

    if (!h || op_begin(sim, SIM_DROP_CACHE) < 0)
        return -1;
    if (len > 0 && sim->unlike && unlike(sim, h->ino))
        drop(sim, h->ino, (size_t)(offset / SIM_PAGE), (size_t)((offset + len - 1) / SIM_PAGE),
             sim->reads_direct);
    h->direct = sim->reads_direct;
    return sim->reads_direct ? UP_READ_DIRECT : UP_READ_DROPPED;
}

struct inode *cache_seen_by(const struct sim *sim, const struct handle *h)
{
    return h->direct && sim->unlike && unlike(sim, h->ino) ? on_medium(sim, h->ino)
                                                           : inode_ref(op_inode(sim, h->ino));
}

void cache_flip(struct sim *sim, uint64_t at)
{
    struct logged *e = &sim->log[sim->log_count - 1];
    struct change *c = e->change;
    size_t index = (size_t)(at / SIM_PAGE) - (size_t)(c->first / SECTORS_A_PAGE);
    struct page *wrong = page_new();

    memcpy(wrong->data, c->pages[index]->data, SIM_PAGE);
    wrong->data[at % SIM_PAGE] ^= 0x10;
    page_drop(c->pages[index]);
    c->pages[index] = wrong;
    e->stored_wrong = sim->unlike = true;
}

void sim_flip_cache(struct sim *sim, const char *path, uint64_t at)
{
    size_t index = (size_t)(at / SIM_PAGE);
    struct inode *inode;
    struct place where;

    if (tree_walk(&sim->live, path, true, &where) < 0 || !where.ino)
        abort();
    inode = inode_own(&sim->live.nodes[where.ino]);
    log_page(sim, where.ino, index, inode->pages[index]);
    sim->log[sim->log_count - 1].stored_wrong = sim->unlike = true;
    file_page(inode, index)->data[at % SIM_PAGE] ^= 0x10;
}

void sim_shutdown(struct sim *sim)
{
    for (size_t i = 0; i < sim->log_count; i++)
        if (!sim->log[i].doomed)
            sim->log[i].durable[SIM_ORDERED] = sim->log[i].durable[SIM_INDEPENDENT] = true;
    sim_close_all(sim);
    for (unsigned ino = 1; sim->unlike && ino < sim->live.count; ino++)
        if (sim->live.nodes[ino].inode && unlike(sim, ino))
            drop(sim, ino, 0, SIZE_MAX - 1, false);
    sim->unlike = false;
    sim->boot++;
    sim->monotonic = 1000;
    sim->suspended = 0;
    sim_rebase(sim);
}
