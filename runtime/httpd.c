#include "httpd.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"
#include "http_answer.h"
#include "http_door.h"
#include "http_listen.h"
#include "http_text.h"
#include "storage.h"

#define FINISHED_MAX 1024
#define CHECK_MS 1000 /* between two looks at the files under way */

enum stage {
    ARRIVING, /* the body is being read */
    QUEUED,   /* complete, suspended, for next() */
    TAKEN,    /* handed out */
    ANSWERED, /* response set, resumed */
    ENDED     /* on the list of finished ones */
};

struct request {
    struct request *next, *prev;
    struct up_httpd_request public;
    enum stage stage;
    struct MHD_Connection *connection; /* NULL once ENDED */
    struct MHD_Response *response;     /* ours while ANSWERED and not yet queued */
    unsigned status;
    bool complete;
    uint64_t length;  /* of the answer's body as sent */
    int fd;           /* of the file under way, the response's; -1: none */
    uint64_t end;     /* its first byte that is not sent */
    uint64_t acked;   /* bytes the peer had acknowledged when the answer began; UINT64_MAX unknown */
    uint64_t bytes;   /* once ENDED */
    uint64_t started; /* ms; duration once ENDED */
    size_t body_len;
    char *body;
    char method[16];
    char client[INET6_ADDRSTRLEN];
    char target[]; /* split in place */
};

struct list {
    struct request *first, *last;
};

struct up_httpd {
    struct MHD_Daemon *daemon;
    struct up_storage *storage;
    struct list open, ended;
    struct up_door door;
    struct request *shown; /* what finished() gave last */
    size_t ended_count;
    uint64_t last_id;
    uint64_t checked; /* ms: when the files under way were looked at */
    size_t body_max;
    bool resumed; /* answers are set that run() has not seen to */
    char address[NI_MAXHOST + NI_MAXSERV + 4];
};

static void append(struct list *list, struct request *r)
{
    r->next = NULL;
    r->prev = list->last;
    if (list->last)
        list->last->next = r;
    else
        list->first = r;
    list->last = r;
}

static void take_out(struct list *list, struct request *r)
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

static uint64_t now(const struct up_httpd *h)
{
    return h->storage->ops->monotonic(h->storage);
}

static void free_request(struct request *r)
{
    if (!r)
        return;
    if (r->response)
        MHD_destroy_response(r->response);
    free(r->body);
    free(r);
}

/* Bytes that the peer has acknowledged on this connection so far. */
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

static struct up_visitor *visitor_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

/* Called by the server library for each connection that comes and goes. */
static void on_connection(void *user, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct up_httpd *h = user;

    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        *context = up_door_enter(
            &h->door, MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
            now(h));
    else
        up_door_leave(&h->door, *context);
}

/* Called with each request line: makes the request that the rest is about. */
static void *on_target(void *user, const char *target, struct MHD_Connection *connection)
{
    struct up_httpd *h = user;
    size_t len = strlen(target);
    struct request *r = calloc(1, sizeof *r + len + 1);

    if (!r)
        return NULL;
    memcpy(r->target, target, len);
    r->connection = connection;
    r->fd = -1;
    r->started = now(h);
    r->public.id = ++h->last_id;
    append(&h->open, r);
    return r;
}

/* The target stays raw: it is decoded once, by us. */
static size_t leave_encoded(void *user, struct MHD_Connection *connection, char *text)
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

static int set_answer(struct request *r, unsigned status, const char *const *headers,
                      struct MHD_Response *response, uint64_t length, struct up_error *err);

/* Give the library the answer that is set. */
static enum MHD_Result send_answer(struct request *r)
{
    enum MHD_Result result;

    r->acked = acknowledged(r->connection);
    result = MHD_queue_response(r->connection, r->status, r->response);
    MHD_destroy_response(r->response);
    r->response = NULL;
    return result;
}

/* Answer a request that is not worth handing out. */
static enum MHD_Result turn_away(struct request *r, unsigned status, const char *why)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    char body[160];
    int len = snprintf(body, sizeof body, "{\"error\":\"%s\"}\n", why);
    struct MHD_Response *response = MHD_create_response_from_buffer((size_t)len, body, MHD_RESPMEM_MUST_COPY);

    if (!response || set_answer(r, status, headers, response, (uint64_t)len, NULL) < 0)
        return MHD_NO;
    return send_answer(r);
}

static const char *header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result begin(struct up_httpd *h, struct request *r, const char *method)
{
    const char *length = header(r, "Content-Length");
    char *path = r->target, *query = r->target + strlen(r->target);
    bool fine;

    snprintf(r->method, sizeof r->method, "%s", method);
    set_client(r);
    r->public.method = r->method;
    r->public.client = r->client;
    fine = up_target_split(r->target, &path, &query);
    r->public.path = path;
    r->public.query = query;
    if (!fine)
        return turn_away(r, 400, "bad path in the request");
    if (header(r, "Transfer-Encoding"))
        return turn_away(r, 411, "a body needs a Content-Length");
    if (length && strtoull(length, NULL, 10) > h->body_max)
        return turn_away(r, 413, "the body is too large");
    return MHD_YES;
}

static enum MHD_Result take_body(struct up_httpd *h, struct request *r, const char *data, size_t len)
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

/*
 * The library calls this when the headers are complete, for each piece of the
 * body, when all is there, and once more after a suspended request was resumed.
 */
static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *len,
                                  void **context)
{
    struct up_httpd *h = user;
    struct request *r = *context;
    struct up_visitor *v = visitor_of(connection);
    enum MHD_Result result;

    (void)url;
    (void)version;
    if (!r)
        return MHD_NO; /* no memory for it */
    if (!r->public.method)
        return begin(h, r, method);
    if (*len) {
        result = take_body(h, r, data, *len);
        *len = 0;
        return result;
    }
    if (r->stage == ARRIVING) {
        r->stage = QUEUED;
        r->public.body = r->body ? r->body : "";
        r->public.body_len = r->body_len;
        if (v)
            v->served = true;
        MHD_suspend_connection(connection);
        return MHD_YES;
    }
    return r->stage == ANSWERED && r->response ? send_answer(r) : MHD_YES;
}

/* The library waits for ever for the rest of a file that was cut short, as
 * happens when somebody copies over a package: let the client try again. */
static void break_off_cut_files(struct up_httpd *h)
{
    uint64_t t = now(h);

    if (t - h->checked < CHECK_MS)
        return;
    h->checked = t;
    for (struct request *r = h->open.first; r; r = r->next) {
        struct up_visitor *v = r->fd >= 0 ? visitor_of(r->connection) : NULL;

        if (v && up_http_answer_cut(r->fd, r->end))
            shutdown(v->fd, SHUT_RDWR);
    }
}

static bool has_files_under_way(const struct up_httpd *h)
{
    for (const struct request *r = h->open.first; r; r = r->next)
        if (r->fd >= 0)
            return true;
    return false;
}

/* Called when the answer is out, or the client or we gave up. */
static void on_completed(void *user, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why)
{
    struct up_httpd *h = user;
    struct request *r = *context;
    struct up_visitor *v = visitor_of(connection);
    uint64_t acked;

    if (v) {
        v->served = false;
        v->known = true;
        v->since = now(h);
    }
    *context = NULL;
    if (!r)
        return;
    take_out(&h->open, r);
    if (!r->public.method) { /* went away before its headers were complete */
        free_request(r);
        return;
    }
    r->complete = why == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    acked = acknowledged(connection);
    if (r->complete)
        r->bytes = r->length;
    else
        r->bytes = acked == UINT64_MAX || r->acked == UINT64_MAX ? UINT64_MAX : acked - r->acked;
    r->started = now(h) - r->started;
    r->stage = ENDED;
    r->connection = NULL;
    append(&h->ended, r);
    if (++h->ended_count > FINISHED_MAX) {
        r = h->ended.first;
        take_out(&h->ended, r);
        h->ended_count--;
        free_request(r);
    }
}

int up_httpd_open(struct up_httpd **out, const char *listen, const struct up_httpd_options *options,
                  struct up_error *err)
{
    static const struct up_httpd_options defaults;
    struct up_httpd *h = calloc(1, sizeof *h);
    unsigned connections, timeout;
    size_t head_max;
    int fd;

    if (!h)
        return up_fail(err, UP_INTERNAL, "http server: out of memory");
    if (!options)
        options = &defaults;
    h->storage = up_storage_system();
    timeout = options->timeout ? options->timeout : 60;
    h->door.limit = timeout * UINT64_C(1000);
    h->body_max = options->body_max ? options->body_max : 65536;
    head_max = options->head_max ? options->head_max : 16384;
    if ((fd = up_http_listen(listen, h->address, sizeof h->address, err)) < 0) {
        free(h);
        return fd;
    }
    connections = up_http_fit_connections(options->connections ? options->connections : 1000);
    /* SIGPIPE is seen to in run(), which lets the library use sendfile. */
    h->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, h,
                                 MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd, MHD_OPTION_CONNECTION_LIMIT,
                                 connections, MHD_OPTION_CONNECTION_TIMEOUT, timeout + 2,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, head_max, MHD_OPTION_NOTIFY_COMPLETED,
                                 on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
                                 MHD_OPTION_URI_LOG_CALLBACK, on_target, h, MHD_OPTION_UNESCAPE_CALLBACK,
                                 leave_encoded, NULL, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (!h->daemon) {
        close(fd);
        free(h);
        return up_fail(err, UP_INTERNAL, "http server: cannot start on %s", listen);
    }
    *out = h;
    return 0;
}

const char *up_httpd_address(const struct up_httpd *h)
{
    return h->address;
}

int up_httpd_fd(const struct up_httpd *h)
{
    return MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int up_httpd_timeout(struct up_httpd *h)
{
    MHD_UNSIGNED_LONG_LONG ms;

    if (h->resumed)
        return 0;
    if (MHD_get_timeout(h->daemon, &ms) != MHD_YES)
        return -1;
    if (ms > CHECK_MS && has_files_under_way(h))
        return CHECK_MS;
    return ms > 60000 ? 60000 : (int)ms;
}

int up_httpd_run(struct up_httpd *h, struct up_error *err)
{
    sigset_t before;
    bool pending = up_sigpipe_hold(&before);
    enum MHD_Result result;

    /* Before the library's own timeouts, which say nothing. */
    up_door_sweep(&h->door, now(h));
    h->resumed = false;
    result = MHD_run(h->daemon);
    /* Each run moves 128 KiB a connection: a few before the loop turns, but
     * not so many that a new request waits for old downloads. */
    for (int i = 0; i < 8 && result == MHD_YES && up_httpd_timeout(h) == 0; i++)
        result = MHD_run(h->daemon);
    break_off_cut_files(h);
    up_sigpipe_release(&before, pending);
    if (result != MHD_YES)
        return up_fail(err, UP_INTERNAL, "http server on %s: waiting for clients failed", h->address);
    return 0;
}

int up_httpd_next(struct up_httpd *h, const struct up_httpd_request **out)
{
    for (struct request *r = h->open.first; r; r = r->next) {
        if (r->stage == QUEUED) {
            r->stage = TAKEN;
            *out = &r->public;
            return 0;
        }
    }
    return UP_AGAIN;
}

const char *up_httpd_header(const struct up_httpd *h, const struct up_httpd_request *request,
                            const char *name)
{
    for (const struct request *r = h->open.first; r; r = r->next)
        if (&r->public == request)
            return header(r, name);
    return NULL;
}

/* The request that was handed out as `id`; NULL with *err filled. */
static struct request *find_taken(struct up_httpd *h, uint64_t id, struct up_error *err)
{
    for (struct request *r = h->open.first; r; r = r->next)
        if (r->public.id == id && r->stage == TAKEN)
            return r;
    up_fail(err, UP_USAGE, "request %" PRIu64 " is not waiting for an answer", id);
    return NULL;
}

/* The response is ours from here, also on failure. */
static int set_answer(struct request *r, unsigned status, const char *const *headers,
                      struct MHD_Response *response, uint64_t length, struct up_error *err)
{
    for (; headers && *headers; headers++) {
        if (up_http_add_header(response, *headers) < 0) {
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

/* The library forgets resumed connections when it is asked for its timeout. */
static void resume(struct up_httpd *h, struct request *r)
{
    h->resumed = true;
    MHD_resume_connection(r->connection);
}

int up_httpd_reply(struct up_httpd *h, uint64_t id, unsigned status, const char *const *headers,
                   const void *body, size_t len, struct up_error *err)
{
    struct MHD_Response *response;
    struct request *r = find_taken(h, id, err);
    int rc;

    if (!r)
        return UP_USAGE;
    response = MHD_create_response_from_buffer(len, (void *)body, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return up_fail(err, UP_INTERNAL, "http server: out of memory");
    if ((rc = set_answer(r, status, headers, response, len, err)) < 0)
        return rc;
    resume(h, r);
    return 0;
}

int up_httpd_reply_file(struct up_httpd *h, uint64_t id, const char *path, const char *tag,
                        const char *const *headers, struct up_error *err)
{
    struct up_http_conditions asked;
    struct up_http_answer answer;
    struct request *r = find_taken(h, id, err);
    int rc;

    if (!r)
        return UP_USAGE;
    asked.get = strcmp(r->method, "GET") == 0;
    asked.range = header(r, "Range");
    asked.if_range = header(r, "If-Range");
    asked.if_none_match = header(r, "If-None-Match");
    if ((rc = up_http_answer_file(&answer, path, tag, &asked, err)) < 0 ||
        (rc = set_answer(r, answer.status, headers, answer.response, answer.length, err)) < 0)
        return rc;
    r->fd = answer.fd;
    r->end = answer.end;
    resume(h, r);
    return 0;
}

int up_httpd_finished(struct up_httpd *h, struct up_httpd_event *out)
{
    struct request *r = h->ended.first;

    free_request(h->shown);
    h->shown = r;
    if (!r)
        return UP_AGAIN;
    take_out(&h->ended, r);
    h->ended_count--;
    for (char *p = (char *)r->public.path; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    *out = (struct up_httpd_event){.id = r->public.id,
                                   .method = r->method,
                                   .path = r->public.path,
                                   .client = r->client,
                                   .status = r->status,
                                   .complete = r->complete,
                                   .bytes = r->bytes,
                                   .ms = r->started};
    return 0;
}

void up_httpd_close(struct up_httpd *h)
{
    sigset_t before;
    bool pending;

    if (!h)
        return;
    /* The library cannot stop while a connection is suspended. */
    for (struct request *r = h->open.first; r; r = r->next)
        if (r->stage == QUEUED || r->stage == TAKEN)
            MHD_resume_connection(r->connection);
    pending = up_sigpipe_hold(&before);
    MHD_stop_daemon(h->daemon);
    up_sigpipe_release(&before, pending);
    for (struct request *r = h->ended.first, *next; r; r = next) {
        next = r->next;
        free_request(r);
    }
    free_request(h->shown);
    free(h);
}
