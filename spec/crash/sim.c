/*
 * sim.c -- life of a simulator: clones, counters, faults and the log.
 */
#include "sim.h"

#include "sim_log.h"

#include <stdlib.h>
#include <string.h>

struct change *change_new(enum change_kind kind, unsigned ino, size_t pages)
{
    struct change *change = sim_alloc(sizeof *change + pages * sizeof *change->pages);

    change->refs = 1;
    change->kind = kind;
    change->ino = ino;
    change->page_count = pages;
    return change;
}

void change_drop(struct change *change)
{
    if (--change->refs > 0)
        return;
    for (size_t i = 0; i < change->page_count; i++)
        page_drop(change->pages[i]);
    for (unsigned i = 0; i < change->entry_count; i++)
        name_drop(change->entries[i].name);
    inode_drop(change->made);
    env_drop(change->env);
    inode_drop(change->after);
    free(change);
}

bool change_is_data(const struct logged *entry)
{
    return entry->change->kind == CHANGE_DATA || entry->change->kind == CHANGE_FLASH;
}

void apply_names(struct tree *tree, const struct change *change)
{
    for (unsigned i = 0; i < change->entry_count; i++) {
        const struct entry_change *e = &change->entries[i];
        unsigned old = dir_find(tree->nodes[e->dir].inode, e->name->text);

        if (e->ino)
            tree->nodes[e->ino].links++;
        dir_set(inode_own(&tree->nodes[e->dir]), e->name, e->ino);
        if (old) {
            tree->nodes[old].links--;
            tree_forget(tree, old);
        }
    }
}

void change_put_sector(struct inode *file, const struct change *c, uint64_t sector)
{
    const size_t each = SIM_PAGE / SIM_SECTOR;
    size_t index = (size_t)(sector / each), at = (size_t)(sector % each) * SIM_SECTOR;
    const struct page *page = c->pages[index - (size_t)(c->first / each)];

    if (page)
        memcpy(file_page(file, index)->data + at, page->data + at, SIM_SECTOR);
    else
        memset(file_page(file, index)->data + at, 0, SIM_SECTOR);
}

void change_put_attributes(struct inode *inode, const struct change *change)
{
    inode->mode = change->mode;
    inode->owner = change->owner;
    inode->group = change->group;
    inode->xattrs = change->xattrs;
}

struct change *change_of_attributes(unsigned ino, const struct inode *inode)
{
    struct change *c = change_new(CHANGE_MODE, ino, 0);

    c->mode = inode->mode;
    c->owner = inode->owner;
    c->group = inode->group;
    c->xattrs = inode->xattrs;
    return c;
}

void log_add(struct sim *sim, struct change *change)
{
    if (sim->log_count == sim->log_room) {
        sim->log_room = sim->log_room ? 2 * sim->log_room : 64;
        sim->log = sim_realloc(sim->log, sim->log_room * sizeof *sim->log);
    }
    if (change->ino && sim->live.nodes[change->ino].inode)
        change->fs = sim->live.nodes[change->ino].inode->fs;
    sim->log[sim->log_count++] = (struct logged){.change = change};
}

void log_clear(struct sim *sim)
{
    for (size_t i = 0; i < sim->log_count; i++)
        change_drop(sim->log[i].change);
    sim->log_count = 0;
}

static void base_drop(struct base *base)
{
    if (base && --base->refs == 0) {
        tree_clear(&base->tree);
        env_drop(base->env);
        free(base);
    }
}

void sim_rebase(struct sim *sim)
{
    base_drop(sim->base);
    sim->base = sim_alloc(sizeof *sim->base);
    sim->base->refs = 1;
    sim->base->env = env_ref(sim->env);
    tree_copy(&sim->base->tree, &sim->live);
    tree_collect(&sim->base->tree);
    log_clear(sim);
}

void sim_close_all(struct sim *sim)
{
    for (size_t i = 0; i < sim->handle_count; i++) {
        const struct handle *h = &sim->handles[i];

        if (h->path && h->writes && sim->live.nodes[h->ino].inode->flash)
            flash_closed(sim, h->ino);
        name_drop(h->path);
    }
    sim->handle_count = 0;
    tree_collect(&sim->live);
}

struct sim *sim_new(void)
{
    struct sim *sim = sim_alloc(sizeof *sim);

    sim->storage.ops = &sim_ops_table;
    sim->env = env_new("");
    tree_add(&sim->live, NULL); /* number 0 is nothing */
    tree_add(&sim->live, inode_new(UP_NODE_DIR, 0755));
    sim->live.nodes[SIM_ROOT].links = 1;
    sim->capacity = UINT64_MAX;
    sim->now = 1700000000;
    sim->monotonic = 1000;
    sim->boot = 1;
    sim_rebase(sim);
    return sim;
}

static void *copy_array(const void *from, size_t size)
{
    return size > 0 ? memcpy(sim_realloc(NULL, size), from, size) : NULL;
}

struct sim *sim_clone(const struct sim *from)
{
    struct sim *sim = copy_array(from, sizeof *from);

    sim->cut_fn = NULL;
    sim->base->refs++;
    sim->env = env_ref(from->env);
    tree_copy(&sim->live, &from->live);
    sim->log_room = from->log_count;
    sim->log = copy_array(from->log, from->log_count * sizeof *from->log);
    for (size_t i = 0; i < sim->log_count; i++)
        sim->log[i].change->refs++;
    if (sim->second_step)
        sim->second_step->refs++;
    sim->handles = copy_array(from->handles, from->handle_count * sizeof *from->handles);
    for (size_t i = 0; i < sim->handle_count; i++)
        name_ref(sim->handles[i].path);
    sim->sync_names = copy_array(from->sync_names, from->syncs * sizeof(struct name *));
    for (unsigned i = 0; i < sim->syncs; i++)
        name_ref(sim->sync_names[i]);
    return sim;
}

void sim_free(struct sim *sim)
{
    if (!sim)
        return;
    sim_reset_counters(sim);
    sim_close_all(sim);
    log_clear(sim);
    if (sim->second_step)
        change_drop(sim->second_step);
    base_drop(sim->base);
    tree_clear(&sim->live);
    env_drop(sim->env);
    free(sim->handles);
    free(sim->sync_names);
    free(sim->log);
    free(sim);
}

struct up_storage *sim_storage(struct sim *sim)
{
    return &sim->storage;
}

struct sim *sim_respawn(const struct sim *from)
{
    struct sim *sim = sim_clone(from);

    sim_close_all(sim);
    sim_reset_counters(sim);
    if (sim->second_step)
        log_add(sim, sim->second_step);
    sim->second_step = NULL;
    sim->cut = false;
    sim->cut_at = 0;
    sim->ignored_sync = 0;
    sim->flipped_write = sim->flipped_medium = 0;
    sim->fault.n = 0;
    return sim;
}

void sim_settle(struct sim *sim)
{
    sim_rebase(sim);
    sim_reset_counters(sim);
}

void sim_cut_at(struct sim *sim, unsigned k)
{
    sim->cut_at = k;
}

bool sim_is_cut(const struct sim *sim)
{
    return sim->cut;
}

unsigned sim_ops(const struct sim *sim)
{
    return sim->ops;
}

unsigned sim_syncs(const struct sim *sim)
{
    return sim->syncs;
}

void sim_reset_counters(struct sim *sim)
{
    for (unsigned i = 0; i < sim->syncs; i++)
        name_drop(sim->sync_names[i]);
    sim->ops = sim->syncs = sim->restarts = 0;
    memset(sim->calls, 0, sizeof sim->calls);
}

void sim_ignore_sync(struct sim *sim, unsigned n)
{
    sim->ignored_sync = n;
}

void sim_ignore_sync_of(struct sim *sim, const char *pattern)
{
    sim->ignored_pattern = pattern;
}

const char *sim_sync_name(const struct sim *sim, unsigned n)
{
    return n >= 1 && n <= sim->syncs ? sim->sync_names[n - 1]->text : NULL;
}

void sim_fail(struct sim *sim, enum sim_op op, unsigned n, int error, bool forever)
{
    sim->fault = (struct fault){.op = op, .n = n, .error = error, .forever = forever};
    sim->fault_hits = 0;
}

void sim_fail_more(struct sim *sim, unsigned more)
{
    sim->fault.more = more;
}

void sim_fail_late(struct sim *sim, enum sim_op op, unsigned n, int error, bool forever)
{
    sim_fail(sim, op, n, error, forever);
    sim->fault.late = true;
}

void sim_fail_below(struct sim *sim, const char *path)
{
    sim->fault.below = path;
}

void sim_pause_fault(struct sim *sim, bool paused)
{
    sim->fault.paused = paused;
}

unsigned sim_fault_hits(const struct sim *sim)
{
    return sim->fault_hits;
}

unsigned sim_fault_at(const struct sim *sim)
{
    return sim->fault_at;
}

void sim_set_failed_sync(struct sim *sim, enum sim_failed_sync what)
{
    sim->failed_sync = what;
}

unsigned sim_calls(const struct sim *sim, enum sim_op op)
{
    return op < SIM_OPS ? sim->calls[op] : sim->ops;
}

const char *sim_op_name(enum sim_op op)
{
    static const char *const names[] = {"open",         "pread",      "pwrite",         "sync",
                                        "sync_dir",     "rename",     "link",           "unlink",
                                        "mkdir",        "rmdir",      "symlink",        "readlink",
                                        "chmod",        "stat",       "space",          "list",
                                        "truncate",     "zero_range", "drop_cache",     "start_writeback",
                                        "lock",         "mounted",    "medium",         "boot_get",
                                        "boot_set",     "boot_id",    "random",         "restart",
                                        "flash_info",   "flash_bad",  "flash_erase",    "flash_mark_bad",
                                        "flash_update", "open_dir",   "set_attributes", "copy_attributes",
                                        "none",         "any change"};

    return names[op];
}

void sim_flip_write(struct sim *sim, unsigned n)
{
    sim->flipped_write = n;
}

void sim_set_direct(struct sim *sim, bool direct)
{
    sim->reads_direct = direct;
}

void sim_flip_medium(struct sim *sim, unsigned n)
{
    sim->flipped_medium = n;
}

void sim_set_free(struct sim *sim, uint64_t bytes)
{
    sim->capacity = bytes == UINT64_MAX ? bytes : tree_used(&sim->live) + bytes;
}

void sim_set_copy_on_write(struct sim *sim, bool copies)
{
    sim->copies_on_write = copies;
}

void sim_set_now(struct sim *sim, uint64_t seconds)
{
    sim->now = seconds;
}

void sim_set_synchronised(struct sim *sim, bool synchronised)
{
    sim->synchronised = synchronised;
}

void sim_advance(struct sim *sim, uint64_t milliseconds)
{
    sim->monotonic += milliseconds;
    sim->now += milliseconds / 1000;
}

void sim_suspend(struct sim *sim, uint64_t milliseconds)
{
    sim->suspended += milliseconds;
    sim->now += milliseconds / 1000;
}

void sim_trace(struct sim *sim, FILE *f)
{
    sim->trace = f;
}

void sim_watch_calls(struct sim *sim, sim_watch_fn *fn, void *user)
{
    sim->watch = fn;
    sim->watch_user = user;
}

void sim_watch_cuts(struct sim *sim, sim_cut_fn *fn, void *user)
{
    sim->cut_fn = fn;
    sim->cut_user = user;
}

void sim_begin_trail(struct sim *sim)
{
    sim->trail = 0;
}

uint64_t sim_trail(const struct sim *sim)
{
    return sim->trail;
}

unsigned sim_open_files(const struct sim *sim)
{
    unsigned n = 0;

    for (size_t i = 0; i < sim->handle_count; i++)
        n += sim->handles[i].path != NULL;
    return n;
}

unsigned sim_restarts(const struct sim *sim)
{
    return sim->restarts;
}

/* splitmix64 */
uint64_t sim_mix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
