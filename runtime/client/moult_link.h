/*
 * moult_link.h -- lines over the agent's socket, and one descriptor to poll for them.
 * Private to libmoult.
 */
#ifndef MOULT_LINK_H
#define MOULT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOULT_LINE_MAX 65536 /* bytes of a request and of an answer, without the line feed */

struct moult_link {
    char *path;
    int epoll, timer, socket; /* socket: -1 while there is none */
    int why;                  /* errno of the last attempt to connect; 0: it succeeded */
    char *out;                /* bytes not sent yet */
    size_t out_len;
    size_t begin, end; /* received and not handed out: [begin, end) */
    char in[MOULT_LINE_MAX + 1];
};

/* What moult_link_wait() returns, or'ed. */
enum {
    MOULT_LINK_UP = 1, /* a connection was made */
    MOULT_LINK_READABLE = 2
};

/* *l must be zeroed. false: out of memory or descriptors; close it all the same. */
bool moult_link_open(struct moult_link *l, const char *path);
void moult_link_close(struct moult_link *l);

/* Try once to connect; whether there is a connection. If not, it is tried again later. */
bool moult_link_connect(struct moult_link *l);
/* End the connection. again: connect anew later. */
void moult_link_drop(struct moult_link *l, bool again);

/* Queue a line and send what is possible at once. 0, MOULT_USAGE too long, MOULT_BUSY the queue is
 * full, MOULT_INTERNAL. */
int moult_link_send(struct moult_link *l, const char *line, size_t len);

/* Wait until `till` at most: a set of the above, 0, or -1 with errno. Sends queued bytes, and connects
 * when it is due. */
int moult_link_wait(struct moult_link *l, int64_t till);

/* The next line, valid until the next call: 1; 0 none yet; MOULT_NETWORK the agent is gone, MOULT_CORRUPT too long. */
int moult_link_line(struct moult_link *l, const char **line, size_t *len);

/* Whether a line has been received already. The descriptor does not show that, so ask before waiting. */
bool moult_link_has_line(const struct moult_link *l);

/* Monotonic time in milliseconds. */
int64_t moult_link_now(void);

#endif
