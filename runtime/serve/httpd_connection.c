/*
 * httpd_connection.c -- what all parts of the server ask of a connection and its request.
 */
#include "httpd_private.h"

#include <inttypes.h>

#include "error.h"
#include "storage.h"

uint64_t up_httpd_now(const struct up_httpd *h)
{
    return h->storage->ops->monotonic(h->storage);
}

struct up_http_connection *up_httpd_connection(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

struct request *up_httpd_find_taken(struct up_httpd *h, uint64_t id, struct up_error *err)
{
    for (struct request *r = h->open.first; r; r = r->next)
        if (r->public.id == id && r->stage == TAKEN)
            return r;
    up_fail(err, UP_USAGE, "request %" PRIu64 " is not waiting for an answer", id);
    return NULL;
}

/* The library forgets resumed connections when it is asked for its timeout. */
void up_httpd_resume(struct up_httpd *h, struct request *r)
{
    h->resumed = true;
    MHD_resume_connection(r->connection);
}
