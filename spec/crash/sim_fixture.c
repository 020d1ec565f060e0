/*
 * sim_fixture.c -- put things into a simulator and look at what is there.
 */
#include "sim_log.h"

#include <stdlib.h>
#include <string.h>

/* A fixture that is misused ends the check, in a release build too. */
static void must(bool condition)
{
    if (!condition)
        abort();
}

/* Directories on the way to path, which begins with '/'. */
static void put_parents(struct sim *sim, const char *path)
{
    char parent[4096];
    const char *end = strrchr(path, '/');

    if (!end || end == path)
        return;
    must((size_t)(end - path) < sizeof parent);
    memcpy(parent, path, (size_t)(end - path));
    parent[end - path] = '\0';
    sim_put_dir(sim, parent, 0755);
}

void fixture_put(struct sim *sim, const char *path, struct inode *inode)
{
    struct place at;
    struct name *name;
    unsigned ino;

    must(sim->log_count == 0);
    put_parents(sim, path);
    if (tree_walk(&sim->live, path, false, &at) < 0)
        abort();
    if (at.ino) {
        must(inode->kind != UP_NODE_DIR && sim->live.nodes[at.ino].inode->kind != UP_NODE_DIR);
        inode_settle(inode, sim->live.nodes[at.dir].inode);
        inode_drop(sim->live.nodes[at.ino].inode);
        sim->live.nodes[at.ino].inode = inode;
    } else {
        if (!inode->mount_point)
            inode_settle(inode, sim->live.nodes[at.dir].inode);
        ino = tree_add(&sim->live, inode);
        sim->live.nodes[ino].links = 1;
        name = name_new(at.name);
        dir_set(inode_own(&sim->live.nodes[at.dir]), name, ino);
        name_drop(name);
    }
    sim_rebase(sim);
}

void sim_put(struct sim *sim, const char *path, const void *data, size_t len, unsigned mode)
{
    struct inode *file = inode_new(UP_NODE_FILE, mode);

    file_write(file, data, len, 0);
    fixture_put(sim, path, file);
}

void sim_put_text(struct sim *sim, const char *path, const char *text)
{
    sim_put(sim, path, text, strlen(text), 0644);
}

void sim_put_dir(struct sim *sim, const char *path, unsigned mode)
{
    if (!sim_exists(sim, path))
        fixture_put(sim, path, inode_new(UP_NODE_DIR, mode));
}

void sim_put_mount(struct sim *sim, const char *path, unsigned fs, bool no_links)
{
    struct inode *dir = inode_new(UP_NODE_DIR, 0755);

    must(fs < SIM_FILE_SYSTEMS);
    dir->mount_point = true;
    dir->fs = fs;
    dir->no_links = no_links;
    fixture_put(sim, path, dir);
}

static struct inode *find(struct sim *sim, const char *path)
{
    struct place at;

    must(sim->log_count == 0);
    if (tree_walk(&sim->live, path, false, &at) < 0 || !at.ino)
        abort();
    return inode_own(&sim->live.nodes[at.ino]);
}

void sim_put_fixed(struct sim *sim, const char *path)
{
    find(sim, path)->fixed = true;
    sim_rebase(sim);
}

void sim_put_lower(struct sim *sim, const char *path)
{
    find(sim, path)->lower = true;
    sim->overlay = true;
    sim_rebase(sim);
}

void sim_put_folding(struct sim *sim, const char *path)
{
    find(sim, path)->folds = true;
    sim_rebase(sim);
}

void sim_put_owner(struct sim *sim, const char *path, uint32_t owner, uint32_t group, uint64_t xattrs)
{
    struct inode *inode = find(sim, path);

    inode->owner = owner;
    inode->group = group;
    inode->xattrs = xattrs;
    sim_rebase(sim);
}

void sim_put_link(struct sim *sim, const char *path, const char *target)
{
    struct inode *link = inode_new(UP_NODE_LINK, 0777);

    link->target = name_new(target);
    link->size = strlen(target);
    fixture_put(sim, path, link);
}

void sim_put_block(struct sim *sim, const char *path, uint64_t size)
{
    struct inode *block = inode_new(UP_NODE_BLOCK, 0660);

    file_resize(block, size);
    fixture_put(sim, path, block);
}

void sim_set_mounted(struct sim *sim, const char *path, enum up_mounted mounted)
{
    struct place at;

    must(sim->log_count == 0);
    if (tree_walk(&sim->live, path, true, &at) < 0 || !at.ino)
        abort();
    sim->live.nodes[at.ino].mounted = mounted;
    sim_rebase(sim);
}

void sim_set_medium(struct sim *sim, const char *path, const char *on, const char *identity)
{
    struct place at, below = {0};

    must(sim->log_count == 0);
    if (tree_walk(&sim->live, path, true, &at) < 0 || !at.ino ||
        (on && (tree_walk(&sim->live, on, true, &below) < 0 || !below.ino)))
        abort();
    sim->live.nodes[at.ino].lies_on = below.ino;
    sim->live.nodes[at.ino].identity = identity;
    sim_rebase(sim);
}

void sim_set_range(struct sim *sim, const char *path, uint64_t from, uint64_t to)
{
    struct place at;

    must(sim->log_count == 0);
    if (tree_walk(&sim->live, path, true, &at) < 0 || !at.ino)
        abort();
    sim->live.nodes[at.ino].from = from;
    sim->live.nodes[at.ino].to = to;
    sim_rebase(sim);
}

static struct inode *inode_of(const struct sim *sim, const char *path, bool follow)
{
    struct place at;

    if (tree_walk(&sim->live, path, follow, &at) < 0 || !at.ino)
        return NULL;
    return sim->live.nodes[at.ino].inode;
}

char *sim_get(const struct sim *sim, const char *path, size_t *len)
{
    const struct inode *file = inode_of(sim, path, true);
    char *data;

    if (file && file->flash)
        return flash_get(file, len);
    if (!file || (file->kind != UP_NODE_FILE && file->kind != UP_NODE_BLOCK))
        return NULL;
    data = sim_realloc(NULL, (size_t)file->size + 1);
    file_read(file, data, (size_t)file->size, 0);
    data[file->size] = '\0';
    if (len)
        *len = (size_t)file->size;
    return data;
}

enum up_node_kind sim_kind(const struct sim *sim, const char *path)
{
    const struct inode *inode = inode_of(sim, path, true);

    return inode ? inode->kind : UP_NODE_OTHER;
}

bool sim_exists(const struct sim *sim, const char *path)
{
    return inode_of(sim, path, false) != NULL;
}

/* The n-th regular file in or below the directory whose path stands in `path`. */
static bool find_file(const struct sim *sim, const struct inode *dir, char path[4096], unsigned *n)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < dir->entry_count; i++) {
        const struct inode *inode = sim->live.nodes[dir->entries[i].ino].inode;

        must(snprintf(path + len, 4096 - len, "/%s", dir->entries[i].name->text) < (int)(4096 - len));
        if (inode->kind == UP_NODE_DIR ? find_file(sim, inode, path, n)
                                       : inode->kind == UP_NODE_FILE && (*n)-- == 0)
            return true;
    }
    path[len] = '\0';
    return false;
}

char *sim_lose_file(struct sim *sim, const char *dir, unsigned n)
{
    const struct inode *top = inode_of(sim, dir, true);
    struct place at;
    struct name *name;
    char path[4096];

    must(sim->log_count == 0);
    snprintf(path, sizeof path, "%s", dir);
    if (!top || top->kind != UP_NODE_DIR || !find_file(sim, top, path, &n))
        return NULL;
    if (tree_walk(&sim->live, path, false, &at) < 0)
        abort();
    name = name_new(at.name);
    dir_set(inode_own(&sim->live.nodes[at.dir]), name, 0);
    name_drop(name);
    tree_collect(&sim->live);
    sim_rebase(sim);
    return strdup(path);
}

static void dump_node(FILE *out, const struct tree *tree, const struct inode *inode, const char *path)
{
    static const char kinds[] = "fdlbco";
    size_t len = strlen(path);

    fprintf(out, "%c %04o ", kinds[inode->kind], inode->mode);
    if (inode->owner || inode->group || inode->xattrs)
        fprintf(out, "%u:%u+%llu ", inode->owner, inode->group, (unsigned long long)inode->xattrs);
    if (inode->kind == UP_NODE_LINK)
        fprintf(out, "%s ", inode->target->text);
    else if (inode->kind != UP_NODE_DIR)
        fprintf(out, "%llu %016llx ", (unsigned long long)inode->size,
                (unsigned long long)sim_content_hash(inode));
    fprintf(out, "%s\n", len > 0 ? path : "/");
    for (size_t i = 0; i < inode->entry_count; i++) {
        const struct entry *e = &inode->entries[i];
        char *child = sim_alloc(len + strlen(e->name->text) + 2);

        sprintf(child, "%s/%s", path, e->name->text);
        dump_node(out, tree, tree->nodes[e->ino].inode, child);
        free(child);
    }
}

char *sim_dump(const struct sim *sim, const char *path)
{
    const struct inode *inode = inode_of(sim, path, false);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        abort();
    if (inode)
        dump_node(out, &sim->live, inode, strcmp(path, "/") == 0 ? "" : path);
    fclose(out);
    return text;
}
