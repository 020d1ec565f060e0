/*
 * source_http_private.h -- shared by the object that is read in ranges
 * (source_http.c) and the judgement of its responses (source_http_head.c).
 */
#ifndef UP_SOURCE_HTTP_PRIVATE_H
#define UP_SOURCE_HTTP_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "fetch.h"
#include "source.h"
#include "url.h"

#define UNKNOWN UINT64_MAX
#define ANSWER_MAX (64 * 1024) /* bytes kept of a response that is not the object */

/* What identified the object in the first response; empty: not given. */
struct validators {
    char tag[UP_VALIDATOR_MAX];
    char modified[UP_VALIDATOR_MAX];
    bool tag_strong, modified_strong;
};

struct source_http {
    struct up_source base; /* first: what source.h promises */
    struct up_loop *loop;
    char *url;
    char shown[UP_URL_SHOWN];
    struct up_fetch_options o;
    struct validators seen;
    uint64_t want_end; /* 0: not told */
    uint64_t before;   /* bytes received by requests that are closed */

    struct up_fetch *f; /* NULL between requests */
    uint64_t asked;     /* first byte this request is for */
    bool checked;       /* its headers arrived, and it is the object */
    bool refused;       /* its headers arrived, and it is not: the body is kept for the caller */
    bool whole;         /* 200: the body begins at byte 0 of the object */
    uint64_t at;        /* offset of the next body byte in the object */

    int status;
    bool proxys;             /* the response that was not the object is the proxy's */
    uint64_t date;           /* of the last response that had one */
    uint64_t retry_after;    /* of the last response that was not the object; 0: none */
    char *answer, *location; /* of the last response that was not the object, or NULL */
    size_t answer_len;
};

/*
 * Judge the headers of the open request, once: 0 and `checked` or `refused` is
 * set, or neither if the object has no byte there (HTTP 416). Errors: UP_CORRUPT
 * it is not the object of the first response; UP_NETWORK; UP_INTERNAL.
 */
UP_MUST_CHECK int up_source_http_check_head(struct source_http *h, struct up_error *err);
/* Free what is kept of a response that was not the object. */
void up_source_http_forget_answer(struct source_http *h);

#endif
