#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "error.h"

/* A struct up_folder is the DIR itself, which needs no additions. */

static int cannot(const char *path, struct up_error *err)
{
    return up_fail(err, errno == ENOENT || errno == ENOTDIR ? UP_MISSING : UP_WRITE, "folder %s: %s", path,
                   strerror(errno));
}

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int up_folder_changed(const char *path, int64_t *out, struct up_error *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return cannot(path, err);
    *out = nanoseconds(st.st_mtim);
    return 0;
}

int up_folder_open(struct up_folder **out, const char *path, struct up_error *err)
{
    DIR *dir = opendir(path);

    if (!dir)
        return cannot(path, err);
    *out = (struct up_folder *)dir;
    return 0;
}

int up_folder_next(struct up_folder *f, struct up_folder_entry *out)
{
    DIR *dir = (DIR *)f;
    struct stat st;

    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        /* A link that leads nowhere is told as itself; an entry that was removed meanwhile is skipped. */
        if (entry->d_name[0] == '.' || (fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 &&
                                        fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0))
            continue;
        out->name = entry->d_name;
        out->regular = S_ISREG(st.st_mode);
        out->size = (uint64_t)st.st_size;
        out->changed = nanoseconds(st.st_mtim);
        return 1;
    }
    return 0;
}

void up_folder_close(struct up_folder *f)
{
    if (f)
        closedir((DIR *)f);
}

int up_folder_identity(const char *path, struct up_folder_identity *out, struct up_error *err)
{
    struct statx st;

    if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &st) < 0)
        return cannot(path, err);
    out->inode = st.stx_ino;
    out->made = 0;
    if (st.stx_mask & STATX_BTIME)
        out->made = (int64_t)st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec;
    return 0;
}

int up_folder_space(const char *path, struct up_folder_space *out, struct up_error *err)
{
    struct statvfs st;

    if (statvfs(path, &st) < 0)
        return cannot(path, err);
    out->total = (uint64_t)st.f_blocks * st.f_frsize;
    out->free = (uint64_t)st.f_bavail * st.f_frsize;
    return 0;
}
