/*
 * moult_link.h -- lines over the agent's socket, and one descriptor to poll for them.
 *
 * Private to libmoult. Pull, not push: wait says what there is, line takes it.
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
    int why;                  /* errno of the last try to connect; 0: it went well */
    char *out;                /* what is not sent yet */
    size_t out_len;
    size_t begin, end; /* received and not taken: [begin, end) */
    char in[MOULT_LINE_MAX + 1];
};

/* What moult_link_wait() found. */
enum {
    MOULT_LINK_UP = 1, /* a connection was made */
    MOULT_LINK_READABLE = 2
};

/* Zeroed before. false: no memory, or no descriptors; close it all the same. */
bool moult_link_open(struct moult_link *l, const char *path);
void moult_link_close(struct moult_link *l);

/* One try to connect; whether there is a connection. If not, another try comes by itself. */
bool moult_link_connect(struct moult_link *l);
/* End the connection. again: one is wanted, and tried for. */
void moult_link_drop(struct moult_link *l, bool again);

/* Queue a line and send what goes. 0, MOULT_USAGE too long, MOULT_BUSY too much waits, MOULT_INTERNAL. */
int moult_link_send(struct moult_link *l, const char *line, size_t len);

/* Wait for something until `till`: what there is, 0, or -1 with errno. Sends what waits, and connects when it is time. */
int moult_link_wait(struct moult_link *l, int64_t till);

/* The next line, valid until the next call: 1; 0 none yet; MOULT_NETWORK the agent went away, MOULT_CORRUPT too long. */
int moult_link_line(struct moult_link *l, const char **line, size_t *len);

/* Whether a line is there already. The descriptor does not tell of it: it has to be taken before one waits. */
bool moult_link_has_line(const struct moult_link *l);

/* Milliseconds of a clock that only goes forward. */
int64_t moult_link_now(void);

#endif
