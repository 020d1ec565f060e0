/*
 * http_listen.h -- what a server needs from the process: a listening socket,
 * enough descriptors, and no SIGPIPE.
 */
#ifndef UP_HTTP_LISTEN_H
#define UP_HTTP_LISTEN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "error.h"

/*
 * A socket that listens on "HOST:PORT", non-blocking and close-on-exec, and its
 * actual numeric address in `address`. Errors: UP_USAGE, UP_NETWORK,
 * UP_INTERNAL.
 */
UP_MUST_CHECK int up_http_listen(const char *text, char *address, size_t len, struct up_error *err);

/* How many of `wanted` connections, each with a socket and a file, the limit of
 * open files allows, after raising the soft limit as far as needed. */
unsigned up_http_listen_fit(unsigned wanted);

/*
 * sendfile to a closed connection raises SIGPIPE in the calling thread. Block
 * it, and on release consume a pending one, so that the rest of the process
 * never sees it: pending = hold(&before); ...; release(&before, pending).
 */
bool up_http_listen_hold_sigpipe(sigset_t *before);
void up_http_listen_release_sigpipe(const sigset_t *before, bool was_pending);

#endif
