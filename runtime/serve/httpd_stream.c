/*
 * httpd_stream.c -- an answer that is written bit by bit, as events come.
 */
#include "httpd_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "error.h"

struct up_httpd_stream {
    size_t len;
    bool ended;
    bool waiting; /* the connection is suspended until there is something to send */
    struct request *request;
    char data[UP_HTTPD_STREAM];
};

/* Called by the library when it can send. */
static ssize_t read_stream(void *user, uint64_t position, char *out, size_t most)
{
    struct up_httpd_stream *s = user;
    size_t len = s->len < most ? s->len : most;

    (void)position;
    if (len == 0 && s->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (len == 0) {
        s->waiting = true;
        MHD_suspend_connection(s->request->connection);
        return 0;
    }
    memcpy(out, s->data, len);
    s->len -= len;
    memmove(s->data, s->data + len, s->len);
    return (ssize_t)len;
}

static struct up_httpd_stream *find_stream(struct up_httpd *h, uint64_t id, struct up_error *err)
{
    for (struct request *r = h->open.first; r; r = r->next)
        if (r->public.id == id && r->stream && !r->stream->ended)
            return r->stream;
    up_fail(err, UP_MISSING, "the client of request %" PRIu64 " has left", id);
    return NULL;
}

static void go_on(struct up_httpd *h, struct up_httpd_stream *s)
{
    if (s->waiting)
        up_httpd_resume(h, s->request);
    s->waiting = false;
}

int up_httpd_reply_stream(struct up_httpd *h, uint64_t id, unsigned status, const char *const *headers,
                          struct up_error *err)
{
    struct request *r = up_httpd_find_taken(h, id, err);
    struct up_httpd_stream *s;
    struct MHD_Response *response;

    if (!r)
        return UP_USAGE;
    s = calloc(1, sizeof *s);
    /* The library frees it with the response. */
    response = s ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_stream, s, free) : NULL;
    if (!response) {
        free(s);
        return up_fail(err, UP_INTERNAL, "http server: out of memory");
    }
    s->request = r;
    if (up_httpd_set_answer(r, status, headers, response, 0, err) < 0)
        return err->code;
    r->stream = s;
    up_httpd_resume(h, r);
    return 0;
}

int up_httpd_push(struct up_httpd *h, uint64_t id, const void *data, size_t len, struct up_error *err)
{
    struct up_httpd_stream *s = find_stream(h, id, err);
    struct up_http_connection *c;

    if (!s)
        return UP_MISSING;
    if (len <= sizeof s->data - s->len) {
        memcpy(s->data + s->len, data, len);
        s->len += len;
        go_on(h, s);
        return 0;
    }
    c = up_httpd_connection(s->request->connection);
    s->ended = true;
    go_on(h, s);
    if (c)
        shutdown(c->fd, SHUT_RDWR);
    return up_fail(err, UP_BUSY, "the client of request %" PRIu64 " reads too slowly", id);
}

int up_httpd_end_stream(struct up_httpd *h, uint64_t id, struct up_error *err)
{
    struct up_httpd_stream *s = find_stream(h, id, err);

    if (!s)
        return UP_MISSING;
    s->ended = true;
    go_on(h, s);
    return 0;
}

bool up_httpd_is_waiting_stream(const struct request *r)
{
    return r->stream && r->stream->waiting;
}
