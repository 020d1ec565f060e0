/*
 * sim_ops.c -- the operations of runtime/storage/storage.h on open files, and the rest
 * that is not about names.
 */
#include "sim_ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_FILE (UINT64_C(1) << 30)
#define UNLIMITED_SPACE (UINT64_C(1) << 30)

struct handle *op_handle(struct sim *sim, int file)
{
    if (file < 0 || (size_t)file >= sim->handle_count || !sim->handles[file].path) {
        errno = EBADF;
        return NULL;
    }
    return &sim->handles[file];
}

int op_new_handle(struct sim *sim, unsigned ino, const char *path, bool writes)
{
    size_t i = 0;

    while (i < sim->handle_count && sim->handles[i].path)
        i++;
    if (i == sim->handle_count) {
        sim->handles = sim_realloc(sim->handles, (i + 1) * sizeof *sim->handles);
        sim->handle_count++;
    }
    sim->handles[i] = (struct handle){.path = name_new(path), .ino = ino, .writes = writes};
    sim->live.nodes[ino].opens++;
    return (int)i;
}

static int sim_open(struct up_storage *s, const char *path, unsigned flags, unsigned mode)
{
    struct sim *sim = op_sim(s);
    struct place at;

    if (op_begin(sim, SIM_OPEN) < 0 || tree_walk(&sim->live, path, !(flags & UP_WRITE_ONLY_NEW), &at) < 0)
        return -1;
    return op_open(sim, &at, path, flags, mode);
}

int op_open(struct sim *sim, const struct place *at, const char *path, unsigned flags, unsigned mode)
{
    bool writes = flags & (UP_WRITE_ONLY_NEW | UP_UPDATE | UP_CREATE);
    unsigned ino = at->ino;

    if (ino) {
        if (flags & UP_WRITE_ONLY_NEW)
            return op_fail(EEXIST);
        if (writes && op_inode(sim, ino)->kind == UP_NODE_DIR)
            return op_fail(EISDIR);
        if (flags & UP_EXCLUSIVE && op_inode(sim, ino)->kind == UP_NODE_BLOCK && sim->live.nodes[ino].mounted)
            return op_fail(EBUSY);
        return op_new_handle(sim, ino, path, writes);
    }
    if (!(flags & (UP_WRITE_ONLY_NEW | UP_CREATE)))
        return op_fail(ENOENT);
    if (op_step(sim, SIM_OPEN, path) < 0)
        return -1;
    ino = op_create(sim, at, inode_new(UP_NODE_FILE, mode));
    return op_done(sim) < 0 ? -1 : op_new_handle(sim, ino, path, writes);
}

static int sim_close(struct up_storage *s, int file)
{
    struct sim *sim = op_sim(s);
    struct handle *h = op_handle(sim, file);
    struct node *node;

    if (!h)
        return -1;
    node = &sim->live.nodes[h->ino];
    if (node->inode->flash && h->writes)
        flash_closed(sim, h->ino);
    node->opens--;
    if (h->locks)
        node->locked = false;
    tree_forget(&sim->live, h->ino);
    name_drop(h->path);
    h->path = NULL;
    errno = EXFULL; /* as a call that succeeds may: who tells it later has to keep it */
    return sim->cut ? op_fail(EIO) : 0;
}

/* A read that fails may have read half of it: nobody may use what was there before. */
static long long spoil(void *buf, size_t len)
{
    memset(buf, 0xdb, len);
    return -1;
}

static long long sim_pread(struct up_storage *s, int file, void *buf, size_t len, uint64_t offset)
{
    struct sim *sim = op_sim(s);
    struct handle *h = op_handle(sim, file);
    const struct inode *inode;
    struct inode *seen;

    if (!h || op_begin(sim, SIM_PREAD) < 0)
        return spoil(buf, len);
    inode = op_inode(sim, h->ino);
    if (inode->kind == UP_NODE_DIR)
        return op_fail(EISDIR);
    if (offset >= inode->size || len == 0)
        return 0;
    if (len > inode->size - offset)
        len = (size_t)(inode->size - offset);
    if (inode->flash)
        return flash_pread(sim, h->ino, buf, len, offset);
    seen = cache_seen_by(sim, h);
    file_read(seen, buf, len, offset);
    inode_drop(seen);
    return (long long)len;
}

/* The open file, when it may be written. */
static struct handle *writable(struct sim *sim, int file, enum sim_op op)
{
    struct handle *h = op_handle(sim, file);

    if (!h || op_begin(sim, op) < 0)
        return NULL;
    if (!h->writes)
        errno = EBADF;
    return h->writes ? h : NULL;
}

/* How much of a range fits onto the device or into the space that is left. */
static size_t room_for(const struct sim *sim, const struct inode *inode, size_t len, uint64_t offset)
{
    uint64_t end = offset + len, used;

    if (inode->kind == UP_NODE_BLOCK)
        return offset >= inode->size ? 0 : (size_t)((end < inode->size ? end : inode->size) - offset);
    if (sim->capacity == UINT64_MAX)
        return len;
    used = tree_used(&sim->live);
    for (uint64_t at = offset; at < end; at = (at / SIM_PAGE + 1) * SIM_PAGE) {
        size_t index = (size_t)(at / SIM_PAGE);

        if (!sim->copies_on_write && index < inode->page_count && inode->pages[index])
            continue;
        used += SIM_PAGE;
        if (used > sim->capacity)
            return (size_t)(at - offset);
    }
    return len;
}

/* Log the sectors of a range with the content that they have now. */
static void log_data(struct sim *sim, unsigned ino, uint64_t offset, uint64_t len)
{
    const struct inode *inode = op_inode(sim, ino);
    size_t first = (size_t)(offset / SIM_PAGE), last = (size_t)((offset + len - 1) / SIM_PAGE);
    struct change *c = change_new(CHANGE_DATA, ino, last - first + 1);

    c->first = offset / SIM_SECTOR;
    c->sectors = (size_t)((offset + len - 1) / SIM_SECTOR - c->first + 1);
    c->size = inode->size;
    for (size_t i = 0; i < c->page_count; i++)
        c->pages[i] = page_ref(inode->pages[first + i]);
    log_add(sim, c);
}

static void flip(struct sim *sim, unsigned ino, uint64_t at)
{
    file_page(op_inode(sim, ino), (size_t)(at / SIM_PAGE))->data[at % SIM_PAGE] ^= 0x10;
}

static int sim_pwrite(struct up_storage *s, int file, const void *buf, size_t len, uint64_t offset)
{
    struct sim *sim = op_sim(s);
    struct handle *h = writable(sim, file, SIM_PWRITE);
    size_t fits;

    if (!h)
        return -1;
    if (len == 0)
        return 0;
    if (offset > LARGEST_FILE || len > LARGEST_FILE - offset)
        return op_fail(EFBIG);
    if (op_inode(sim, h->ino)->flash)
        return flash_pwrite(sim, h->ino, buf, len, offset);
    fits = room_for(sim, op_inode(sim, h->ino), len, offset);
    if (fits == 0)
        return op_fail(ENOSPC);
    if (op_step(sim, SIM_PWRITE, h->path->text) < 0)
        return -1;
    h->direct = false;
    file_write(inode_own(&sim->live.nodes[h->ino]), buf, fits, offset);
    if (sim->flipped_write == sim->calls[SIM_PWRITE])
        flip(sim, h->ino, offset + fits / 2);
    log_data(sim, h->ino, offset, fits);
    if (sim->flipped_medium == sim->calls[SIM_PWRITE])
        cache_flip(sim, offset + fits / 2);
    if (op_done(sim) < 0)
        return -1;
    return fits < len ? op_fail(ENOSPC) : 0;
}

int op_fill_stat(const struct sim *sim, unsigned ino, struct up_stat *out)
{
    const struct inode *inode = op_inode(sim, ino);

    *out = (struct up_stat){.kind = inode->kind,
                            .size = inode->size,
                            .mode = inode->mode,
                            .device = 1 + inode->fs,
                            .inode = ino,
                            .owner = inode->owner,
                            .group = inode->group,
                            .fixed = inode->fixed};
    return 0;
}

static int sim_stat(struct up_storage *s, const char *path, struct up_stat *out)
{
    struct sim *sim = op_sim(s);
    struct place at;

    if (op_begin(sim, SIM_STAT) < 0 || op_find(sim, path, false, &at) < 0)
        return -1;
    return op_fill_stat(sim, at.ino, out);
}

static int sim_stat_file(struct up_storage *s, int file, struct up_stat *out)
{
    struct sim *sim = op_sim(s);
    struct handle *h = op_handle(sim, file);

    return h && op_begin(sim, SIM_STAT) == 0 ? op_fill_stat(sim, h->ino, out) : -1;
}

uint64_t op_space(const struct sim *sim)
{
    uint64_t used = tree_used(&sim->live);

    if (sim->capacity == UINT64_MAX)
        return UNLIMITED_SPACE;
    return used < sim->capacity ? sim->capacity - used : 0;
}

static int sim_space(struct up_storage *s, const char *path, uint64_t *free_bytes)
{
    struct sim *sim = op_sim(s);
    struct place at;

    if (op_begin(sim, SIM_SPACE) < 0 || op_find(sim, path, true, &at) < 0)
        return -1;
    *free_bytes = op_space(sim);
    return 0;
}

static int sim_list(struct up_storage *s, const char *path, up_list_fn *fn, void *user)
{
    struct sim *sim = op_sim(s);
    struct place at;

    if (op_begin(sim, SIM_LIST) < 0 || op_find(sim, path, true, &at) < 0)
        return -1;
    return op_list(sim, at.ino, fn, user);
}

int op_list(struct sim *sim, unsigned ino, up_list_fn *fn, void *user)
{
    struct inode *dir;

    if (op_inode(sim, ino)->kind != UP_NODE_DIR)
        return op_fail(ENOTDIR);
    /* Held, so that what fn does goes to a copy. */
    dir = inode_ref(op_inode(sim, ino));
    for (size_t i = 0; i < dir->entry_count; i++) {
        const struct inode *inode = op_inode(sim, dir->entries[i].ino);

        if (inode && fn(user, dir->entries[i].name->text, inode->kind) != 0)
            break;
    }
    inode_drop(dir);
    return 0;
}

static int sim_truncate(struct up_storage *s, int file, uint64_t size)
{
    struct sim *sim = op_sim(s);
    struct handle *h = writable(sim, file, SIM_TRUNCATE);
    struct change *c;

    if (!h)
        return -1;
    if (op_inode(sim, h->ino)->kind != UP_NODE_FILE)
        return op_fail(EINVAL);
    if (size > LARGEST_FILE)
        return op_fail(EFBIG);
    if (op_step(sim, SIM_TRUNCATE, h->path->text) < 0)
        return -1;
    file_resize(inode_own(&sim->live.nodes[h->ino]), size);
    c = change_new(CHANGE_RESIZE, h->ino, 0);
    c->size = size;
    log_add(sim, c);
    return op_done(sim);
}

static int sim_zero_range(struct up_storage *s, int file, uint64_t offset, uint64_t len)
{
    struct sim *sim = op_sim(s);
    struct handle *h = writable(sim, file, SIM_ZERO_RANGE);

    if (!h)
        return -1;
    if (len == 0)
        return 0;
    if (op_inode(sim, h->ino)->flash)
        return op_fail(EINVAL);
    if (offset > LARGEST_FILE || len > LARGEST_FILE - offset)
        return op_fail(EFBIG);
    if (room_for(sim, op_inode(sim, h->ino), (size_t)len, offset) < len)
        return op_fail(ENOSPC);
    if (op_step(sim, SIM_ZERO_RANGE, h->path->text) < 0)
        return -1;
    file_zero(inode_own(&sim->live.nodes[h->ino]), offset, len);
    log_data(sim, h->ino, offset, len);
    return op_done(sim);
}

static int sim_start_writeback(struct up_storage *s, int file, uint64_t offset, uint64_t len)
{
    (void)offset;
    (void)len;
    return op_handle(op_sim(s), file) ? op_begin(op_sim(s), SIM_START_WRITEBACK) : -1;
}

static int sim_lock(struct up_storage *s, int file)
{
    struct sim *sim = op_sim(s);
    struct handle *h = op_handle(sim, file);

    if (!h || op_begin(sim, SIM_LOCK) < 0)
        return -1;
    if (sim->live.nodes[h->ino].locked && !h->locks)
        return op_fail(EWOULDBLOCK);
    sim->live.nodes[h->ino].locked = h->locks = true;
    return 0;
}

static int sim_mounted(struct up_storage *s, const char *path)
{
    struct sim *sim = op_sim(s);
    struct place at;

    if (op_begin(sim, SIM_MOUNTED) < 0 || op_find(sim, path, true, &at) < 0)
        return -1;
    return sim->live.nodes[at.ino].mounted;
}

static int sim_medium(struct up_storage *s, const char *path, struct up_medium *out)
{
    struct sim *sim = op_sim(s);
    struct place at;

    if (op_begin(sim, SIM_MEDIUM) < 0 || op_find(sim, path, true, &at) < 0)
        return -1;
    memset(out, 0, sizeof *out);
    for (unsigned ino = at.ino; ino && out->count < UP_MEDIUM_DEPTH; ino = sim->live.nodes[ino].lies_on)
        out->on[out->count++] = (struct up_medium_part){.kind = UP_ON_FILE, .number = ino};
    out->from = sim->live.nodes[at.ino].from;
    out->to = sim->live.nodes[at.ino].to;
    if (sim->live.nodes[at.ino].identity)
        snprintf(out->identity, sizeof out->identity, "%s", sim->live.nodes[at.ino].identity);
    return 0;
}

static int sim_boot_id(struct up_storage *s, char out[37])
{
    if (op_begin(op_sim(s), SIM_BOOT_ID) < 0)
        return -1;
    snprintf(out, 37, "00000000-0000-4000-8000-%012x", op_sim(s)->boot);
    return 0;
}

static uint64_t sim_now(struct up_storage *s)
{
    return op_sim(s)->now;
}

static bool sim_synchronised(struct up_storage *s)
{
    return op_sim(s)->synchronised;
}

static uint64_t sim_monotonic(struct up_storage *s)
{
    return op_sim(s)->monotonic;
}

static uint64_t sim_uptime(struct up_storage *s)
{
    return op_sim(s)->monotonic + op_sim(s)->suspended;
}

static int sim_random(struct up_storage *s, void *buf, size_t len)
{
    if (op_begin(op_sim(s), SIM_GET_RANDOM) < 0)
        return -1;
    for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
        uint64_t word = sim_mix(&op_sim(s)->random);

        memcpy((uint8_t *)buf + at, &word, len - at < sizeof word ? len - at : sizeof word);
    }
    return 0;
}

static int sim_restart(struct up_storage *s, char *const argv[])
{
    (void)argv;
    if (op_begin(op_sim(s), SIM_RESTART) < 0)
        return -1;
    op_sim(s)->restarts++;
    return 0;
}

const struct up_storage_ops sim_ops_table = {
    .open = sim_open,
    .close = sim_close,
    .pread = sim_pread,
    .pwrite = sim_pwrite,
    .sync = sim_sync,
    .sync_dir = sim_sync_dir,
    .rename = sim_rename,
    .link = sim_link,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .rmdir = sim_rmdir,
    .symlink = sim_symlink,
    .readlink = sim_readlink,
    .chmod = sim_chmod,
    .stat = sim_stat,
    .stat_file = sim_stat_file,
    .space = sim_space,
    .list = sim_list,
    .open_dir = sim_open_dir,
    .open_at = sim_open_at,
    .stat_at = sim_stat_at,
    .list_at = sim_list_at,
    .rename_at = sim_rename_at,
    .link_at = sim_link_at,
    .unlink_at = sim_unlink_at,
    .rmdir_at = sim_rmdir_at,
    .mkdir_at = sim_mkdir_at,
    .copy_link_at = sim_copy_link_at,
    .space_at = sim_space_at,
    .set_attributes = sim_set_attributes,
    .copy_attributes = sim_copy_attributes,
    .truncate = sim_truncate,
    .zero_range = sim_zero_range,
    .drop_cache = sim_drop_cache,
    .start_writeback = sim_start_writeback,
    .lock = sim_lock,
    .mounted = sim_mounted,
    .medium = sim_medium,
    .flash_info = sim_flash_info,
    .flash_bad = sim_flash_bad,
    .flash_erase = sim_flash_erase,
    .flash_mark_bad = sim_flash_mark_bad,
    .flash_update = sim_flash_update,
    .boot_get = sim_boot_get,
    .boot_set = sim_boot_set,
    .boot_id = sim_boot_id,
    .now = sim_now,
    .synchronised = sim_synchronised,
    .monotonic = sim_monotonic,
    .uptime = sim_uptime,
    .random = sim_random,
    .restart = sim_restart,
};
