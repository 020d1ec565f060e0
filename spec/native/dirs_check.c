/*
 * dirs_check.c -- trees of others, by directory handles: the system in a
 * temporary directory and the simulator say the same; and what only the
 * simulator can show, several file systems.
 */
#include "emulated.h"
#include "sim.h"
#include "storage.h"
#include "system_dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct up_storage *storage;
    const struct up_storage_ops *ops;
    struct sim *sim; /* NULL: the system */
    char root[64];
    int dir;
};

/* What the file system says of a value that somebody reads, or wants to remove; 0: it works. */
static int refused;

ssize_t __real_fgetxattr(int fd, const char *name, void *value, size_t size);
ssize_t __wrap_fgetxattr(int fd, const char *name, void *value, size_t size);
int __real_fremovexattr(int fd, const char *name);
int __wrap_fremovexattr(int fd, const char *name);

ssize_t __wrap_fgetxattr(int fd, const char *name, void *value, size_t size)
{
    errno = refused;
    return refused ? -1 : __real_fgetxattr(fd, name, value, size);
}

int __wrap_fremovexattr(int fd, const char *name)
{
    errno = refused;
    return refused ? -1 : __real_fremovexattr(fd, name);
}

static struct world *world_of(void **state)
{
    return *state;
}

static int enter(void **state, struct sim *sim)
{
    struct world *w = calloc(1, sizeof *w);

    if (!w)
        return -1;
    w->sim = sim;
    w->storage = sim ? sim_storage(sim) : up_storage_system();
    w->ops = w->storage->ops;
    snprintf(w->root, sizeof w->root, sim ? "/root" : "/tmp/dirs_check.XXXXXX");
    umask(022);
    if (sim)
        sim_put_dir(sim, w->root, 0755);
    else if (!mkdtemp(w->root))
        return -1;
    w->dir = w->ops->open_dir(w->storage, UP_NO_DIR, w->root, false);
    *state = w;
    return w->dir < 0;
}

static int enter_system(void **state)
{
    return enter(state, NULL);
}

static int enter_sim(void **state)
{
    return enter(state, sim_new());
}

static int leave(void **state)
{
    struct world *w = *state;
    int rc = w->ops->close(w->storage, w->dir);

    if (!w->sim)
        rc |= up_storage_remove_tree(w->storage, w->root, NULL);
    sim_free(w->sim);
    free(w);
    return rc;
}

static void put(struct world *w, const char *name, unsigned mode)
{
    int file = w->ops->open_at(w->storage, w->dir, name, UP_WRITE_ONLY_NEW, mode);

    assert_true(file >= 0);
    assert_int_equal(w->ops->pwrite(w->storage, file, name, strlen(name), 0), 0);
    assert_int_equal(w->ops->close(w->storage, file), 0);
}

static void make_link(struct world *w, const char *target, const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", w->root, name);
    assert_int_equal(w->ops->symlink(w->storage, target, path), 0);
}

static struct up_stat stat_of(struct world *w, const char *name)
{
    struct up_stat st;

    assert_int_equal(w->ops->stat_at(w->storage, w->dir, name, &st), 0);
    return st;
}

#define ASSERT_FAILS(call, error)         \
    do {                                  \
        errno = 0;                        \
        assert_int_equal((call), -1);     \
        assert_int_equal(errno, (error)); \
    } while (0)

static void make_tree(struct world *w)
{
    int below;

    assert_int_equal(w->ops->mkdir_at(w->storage, w->dir, "a", 0750), 0);
    below = w->ops->open_dir(w->storage, w->dir, "a", false);
    assert_true(below >= 0);
    assert_int_equal(w->ops->mkdir_at(w->storage, below, "b", 0755), 0);
    assert_int_equal(w->ops->close(w->storage, below), 0);
    put(w, "file", 0644);
    make_link(w, "a", "link");
    make_link(w, "..", "out");
}

/* Either way to open: the kernel's, and one component at a time. */
typedef int open_fn(struct world *w, const char *path);

static int open_as_told(struct world *w, const char *path)
{
    return w->ops->open_dir(w->storage, w->dir, path, true);
}

static int open_by_walk(struct world *w, const char *path)
{
    return up_system_dir_walk(w->dir, path, true);
}

static void look_beneath(struct world *w, open_fn *open)
{
    static const char *const there[] = {"", ".", "a", "a/b", "a//b/", "./a/./b"};
    int dir;

    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++) {
        dir = open(w, there[i]);
        assert_true(dir >= 0);
        assert_int_equal(w->ops->close(w->storage, dir), 0);
    }
    ASSERT_FAILS(open(w, "none"), ENOENT);
    ASSERT_FAILS(open(w, "file"), ENOTDIR);
    ASSERT_FAILS(open(w, "file/b"), ENOTDIR);
    ASSERT_FAILS(open(w, "link"), ELOOP);
    ASSERT_FAILS(open(w, "link/b"), ELOOP);
    ASSERT_FAILS(open(w, "out"), ELOOP);
}

static void a_directory_is_opened_beneath_another(void **state)
{
    struct world *w = world_of(state);

    make_tree(w);
    look_beneath(w, open_as_told);
    ASSERT_FAILS(open_as_told(w, "/"), EXDEV);
    ASSERT_FAILS(open_as_told(w, ".."), EXDEV);
    ASSERT_FAILS(open_as_told(w, "a/../a"), EXDEV);
}

static void without_openat2_it_is_the_same(void **state)
{
    struct world *w = world_of(state);

    make_tree(w);
    look_beneath(w, open_by_walk);
}

static void a_name_is_one_name(void **state)
{
    static const char *const wrong[] = {"", ".", "..", "a/b", "/"};
    struct world *w = world_of(state);
    struct up_stat st;

    make_tree(w);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ASSERT_FAILS(w->ops->open_at(w->storage, w->dir, wrong[i], UP_READ, 0), EINVAL);
        ASSERT_FAILS(w->ops->stat_at(w->storage, w->dir, wrong[i], &st), EINVAL);
        ASSERT_FAILS(w->ops->rename_at(w->storage, w->dir, "file", wrong[i]), EINVAL);
        ASSERT_FAILS(w->ops->link_at(w->storage, w->dir, "file", wrong[i]), EINVAL);
        ASSERT_FAILS(w->ops->unlink_at(w->storage, w->dir, wrong[i]), EINVAL);
        ASSERT_FAILS(w->ops->rmdir_at(w->storage, w->dir, wrong[i]), EINVAL);
        ASSERT_FAILS(w->ops->mkdir_at(w->storage, w->dir, wrong[i], 0755), EINVAL);
    }
}

static void a_link_is_itself(void **state)
{
    struct world *w = world_of(state);

    make_tree(w);
    ASSERT_FAILS(w->ops->open_at(w->storage, w->dir, "link", UP_READ, 0), ELOOP);
    ASSERT_FAILS(w->ops->open_at(w->storage, w->dir, "link", UP_UPDATE, 0), ELOOP);
    ASSERT_FAILS(w->ops->open_at(w->storage, w->dir, "link", UP_WRITE_ONLY_NEW, 0), EEXIST);
    assert_int_equal(stat_of(w, "link").kind, UP_NODE_LINK);
    assert_int_equal(w->ops->link_at(w->storage, w->dir, "link", "kept"), 0);
    assert_int_equal(stat_of(w, "kept").kind, UP_NODE_LINK);
    assert_true(stat_of(w, "kept").inode == stat_of(w, "link").inode);
}

static void a_link_is_copied(void **state)
{
    struct world *w = world_of(state);
    char path[128], target[64], copy[64];
    int dir;

    make_tree(w);
    assert_int_equal(w->ops->mkdir_at(w->storage, w->dir, "other", 0755), 0);
    dir = w->ops->open_dir(w->storage, w->dir, "other", true);
    assert_int_equal(w->ops->copy_link_at(w->storage, w->dir, "link", dir), 0);
    snprintf(path, sizeof path, "%s/link", w->root);
    assert_true(w->ops->readlink(w->storage, path, target, sizeof target) > 0);
    snprintf(path, sizeof path, "%s/other/link", w->root);
    assert_true(w->ops->readlink(w->storage, path, copy, sizeof copy) > 0);
    assert_string_equal(copy, target);
    ASSERT_FAILS(w->ops->copy_link_at(w->storage, w->dir, "link", dir), EEXIST);
    ASSERT_FAILS(w->ops->copy_link_at(w->storage, w->dir, "file", dir), EINVAL);
    ASSERT_FAILS(w->ops->copy_link_at(w->storage, w->dir, "none", dir), ENOENT);
    w->ops->close(w->storage, dir);
}

static void two_names_of_one_file_stay_two(void **state)
{
    struct world *w = world_of(state);

    put(w, "one", 0644);
    assert_int_equal(w->ops->link_at(w->storage, w->dir, "one", "two"), 0);
    ASSERT_FAILS(w->ops->link_at(w->storage, w->dir, "one", "two"), EEXIST);
    assert_int_equal(w->ops->rename_at(w->storage, w->dir, "two", "one"), 0);
    assert_true(stat_of(w, "one").inode == stat_of(w, "two").inode);
    put(w, "other", 0644);
    assert_int_equal(w->ops->rename_at(w->storage, w->dir, "other", "one"), 0);
    assert_true(stat_of(w, "one").inode != stat_of(w, "two").inode);
    ASSERT_FAILS(w->ops->rename_at(w->storage, w->dir, "other", "one"), ENOENT);
}

static int count_name(void *user, const char *name, enum up_node_kind kind)
{
    unsigned *seen = user;

    *seen += strcmp(name, "d") == 0 && kind == UP_NODE_DIR ? 10 : 1;
    return 0;
}

static void names_are_listed_and_removed(void **state)
{
    struct world *w = world_of(state);
    unsigned seen = 0;

    put(w, "f", 0644);
    assert_int_equal(w->ops->mkdir_at(w->storage, w->dir, "d", 0755), 0);
    ASSERT_FAILS(w->ops->mkdir_at(w->storage, w->dir, "d", 0755), EEXIST);
    for (int i = 0; i < 2; i++)
        assert_int_equal(w->ops->list_at(w->storage, w->dir, count_name, &seen), 0);
    assert_int_equal(seen, 22);
    ASSERT_FAILS(w->ops->unlink_at(w->storage, w->dir, "d"), EISDIR);
    ASSERT_FAILS(w->ops->rmdir_at(w->storage, w->dir, "f"), ENOTDIR);
    assert_int_equal(w->ops->rmdir_at(w->storage, w->dir, "d"), 0);
    assert_int_equal(w->ops->unlink_at(w->storage, w->dir, "f"), 0);
    assert_int_equal(w->ops->sync(w->storage, w->dir), 0);
}

static void a_file_becomes_like_another(void **state)
{
    struct world *w = world_of(state);
    uint32_t owner = geteuid() == 0 ? 1234 : geteuid(), group = geteuid() == 0 ? 4321 : getegid();
    struct up_stat st;
    char value[4];
    int from, to;
    bool named;

    put(w, "from", 0600);
    put(w, "to", 0644);
    from = w->ops->open_at(w->storage, w->dir, "from", UP_READ, 0);
    to = w->ops->open_at(w->storage, w->dir, "to", UP_UPDATE, 0);
    assert_int_equal(w->ops->set_attributes(w->storage, from, owner, group, 04751), 0);
    named = fsetxattr(from, "user.moult", "12", 2, 0) == 0; /* not every file system has them */
    assert_int_equal(w->ops->copy_attributes(w->storage, to, from), 1);
    if (named)
        assert_int_equal(fgetxattr(to, "user.moult", value, sizeof value), 2);
    st = stat_of(w, "to");
    assert_int_equal(st.mode, 04751);
    assert_int_equal(st.owner, owner);
    assert_int_equal(st.group, group);
    assert_false(st.mount_point);
    w->ops->close(w->storage, from);
    w->ops->close(w->storage, to);
}

static void a_file_that_is_like_another_stays_as_it_is(void **state)
{
    struct world *w = world_of(state);
    int from, to;

    put(w, "from", 0640);
    put(w, "to", 0640);
    from = w->ops->open_at(w->storage, w->dir, "from", UP_READ, 0);
    to = w->ops->open_at(w->storage, w->dir, "to", UP_UPDATE, 0);
    assert_int_equal(w->ops->copy_attributes(w->storage, to, from), 0);
    assert_int_equal(w->ops->set_attributes(w->storage, from, geteuid(), getegid(), 0600), 0);
    assert_int_equal(w->ops->copy_attributes(w->storage, to, from), 1);
    assert_int_equal(w->ops->copy_attributes(w->storage, to, from), 0);
    w->ops->close(w->storage, from);
    w->ops->close(w->storage, to);
}

/* Values and names that the other has, and none that it has no longer; capabilities after the owner, and an
 * access list with its mode. */
static void extended_attributes_become_those_of_another(void **state)
{
    static const uint8_t list[] = {2, 0,   0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  4,
                                   0, 210, 4,   0,   0,   4,   0,  4, 0,   255, 255, 255, 255, 16, 0,
                                   4, 0,   255, 255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255};
    static const uint8_t raw[] = {1, 0, 0, 2, 0, 4, 0, 0, 0, 0,
                                  0, 0, 0, 0, 0, 0, 0, 0, 0, 0}; /* cap_net_bind_service */
    struct world *w = world_of(state);
    char value[64];
    int from, to;

    put(w, "from", 0640);
    put(w, "to", 0644);
    from = w->ops->open_at(w->storage, w->dir, "from", UP_READ, 0);
    to = w->ops->open_at(w->storage, w->dir, "to", UP_UPDATE, 0);
    if (geteuid() != 0 || fsetxattr(from, "user.kept", "one", 3, 0) < 0 ||
        fsetxattr(from, "system.posix_acl_access", list, sizeof list, 0) < 0 ||
        fsetxattr(from, "security.capability", raw, sizeof raw, 0) < 0)
        skip();
    assert_int_equal(fsetxattr(to, "user.gone", "x", 1, 0), 0);
    assert_int_equal(w->ops->copy_attributes(w->storage, to, from), 1);
    assert_int_equal(fgetxattr(to, "user.kept", value, sizeof value), 3);
    assert_int_equal(fgetxattr(to, "user.gone", value, sizeof value), -1);
    assert_int_equal(fgetxattr(to, "system.posix_acl_access", value, sizeof value), sizeof list);
    assert_memory_equal(value, list, sizeof list);
    assert_int_equal(fgetxattr(to, "security.capability", value, sizeof value), sizeof raw);
    assert_int_equal(stat_of(w, "to").mode, stat_of(w, "from").mode);
    assert_int_equal(w->ops->copy_attributes(w->storage, to, from), 0);
    assert_int_equal(fremovexattr(from, "system.posix_acl_access"), 0);
    assert_int_equal(w->ops->copy_attributes(w->storage, to, from), 1);
    assert_int_equal(fgetxattr(to, "system.posix_acl_access", value, sizeof value), -1);
    assert_int_equal(stat_of(w, "to").mode, stat_of(w, "from").mode);
    w->ops->close(w->storage, from);
    w->ops->close(w->storage, to);
}

/* What is hidden from us, or gone by now, is left out; a medium that does not answer loses nothing unsaid. */
static void extended_attributes_that_cannot_be_read(void **state)
{
    static const struct {
        int error, result;
    } cases[] = {{EACCES, 0}, {EPERM, 0}, {ENODATA, 0}, {ENOTSUP, 0}, {EIO, -1}, {ENOSPC, -1}, {ERANGE, -1}};
    struct world *w = world_of(state);
    int with, without;

    put(w, "with", 0640);
    put(w, "without", 0640);
    with = w->ops->open_at(w->storage, w->dir, "with", UP_UPDATE, 0);
    without = w->ops->open_at(w->storage, w->dir, "without", UP_UPDATE, 0);
    if (fsetxattr(with, "user.moult", "12", 2, 0) < 0)
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refused = cases[i].error;
        assert_int_equal(w->ops->copy_attributes(w->storage, without, with), cases[i].result);
        assert_int_equal(w->ops->copy_attributes(w->storage, with, without), cases[i].result);
    }
    refused = 0;
    assert_int_equal(w->ops->copy_attributes(w->storage, without, with), 1);
    w->ops->close(w->storage, with);
    w->ops->close(w->storage, without);
}

/* /proc is a mount wherever this runs, and the way into it is refused. */
static void a_mount_is_told_and_not_crossed(void **state)
{
    struct world *w = world_of(state);
    int top = w->ops->open_dir(w->storage, UP_NO_DIR, "/", false), dir;
    struct up_stat st;

    if (is_emulated())
        skip();
    assert_int_equal(w->ops->stat_at(w->storage, top, "proc", &st), 0);
    assert_true(st.mount_point);
    ASSERT_FAILS(w->ops->open_dir(w->storage, top, "proc/self", true), EXDEV);
    ASSERT_FAILS(up_system_dir_walk(top, "proc", true), EXDEV);
    dir = w->ops->open_dir(w->storage, top, "proc", false);
    assert_true(dir >= 0);
    w->ops->close(w->storage, dir);
    w->ops->close(w->storage, top);
}

#define CANNOT_MOUNT 77

/* What is renamed on most file systems takes no room. */
static void a_rename_takes_room_on_few_file_systems(void **state)
{
    struct up_storage *s = up_storage_system();
    int dir = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct up_space space;

    (void)state;
    assert_true(dir >= 0);
    assert_int_equal(s->ops->space_at(s, dir, &space), 0);
    assert_false(space.moves || space.copies);
    close(dir);
}

/* An overlay of two file systems, in a mount namespace of its own. Whether its file counts as a mount. */
static int ask_overlay(struct world *w)
{
    char low[96], top[96], what[512];
    struct up_stat st;
    int dir;

    snprintf(low, sizeof low, "%s/low", w->root);
    snprintf(top, sizeof top, "%s/top", w->root);
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", top, "tmpfs", 0, NULL) < 0)
        return CANNOT_MOUNT;
    snprintf(what, sizeof what, "%s/up", top);
    mkdir(what, 0755);
    snprintf(what, sizeof what, "%s/work", top);
    mkdir(what, 0755);
    snprintf(what, sizeof what, "lowerdir=%s,upperdir=%s/up,workdir=%s/work,xino=off", low, top, top);
    if (mount("overlay", low, "overlay", 0, what) < 0)
        return CANNOT_MOUNT;
    dir = w->ops->open_dir(w->storage, UP_NO_DIR, low, false);
    return w->ops->stat_at(w->storage, dir, "file", &st) < 0 || st.mount_point;
}

static void a_file_below_an_overlay_is_no_mount(void **state)
{
    struct world *w = world_of(state);
    char path[128];
    int status;
    pid_t child;

    assert_int_equal(w->ops->mkdir_at(w->storage, w->dir, "low", 0755), 0);
    assert_int_equal(w->ops->mkdir_at(w->storage, w->dir, "top", 0755), 0);
    snprintf(path, sizeof path, "%s/low/file", w->root);
    close(open(path, O_CREAT | O_WRONLY, 0644));
    child = fork();
    if (child == 0)
        _exit(ask_overlay(w));
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == CANNOT_MOUNT)
        skip();
    assert_int_equal(status, 0);
}

static void set_flags(const char *path, int flags)
{
    int fd = open(path, O_RDONLY), rc = ioctl(fd, FS_IOC_SETFLAGS, &flags);

    close(fd);
    if (rc < 0)
        skip();
}

static void what_is_immutable_says_so(void **state)
{
    struct world *w = world_of(state);
    char path[128];

    put(w, "f", 0644);
    assert_false(stat_of(w, "f").fixed);
    snprintf(path, sizeof path, "%s/f", w->root);
    set_flags(path, FS_IMMUTABLE_FL);
    assert_true(stat_of(w, "f").fixed);
    set_flags(path, FS_APPEND_FL);
    assert_true(stat_of(w, "f").fixed);
    set_flags(path, 0);
}

static void file_systems_are_apart(void **state)
{
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);
    struct up_stat st;
    int top, card;

    (void)state;
    sim_put_text(sim, "/here", "x");
    sim_put_mount(sim, "/card", 1, true);
    sim_put_mount(sim, "/bind", 0, false);
    sim_put_text(sim, "/card/file", "y");
    sim_put_owner(sim, "/card/file", 7, 8, 9);
    assert_int_equal(s->ops->rename(s, "/here", "/card/here"), -1);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(s->ops->link(s, "/here", "/card/here"), -1);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(s->ops->link(s, "/card/file", "/card/two"), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(s->ops->rmdir(s, "/bind"), -1);
    assert_int_equal(errno, EBUSY);
    top = s->ops->open_dir(s, UP_NO_DIR, "/", false);
    ASSERT_FAILS(s->ops->open_dir(s, top, "bind", true), EXDEV);
    card = s->ops->open_dir(s, top, "card", false);
    assert_int_equal(s->ops->stat_at(s, top, "card", &st), 0);
    assert_true(st.mount_point);
    assert_int_equal(s->ops->stat_at(s, card, "file", &st), 0);
    assert_false(st.mount_point);
    assert_int_equal(st.device, 2);
    assert_int_equal(st.owner, 7);
    sim_free(sim);
}

/* What is left of a new name in each of two file systems after a sync of one. */
static bool survives(enum sim_loss loss, const char *path)
{
    struct sim *sim = sim_new(), *after;
    struct up_storage *s = sim_storage(sim);
    int dir;
    bool found;

    sim_put_mount(sim, "/card", 1, false);
    assert_int_equal(s->ops->mkdir(s, "/card/new", 0755), 0);
    assert_int_equal(s->ops->mkdir(s, "/new", 0755), 0);
    dir = s->ops->open_dir(s, UP_NO_DIR, "/card", false);
    assert_int_equal(s->ops->sync(s, dir), 0);
    after = sim_reboot(sim, &(struct sim_choice){SIM_ORDERED, loss, 0, 0});
    found = sim_exists(after, path);
    sim_free(after);
    sim_free(sim);
    return found;
}

static void a_sync_says_nothing_of_another_file_system(void **state)
{
    (void)state;
    assert_true(survives(SIM_NONE, "/card/new"));
    assert_false(survives(SIM_NONE, "/new"));
    assert_true(survives(SIM_ALL, "/new"));
}

static void owners_survive_by_a_sync_of_the_file(void **state)
{
    struct sim *sim = sim_new(), *after;
    struct up_storage *s = sim_storage(sim);
    const struct sim_choice nothing = {SIM_INDEPENDENT, SIM_NONE, 0, 0};
    struct up_stat st;
    int file;

    (void)state;
    sim_put_text(sim, "/file", "x");
    file = s->ops->open(s, "/file", UP_UPDATE, 0);
    assert_int_equal(s->ops->set_attributes(s, file, 5, 6, 0600), 0);
    after = sim_reboot(sim, &nothing);
    s->ops->stat(sim_storage(after), "/file", &st);
    assert_int_equal(st.owner, 0);
    assert_true(sim_fingerprint(after) != sim_fingerprint(sim));
    sim_free(after);
    assert_int_equal(s->ops->sync(s, file), 0);
    after = sim_reboot(sim, &nothing);
    s->ops->stat(sim_storage(after), "/file", &st);
    assert_int_equal(st.owner, 5);
    assert_int_equal(st.mode, 0600);
    sim_free(after);
    sim_free(sim);
}

#define BOTH(f)                                              \
    cmocka_unit_test_setup_teardown(f, enter_system, leave), \
        cmocka_unit_test_setup_teardown(f, enter_sim, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rename_takes_room_on_few_file_systems),
        BOTH(a_directory_is_opened_beneath_another),
        cmocka_unit_test_setup_teardown(without_openat2_it_is_the_same, enter_system, leave),
        BOTH(a_name_is_one_name),
        BOTH(a_link_is_itself),
        BOTH(a_link_is_copied),
        BOTH(two_names_of_one_file_stay_two),
        BOTH(names_are_listed_and_removed),
        BOTH(a_file_becomes_like_another),
        BOTH(a_file_that_is_like_another_stays_as_it_is),
        cmocka_unit_test_setup_teardown(extended_attributes_become_those_of_another, enter_system, leave),
        cmocka_unit_test_setup_teardown(extended_attributes_that_cannot_be_read, enter_system, leave),
        cmocka_unit_test_setup_teardown(a_mount_is_told_and_not_crossed, enter_system, leave),
        cmocka_unit_test_setup_teardown(a_file_below_an_overlay_is_no_mount, enter_system, leave),
        cmocka_unit_test_setup_teardown(what_is_immutable_says_so, enter_system, leave),
        cmocka_unit_test(file_systems_are_apart),
        cmocka_unit_test(a_sync_says_nothing_of_another_file_system),
        cmocka_unit_test(owners_survive_by_a_sync_of_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
