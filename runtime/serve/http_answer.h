/*
 * http_answer.h -- a file as an answer: which part of it, with which status.
 */
#ifndef UP_HTTP_ANSWER_H
#define UP_HTTP_ANSWER_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

/* The fields of a request that decide; NULL when absent. */
struct up_http_conditions {
    bool get; /* a Range has a meaning with GET only */
    const char *range, *if_range, *if_none_match;
};

struct up_http_answer {
    struct MHD_Response *response; /* the taker's */
    unsigned status;               /* 200, 206, 304 or 416 */
    uint64_t length;               /* bytes of body that go out to GET */
    int fd;                        /* of the file, the response's; -1 when no part of it goes out */
    uint64_t end;                  /* first byte of the file that does not go out */
};

/* Add "Name: value"; -1 when it is none, or has control characters. */
int up_http_add_header(struct MHD_Response *response, const char *line);

/*
 * The answer that the regular file at `path` is. `tag` is its strong entity
 * tag without quotes; NULL makes one from size and time of change.
 * Errors: UP_MISSING no such file; UP_BUSY too many open files; UP_WRITE cannot be read; UP_INTERNAL.
 */
UP_MUST_CHECK int up_http_answer_file(struct up_http_answer *out, const char *path, const char *tag,
                                      const struct up_http_conditions *asked, struct up_error *err);

/* Whether the file has become shorter than what is to go out of it. */
bool up_http_answer_cut(int fd, uint64_t end);

#endif
