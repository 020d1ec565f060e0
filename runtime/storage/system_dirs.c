#include "system_dirs.h"

#include "storage.h"
#include "system_files.h"
#include "system_names.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
#define XATTR_ROOM 65536u /* the kernel's limit of a list and of a value */

static int fail(int error)
{
    errno = error;
    return -1;
}

/* One name in the directory, or -1 with EINVAL. */
static int check_name(const char *name)
{
    bool plain = *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;

    return plain ? 0 : fail(EINVAL);
}

static int check_names(const char *one, const char *other)
{
    return check_name(one) < 0 ? -1 : check_name(other);
}

static bool leads_up(const char *path)
{
    for (; *path; path += strspn(path, "/")) {
        size_t len = strcspn(path, "/");

        if (len == 2 && memcmp(path, "..", 2) == 0)
            return true;
        path += len;
    }
    return false;
}

/* The number of the mount on which an open file lies; -1 when /proc does not tell. */
static long long mount_of(int fd)
{
    char path[64], text[512];
    const char *at;
    ssize_t n;
    int info;

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    info = up_system_file_open_again(path, O_RDONLY, 0);
    if (info < 0)
        return -1;
    n = read(info, text, sizeof text - 1);
    up_system_file_close_quietly(info);
    text[n > 0 ? n : 0] = '\0';
    at = strstr(text, "mnt_id:");
    return at ? strtoll(at + 7, NULL, 10) : -1;
}

/* A subvolume is as good as a mount. The device of a file says nothing where /proc tells more:
 * an overlay shows that of the file system below. */
static bool same_mount(int one, int other)
{
    long long mount = mount_of(one), mount_of_other = mount_of(other);
    struct stat a, b;

    if (mount != mount_of_other || fstat(one, &a) < 0 || fstat(other, &b) < 0)
        return false;
    return a.st_dev == b.st_dev || (mount >= 0 && !S_ISDIR(b.st_mode));
}

/* The directory `name` in `dir`, of which the last component was closed. */
static int step(int dir, const char *name, size_t len, bool one_mount)
{
    char component[NAME_MAX + 1];
    int fd;

    if (len > NAME_MAX)
        return fail(ENAMETOOLONG);
    memcpy(component, name, len);
    component[len] = '\0';
    do
        fd = openat(dir, component, DIRECTORY);
    while (fd < 0 && errno == EINTR);
    if (fd < 0 && errno == ENOTDIR) { /* said of a link, too */
        struct stat st;

        if (fstatat(dir, component, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
            return fail(ELOOP);
        return fail(ENOTDIR);
    }
    if (fd >= 0 && one_mount && !same_mount(dir, fd)) {
        close(fd);
        return fail(EXDEV);
    }
    return fd;
}

int up_system_dir_walk(int dir, const char *path, bool one_mount)
{
    int fd = step(dir, ".", 1, one_mount), next;

    for (path += strspn(path, "/"); fd >= 0 && *path; path += strspn(path, "/")) {
        size_t len = strcspn(path, "/");

        next = step(fd, path, len, one_mount);
        up_system_file_close_quietly(fd);
        fd = next;
        path += len;
    }
    return fd;
}

int up_system_dir_open(struct up_storage *s, int dir, const char *path, bool one_mount)
{
    struct open_how how = {.flags = DIRECTORY & ~O_NOFOLLOW, /* which would call a link ENOTDIR */
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                      (one_mount ? RESOLVE_NO_XDEV : (uint64_t)0)};
    long fd;

    (void)s;
    if (dir == UP_NO_DIR)
        return up_system_file_open_again(path, O_RDONLY | O_DIRECTORY, 0);
    if (*path == '/' || leads_up(path))
        return fail(EXDEV);
    do
        fd = syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof how);
    while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return up_system_dir_walk(dir, path, one_mount);
    return (int)fd;
}

int up_system_dir_open_at(struct up_storage *s, int dir, const char *name, unsigned flags, unsigned mode)
{
    int how = up_system_file_how(flags) | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, fd;

    (void)s;
    if (check_name(name) < 0)
        return -1;
    do
        fd = openat(dir, name, how, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int up_system_dir_stat_at(struct up_storage *s, int dir, const char *name, struct up_stat *out)
{
    struct stat st;
    int fd, r;

    (void)s;
    if (check_name(name) < 0)
        return -1;
    fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    r = fstat(fd, &st);
    if (r == 0) {
        up_system_file_fill_stat(out, &st);
        out->mount_point = !same_mount(dir, fd);
        out->fixed = up_system_file_fixed(fd);
    }
    up_system_file_close_quietly(fd);
    return r;
}

int up_system_dir_list_at(struct up_storage *s, int dir, up_list_fn *fn, void *user)
{
    /* A descriptor of its own: reading moves where the next one would read. */
    int fd = openat(dir, ".", DIRECTORY);

    (void)s;
    return fd < 0 ? -1 : up_system_name_list_open(fd, fn, user);
}

int up_system_dir_rename_at(struct up_storage *s, int dir, const char *from, const char *to)
{
    (void)s;
    return check_names(from, to) < 0 ? -1 : renameat(dir, from, dir, to);
}

int up_system_dir_link_at(struct up_storage *s, int dir, const char *from, const char *to)
{
    (void)s;
    return check_names(from, to) < 0 ? -1 : linkat(dir, from, dir, to, 0);
}

int up_system_dir_unlink_at(struct up_storage *s, int dir, const char *name)
{
    (void)s;
    return check_name(name) < 0 ? -1 : unlinkat(dir, name, 0);
}

int up_system_dir_rmdir_at(struct up_storage *s, int dir, const char *name)
{
    (void)s;
    return check_name(name) < 0 ? -1 : unlinkat(dir, name, AT_REMOVEDIR);
}

int up_system_dir_mkdir_at(struct up_storage *s, int dir, const char *name, unsigned mode)
{
    (void)s;
    return check_name(name) < 0 ? -1 : mkdirat(dir, name, mode);
}

int up_system_dir_copy_link_at(struct up_storage *s, int dir, const char *name, int to)
{
    char target[PATH_MAX];
    struct stat st;
    ssize_t n;

    (void)s;
    if (check_name(name) < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    n = readlinkat(dir, name, target, sizeof target - 1);
    if (n < 0)
        return -1;
    target[n] = '\0';
    return symlinkat(target, to, name) < 0 ? -1
                                           : fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW);
}

/* btrfs, bcachefs, ZFS. */
static bool writes_elsewhere(unsigned magic)
{
    static const unsigned known[] = {0x9123683e, 0xca451a4e, 0x2fc12fc1};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i] == magic)
            return true;
    return false;
}

#define OVERLAY 0x794c7630u

int up_system_dir_space_at(struct up_storage *s, int dir, struct up_space *out)
{
    struct statfs fs;
    int r;

    (void)s;
    do
        r = fstatfs(dir, &fs);
    while (r < 0 && errno == EINTR);
    if (r == 0)
        *out = (struct up_space){up_system_name_free(&fs), fs.f_files ? fs.f_ffree : UINT64_MAX,
                                 writes_elsewhere((unsigned)fs.f_type), (unsigned)fs.f_type == OVERLAY};
    return r;
}

/* In this order: a change of owner takes setuid bits and capabilities away. */
int up_system_dir_set_attributes(struct up_storage *s, int file, uint32_t owner, uint32_t group,
                                 unsigned mode)
{
    (void)s;
    return fchown(file, owner, group) < 0 ? -1 : fchmod(file, mode);
}

static bool cannot_be_read(int error)
{
    return error == EACCES || error == EPERM || error == ENODATA || error == ENOTSUP;
}

/* The names and values of extended attributes of two files. */
struct xattrs {
    char names[XATTR_ROOM], had[XATTR_ROOM], value[XATTR_ROOM], old[XATTR_ROOM];
    size_t names_len, had_len;
};

static int list_xattrs(int fd, char names[XATTR_ROOM], size_t *len)
{
    ssize_t n = flistxattr(fd, names, XATTR_ROOM);

    *len = n < 0 ? 0 : (size_t)n;
    return n < 0 && errno != ENOTSUP ? -1 : 0;
}

static bool has_name(const char *names, size_t len, const char *name)
{
    for (const char *at = names; at < names + len; at += strlen(at) + 1)
        if (strcmp(at, name) == 0)
            return true;
    return false;
}

/* 1 it was set, 0 it is the same already or cannot be read, or -1. */
static int copy_one(int file, int from, const char *name, struct xattrs *x)
{
    ssize_t n = fgetxattr(from, name, x->value, XATTR_ROOM), old;

    if (n < 0)
        return cannot_be_read(errno) ? 0 : -1;
    old = fgetxattr(file, name, x->old, XATTR_ROOM);
    if (old == n && memcmp(x->old, x->value, (size_t)n) == 0)
        return 0;
    return fsetxattr(file, name, x->value, (size_t)n, 0) < 0 ? -1 : 1;
}

/* What the other file does not have: an access list that the directory gave, what was there before. */
static int drop_one(int file, const char *name)
{
    if (fremovexattr(file, name) == 0)
        return 1;
    return cannot_be_read(errno) ? 0 : -1;
}

static int copy_xattrs(int file, int from, struct xattrs *x)
{
    int changed = 0, r = 0;

    if (list_xattrs(from, x->names, &x->names_len) < 0 || list_xattrs(file, x->had, &x->had_len) < 0)
        return -1;
    for (const char *name = x->had; name < x->had + x->had_len && r >= 0; name += strlen(name) + 1) {
        r = has_name(x->names, x->names_len, name) ? 0 : drop_one(file, name);
        changed |= r > 0;
    }
    for (const char *name = x->names; name < x->names + x->names_len && r >= 0; name += strlen(name) + 1) {
        r = copy_one(file, from, name, x);
        changed |= r > 0;
    }
    return r < 0 ? -1 : changed;
}

static int copy_mode(struct up_storage *s, int file, int from)
{
    struct stat to, like;

    if (fstat(file, &to) < 0 || fstat(from, &like) < 0)
        return -1;
    if (to.st_uid == like.st_uid && to.st_gid == like.st_gid && to.st_mode == like.st_mode)
        return 0;
    return up_system_dir_set_attributes(s, file, like.st_uid, like.st_gid, like.st_mode & 07777) < 0 ? -1 : 1;
}

int up_system_dir_copy_attributes(struct up_storage *s, int file, int from)
{
    struct xattrs *x = malloc(sizeof *x);
    int mode, r, again, why;

    if (!x)
        return fail(ENOMEM);
    mode = copy_mode(s, file, from);
    r = mode < 0 ? -1 : copy_xattrs(file, from, x);
    again = r < 0 ? -1 : copy_mode(s, file, from); /* an access list changes the mode */
    why = errno;
    free(x);
    errno = why;
    return again < 0 ? -1 : mode | r | again;
}
