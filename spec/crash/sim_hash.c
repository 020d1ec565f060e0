/*
 * sim_hash.c -- numbers that tell states apart.
 *
 * What was hashed once keeps its number: pages until they are changed, changes
 * and the durable state for good.
 */
#include "sim_log.h"

uint64_t sim_mix_in(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0xff51afd7ed558ccdu;
    return h ^ h >> 31;
}

uint64_t sim_mix_text(uint64_t h, const char *text)
{
    while (*text)
        h = sim_mix_in(h, (uint8_t)*text++);
    return sim_mix_in(h, 256);
}

uint64_t sim_content_hash(const struct inode *inode)
{
    uint64_t h = sim_mix_in(1, inode->size);

    /* A hole and a page of zeros are the same content. */
    for (size_t i = 0; i < inode->page_count; i++) {
        uint64_t page = page_hash(inode->pages[i]);

        if (page)
            h = sim_mix_in(sim_mix_in(h, i), page);
    }
    return h;
}

static uint64_t node_hash(const struct tree *tree, const struct inode *inode)
{
    uint64_t h = sim_mix_in((uint64_t)inode->kind << 16 | inode->mode, sim_content_hash(inode));

    h = sim_mix_in(sim_mix_in(h, (uint64_t)inode->owner << 32 | inode->group), inode->xattrs);
    if (inode->flash)
        h = sim_mix_in(h, flash_hash(inode->flash));
    if (inode->target)
        h = sim_mix_text(h, inode->target->text);
    for (size_t i = 0; i < inode->entry_count; i++)
        h = sim_mix_in(sim_mix_text(h, inode->entries[i].name->text),
                       node_hash(tree, tree->nodes[inode->entries[i].ino].inode));
    return h;
}

uint64_t sim_fingerprint(const struct sim *sim)
{
    return sim_mix_text(node_hash(&sim->live, sim->live.nodes[SIM_ROOT].inode), sim->env->text);
}

static uint64_t change_hash(struct change *c)
{
    uint64_t h = sim_mix_in(c->kind, (uint64_t)c->ino << 32 | c->mode);

    if (c->hash)
        return c->hash;
    h = sim_mix_in(sim_mix_in(h, (uint64_t)c->owner << 32 | c->group), c->xattrs);
    for (unsigned i = 0; i < c->entry_count; i++)
        h = sim_mix_text(sim_mix_in(h, (uint64_t)c->entries[i].dir << 32 | c->entries[i].ino),
                         c->entries[i].name->text);
    h = sim_mix_in(sim_mix_in(h, c->size), c->first);
    h = sim_mix_in(h, (uint64_t)c->sectors << 2 | c->keeps_size << 1 | c->erase);
    for (size_t i = 0; i < c->page_count; i++)
        h = sim_mix_in(h, page_hash(c->pages[i]));
    if (c->made)
        h = sim_mix_in(h, (uint64_t)c->made->kind << 16 | c->made->mode);
    if (c->made && c->made->target)
        h = sim_mix_text(h, c->made->target->text);
    if (c->env)
        h = sim_mix_text(h, c->env->text);
    if (c->after)
        h = sim_mix_in(sim_mix_in(h, sim_content_hash(c->after)), flash_hash(c->after->flash));
    c->hash = h | 1;
    return c->hash;
}

uint64_t sim_cut_fingerprint(const struct sim *sim)
{
    struct base *base = sim->base;
    uint64_t h;

    if (!base->hash)
        base->hash =
            sim_mix_text(node_hash(&base->tree, base->tree.nodes[SIM_ROOT].inode), base->env->text) | 1;
    h = base->hash;
    for (size_t i = 0; i < sim->log_count; i++) {
        const struct logged *e = &sim->log[i];

        h = sim_mix_in(h, change_hash(e->change));
        h = sim_mix_in(h, e->durable[0] | e->durable[1] << 1 | e->doomed << 2 | e->stored_wrong << 3);
    }
    return h;
}
