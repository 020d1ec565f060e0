#include "system_names.h"

#include "system_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

int up_system_name_sync_dir(struct up_storage *s, const char *path)
{
    int fd = up_system_file_open_again(path, O_RDONLY | O_DIRECTORY, 0);
    int r;

    if (fd < 0)
        return -1;
    r = up_system_file_sync(s, fd);
    up_system_file_close_quietly(fd);
    return r;
}

int up_system_name_rename(struct up_storage *s, const char *from, const char *to)
{
    (void)s;
    return rename(from, to);
}

int up_system_name_link(struct up_storage *s, const char *from, const char *to)
{
    (void)s;
    return link(from, to);
}

int up_system_name_unlink(struct up_storage *s, const char *path)
{
    (void)s;
    return unlink(path);
}

int up_system_name_mkdir(struct up_storage *s, const char *path, unsigned mode)
{
    (void)s;
    return mkdir(path, mode);
}

int up_system_name_rmdir(struct up_storage *s, const char *path)
{
    (void)s;
    return rmdir(path);
}

int up_system_name_symlink(struct up_storage *s, const char *target, const char *path)
{
    (void)s;
    return symlink(target, path);
}

int up_system_name_readlink(struct up_storage *s, const char *path, char *buf, size_t len)
{
    ssize_t n = readlink(path, buf, len - 1);

    (void)s;
    if (n < 0)
        return -1;
    buf[n] = '\0';
    return (int)n;
}

int up_system_name_chmod(struct up_storage *s, const char *path, unsigned mode)
{
    (void)s;
    return chmod(path, mode);
}

int up_system_name_stat(struct up_storage *s, const char *path, struct up_stat *out)
{
    struct stat st;
    int fd, r = 0;

    (void)s;
    if (lstat(path, &st) < 0)
        return -1;
    up_system_file_fill_stat(out, &st);
    if (out->kind == UP_NODE_BLOCK) {
        fd = up_system_file_open_again(path, O_RDONLY, 0);
        if (fd < 0)
            return -1;
        r = ioctl(fd, BLKGETSIZE64, &out->size);
        up_system_file_close_quietly(fd);
    }
    return r;
}

#define EXT4 0xef53u

uint64_t up_system_name_free(const struct statfs *fs)
{
    bool all = geteuid() == 0 && (unsigned)fs->f_type == EXT4;

    return (uint64_t)(all ? fs->f_bfree : fs->f_bavail) * (uint64_t)fs->f_frsize;
}

int up_system_name_space(struct up_storage *s, const char *path, uint64_t *free_bytes)
{
    struct statfs fs;
    int r;

    (void)s;
    do
        r = statfs(path, &fs);
    while (r < 0 && errno == EINTR);
    if (r == 0)
        *free_bytes = up_system_name_free(&fs);
    return r;
}

static enum up_node_kind kind_of_entry(DIR *dir, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type != DT_UNKNOWN)
        return up_system_file_kind(DTTOIF(entry->d_type));
    return fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? UP_NODE_OTHER
                                                                            : up_system_file_kind(st.st_mode);
}

int up_system_name_list(struct up_storage *s, const char *path, up_list_fn *fn, void *user)
{
    int fd = up_system_file_open_again(path, O_RDONLY | O_DIRECTORY, 0);

    (void)s;
    return fd < 0 ? -1 : up_system_name_list_open(fd, fn, user);
}

int up_system_name_list_open(int fd, up_list_fn *fn, void *user)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    int failure;

    if (!dir) {
        up_system_file_close_quietly(fd);
        return -1;
    }
    for (;;) {
        errno = 0;
        entry = readdir(dir);
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (fn(user, entry->d_name, kind_of_entry(dir, entry)) != 0)
            break;
    }
    failure = entry ? 0 : errno;
    closedir(dir);
    errno = failure;
    return failure ? -1 : 0;
}
