/*
 * http_answer.h -- a file as a response: which part of it, with which status.
 */
#ifndef UP_HTTP_ANSWER_H
#define UP_HTTP_ANSWER_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

/* The header fields that matter; NULL: absent. */
struct up_http_conditions {
    bool get; /* Range applies to GET only */
    const char *range, *if_range, *if_none_match;
};

struct up_http_answer {
    struct MHD_Response *response; /* owned by the caller */
    unsigned status;               /* 200, 206, 304 or 416 */
    uint64_t length;               /* bytes of body for GET */
    int fd;                        /* of the file, owned by the response; -1: no part of it is sent */
    uint64_t end;                  /* first byte of the file that is not sent */
};

/* Add "Name: value"; -1 if it is malformed or has control characters. */
int up_http_answer_add_header(struct MHD_Response *response, const char *line);

/*
 * The response for the regular file at `path`. `tag` is its strong entity tag
 * without quotes; NULL derives one from size and modification time.
 * Errors: UP_MISSING no such file; UP_BUSY too many open files; UP_WRITE cannot be read; UP_INTERNAL.
 */
UP_MUST_CHECK int up_http_answer_file(struct up_http_answer *out, const char *path, const char *tag,
                                      const struct up_http_conditions *asked, struct up_error *err);

/* Whether the file has become too short for what is to be sent. */
bool up_http_answer_cut(int fd, uint64_t end);

#endif
