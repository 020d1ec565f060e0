#include "storage_waits.h"

#include "storage.h"
#include "waits.h"

static const struct up_storage_ops *inner;

static int done(int result)
{
    up_waits_end();
    return result;
}

static int w_open(struct up_storage *s, const char *path, unsigned flags, unsigned mode)
{
    up_waits_begin();
    return done(inner->open(s, path, flags, mode));
}

static int w_close(struct up_storage *s, int file)
{
    up_waits_begin();
    return done(inner->close(s, file));
}

static long long w_pread(struct up_storage *s, int file, void *buf, size_t len, uint64_t offset)
{
    long long n;

    up_waits_begin();
    n = inner->pread(s, file, buf, len, offset);
    up_waits_end();
    return n;
}

static int w_pwrite(struct up_storage *s, int file, const void *buf, size_t len, uint64_t offset)
{
    up_waits_begin();
    return done(inner->pwrite(s, file, buf, len, offset));
}

static int w_sync(struct up_storage *s, int file)
{
    up_waits_begin();
    return done(inner->sync(s, file));
}

static int w_sync_dir(struct up_storage *s, const char *path)
{
    up_waits_begin();
    return done(inner->sync_dir(s, path));
}

static int w_rename(struct up_storage *s, const char *from, const char *to)
{
    up_waits_begin();
    return done(inner->rename(s, from, to));
}

static int w_link(struct up_storage *s, const char *from, const char *to)
{
    up_waits_begin();
    return done(inner->link(s, from, to));
}

static int w_unlink(struct up_storage *s, const char *path)
{
    up_waits_begin();
    return done(inner->unlink(s, path));
}

static int w_mkdir(struct up_storage *s, const char *path, unsigned mode)
{
    up_waits_begin();
    return done(inner->mkdir(s, path, mode));
}

static int w_rmdir(struct up_storage *s, const char *path)
{
    up_waits_begin();
    return done(inner->rmdir(s, path));
}

static int w_symlink(struct up_storage *s, const char *target, const char *path)
{
    up_waits_begin();
    return done(inner->symlink(s, target, path));
}

static int w_readlink(struct up_storage *s, const char *path, char *buf, size_t len)
{
    up_waits_begin();
    return done(inner->readlink(s, path, buf, len));
}

static int w_chmod(struct up_storage *s, const char *path, unsigned mode)
{
    up_waits_begin();
    return done(inner->chmod(s, path, mode));
}

static int w_stat(struct up_storage *s, const char *path, struct up_stat *out)
{
    up_waits_begin();
    return done(inner->stat(s, path, out));
}

static int w_space(struct up_storage *s, const char *path, uint64_t *free_bytes)
{
    up_waits_begin();
    return done(inner->space(s, path, free_bytes));
}

/* With what `fn` does. */
static int w_list(struct up_storage *s, const char *path, up_list_fn *fn, void *user)
{
    up_waits_begin();
    return done(inner->list(s, path, fn, user));
}

static int w_open_dir(struct up_storage *s, int dir, const char *path, bool one_mount)
{
    up_waits_begin();
    return done(inner->open_dir(s, dir, path, one_mount));
}

static int w_open_at(struct up_storage *s, int dir, const char *name, unsigned flags, unsigned mode)
{
    up_waits_begin();
    return done(inner->open_at(s, dir, name, flags, mode));
}

static int w_stat_at(struct up_storage *s, int dir, const char *name, struct up_stat *out)
{
    up_waits_begin();
    return done(inner->stat_at(s, dir, name, out));
}

static int w_list_at(struct up_storage *s, int dir, up_list_fn *fn, void *user)
{
    up_waits_begin();
    return done(inner->list_at(s, dir, fn, user));
}

static int w_rename_at(struct up_storage *s, int dir, const char *from, const char *to)
{
    up_waits_begin();
    return done(inner->rename_at(s, dir, from, to));
}

static int w_link_at(struct up_storage *s, int dir, const char *from, const char *to)
{
    up_waits_begin();
    return done(inner->link_at(s, dir, from, to));
}

static int w_unlink_at(struct up_storage *s, int dir, const char *name)
{
    up_waits_begin();
    return done(inner->unlink_at(s, dir, name));
}

static int w_rmdir_at(struct up_storage *s, int dir, const char *name)
{
    up_waits_begin();
    return done(inner->rmdir_at(s, dir, name));
}

static int w_mkdir_at(struct up_storage *s, int dir, const char *name, unsigned mode)
{
    up_waits_begin();
    return done(inner->mkdir_at(s, dir, name, mode));
}

static int w_copy_link_at(struct up_storage *s, int dir, const char *name, int to)
{
    up_waits_begin();
    return done(inner->copy_link_at(s, dir, name, to));
}

static int w_space_at(struct up_storage *s, int dir, struct up_space *out)
{
    up_waits_begin();
    return done(inner->space_at(s, dir, out));
}

static int w_set_attributes(struct up_storage *s, int file, uint32_t owner, uint32_t group, unsigned mode)
{
    up_waits_begin();
    return done(inner->set_attributes(s, file, owner, group, mode));
}

static int w_copy_attributes(struct up_storage *s, int file, int from)
{
    up_waits_begin();
    return done(inner->copy_attributes(s, file, from));
}

static int w_truncate(struct up_storage *s, int file, uint64_t size)
{
    up_waits_begin();
    return done(inner->truncate(s, file, size));
}

static int w_zero_range(struct up_storage *s, int file, uint64_t offset, uint64_t len)
{
    up_waits_begin();
    return done(inner->zero_range(s, file, offset, len));
}

static int w_drop_cache(struct up_storage *s, int file, uint64_t offset, uint64_t len)
{
    up_waits_begin();
    return done(inner->drop_cache(s, file, offset, len));
}

static int w_start_writeback(struct up_storage *s, int file, uint64_t offset, uint64_t len)
{
    up_waits_begin();
    return done(inner->start_writeback(s, file, offset, len));
}

static int w_boot_get(struct up_storage *s, const char *config, struct up_boot_variable *variables,
                      size_t count)
{
    up_waits_begin();
    return done(inner->boot_get(s, config, variables, count));
}

static int w_boot_set(struct up_storage *s, const char *config, const struct up_boot_variable *variables,
                      size_t count)
{
    up_waits_begin();
    return done(inner->boot_set(s, config, variables, count));
}

static int w_flash_erase(struct up_storage *s, int file, uint64_t offset, uint32_t erase_size)
{
    up_waits_begin();
    return done(inner->flash_erase(s, file, offset, erase_size));
}

static int w_flash_mark_bad(struct up_storage *s, int file, uint64_t offset)
{
    up_waits_begin();
    return done(inner->flash_mark_bad(s, file, offset));
}

static int w_flash_update(struct up_storage *s, int file, uint64_t size)
{
    up_waits_begin();
    return done(inner->flash_update(s, file, size));
}

static int w_restart(struct up_storage *s, char *const argv[])
{
    up_waits_begin();
    return done(inner->restart(s, argv));
}

const struct up_storage_ops *up_storage_waits(const struct up_storage_ops *ops)
{
    static struct up_storage_ops noted;

    if (inner)
        return &noted;
    inner = ops;
    noted = *ops;
    noted.open = w_open;
    noted.close = w_close;
    noted.pread = w_pread;
    noted.pwrite = w_pwrite;
    noted.sync = w_sync;
    noted.sync_dir = w_sync_dir;
    noted.rename = w_rename;
    noted.link = w_link;
    noted.unlink = w_unlink;
    noted.mkdir = w_mkdir;
    noted.rmdir = w_rmdir;
    noted.symlink = w_symlink;
    noted.readlink = w_readlink;
    noted.chmod = w_chmod;
    noted.stat = w_stat;
    noted.space = w_space;
    noted.list = w_list;
    noted.open_dir = w_open_dir;
    noted.open_at = w_open_at;
    noted.stat_at = w_stat_at;
    noted.list_at = w_list_at;
    noted.rename_at = w_rename_at;
    noted.link_at = w_link_at;
    noted.unlink_at = w_unlink_at;
    noted.rmdir_at = w_rmdir_at;
    noted.mkdir_at = w_mkdir_at;
    noted.copy_link_at = w_copy_link_at;
    noted.space_at = w_space_at;
    noted.set_attributes = w_set_attributes;
    noted.copy_attributes = w_copy_attributes;
    noted.truncate = w_truncate;
    noted.zero_range = w_zero_range;
    noted.drop_cache = w_drop_cache;
    noted.start_writeback = w_start_writeback;
    noted.boot_get = w_boot_get;
    noted.boot_set = w_boot_set;
    noted.flash_erase = w_flash_erase;
    noted.flash_mark_bad = w_flash_mark_bad;
    noted.flash_update = w_flash_update;
    noted.restart = w_restart;
    return &noted;
}
