/*
 * sim_reboot.c -- what survives a power cut.
 *
 * The log is replayed onto the durable state. Changes that became durable are
 * applied whole; of the others the choice picks. An entry always ends as one of
 * the things it stood for, a sector as one of the contents it had.
 */
#include "sim_log.h"

#include <stdlib.h>
#include <string.h>

#define LYING_QUEUE 48 /* changes that a medium may hold back whatever it says */

/* What is picked of one pending change. */
struct share {
    bool whole;      /* a name, mode or size survives */
    size_t from, to; /* these sectors survive */
    bool by_coin;    /* each of these sectors only by a coin */
};

struct replay {
    const struct sim *sim;
    const struct sim_choice *choice;
    struct tree tree;
    struct env *env;
    uint64_t random;
    size_t ordered_left[SIM_FILE_SYSTEMS]; /* SIM_ORDERED: so many pending changes but data survive */
    uint64_t total, cut;     /* SIM_FRONT, SIM_BACK: sectors and changes pending, where they part */
    uint64_t at;             /* position among them */
    size_t index;            /* number of the pending change */
    uint64_t garbage;        /* which sector of those being written is garbage, counted from 0 */
    uint64_t data_at;        /* such sectors so far */
    bool *touched, *blocked; /* by inode number */
};

static bool pending(const struct logged *e, enum sim_model model)
{
    return !e->durable[model];
}

/* Whether this choice may lose the change: of a queue that lies about flush,
 * the last ones whatever was synced. */
static bool open_to_choice(const struct replay *r, const struct logged *e)
{
    size_t behind = r->sim->log_count - (size_t)(e - r->sim->log);

    return pending(e, r->choice->model) || (r->choice->harm == SIM_LYING && behind <= LYING_QUEUE);
}

static bool leaves_garbage(const struct sim_choice *choice)
{
    return choice->harm == SIM_TORN || choice->harm >= SIM_SECTOR;
}

/* Whether it was under way when the power went. A write that had failed was over:
 * the medium has been read since, and does not change behind that. */
static bool may_leave_garbage(const struct replay *r, const struct logged *e)
{
    return open_to_choice(r, e) && change_is_data(e) && !e->doomed;
}

static uint64_t weight(const struct logged *e)
{
    return change_is_data(e) ? e->change->sectors : 1;
}

/* How many of the pending names, modes and sizes a journal still got out. */
static size_t ordered_prefix(struct replay *r, unsigned fs, size_t names)
{
    size_t index = 0, kept = 0;

    switch (r->choice->loss) {
    case SIM_NONE:
    case SIM_DATA:
        return 0;
    case SIM_ALL:
    case SIM_NAMES:
    case SIM_FRONT: /* the cut position decides */
        return names;
    case SIM_BACK:
    case SIM_RANDOM:
        return (size_t)(sim_mix(&r->random) % (names + 1));
    case SIM_BITS:
        break;
    }
    for (size_t i = 0; i < r->sim->log_count; i++) {
        const struct logged *e = &r->sim->log[i];

        if (!open_to_choice(r, e))
            continue;
        if (!change_is_data(e) && !change_is_env(e) && e->change->fs == fs) {
            if (!(r->choice->seed >> (index & 63) & 1))
                break;
            kept++;
        }
        index++;
    }
    return kept;
}

static void prepare(struct replay *r)
{
    size_t names[SIM_FILE_SYSTEMS] = {0}, others = 0;
    uint64_t sectors = 0, writing = 0;

    for (size_t i = 0; i < r->sim->log_count; i++) {
        const struct logged *e = &r->sim->log[i];

        if (!open_to_choice(r, e))
            continue;
        if (may_leave_garbage(r, e))
            writing += e->change->sectors;
        if (change_is_data(e))
            sectors += e->change->sectors;
        else if (change_is_env(e))
            others++;
        else
            names[e->change->fs]++;
    }
    r->total = sectors + others;
    for (unsigned fs = 0; fs < SIM_FILE_SYSTEMS; fs++)
        r->total += names[fs];
    r->cut = r->choice->seed % (r->total + 1);
    r->garbage = leaves_garbage(r->choice) && writing > 0 ? sim_mix(&r->random) % writing : UINT64_MAX;
    for (unsigned fs = 0; fs < SIM_FILE_SYSTEMS; fs++)
        r->ordered_left[fs] = ordered_prefix(r, fs, names[fs]);
}

static struct share share_of_data(struct replay *r, const struct logged *e, uint64_t begin)
{
    size_t n = e->change->sectors;
    uint64_t until = r->cut > begin ? r->cut - begin : 0; /* the part before the cut */

    if (until > n)
        until = n;
    switch (r->choice->loss) {
    case SIM_NONE:
        break;
    case SIM_ALL:
        return (struct share){.whole = true, .to = n};
    case SIM_NAMES:
        return (struct share){.whole = true};
    case SIM_DATA:
        return (struct share){.to = n};
    case SIM_FRONT:
        return (struct share){.whole = until > 0, .to = (size_t)until};
    case SIM_BACK:
        return (struct share){.whole = until < n, .from = (size_t)until, .to = n};
    case SIM_RANDOM:
        return (struct share){.whole = sim_mix(&r->random) & 1, .to = n, .by_coin = true};
    case SIM_BITS:
        if (r->choice->seed >> (r->index & 63) & 1)
            return (struct share){.whole = true, .to = n};
        break;
    }
    return (struct share){0};
}

/* `left`: of a journal that orders it, what it still got out; or NULL. */
static bool keep_name(struct replay *r, uint64_t begin, size_t *left)
{
    if (r->choice->loss == SIM_FRONT)
        return begin < r->cut;
    if (left) {
        if (*left == 0)
            return false;
        --*left;
        return true;
    }
    switch (r->choice->loss) {
    case SIM_ALL:
    case SIM_NAMES:
        return true;
    case SIM_BACK:
        return begin >= r->cut;
    case SIM_RANDOM:
        return sim_mix(&r->random) & 1;
    case SIM_BITS:
        return r->choice->seed >> (r->index & 63) & 1;
    default:
        return false;
    }
}

static struct share share_of(struct replay *r, const struct logged *e)
{
    struct share share = {.whole = true, .to = e->change->sectors};

    if (!open_to_choice(r, e))
        return share;
    if (change_is_data(e))
        share = share_of_data(r, e, r->at);
    else if (r->choice->model == SIM_ORDERED && !change_is_env(e))
        share = (struct share){.whole = keep_name(r, r->at, &r->ordered_left[e->change->fs])};
    else
        share = (struct share){.whole = keep_name(r, r->at, NULL)};
    r->at += weight(e);
    r->index++;
    return share;
}

/* Sectors from..to of a change, all or each by a coin. */
static void replay_sectors(struct replay *r, const struct change *c, const struct share *share)
{
    const size_t each = SIM_PAGE / SIM_SECTOR;
    struct inode *file = inode_own(&r->tree.nodes[c->ino]);
    size_t i = share->from;

    while (i < share->to) {
        uint64_t sector = c->first + i;
        size_t index = (size_t)(sector / each), at = (size_t)(sector % each);

        if (at == 0 && share->to - i >= each && !share->by_coin) {
            file_put_page(file, index, page_ref(c->pages[index - (size_t)(c->first / each)]));
            i += each;
            continue;
        }
        if (!share->by_coin || sim_mix(&r->random) & 1)
            change_put_sector(file, c, sector);
        i++;
    }
}

/* Half-erased: what comes later may still overwrite it. */
static void put_garbage_sector(struct replay *r, struct inode *file, uint64_t sector, uint64_t kind)
{
    uint64_t each = SIM_PAGE / SIM_SECTOR;
    uint8_t *data = file_page(file, (size_t)(sector / each))->data + (size_t)(sector % each) * SIM_SECTOR;
    uint64_t word;

    if (kind == 0)
        memset(data, 0xff, SIM_SECTOR);
    else if (kind == 1)
        memset(data + SIM_SECTOR / 2, 0xff, SIM_SECTOR / 2);
    else
        for (size_t i = 0; i < SIM_SECTOR; i += sizeof word) {
            word = sim_mix(&r->random);
            memcpy(data + i, &word, sizeof word);
        }
}

/* The whole unit of the medium in which the sector lies, as far as it is this
 * file's: also what was durable in it. */
static void put_garbage(struct replay *r, struct inode *file, uint64_t sector)
{
    uint64_t sectors = r->choice->harm / SIM_SECTOR, kind = sim_mix(&r->random) % 4;
    uint64_t first = sectors > 1 ? sector / sectors * sectors : sector;

    put_garbage_sector(r, file, first, kind);
    for (uint64_t i = first + 1; i < first + sectors && i * SIM_SECTOR < file->size; i++)
        put_garbage_sector(r, file, i, kind);
}

static void replay_data(struct replay *r, const struct logged *e, const struct share *share)
{
    const struct change *c = e->change;
    struct node *node = &r->tree.nodes[c->ino];

    if (!r->blocked[c->ino]) {
        replay_sectors(r, c, share);
        if (share->whole && !c->keeps_size)
            inode_own(node)->size = c->size;
        if (may_leave_garbage(r, e) && r->garbage >= r->data_at && r->garbage - r->data_at < c->sectors)
            put_garbage(r, inode_own(node), c->first + (r->garbage - r->data_at));
    }
    if (may_leave_garbage(r, e))
        r->data_at += c->sectors;
    r->touched[c->ino] = true;
}

/* A rename that was lost must not leave its file under two names when a later
 * one of the same file survived. */
static void drop_stale_names(struct replay *r, size_t before, unsigned ino)
{
    for (size_t i = 0; i < before; i++) {
        const struct change *c = r->sim->log[i].change;
        const struct entry_change *from = &c->entries[1];
        struct node *dir;

        if (c->kind != CHANGE_NAMES || c->ino != ino || c->entry_count < 2)
            continue;
        dir = &r->tree.nodes[from->dir];
        if (dir_find(dir->inode, from->name->text) == ino)
            dir_set(inode_own(dir), from->name, 0);
    }
}

static void replay_flash(struct replay *r, const struct logged *e, const struct share *share)
{
    const struct change *c = e->change;
    size_t whole = share->to;
    bool torn = whole > 0 && whole < c->sectors;

    if (c->sectors == 0 && !share->whole)
        return;
    if (open_to_choice(r, e)) {
        if (share->by_coin || share->from > 0)
            whole = (size_t)(sim_mix(&r->random) % (c->sectors + 1));
        torn = whole < c->sectors && (torn || share->by_coin || share->from > 0);
        torn = torn || (r->garbage >= r->data_at && r->garbage - r->data_at < c->sectors);
        r->data_at += c->sectors;
    }
    flash_replay(&r->tree.nodes[c->ino], c, whole, torn, &r->random);
}

static void replay_one(struct replay *r, size_t i)
{
    const struct logged *e = &r->sim->log[i];
    const struct change *c = e->change;
    struct node *node = &r->tree.nodes[c->ino];
    struct share share = share_of(r, e);

    if (c->made)
        node->inode = inode_ref(c->made);
    switch (c->kind) {
    case CHANGE_DATA:
        replay_data(r, e, &share);
        break;
    case CHANGE_FLASH:
        replay_flash(r, e, &share);
        break;
    case CHANGE_NAMES:
        if (share.whole && c->entry_count == 2)
            drop_stale_names(r, i, c->ino);
        if (share.whole)
            apply_names(&r->tree, c);
        break;
    case CHANGE_MODE:
        if (share.whole)
            change_put_attributes(inode_own(node), c);
        break;
    case CHANGE_RESIZE:
        if (share.whole)
            file_resize(inode_own(node), c->size);
        else if (r->choice->model == SIM_ORDERED)
            r->blocked[c->ino] = true; /* its later blocks belong to a later journal entry */
        break;
    case CHANGE_ENV:
        if (share.whole) {
            env_drop(r->env);
            r->env = env_ref(c->env);
        }
        break;
    }
}

/* A write that was cut short on NAND with several bits a cell takes along a
 * page that was written before: of what was durable, the newest. */
static void lose_paired_page(struct replay *r)
{
    const struct logged *log = r->sim->log;
    size_t i = 0;

    while (i < r->sim->log_count &&
           !(log[i].change->kind == CHANGE_DATA && pending(&log[i], SIM_INDEPENDENT)))
        i++;
    if (i == r->sim->log_count)
        return;
    while (i-- > 0) {
        const struct change *c = log[i].change;
        struct node *node = &r->tree.nodes[c->ino];
        uint64_t each = SIM_PAGE / SIM_SECTOR;
        uint64_t sector = (c->first / each + r->choice->seed % (c->page_count + 1)) * each;

        if (c->kind != CHANGE_DATA || pending(&log[i], SIM_INDEPENDENT) || !node->inode)
            continue;
        for (uint64_t n = 0; n < each && (sector + n) * SIM_SECTOR < node->inode->size; n++)
            put_garbage_sector(r, inode_own(node), sector + n, 2);
        return;
    }
}

/* fsck cuts it to nothing: a directory loses all that is in it. */
static void cut_node(struct replay *r, unsigned ino)
{
    struct inode *own = inode_own(&r->tree.nodes[ino]);

    if (own->kind == UP_NODE_FILE)
        file_resize(own, 0);
    while (own->kind == UP_NODE_DIR && own->entry_count > 0) {
        unsigned child = own->entries[0].ino;

        if (r->tree.nodes[child].inode->kind == UP_NODE_DIR)
            cut_node(r, child);
        r->tree.nodes[child].links--;
        dir_set(own, own->entries[0].name, 0);
    }
}

static struct inode *empty_like(const struct inode *dir)
{
    struct inode *made = inode_new(UP_NODE_DIR, dir->mode);

    made->owner = dir->owner;
    made->group = dir->group;
    made->xattrs = dir->xattrs;
    made->fs = dir->fs;
    made->no_links = dir->no_links;
    return made;
}

/* One name of two that a rename in two steps left: fsck finds that they share what they hold, and cuts
 * one of them, or both, to nothing. */
static void part_names(struct replay *r, unsigned dir, size_t entry)
{
    unsigned ino = r->tree.nodes[dir].inode->entries[entry].ino, made;
    struct node *node = &r->tree.nodes[ino];
    uint64_t both = sim_mix(&r->random) % 2;
    struct inode *own;

    if (!node->inode || !node->inode->no_links || node->links < 2 ||
        (node->inode->kind != UP_NODE_FILE && node->inode->kind != UP_NODE_DIR))
        return;
    own = node->inode->kind == UP_NODE_FILE ? inode_ref(node->inode) : empty_like(node->inode);
    made = tree_add(&r->tree, own);
    r->tree.nodes[made].links = 1;
    r->tree.nodes[ino].links--;
    if (own->kind == UP_NODE_FILE)
        cut_node(r, made);
    if (both)
        cut_node(r, ino);
    dir_set(inode_own(&r->tree.nodes[dir]), r->tree.nodes[dir].inode->entries[entry].name, made);
}

static void check_file_systems(struct replay *r)
{
    size_t count = r->tree.count;

    for (unsigned i = 0; i < count; i++)
        for (size_t k = 0; r->tree.nodes[i].inode && k < r->tree.nodes[i].inode->entry_count; k++)
            part_names(r, i, k);
}

static void replay_all(struct replay *r)
{
    size_t known = r->sim->base->tree.count, count = r->sim->live.count;

    r->env = env_ref(r->sim->base->env);
    tree_copy(&r->tree, &r->sim->base->tree);
    r->tree.nodes = sim_realloc(r->tree.nodes, count * sizeof *r->tree.nodes);
    memset(r->tree.nodes + known, 0, (count - known) * sizeof *r->tree.nodes);
    r->tree.count = count;
    /* Nothing is forgotten before the end: what lost its name may get another. */
    for (size_t i = 0; i < count; i++)
        r->tree.nodes[i].opens = 1;
    r->touched = sim_alloc(count * sizeof *r->touched);
    r->blocked = sim_alloc(count * sizeof *r->blocked);
    prepare(r);
    for (size_t i = 0; i < r->sim->log_count; i++)
        replay_one(r, i);
    if (r->choice->harm == SIM_PAIRED)
        lose_paired_page(r);
    for (size_t i = 0; i < count; i++)
        if (r->touched[i] && r->tree.nodes[i].inode)
            file_resize(inode_own(&r->tree.nodes[i]), r->tree.nodes[i].inode->size);
    tree_collect(&r->tree);
    check_file_systems(r);
    free(r->touched);
    free(r->blocked);
}

struct sim *sim_reboot(const struct sim *from, const struct sim_choice *choice)
{
    struct replay r = {.sim = from, .choice = choice, .random = choice->seed ^ (uint64_t)from->ops << 32};
    struct sim *sim = sim_alloc(sizeof *sim);

    replay_all(&r);
    sim->storage.ops = &sim_ops_table;
    sim->live = r.tree;
    sim->env = r.env;
    sim->ignored_pattern = from->ignored_pattern;
    sim->capacity = from->capacity;
    sim->copies_on_write = from->copies_on_write;
    sim->overlay = from->overlay;
    sim->failed_sync = from->failed_sync;
    sim->reads_direct = from->reads_direct;
    sim->now = from->now;
    sim->synchronised = from->synchronised;
    sim->monotonic = 1000;
    sim->boot = from->boot + 1;
    sim->random =
        sim->boot * UINT64_C(0x9e3779b97f4a7c15); /* lives that come to the same state draw the same */
    sim->trace = from->trace;
    sim_rebase(sim);
    return sim;
}

unsigned sim_pending(const struct sim *sim, enum sim_model model)
{
    unsigned n = 0;

    for (size_t i = 0; i < sim->log_count; i++)
        n += pending(&sim->log[i], model);
    return n;
}
