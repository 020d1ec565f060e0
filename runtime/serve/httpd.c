#include "httpd.h"

#include <microhttpd.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"
#include "http_answer.h"
#include "http_listen.h"
#include "httpd_private.h"
#include "pem.h"
#include "printable.h"
#include "storage.h"

#define CHECK_MS 1000 /* between two checks of the files being sent */

/* If a file became shorter, for example because a package was copied over it,
 * the library waits forever for the rest: close the connection, so that the
 * client tries again. */
static void break_off_cut_files(struct up_httpd *h)
{
    uint64_t t = up_httpd_now(h);

    if (t - h->checked < CHECK_MS)
        return;
    h->checked = t;
    for (struct request *r = h->open.first; r; r = r->next) {
        struct up_http_connection *c = r->fd >= 0 ? up_httpd_connection(r->connection) : NULL;

        if (c && up_http_answer_cut(r->fd, r->end))
            shutdown(c->fd, SHUT_RDWR);
    }
}

/* The library does not say why it cannot use them. */
static int check_pair(const char *cert, const char *key, struct up_error *err)
{
    BIO *in = BIO_new_mem_buf(cert, -1);
    X509 *x = up_pem_certificate(in);
    EVP_PKEY *k;
    int rc = 0;

    BIO_free(in);
    in = BIO_new_mem_buf(key, -1);
    k = up_pem_key(in);
    BIO_free(in);
    if (!x)
        rc = up_fail(err, UP_USAGE, "http server: the certificate must be PEM and not encrypted");
    else if (!k)
        rc = up_fail(err, UP_USAGE, "http server: the key must be PEM and not encrypted");
    else if (X509_check_private_key(x, k) != 1)
        rc = up_fail(err, UP_USAGE, "http server: the key does not belong to the certificate");
    X509_free(x);
    EVP_PKEY_free(k);
    ERR_clear_error();
    return rc;
}

static int trust_proxies(struct up_http_limits *limits, const char *const *proxies, struct up_error *err)
{
    for (; proxies && *proxies; proxies++)
        if (!up_http_limits_trust(limits, *proxies))
            return up_fail(err, UP_USAGE,
                           "http server: proxy '%s' must be a numeric address, or there are too many",
                           *proxies);
    return 0;
}

static struct MHD_Daemon *start(struct up_httpd *h, int fd, const struct up_httpd_options *options,
                                unsigned timeout, size_t head_max)
{
    /* SIGPIPE is seen to in run(), which lets the library use sendfile. */
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (options->cert ? MHD_USE_TLS : 0), 0, NULL, NULL,
        up_httpd_on_request, h, MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd, MHD_OPTION_CONNECTION_LIMIT,
        h->limits.connections + UP_HTTP_LIMITS_SPARE, MHD_OPTION_CONNECTION_TIMEOUT, timeout + 2,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, head_max, MHD_OPTION_NOTIFY_COMPLETED, up_httpd_on_completed, h,
        MHD_OPTION_NOTIFY_CONNECTION, up_httpd_on_connection, h, MHD_OPTION_URI_LOG_CALLBACK,
        up_httpd_on_target, h, MHD_OPTION_UNESCAPE_CALLBACK, up_httpd_leave_encoded, NULL,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, options->cert ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END,
        options->cert, MHD_OPTION_HTTPS_MEM_KEY, options->key, MHD_OPTION_END);
}

int up_httpd_open(struct up_httpd **out, const char *listen, const struct up_httpd_options *options,
                  struct up_error *err)
{
    static const struct up_httpd_options defaults;
    struct up_httpd *h;
    unsigned timeout;
    size_t head_max;
    int fd;

    if (!options)
        options = &defaults;
    if (!options->cert != !options->key)
        return up_fail(err, UP_USAGE, "http server: certificate and key go together");
    if (options->cert && check_pair(options->cert, options->key, err) < 0)
        return err->code;
    h = calloc(1, sizeof *h);
    if (!h)
        return up_fail(err, UP_INTERNAL, "http server: out of memory");
    h->storage = up_storage_system();
    timeout = options->timeout ? options->timeout : 60;
    h->limits.request_ms = timeout * UINT64_C(1000);
    h->limits.encrypted = options->cert != NULL;
    h->body_max = options->body_max ? options->body_max : 65536;
    head_max = options->head_max ? options->head_max : 16384;
    fd = trust_proxies(&h->limits, options->proxies, err);
    if (fd == 0 && options->early) {
        h->early = strdup(options->early);
        fd = h->early ? 0 : up_fail(err, UP_INTERNAL, "http server: out of memory");
    }
    if (fd == 0)
        fd = up_http_listen(listen, h->address, sizeof h->address, err);
    if (fd < 0) {
        free(h->early);
        free(h);
        return err->code;
    }
    h->limits.connections = up_http_listen_fit(options->connections ? options->connections : 1000);
    h->daemon = start(h, fd, options, timeout, head_max);
    if (!h->daemon) {
        close(fd);
        free(h->early);
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

unsigned up_httpd_connections(const struct up_httpd *h)
{
    return h->limits.connections;
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
    if (ms > CHECK_MS && h->files > 0)
        return CHECK_MS;
    return ms > 60000 ? 60000 : (int)ms;
}

int up_httpd_run(struct up_httpd *h, struct up_error *err)
{
    sigset_t before;
    bool pending = up_http_listen_hold_sigpipe(&before);
    enum MHD_Result result;

    /* Before the library's own timeouts, which report nothing. */
    up_http_limits_sweep(&h->limits, up_httpd_now(h));
    h->resumed = false;
    result = MHD_run(h->daemon);
    /* Each run moves 128 KiB for each connection: several runs in a turn of the
     * loop, but not so many that a new request waits for old downloads. */
    for (int i = 0; i < 8 && result == MHD_YES && up_httpd_timeout(h) == 0; i++)
        result = MHD_run(h->daemon);
    break_off_cut_files(h);
    up_http_listen_release_sigpipe(&before, pending);
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
            return up_httpd_request_header(r, name);
    return NULL;
}

int up_httpd_reply(struct up_httpd *h, uint64_t id, unsigned status, const char *const *headers,
                   const void *body, size_t len, struct up_error *err)
{
    struct MHD_Response *response;
    struct request *r = up_httpd_find_taken(h, id, err);

    if (!r)
        return UP_USAGE;
    response = MHD_create_response_from_buffer(len, (void *)body, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return up_fail(err, UP_INTERNAL, "http server: out of memory");
    if (up_httpd_set_answer(r, status, headers, response, len, err) < 0)
        return err->code;
    up_httpd_resume(h, r);
    return 0;
}

/* Whether another file may be sent now, for this request. */
static int check_room(const struct up_httpd *h, const struct request *r, struct up_error *err)
{
    unsigned most = h->limits.connections - up_http_limits_reserve(&h->limits);
    const struct up_http_connection *c = up_httpd_connection(r->connection);

    if (h->files >= most)
        return up_fail(err, UP_BUSY, "%u downloads are under way, the rest of %u connections is for queries",
                       most, h->limits.connections);
    if (c && up_http_limits_over_share(&h->limits, c))
        return up_fail(err, UP_BUSY, "most of %u connections are taken, and this address has its share, %u",
                       h->limits.connections, up_http_limits_share(&h->limits));
    return 0;
}

int up_httpd_reply_file(struct up_httpd *h, uint64_t id, const char *path, const char *tag,
                        const char *const *headers, struct up_error *err)
{
    struct up_http_conditions asked;
    struct up_http_answer answer;
    struct request *r = up_httpd_find_taken(h, id, err);

    if (!r || check_room(h, r, err) < 0)
        return err->code;
    asked.get = strcmp(r->method, "GET") == 0;
    asked.range = up_httpd_request_header(r, "Range");
    asked.if_range = up_httpd_request_header(r, "If-Range");
    asked.if_none_match = up_httpd_request_header(r, "If-None-Match");
    if (up_http_answer_file(&answer, path, tag, &asked, err) < 0 ||
        up_httpd_set_answer(r, answer.status, headers, answer.response, answer.length, err) < 0)
        return err->code;
    r->fd = answer.fd;
    r->end = answer.end;
    h->files += r->fd >= 0;
    up_httpd_resume(h, r);
    return 0;
}

int up_httpd_finished(struct up_httpd *h, struct up_httpd_event *out)
{
    struct request *r = h->ended.first;
    char *path;

    up_httpd_free_request(h->shown);
    h->shown = r;
    if (!r)
        return UP_AGAIN;
    up_httpd_take_out(&h->ended, r);
    h->ended_count--;
    path = (char *)r->public.path;
    path[up_printable(path, strlen(path))] = '\0';
    *out = (struct up_httpd_event){.id = r->public.id,
                                   .method = r->method,
                                   .path = r->public.path,
                                   .client = r->client,
                                   .status = r->status,
                                   .complete = r->complete,
                                   .bytes = r->bytes,
                                   .why = r->why,
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
        if (r->stage == QUEUED || r->stage == TAKEN || up_httpd_is_waiting_stream(r))
            MHD_resume_connection(r->connection);
    pending = up_http_listen_hold_sigpipe(&before);
    MHD_stop_daemon(h->daemon);
    up_http_listen_release_sigpipe(&before, pending);
    for (struct request *r = h->ended.first, *next; r; r = next) {
        next = r->next;
        up_httpd_free_request(r);
    }
    up_httpd_free_request(h->shown);
    free(h->early);
    free(h);
}
