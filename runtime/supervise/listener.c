#include "listener.h"

#include "channel.h"
#include "error.h"
#include "local_socket.h"
#include "processes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

struct up_listener {
    int fd;
    int folder; /* see local_socket.h */
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    dev_t device; /* of the socket file we created: another one is not ours to unlink */
    ino_t inode;
};

/* Remove a socket file without a listener; UP_BUSY if there is one. */
static int clear_stale(const struct sockaddr_un *address, struct up_error *err)
{
    const char *path = address->sun_path;
    struct stat st;
    int fd, rc;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : up_fail(err, UP_WRITE, "socket %s: %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return up_fail(err, UP_WRITE, "socket %s: the path is taken by something else", path);
    fd = up_local_socket_new(path, err);
    if (fd < 0)
        return fd;
    rc = connect(fd, (const struct sockaddr *)address, sizeof *address);
    if (rc < 0 && errno == ECONNREFUSED)
        rc = unlink(path) < 0 ? up_fail(err, UP_WRITE, "socket %s: %s", path, strerror(errno)) : 0;
    else
        rc = up_fail(err, UP_BUSY, "socket %s: another process listens there", path);
    close(fd);
    return rc;
}

/* Before anybody can connect: listen() was not called yet. */
static int let_in(const struct up_listener *l, const struct up_access *access, struct up_error *err)
{
    uid_t user = access->has_user ? access->user : (uid_t)-1;
    gid_t group = access->has_group ? access->group : (gid_t)-1;

    if (access->has_group && chmod(l->path, 0660) < 0)
        return up_fail(err, UP_WRITE, "socket %s: mode: %s", l->path, strerror(errno));
    if (chown(l->path, user, group) < 0)
        return up_fail(err, UP_WRITE, "socket %s: hand it to user %ld, group %ld: %s", l->path,
                       access->has_user ? (long)user : -1L, access->has_group ? (long)group : -1L,
                       strerror(errno));
    return 0;
}

static int listen_at(struct up_listener *l, const struct sockaddr_un *address, const struct up_access *access,
                     struct up_error *err)
{
    struct stat st;
    mode_t mask;
    int rc;

    /* Create it with mode 0600: bind() obeys the umask, and a chmod afterwards would leave a gap. */
    mask = umask(0177);
    rc = bind(l->fd, (const struct sockaddr *)address, sizeof *address);
    umask(mask);
    if (rc < 0)
        return up_fail(err, errno == EADDRINUSE ? UP_BUSY : up_code_of_errno(errno, UP_WRITE),
                       "socket %s: %s", l->path, strerror(errno));
    if (lstat(l->path, &st) == 0) {
        l->device = st.st_dev;
        l->inode = st.st_ino;
    }
    if (access && let_in(l, access, err) < 0)
        return err->code;
    if (listen(l->fd, BACKLOG) < 0)
        return up_fail(err, UP_INTERNAL, "socket %s: %s", l->path, strerror(errno));
    return 0;
}

int up_listener_open(struct up_listener **out, const char *path, const struct up_access *access,
                     struct up_error *err)
{
    struct sockaddr_un address;
    struct up_listener *l = calloc(1, sizeof *l);
    int rc;

    if (!l)
        return up_fail(err, UP_INTERNAL, "socket %s: out of memory", path);
    l->fd = -1;
    rc = up_local_socket_address(&address, path, &l->folder, err);
    if (rc == 0)
        rc = clear_stale(&address, err);
    if (rc == 0) {
        memcpy(l->path, address.sun_path, sizeof l->path);
        rc = l->fd = up_local_socket_new(path, err);
    }
    if (rc >= 0)
        rc = listen_at(l, &address, access, err);
    if (rc < 0) {
        up_listener_close(l);
        return rc;
    }
    *out = l;
    return 0;
}

int up_listener_fd(const struct up_listener *l)
{
    return l->fd;
}

int up_listener_accept(struct up_listener *l, struct up_channel **out, struct up_error *err)
{
    for (;;) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0 && errno == EAGAIN)
            return UP_AGAIN;
        if (fd < 0)
            return up_fail(err, UP_INTERNAL, "socket %s: accept: %s", l->path, strerror(errno));
        return up_channel_new(out, up_processes_system(), fd, err);
    }
}

void up_listener_close(struct up_listener *l)
{
    struct stat st;

    if (!l)
        return;
    if (l->inode && lstat(l->path, &st) == 0 && st.st_ino == l->inode && st.st_dev == l->device)
        unlink(l->path);
    if (l->fd >= 0)
        close(l->fd);
    up_local_socket_close_folder(l->folder);
    free(l);
}
