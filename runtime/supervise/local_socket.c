#include "local_socket.h"

#include "error.h"
#include "storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int up_local_socket_address(struct sockaddr_un *out, const char *path, int *folder, struct up_error *err)
{
    size_t len = strlen(path);
    const char *slash = strrchr(path, '/');
    char dir[UP_PATH_SIZE];
    int n;

    *folder = -1;
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    if (len > 0 && len < sizeof out->sun_path) {
        memcpy(out->sun_path, path, len + 1);
        return 0;
    }
    if (!slash || len >= sizeof dir)
        return up_fail(err, UP_USAGE, "socket: path empty or too long: %s", path);
    snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
    *folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0)
        return up_fail(err, errno == ENOENT ? UP_NOTHING : UP_WRITE, "socket %s: %s", path, strerror(errno));
    n = snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d%s", *folder, slash);
    if (n < 0 || (size_t)n >= sizeof out->sun_path)
        return up_fail(err, UP_USAGE, "socket %s: its name is too long", path);
    return 0;
}

void up_local_socket_close_folder(int folder)
{
    if (folder >= 0)
        close(folder);
}

int up_local_socket_new(const char *path, struct up_error *err)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? up_fail(err, UP_INTERNAL, "socket %s: %s", path, strerror(errno)) : fd;
}
