/*
 * sim_dirs.c -- names below directory handles, and the attributes of open files.
 */
#include "sim_ops.h"

#include <errno.h>
#include <string.h>

#define PATH 4096

/* How a step on a name below a handle is called: by its whole path. */
static const char *join(const char *dir, const char *name, char out[PATH])
{
    snprintf(out, PATH, "%s%s%s", dir, *name ? "/" : "", name);
    return out;
}

/* One name in the directory of a handle. */
static int entry_at(struct sim *sim, int dir, const char *name, struct place *at, char path[PATH])
{
    const struct handle *h = op_handle(sim, dir);

    if (!h)
        return -1;
    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return op_fail(EINVAL);
    if (strlen(name) >= sizeof at->name)
        return op_fail(ENAMETOOLONG);
    if (op_inode(sim, h->ino)->kind != UP_NODE_DIR)
        return op_fail(ENOTDIR);
    at->dir = h->ino;
    strcpy(at->name, name);
    at->ino = dir_find(op_inode(sim, h->ino), name);
    join(h->path->text, name, path);
    return 0;
}

/* The same of something that is there. */
static int find_at(struct sim *sim, int dir, const char *name, struct place *at, char path[PATH])
{
    if (entry_at(sim, dir, name, at, path) < 0)
        return -1;
    return at->ino ? 0 : op_fail(ENOENT);
}

static unsigned none(int error)
{
    errno = error;
    return 0;
}

/* From a directory down, following nothing. Returns the number of what is there, or 0 with errno. */
static unsigned descend(const struct sim *sim, unsigned ino, const char *path, bool one_mount)
{
    for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
        size_t len = strcspn(path, "/");
        char name[256];

        if (len >= sizeof name)
            return none(ENAMETOOLONG);
        memcpy(name, path, len);
        name[len] = '\0';
        path += len;
        if (strcmp(name, ".") == 0)
            continue;
        if (strcmp(name, "..") == 0)
            return none(EXDEV);
        ino = dir_find(op_inode(sim, ino), name);
        if (!ino)
            return none(ENOENT);
        if (op_inode(sim, ino)->kind != UP_NODE_DIR)
            return none(op_inode(sim, ino)->kind == UP_NODE_LINK ? ELOOP : ENOTDIR);
        if (one_mount && op_inode(sim, ino)->mount_point)
            return none(EXDEV);
    }
    return ino;
}

int sim_open_dir(struct up_storage *s, int dir, const char *path, bool one_mount)
{
    struct sim *sim = op_sim(s);
    const struct handle *h = dir == UP_NO_DIR ? NULL : op_handle(sim, dir);
    struct place at;
    char whole[PATH];

    if ((dir != UP_NO_DIR && !h) || op_begin(sim, SIM_OPEN_DIR) < 0)
        return -1;
    if (!h) {
        if (op_find(sim, path, true, &at) < 0)
            return -1;
        if (op_inode(sim, at.ino)->kind != UP_NODE_DIR)
            return op_fail(ENOTDIR);
        return op_new_handle(sim, at.ino, path, false);
    }
    if (*path == '/')
        return op_fail(EXDEV);
    at.ino = descend(sim, h->ino, path, one_mount);
    return at.ino ? op_new_handle(sim, at.ino, join(h->path->text, path, whole), false) : -1;
}

int sim_open_at(struct up_storage *s, int dir, const char *name, unsigned flags, unsigned mode)
{
    struct sim *sim = op_sim(s);
    struct place at;
    char path[PATH];

    if (op_begin(sim, SIM_OPEN) < 0 || entry_at(sim, dir, name, &at, path) < 0)
        return -1;
    if (at.ino && op_inode(sim, at.ino)->kind == UP_NODE_LINK)
        return op_fail(flags & UP_WRITE_ONLY_NEW ? EEXIST : ELOOP);
    return op_open(sim, &at, path, flags, mode);
}

int sim_stat_at(struct up_storage *s, int dir, const char *name, struct up_stat *out)
{
    struct sim *sim = op_sim(s);
    struct place at;
    char path[PATH];

    if (op_begin(sim, SIM_STAT) < 0 || find_at(sim, dir, name, &at, path) < 0 ||
        op_fill_stat(sim, at.ino, out) < 0)
        return -1;
    out->mount_point = op_inode(sim, at.ino)->mount_point;
    return 0;
}

int sim_list_at(struct up_storage *s, int dir, up_list_fn *fn, void *user)
{
    struct sim *sim = op_sim(s);
    const struct handle *h = op_handle(sim, dir);

    return h && op_begin(sim, SIM_LIST) == 0 ? op_list(sim, h->ino, fn, user) : -1;
}

int sim_rename_at(struct up_storage *s, int dir, const char *from, const char *to)
{
    struct sim *sim = op_sim(s);
    struct place a, b;
    char path[PATH];

    if (op_begin(sim, SIM_RENAME) < 0 || find_at(sim, dir, from, &a, path) < 0 ||
        entry_at(sim, dir, to, &b, path) < 0)
        return -1;
    return op_rename(sim, &a, &b, path);
}

int sim_link_at(struct up_storage *s, int dir, const char *from, const char *to)
{
    struct sim *sim = op_sim(s);
    struct place a, b;
    char path[PATH];

    if (op_begin(sim, SIM_LINK) < 0 || find_at(sim, dir, from, &a, path) < 0 ||
        entry_at(sim, dir, to, &b, path) < 0)
        return -1;
    return op_link(sim, &a, &b, path);
}

static int remove_at(struct up_storage *s, enum sim_op op, int dir, const char *name)
{
    struct sim *sim = op_sim(s);
    struct place at;
    char path[PATH];

    if (op_begin(sim, op) < 0 || find_at(sim, dir, name, &at, path) < 0)
        return -1;
    return op_remove(sim, op, &at, path);
}

int sim_unlink_at(struct up_storage *s, int dir, const char *name)
{
    return remove_at(s, SIM_UNLINK, dir, name);
}

int sim_rmdir_at(struct up_storage *s, int dir, const char *name)
{
    return remove_at(s, SIM_RMDIR, dir, name);
}

int sim_mkdir_at(struct up_storage *s, int dir, const char *name, unsigned mode)
{
    struct sim *sim = op_sim(s);
    struct place at;
    char path[PATH];

    if (op_begin(sim, SIM_MKDIR) < 0 || entry_at(sim, dir, name, &at, path) < 0)
        return -1;
    if (at.ino)
        return op_fail(EEXIST);
    if (op_step(sim, SIM_MKDIR, path) < 0)
        return -1;
    op_create(sim, &at, inode_new(UP_NODE_DIR, mode));
    return op_done(sim);
}

int sim_copy_link_at(struct up_storage *s, int dir, const char *name, int to)
{
    struct sim *sim = op_sim(s);
    struct place from, at;
    const struct inode *link;
    struct inode *made;
    char path[PATH];

    if (op_begin(sim, SIM_SYMLINK) < 0 || find_at(sim, dir, name, &from, path) < 0 ||
        entry_at(sim, to, name, &at, path) < 0)
        return -1;
    link = op_inode(sim, from.ino);
    if (link->kind != UP_NODE_LINK || at.ino)
        return op_fail(at.ino ? EEXIST : EINVAL);
    if (op_step(sim, SIM_SYMLINK, path) < 0)
        return -1;
    made = inode_new(UP_NODE_LINK, 0777);
    made->target = name_ref(link->target);
    made->size = link->size;
    made->owner = link->owner;
    made->group = link->group;
    op_create(sim, &at, made);
    return op_done(sim);
}

int sim_space_at(struct up_storage *s, int dir, struct up_space *out)
{
    struct sim *sim = op_sim(s);

    if (!op_handle(sim, dir) || op_begin(sim, SIM_SPACE) < 0)
        return -1;
    *out = (struct up_space){op_space(sim), UINT64_MAX, sim->copies_on_write, sim->overlay};
    return 0;
}

int sim_set_attributes(struct up_storage *s, int file, uint32_t owner, uint32_t group, unsigned mode)
{
    struct sim *sim = op_sim(s);
    struct handle *h = op_handle(sim, file);
    struct inode *inode;

    if (!h || op_begin(sim, SIM_SET_ATTRIBUTES) < 0 || op_step(sim, SIM_SET_ATTRIBUTES, h->path->text) < 0)
        return -1;
    inode = inode_own(&sim->live.nodes[h->ino]);
    inode->owner = owner;
    inode->group = group;
    inode->mode = mode & 07777;
    log_add(sim, change_of_attributes(h->ino, inode));
    return op_done(sim);
}

int sim_copy_attributes(struct up_storage *s, int file, int from)
{
    struct sim *sim = op_sim(s);
    struct handle *h = op_handle(sim, file), *other = op_handle(sim, from);
    const struct inode *like;
    struct inode *inode;

    if (!h || !other || op_begin(sim, SIM_COPY_ATTRIBUTES) < 0)
        return -1;
    like = op_inode(sim, other->ino);
    inode = op_inode(sim, h->ino);
    if (inode->owner == like->owner && inode->group == like->group && inode->mode == like->mode &&
        inode->xattrs == like->xattrs)
        return 0;
    if (op_step(sim, SIM_COPY_ATTRIBUTES, h->path->text) < 0)
        return -1;
    like = op_inode(sim, other->ino);
    inode = inode_own(&sim->live.nodes[h->ino]);
    inode->owner = like->owner;
    inode->group = like->group;
    inode->mode = like->mode;
    inode->xattrs = like->xattrs;
    log_add(sim, change_of_attributes(h->ino, inode));
    return op_done(sim) < 0 ? -1 : 1;
}
