#include "disk_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(int error)
{
    errno = error;
    return -1;
}

static uint32_t hash_of(const char *path, size_t len)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)path[i]) * 16777619u;
    return hash;
}

static bool same(const char *a, const char *b, size_t len)
{
    size_t i = 0;

    while (i < len && a[i] == b[i])
        i++;
    return i == len;
}

static struct node *find(struct disk *d, const char *path, size_t len)
{
    uint32_t hash = hash_of(path, len);

    for (size_t i = 0; i < d->count; i++) {
        struct node *n = &d->nodes[i];

        if (n->hash == hash && n->len == len && n->kind != UP_NODE_OTHER && same(n->path, path, len))
            return n;
    }
    return NULL;
}

/* One component onto the canonical path. */
static int enter(struct disk *d, struct place *p, const char *name, size_t len)
{
    if (!p->node)
        return fail(ENOENT);
    if (p->node->kind != UP_NODE_DIR)
        return fail(ENOTDIR);
    if (len == 1 && name[0] == '.')
        return 0;
    if (len == 2 && name[0] == '.' && name[1] == '.') {
        while (p->len > 0 && p->path[--p->len] != '/')
            ;
        p->node = find(d, p->path, p->len);
        return 0;
    }
    if (len > 255 || p->len + 1 + len >= PATH)
        return fail(ENAMETOOLONG);
    p->path[p->len++] = '/';
    memcpy(p->path + p->len, name, len);
    p->len += len;
    p->node = find(d, p->path, p->len);
    return 0;
}

int disk_walk(struct disk *d, const char *path, struct place *p)
{
    p->len = 0;
    p->node = &d->nodes[0];
    while (*path) {
        size_t len = 0;

        while (path[len] && path[len] != '/')
            len++;
        if (len && enter(d, p, path, len) < 0)
            return -1;
        path += len;
        while (*path == '/')
            path++;
    }
    p->path[p->len] = '\0';
    return 0;
}

int disk_walk_to(struct disk *d, const char *path, struct place *p)
{
    if (disk_walk(d, path, p) < 0)
        return -1;
    return p->node ? 0 : fail(ENOENT);
}

void disk_guard(const struct disk *d, const char *path)
{
    if (d->fence && strncmp(path, d->fence, strlen(d->fence)) != 0) {
        fprintf(stderr, "disk: %s is changed, beyond %s\n", path, d->fence);
        abort();
    }
}

struct node *disk_make(struct disk *d, const struct place *p, enum up_node_kind kind, unsigned mode)
{
    size_t i = 0;
    struct node *n;

    disk_guard(d, p->path);
    while (i < d->count && d->nodes[i].kind != UP_NODE_OTHER)
        i++;
    if (i == NODES) {
        errno = ENOSPC;
        return NULL;
    }
    if (i == d->count)
        d->count++;
    n = &d->nodes[i];
    n->kind = kind;
    n->mode = mode & 07777;
    memcpy(n->path, p->path, p->len + 1);
    n->len = p->len;
    n->hash = hash_of(n->path, n->len);
    n->size = 0;
    return n;
}

void disk_resize(struct node *n, uint64_t size)
{
    if (size > n->room) {
        n->data = realloc(n->data, size * 2);
        if (!n->data)
            abort();
        n->room = size * 2;
    }
    if (size > n->size)
        memset(n->data + n->size, 0, size - n->size);
    n->size = size;
}

bool disk_is_below(const struct node *n, const char *path, size_t len)
{
    return n->kind != UP_NODE_OTHER && n->len > len && n->path[len] == '/' && same(n->path, path, len);
}

bool disk_is_empty(const struct disk *d, const struct node *dir)
{
    for (size_t i = 0; i < d->count; i++)
        if (disk_is_below(&d->nodes[i], dir->path, dir->len))
            return false;
    return true;
}

int disk_drop(struct disk *d, struct node *n)
{
    disk_guard(d, n->path);
    for (int i = 0; i < HANDLES; i++)
        if (d->handles[i].node == n) {
            fprintf(stderr, "disk: %s is removed while it is open\n", n->path);
            abort();
        }
    n->kind = UP_NODE_OTHER;
    return 0;
}

int disk_move(struct node *n, size_t old_len, const struct place *to)
{
    char rest[PATH];
    size_t len = n->len - old_len;

    if (to->len + len >= PATH)
        return fail(ENAMETOOLONG);
    memcpy(rest, n->path + old_len, len + 1);
    memcpy(n->path, to->path, to->len);
    memcpy(n->path + to->len, rest, len + 1);
    n->len = to->len + len;
    n->hash = hash_of(n->path, n->len);
    return 0;
}

struct disk *disk_new(void)
{
    struct disk *d = calloc(1, sizeof *d);

    if (!d)
        abort();
    d->storage.ops = &disk_ops;
    disk_clear(d);
    return d;
}

struct up_storage *disk_storage(struct disk *d)
{
    return &d->storage;
}

void disk_clear(struct disk *d)
{
    for (size_t i = 1; i < d->count; i++)
        d->nodes[i].kind = UP_NODE_OTHER;
    memset(d->handles, 0, sizeof d->handles);
    d->nodes[0].kind = UP_NODE_DIR;
    d->nodes[0].mode = 0755;
    d->nodes[0].hash = hash_of("", 0);
    d->count = 1;
    d->fence = NULL;
}

static void require(int rc, const char *path)
{
    if (rc < 0) {
        perror(path);
        abort();
    }
}

void disk_put(struct disk *d, const char *path, const void *data, size_t len)
{
    int file = disk_ops.open(&d->storage, path, UP_CREATE, 0600);

    require(file, path);
    require(disk_ops.truncate(&d->storage, file, 0), path);
    require(disk_ops.pwrite(&d->storage, file, data, len, 0), path);
    disk_ops.close(&d->storage, file);
}

void disk_put_dir(struct disk *d, const char *path)
{
    require(disk_ops.mkdir(&d->storage, path, 0755), path);
}

void disk_remove(struct disk *d, const char *path)
{
    require(disk_ops.unlink(&d->storage, path), path);
}

uint8_t *disk_get(struct disk *d, const char *path, size_t *len)
{
    struct place p;

    if (disk_walk_to(d, path, &p) < 0 || p.node->kind != UP_NODE_FILE)
        return NULL;
    *len = p.node->size;
    return p.node->data;
}

bool disk_exists(struct disk *d, const char *path)
{
    struct place p;

    return disk_walk_to(d, path, &p) == 0;
}

unsigned disk_open_files(const struct disk *d)
{
    unsigned count = 0;

    for (int i = 0; i < HANDLES; i++)
        count += d->handles[i].node != NULL;
    return count;
}

uint64_t disk_fingerprint(const struct disk *d)
{
    uint64_t all = 0;

    for (size_t i = 0; i < d->count; i++) {
        const struct node *n = &d->nodes[i];
        uint64_t hash = (uint64_t)n->hash << 32 | n->kind << 12 | n->mode;

        if (n->kind == UP_NODE_OTHER)
            continue;
        for (size_t k = 0; k < n->size; k++)
            hash = (hash ^ n->data[k]) * 1099511628211u;
        all += hash * 0x9e3779b97f4a7c15u;
    }
    return all;
}

void disk_fence(struct disk *d, const char *path)
{
    d->fence = path;
}
