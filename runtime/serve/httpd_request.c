/*
 * httpd_request.c -- the life of one request: arriving, queued, taken, answered, ended.
 */
#include "httpd_private.h"

#include <linux/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "error.h"
#include "http_answer.h"
#include "http_text.h"

#define FINISHED_MAX 1024

static void append(struct request_list *list, struct request *r)
{
    r->next = NULL;
    r->prev = list->last;
    if (list->last)
        list->last->next = r;
    else
        list->first = r;
    list->last = r;
}

void up_httpd_take_out(struct request_list *list, struct request *r)
{
    if (r->prev)
        r->prev->next = r->next;
    else
        list->first = r->next;
    if (r->next)
        r->next->prev = r->prev;
    else
        list->last = r->prev;
}

unsigned up_httpd_retry_after(uint64_t id)
{
    return 20 + (unsigned)(id % 21);
}

void up_httpd_free_request(struct request *r)
{
    if (!r)
        return;
    if (r->response)
        MHD_destroy_response(r->response);
    free(r->body);
    free(r);
}

/* Bytes acknowledged by the peer on this connection so far. */
static uint64_t acknowledged(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct tcp_info tcp;
    socklen_t len = sizeof tcp;

    memset(&tcp, 0, sizeof tcp);
    if (!info || getsockopt(info->connect_fd, IPPROTO_TCP, TCP_INFO, &tcp, &len) < 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof tcp.tcpi_bytes_acked)
        return UINT64_MAX;
    return tcp.tcpi_bytes_acked;
}

/* Called by the library when a connection opens or closes. */
void up_httpd_on_connection(void *user, struct MHD_Connection *connection, void **context,
                            enum MHD_ConnectionNotificationCode what)
{
    struct up_httpd *h = user;
    const union MHD_ConnectionInfo *from;
    int fd;

    if (what != MHD_CONNECTION_NOTIFY_STARTED) {
        up_http_limits_leave(&h->limits, *context);
        return;
    }
    from = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    *context = up_http_limits_enter(&h->limits, fd, from ? from->client_addr : NULL, up_httpd_now(h));
}

/* Called with each request line: creates our request. */
void *up_httpd_on_target(void *user, const char *target, struct MHD_Connection *connection)
{
    struct up_httpd *h = user;
    size_t len = strlen(target);
    struct request *r = calloc(1, sizeof *r + len + 1);

    if (!r)
        return NULL;
    memcpy(r->target, target, len);
    r->connection = connection;
    r->fd = -1;
    r->into = -1;
    r->public.fault = r->why;
    r->started = up_httpd_now(h);
    r->public.id = ++h->last_id;
    append(&h->open, r);
    return r;
}

/* Keep the target encoded: we decode it, once. */
size_t up_httpd_leave_encoded(void *user, struct MHD_Connection *connection, char *text)
{
    (void)user;
    (void)connection;
    return strlen(text);
}

static void set_client(struct request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    socklen_t len = info && info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                     : sizeof(struct sockaddr_in);

    if (!info ||
        getnameinfo(info->client_addr, len, r->client, sizeof r->client, NULL, 0, NI_NUMERICHOST) != 0)
        r->client[0] = '\0';
}

const char *up_httpd_request_header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* The response is ours from here, also on failure. */
int up_httpd_set_answer(struct request *r, unsigned status, const char *const *headers,
                        struct MHD_Response *response, uint64_t length, struct up_error *err)
{
    for (; headers && *headers; headers++) {
        if (up_http_answer_add_header(response, *headers) < 0) {
            MHD_destroy_response(response);
            return up_fail(err, UP_USAGE, "malformed header '%s'", *headers);
        }
    }
    r->response = response;
    r->status = status;
    r->length = strcmp(r->method, "HEAD") == 0 ? 0 : length;
    r->stage = ANSWERED;
    return 0;
}

/* Pass the response to the library. */
static enum MHD_Result send_answer(struct request *r)
{
    enum MHD_Result result;

    r->acked = acknowledged(r->connection);
    result = MHD_queue_response(r->connection, r->status, r->response);
    MHD_destroy_response(r->response);
    r->response = NULL;
    return result;
}

/* Answer a request that is not handed out. */
static enum MHD_Result turn_away(struct request *r, unsigned status, const char *why)
{
    char after[32];
    bool closes = status == MHD_HTTP_SERVICE_UNAVAILABLE || status == MHD_HTTP_BAD_REQUEST;
    const char *const headers[] = {"Content-Type: application/json", after,
                                   closes ? "Connection: close" : NULL, NULL};
    char body[160];
    int len = snprintf(body, sizeof body, "{\"error\":\"%s\"}\n", why);
    struct MHD_Response *response = MHD_create_response_from_buffer((size_t)len, body, MHD_RESPMEM_MUST_COPY);

    snprintf(after, sizeof after, "Retry-After: %u", up_httpd_retry_after(r->public.id));
    snprintf(r->why, sizeof r->why, "%s", why);
    if (!response || up_httpd_set_answer(r, status, headers, response, (uint64_t)len, NULL) < 0)
        return MHD_NO;
    return send_answer(r);
}

/* This connection was accepted only to be refused. */
static enum MHD_Result turn_away_from_full(const struct up_httpd *h, struct request *r)
{
    char why[sizeof r->why];

    if (h->limits.present >= h->limits.connections)
        snprintf(why, sizeof why, "all %u connections are taken", h->limits.connections);
    else
        snprintf(why, sizeof why, "most connections are taken, and this address has its share, %u",
                 up_http_limits_share(&h->limits));
    return turn_away(r, MHD_HTTP_SERVICE_UNAVAILABLE, why);
}

/* It waits for next(), and for as long as the answer takes. */
static void hand_out(struct request *r)
{
    struct up_http_connection *c = up_httpd_connection(r->connection);

    r->stage = QUEUED;
    r->public.body = r->body ? r->body : "";
    r->public.body_len = r->body_len;
    if (c)
        c->served = true;
    MHD_suspend_connection(r->connection);
}

struct count {
    const char *name;
    unsigned found;
};

static enum MHD_Result count_header(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct count *count = user;

    (void)kind;
    (void)value;
    count->found += strcasecmp(name, count->name) == 0;
    return MHD_YES;
}

/* A proxy before us may have taken the other one: where the request ends, or for whom it is, is not certain. */
static bool says_twice(const struct request *r, const char *name)
{
    struct count count = {.name = name};

    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, count_header, &count);
    return count.found > 1;
}

static enum MHD_Result begin(struct up_httpd *h, struct request *r, const char *method)
{
    const struct up_http_connection *c = up_httpd_connection(r->connection);
    const char *length = up_httpd_request_header(r, "Content-Length");
    char *path = r->target, *query = r->target + strlen(r->target);
    bool fine;

    snprintf(r->method, sizeof r->method, "%s", method);
    set_client(r);
    r->public.method = r->method;
    r->public.client = r->client;
    fine = up_http_text_target_split(r->target, &path, &query);
    r->public.path = path;
    r->public.query = query;
    if (c && c->refused)
        return turn_away_from_full(h, r);
    if (!fine)
        return turn_away(r, 400, "bad path in the request");
    if (says_twice(r, "Content-Length") || says_twice(r, "Host"))
        return turn_away(r, 400, "Content-Length or Host stands twice");
    if (up_httpd_request_header(r, "Transfer-Encoding"))
        return turn_away(r, 411, "a body needs a Content-Length");
    r->public.expected = length ? strtoull(length, NULL, 10) : 0;
    if (up_httpd_is_early(h, r)) {
        r->public.early = true;
        hand_out(r);
        return MHD_YES;
    }
    if (r->public.expected > h->body_max)
        return turn_away(r, 413, "the body is too large");
    return MHD_YES;
}

/*
 * The library calls this when the headers are complete, for each piece of the
 * body, when the request is complete, and once more after a suspended request
 * was resumed.
 */
enum MHD_Result up_httpd_on_request(void *user, struct MHD_Connection *connection, const char *url,
                                    const char *method, const char *version, const char *data, size_t *len,
                                    void **context)
{
    struct up_httpd *h = user;
    struct request *r = *context;
    enum MHD_Result result;

    (void)url;
    (void)connection;
    (void)version;
    if (!r)
        return MHD_NO; /* out of memory */
    if (!r->public.method)
        return begin(h, r, method);
    if (*len) {
        result = up_httpd_take_body(h, r, data, *len);
        *len = 0;
        return result;
    }
    if (r->stage == ACCEPTED) { /* its head is complete, and the body may follow */
        r->stage = ARRIVING;
        return MHD_YES;
    }
    if (r->stage == ARRIVING) {
        up_httpd_end_body(h, r);
        hand_out(r);
        return MHD_YES;
    }
    return r->stage == ANSWERED && r->response ? send_answer(r) : MHD_YES;
}

/* Called when the response is sent, or the client or we closed the connection. */
void up_httpd_on_completed(void *user, struct MHD_Connection *connection, void **context,
                           enum MHD_RequestTerminationCode why)
{
    struct up_httpd *h = user;
    struct request *r = *context;
    struct up_http_connection *c = up_httpd_connection(connection);
    uint64_t acked;

    if (c) {
        c->served = false;
        c->known = true;
        c->since = up_httpd_now(h);
    }
    *context = NULL;
    if (!r)
        return;
    up_httpd_take_out(&h->open, r);
    up_httpd_end_body(h, r);
    r->stream = NULL;
    h->files -= r->fd >= 0;
    if (!r->public.method) { /* the client left before its headers were complete */
        up_httpd_free_request(r);
        return;
    }
    r->complete = why == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    acked = acknowledged(connection);
    if (r->complete)
        r->bytes = r->length;
    else
        r->bytes = acked == UINT64_MAX || r->acked == UINT64_MAX ? UINT64_MAX : acked - r->acked;
    r->started = up_httpd_now(h) - r->started;
    r->stage = ENDED;
    r->connection = NULL;
    append(&h->ended, r);
    if (++h->ended_count > FINISHED_MAX) {
        r = h->ended.first;
        up_httpd_take_out(&h->ended, r);
        h->ended_count--;
        up_httpd_free_request(r);
    }
}
