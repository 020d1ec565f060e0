/*
 * httpd_body.c -- the body of a request: kept in memory, or written to a file as it comes.
 */
#include "httpd_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "storage.h"

bool up_httpd_is_early(const struct up_httpd *h, const struct request *r)
{
    return h->early && strncmp(r->public.path, h->early, strlen(h->early)) == 0 &&
           (strcmp(r->method, "PUT") == 0 || strcmp(r->method, "POST") == 0);
}

/* Bytes after which the write-back of the body is started. Gigabytes that wait
 * in memory would hold up every sync of the disk, the database's too. */
#define WRITE_BACK (UINT64_C(8) * 1024 * 1024)

static void start_writeback(struct up_httpd *h, struct request *r, size_t len)
{
    r->unwritten += len;
    if (r->unwritten < WRITE_BACK)
        return;
    /* A hint: what it cannot do, the system does later. */
    (void)h->storage->ops->start_writeback(h->storage, r->into, r->at - r->unwritten, r->unwritten);
    r->unwritten = 0;
}

/* A body that cannot be kept is read to its end all the same, so that the
 * client hears the answer. */
static void write_piece(struct up_httpd *h, struct request *r, const char *data, size_t len)
{
    const struct up_storage_ops *ops = h->storage->ops;

    if (*r->why)
        return;
    if (ops->pwrite(h->storage, r->into, data, len, r->at) < 0)
        snprintf(r->why, sizeof r->why, "%s",
                 errno == ENOSPC ? "no space is left" : "the file cannot be written");
    else {
        r->at += len;
        start_writeback(h, r, len);
    }
}

static enum MHD_Result keep_piece(struct up_httpd *h, struct request *r, const char *data, size_t len)
{
    char *grown;

    if (len > h->body_max - r->body_len)
        return MHD_NO;
    grown = realloc(r->body, r->body_len + len + 1);
    if (!grown)
        return MHD_NO;
    memcpy(grown + r->body_len, data, len);
    r->body = grown;
    r->body_len += len;
    r->body[r->body_len] = '\0';
    return MHD_YES;
}

enum MHD_Result up_httpd_take_body(struct up_httpd *h, struct request *r, const char *data, size_t len)
{
    struct up_http_connection *c = up_httpd_connection(r->connection);

    if (r->into < 0)
        return keep_piece(h, r, data, len);
    if (c)
        c->since = up_httpd_now(h);
    write_piece(h, r, data, len);
    return MHD_YES;
}

void up_httpd_end_body(struct up_httpd *h, struct request *r)
{
    if (r->into < 0)
        return;
    if (h->storage->ops->close(h->storage, r->into) < 0 && !*r->why)
        snprintf(r->why, sizeof r->why, "the file cannot be written");
    r->into = -1;
}

/* The request that was handed out before its body as `id`; NULL with *err filled. */
static struct request *find_early(struct up_httpd *h, uint64_t id, struct up_error *err)
{
    for (struct request *r = h->open.first; r; r = r->next)
        if (r->public.id == id && r->stage == TAKEN && r->public.early)
            return r;
    up_fail(err, UP_USAGE, "request %" PRIu64 " is not waiting to send its body", id);
    return NULL;
}

int up_httpd_receive(struct up_httpd *h, uint64_t id, const char *path, uint64_t offset, struct up_error *err)
{
    struct request *r = find_early(h, id, err);
    struct up_http_connection *c;

    if (!r)
        return UP_USAGE;
    c = up_httpd_connection(r->connection);
    if (path) {
        r->into = h->storage->ops->open(h->storage, path, UP_CREATE, 0600);
        if (r->into < 0)
            return up_fail(err, errno == ENOSPC ? UP_NOSPACE : UP_WRITE, "%s: %s", path, strerror(errno));
    }
    r->at = offset;
    r->public.early = false;
    r->stage = ACCEPTED;
    if (c) {
        c->served = false;
        c->since = up_httpd_now(h);
    }
    up_httpd_resume(h, r);
    return 0;
}
