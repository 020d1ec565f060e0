/*
 * local_socket.h -- Unix sockets, and their addresses also of long paths.
 */
#ifndef UP_LOCAL_SOCKET_H
#define UP_LOCAL_SOCKET_H

#include <sys/socket.h>
#include <sys/un.h>

#include "error.h"

/*
 * The address of a path. A path that is too long for one is reached through a
 * descriptor of its folder, which is closed by up_local_socket_close_folder()
 * when the address is no longer needed, also after a failure; -1: there is
 * none. Errors: UP_USAGE, UP_NOTHING no such folder, UP_WRITE.
 */
UP_MUST_CHECK int up_local_socket_address(struct sockaddr_un *out, const char *path, int *folder,
                                          struct up_error *err);
void up_local_socket_close_folder(int folder); /* -1 is allowed */

/* A stream socket, close-on-exec and not blocking; `path` is for the message. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_local_socket_new(const char *path, struct up_error *err);

#endif
