#include "disk_private.h"

#include <errno.h>
#include <string.h>

static struct disk *disk_of(struct up_storage *s)
{
    return (struct disk *)s;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

static int disk_open(struct up_storage *s, const char *path, unsigned flags, unsigned mode)
{
    struct disk *d = disk_of(s);
    struct place p;
    int file = 0;

    while (file < HANDLES && d->handles[file].node)
        file++;
    if (file == HANDLES)
        return fail(EMFILE);
    if (disk_walk(d, path, &p) < 0)
        return -1;
    if (p.node && flags & UP_WRITE_ONLY_NEW)
        return fail(EEXIST);
    if (p.node && p.node->kind == UP_NODE_DIR)
        return fail(EISDIR);
    if (!p.node && !(flags & (UP_WRITE_ONLY_NEW | UP_CREATE)))
        return fail(ENOENT);
    if (!p.node)
        p.node = disk_make(d, &p, UP_NODE_FILE, mode);
    if (!p.node)
        return -1;
    d->handles[file] = (struct handle){p.node, flags != UP_READ};
    return file;
}

static struct handle *handle_of(struct up_storage *s, int file, bool writes)
{
    struct handle *h = file >= 0 && file < HANDLES ? &disk_of(s)->handles[file] : NULL;

    if (!h || !h->node || (writes && !h->writes)) {
        errno = EBADF;
        return NULL;
    }
    if (writes)
        disk_guard(disk_of(s), h->node->path);
    return h;
}

static int disk_close(struct up_storage *s, int file)
{
    struct handle *h = handle_of(s, file, false);

    if (!h)
        return -1;
    h->node = NULL;
    return 0;
}

static long long disk_pread(struct up_storage *s, int file, void *buf, size_t len, uint64_t offset)
{
    struct handle *h = handle_of(s, file, false);

    if (!h)
        return -1;
    if (offset >= h->node->size)
        return 0;
    if (len > h->node->size - offset)
        len = (size_t)(h->node->size - offset);
    memcpy(buf, h->node->data + offset, len);
    return (long long)len;
}

static int disk_pwrite(struct up_storage *s, int file, const void *buf, size_t len, uint64_t offset)
{
    struct handle *h = handle_of(s, file, true);

    if (!h)
        return -1;
    if (len && offset + len > h->node->size)
        disk_resize(h->node, offset + len);
    if (len)
        memcpy(h->node->data + offset, buf, len);
    return 0;
}

static int disk_truncate(struct up_storage *s, int file, uint64_t size)
{
    struct handle *h = handle_of(s, file, true);

    if (h)
        disk_resize(h->node, size);
    return h ? 0 : -1;
}

static int disk_sync(struct up_storage *s, int file)
{
    return handle_of(s, file, false) ? 0 : -1;
}

static int disk_range(struct up_storage *s, int file, uint64_t offset, uint64_t len)
{
    (void)offset;
    (void)len;
    return disk_sync(s, file);
}

static int disk_sync_dir(struct up_storage *s, const char *path)
{
    struct place p;

    if (disk_walk_to(disk_of(s), path, &p) < 0)
        return -1;
    return p.node->kind == UP_NODE_DIR ? 0 : fail(ENOTDIR);
}

static int disk_unlink(struct up_storage *s, const char *path)
{
    struct place p;

    if (disk_walk_to(disk_of(s), path, &p) < 0)
        return -1;
    return p.node->kind == UP_NODE_DIR ? fail(EISDIR) : disk_drop(disk_of(s), p.node);
}

static int disk_rmdir(struct up_storage *s, const char *path)
{
    struct place p;

    if (disk_walk_to(disk_of(s), path, &p) < 0)
        return -1;
    if (p.node->kind != UP_NODE_DIR)
        return fail(ENOTDIR);
    return disk_is_empty(disk_of(s), p.node) ? disk_drop(disk_of(s), p.node) : fail(ENOTEMPTY);
}

static int disk_mkdir(struct up_storage *s, const char *path, unsigned mode)
{
    struct place p;

    if (disk_walk(disk_of(s), path, &p) < 0)
        return -1;
    if (p.node)
        return fail(EEXIST);
    return disk_make(disk_of(s), &p, UP_NODE_DIR, mode) ? 0 : -1;
}

static int disk_rename(struct up_storage *s, const char *from, const char *to)
{
    struct disk *d = disk_of(s);
    struct place a, b;
    char old[PATH];
    size_t old_len;

    if (disk_walk_to(d, from, &a) < 0 || disk_walk(d, to, &b) < 0)
        return -1;
    if (a.node == b.node)
        return 0;
    disk_guard(d, a.path);
    disk_guard(d, b.path);
    if (b.len > a.len && b.path[a.len] == '/' && strncmp(a.path, b.path, a.len) == 0)
        return fail(EINVAL);
    if (b.node && b.node->kind != a.node->kind)
        return fail(b.node->kind == UP_NODE_DIR ? EISDIR : ENOTDIR);
    if (b.node && b.node->kind == UP_NODE_DIR && !disk_is_empty(d, b.node))
        return fail(ENOTEMPTY);
    if (b.node)
        disk_drop(d, b.node);
    old_len = a.len;
    memcpy(old, a.path, old_len + 1);
    for (size_t i = 0; i < d->count; i++)
        if (disk_is_below(&d->nodes[i], old, old_len) && disk_move(&d->nodes[i], old_len, &b) < 0)
            return -1;
    return disk_move(a.node, old_len, &b);
}

static void fill(const struct disk *d, const struct node *n, struct up_stat *out)
{
    *out = (struct up_stat){.kind = n->kind,
                            .size = n->size,
                            .mode = n->mode,
                            .device = 1,
                            .inode = (uint64_t)(n - d->nodes) + 1};
}

static int disk_stat(struct up_storage *s, const char *path, struct up_stat *out)
{
    struct place p;

    if (disk_walk_to(disk_of(s), path, &p) < 0)
        return -1;
    fill(disk_of(s), p.node, out);
    return 0;
}

static int disk_stat_file(struct up_storage *s, int file, struct up_stat *out)
{
    struct handle *h = handle_of(s, file, false);

    if (!h)
        return -1;
    fill(disk_of(s), h->node, out);
    return 0;
}

static int disk_list(struct up_storage *s, const char *path, up_list_fn *fn, void *user)
{
    struct disk *d = disk_of(s);
    struct place p;

    if (disk_walk_to(d, path, &p) < 0)
        return -1;
    if (p.node->kind != UP_NODE_DIR)
        return fail(ENOTDIR);
    for (size_t i = 0; i < d->count; i++) {
        const struct node *n = &d->nodes[i];

        if (disk_is_below(n, p.path, p.len) && !strchr(n->path + p.len + 1, '/') &&
            fn(user, n->path + p.len + 1, n->kind) != 0)
            break;
    }
    return 0;
}

static int disk_space(struct up_storage *s, const char *path, uint64_t *free_bytes)
{
    (void)s, (void)path;
    *free_bytes = (uint64_t)1 << 40;
    return 0;
}

static int disk_boot_id(struct up_storage *s, char out[37])
{
    (void)s;
    strcpy(out, "00000000-0000-4000-8000-000000000001");
    return 0;
}

static uint64_t disk_time(struct up_storage *s)
{
    (void)s;
    return 1700000000;
}

static bool disk_synchronised(struct up_storage *s)
{
    (void)s;
    return false;
}

static int disk_random(struct up_storage *s, void *buf, size_t len)
{
    struct disk *d = disk_of(s);

    for (size_t i = 0; i < len; i++) {
        d->random = d->random * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)buf)[i] = (uint8_t)(d->random >> 56);
    }
    return 0;
}

const struct up_storage_ops disk_ops = {
    .open = disk_open,
    .close = disk_close,
    .pread = disk_pread,
    .pwrite = disk_pwrite,
    .sync = disk_sync,
    .sync_dir = disk_sync_dir,
    .rename = disk_rename,
    .unlink = disk_unlink,
    .mkdir = disk_mkdir,
    .rmdir = disk_rmdir,
    .stat = disk_stat,
    .stat_file = disk_stat_file,
    .space = disk_space,
    .list = disk_list,
    .truncate = disk_truncate,
    .drop_cache = disk_range,
    .start_writeback = disk_range,
    .boot_id = disk_boot_id,
    .now = disk_time,
    .synchronised = disk_synchronised,
    .monotonic = disk_time,
    .uptime = disk_time,
    .random = disk_random,
};
