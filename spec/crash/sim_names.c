/*
 * sim_names.c -- the operations on names, and what all operations begin and
 * end with.
 */
#include "sim_ops.h"

#include <errno.h>
#include <string.h>

int op_fail(int error)
{
    errno = error;
    return -1;
}

struct sim *op_sim(struct up_storage *s)
{
    return (struct sim *)s;
}

static bool hit(const struct sim *sim, enum sim_op op, unsigned count)
{
    const struct fault *f = &sim->fault;

    return f->n > 0 && !f->paused && f->op == op && count >= f->n && (f->forever || count <= f->n + f->more);
}

/* The call at hand fails: at once, or when it is done. */
static int fault(struct sim *sim)
{
    sim->fault_hits++;
    if (sim->fault_hits == 1)
        sim->fault_at = sim->ops;
    if (!sim->fault.late)
        return op_fail(sim->fault.error);
    sim->late_error = sim->fault.error;
    return 0;
}

int op_begin(struct sim *sim, enum sim_op op)
{
    int error = sim->watch ? sim->watch(sim->watch_user, op) : 0;

    if (error)
        return op_fail(error);
    sim->calls[op]++;
    sim->trail = sim_mix_in(sim->trail, op);
    sim->late_error = 0;
    if (sim->cut)
        return op_fail(EIO);
    return hit(sim, op, sim->calls[op]) ? fault(sim) : 0;
}

int op_step(struct sim *sim, enum sim_op op, const char *path)
{
    sim->ops++;
    sim->trail = sim_mix_text(sim->trail, path);
    if (sim->trace)
        fprintf(sim->trace, "%4u %s %s\n", sim->ops, sim_op_name(op), path);
    if (sim->fault.below && strncmp(path, sim->fault.below, strlen(sim->fault.below)) != 0)
        return 0;
    return hit(sim, SIM_CHANGES, sim->ops) ? fault(sim) : 0;
}

int op_done(struct sim *sim)
{
    if (sim->cut_fn)
        sim->cut_fn(sim->cut_user, sim);
    if (sim->ops == sim->cut_at) {
        sim->cut = true;
        return op_fail(EIO);
    }
    return sim->late_error ? op_fail(sim->late_error) : 0;
}

struct inode *op_inode(const struct sim *sim, unsigned ino)
{
    return sim->live.nodes[ino].inode;
}

int op_find(struct sim *sim, const char *path, bool follow, struct place *at)
{
    if (tree_walk(&sim->live, path, follow, at) < 0)
        return -1;
    return at->ino ? 0 : op_fail(ENOENT);
}

static void set_entry(struct change *c, unsigned dir, const char *name, unsigned ino)
{
    c->entries[c->entry_count++] = (struct entry_change){dir, name_new(name), ino};
}

unsigned op_create(struct sim *sim, const struct place *at, struct inode *made)
{
    unsigned ino = tree_add(&sim->live, made);
    struct change *c = change_new(CHANGE_NAMES, ino, 0);

    inode_settle(made, op_inode(sim, at->dir));
    c->made = inode_ref(made);
    set_entry(c, at->dir, at->name, ino);
    apply_names(&sim->live, c);
    log_add(sim, c);
    return ino;
}

/* Log and apply a change of names. */
static int change_names(struct sim *sim, struct change *c)
{
    log_add(sim, c);
    apply_names(&sim->live, c);
    return op_done(sim);
}

static bool inside(const struct sim *sim, unsigned dir, unsigned ino)
{
    const struct inode *inode = op_inode(sim, dir);

    if (dir == ino)
        return true;
    for (size_t i = 0; i < inode->entry_count; i++)
        if (op_inode(sim, inode->entries[i].ino)->kind == UP_NODE_DIR &&
            inside(sim, inode->entries[i].ino, ino))
            return true;
    return false;
}

static int may_replace(const struct sim *sim, const struct place *from, const struct place *to)
{
    const struct inode *moved = op_inode(sim, from->ino), *old = to->ino ? op_inode(sim, to->ino) : NULL;

    if (!*from->name || !*to->name || moved->mount_point || (old && old->mount_point))
        return op_fail(EBUSY);
    if (moved->fs != op_inode(sim, to->dir)->fs)
        return op_fail(EXDEV);
    if (moved->kind == UP_NODE_DIR && inside(sim, from->ino, to->dir))
        return op_fail(EINVAL);
    if (!old)
        return 0;
    if (moved->kind == UP_NODE_DIR && old->kind != UP_NODE_DIR)
        return op_fail(ENOTDIR);
    if (moved->kind != UP_NODE_DIR && old->kind == UP_NODE_DIR)
        return op_fail(EISDIR);
    return old->entry_count > 0 ? op_fail(ENOTEMPTY) : 0;
}

int sim_rename(struct up_storage *s, const char *from, const char *to)
{
    struct sim *sim = op_sim(s);
    struct place a, b;

    if (op_begin(sim, SIM_RENAME) < 0 || op_find(sim, from, false, &a) < 0 ||
        tree_walk(&sim->live, to, false, &b) < 0)
        return -1;
    return op_rename(sim, &a, &b, to);
}

/* The first of two steps, as FAT takes them: the new name leads there, and the old one still does. The second is
 * not on the medium yet; but if only the process ends, the kernel takes it all the same. Whether the power goes
 * between them. */
static bool is_cut_between(struct sim *sim, const struct place *a, const struct place *b,
                           struct change *second)
{
    struct change *first = change_new(CHANGE_NAMES, a->ino, 0);

    set_entry(first, b->dir, b->name, a->ino);
    log_add(sim, first);
    apply_names(&sim->live, first);
    apply_names(&sim->live, second);
    sim->second_step = second;
    (void)op_done(sim); /* a call that fails late does so when all of it is done */
    if (sim->cut)
        return true;
    sim->second_step = NULL;
    sim->ops++;
    return false;
}

int op_rename(struct sim *sim, const struct place *a, const struct place *b, const char *to)
{
    struct change *c;

    if (a->ino == b->ino)
        return 0;
    if (op_inode(sim, a->ino)->lower)
        return op_fail(EXDEV);
    if (may_replace(sim, a, b) < 0 || op_step(sim, SIM_RENAME, to) < 0)
        return -1;
    c = change_new(CHANGE_NAMES, a->ino, 0);
    if (!op_inode(sim, a->ino)->no_links) {
        set_entry(c, b->dir, b->name, a->ino);
        set_entry(c, a->dir, a->name, 0);
        return change_names(sim, c);
    }
    set_entry(c, a->dir, a->name, 0);
    if (is_cut_between(sim, a, b, c))
        return op_fail(EIO);
    log_add(sim, c);
    return op_done(sim);
}

int sim_link(struct up_storage *s, const char *from, const char *to)
{
    struct sim *sim = op_sim(s);
    struct place a, b;

    if (op_begin(sim, SIM_LINK) < 0 || op_find(sim, from, false, &a) < 0 ||
        tree_walk(&sim->live, to, false, &b) < 0)
        return -1;
    return op_link(sim, &a, &b, to);
}

int op_link(struct sim *sim, const struct place *a, const struct place *b, const char *to)
{
    const struct inode *inode = op_inode(sim, a->ino);
    struct change *c;

    if (b->ino)
        return op_fail(EEXIST);
    if (inode->fs != op_inode(sim, b->dir)->fs)
        return op_fail(EXDEV);
    if (inode->kind == UP_NODE_DIR || inode->no_links)
        return op_fail(EPERM);
    if (op_step(sim, SIM_LINK, to) < 0)
        return -1;
    c = change_new(CHANGE_NAMES, a->ino, 0);
    set_entry(c, b->dir, b->name, a->ino);
    return change_names(sim, c);
}

int op_remove(struct sim *sim, enum sim_op op, const struct place *at, const char *path)
{
    const struct inode *inode = op_inode(sim, at->ino);
    bool directory = op == SIM_RMDIR;
    struct change *c;

    if (!*at->name || inode->mount_point)
        return op_fail(EBUSY);
    if (directory != (inode->kind == UP_NODE_DIR))
        return op_fail(directory ? ENOTDIR : EISDIR);
    if (inode->entry_count > 0)
        return op_fail(ENOTEMPTY);
    if (op_step(sim, op, path) < 0)
        return -1;
    c = change_new(CHANGE_NAMES, at->ino, 0);
    set_entry(c, at->dir, at->name, 0);
    return change_names(sim, c);
}

static int remove_name(struct sim *sim, enum sim_op op, const char *path)
{
    struct place at;

    if (op_begin(sim, op) < 0 || op_find(sim, path, false, &at) < 0)
        return -1;
    return op_remove(sim, op, &at, path);
}

int sim_unlink(struct up_storage *s, const char *path)
{
    return remove_name(op_sim(s), SIM_UNLINK, path);
}

int sim_rmdir(struct up_storage *s, const char *path)
{
    return remove_name(op_sim(s), SIM_RMDIR, path);
}

/* Where a new node may go. */
static int vacant(struct sim *sim, enum sim_op op, const char *path, struct place *at)
{
    if (op_begin(sim, op) < 0 || tree_walk(&sim->live, path, false, at) < 0)
        return -1;
    return at->ino ? op_fail(EEXIST) : op_step(sim, op, path);
}

int sim_mkdir(struct up_storage *s, const char *path, unsigned mode)
{
    struct sim *sim = op_sim(s);
    struct place at;

    if (vacant(sim, SIM_MKDIR, path, &at) < 0)
        return -1;
    op_create(sim, &at, inode_new(UP_NODE_DIR, mode));
    return op_done(sim);
}

int sim_symlink(struct up_storage *s, const char *target, const char *path)
{
    struct sim *sim = op_sim(s);
    struct inode *made;
    struct place at;

    if (vacant(sim, SIM_SYMLINK, path, &at) < 0)
        return -1;
    made = inode_new(UP_NODE_LINK, 0777);
    made->target = name_new(target);
    made->size = strlen(target);
    op_create(sim, &at, made);
    return op_done(sim);
}

int sim_readlink(struct up_storage *s, const char *path, char *buf, size_t len)
{
    struct sim *sim = op_sim(s);
    const struct inode *inode;
    struct place at;

    if (op_begin(sim, SIM_READLINK) < 0 || op_find(sim, path, false, &at) < 0)
        return -1;
    inode = op_inode(sim, at.ino);
    if (inode->kind != UP_NODE_LINK)
        return op_fail(EINVAL);
    return snprintf(buf, len, "%s", inode->target->text) < (int)len ? (int)inode->size : (int)len - 1;
}

int sim_chmod(struct up_storage *s, const char *path, unsigned mode)
{
    struct sim *sim = op_sim(s);
    struct inode *inode;
    struct place at;

    if (op_begin(sim, SIM_CHMOD) < 0 || op_find(sim, path, true, &at) < 0 ||
        op_step(sim, SIM_CHMOD, path) < 0)
        return -1;
    inode = inode_own(&sim->live.nodes[at.ino]);
    inode->mode = mode & 07777;
    log_add(sim, change_of_attributes(at.ino, inode));
    return op_done(sim);
}
