/*
 * httpd_private.h -- shared by the server (httpd.c), its connections
 * (httpd_connection.c), the life of a request
 * (httpd_request.c), its body (httpd_body.c) and answers that are written bit
 * by bit (httpd_stream.c).
 */
#ifndef UP_HTTPD_PRIVATE_H
#define UP_HTTPD_PRIVATE_H

#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>

#include "error.h"
#include "http_limits.h"
#include "httpd.h"

enum stage {
    ARRIVING, /* the body is being read */
    QUEUED,   /* complete or, when early, its head is; suspended, for next() */
    TAKEN,    /* handed out */
    ACCEPTED, /* its body may come; resumed */
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
    uint64_t length;    /* of the body as sent */
    int fd;             /* of the file being sent, owned by the response; -1: none */
    uint64_t end;       /* its first byte that is not sent */
    uint64_t acked;     /* bytes acknowledged by the peer when the response began; UINT64_MAX unknown */
    uint64_t bytes;     /* once ENDED */
    uint64_t started;   /* ms; duration once ENDED */
    int into;           /* file of the storage that the body is written to; -1: none */
    uint64_t at;        /* where its next byte goes */
    uint64_t unwritten; /* bytes before `at` whose write-back was not started */
    char why[96];       /* why it was refused, or its body could not be kept */
    struct up_httpd_stream *stream; /* owned by the response; NULL: none, or over */
    size_t body_len;
    char *body;
    char method[16];
    char client[INET6_ADDRSTRLEN];
    char target[]; /* split in place */
};

struct request_list {
    struct request *first, *last;
};

struct up_httpd {
    struct MHD_Daemon *daemon;
    struct up_storage *storage;
    struct request_list open, ended;
    struct up_http_limits limits;
    struct request *shown; /* what finished() returned last */
    size_t ended_count;
    unsigned files; /* being sent */
    uint64_t last_id;
    uint64_t checked; /* ms: when the files being sent were last checked */
    size_t body_max;
    char *early;  /* requests below this path are handed out before their body; NULL: none */
    bool resumed; /* responses are set that run() has not processed */
    char address[NI_MAXHOST + NI_MAXSERV + 4];
};

uint64_t up_httpd_now(const struct up_httpd *h); /* ms */

/* Callbacks of the library; `user` is the server. */
void up_httpd_on_connection(void *user, struct MHD_Connection *connection, void **context,
                            enum MHD_ConnectionNotificationCode what);
void *up_httpd_on_target(void *user, const char *target, struct MHD_Connection *connection);
size_t up_httpd_leave_encoded(void *user, struct MHD_Connection *connection, char *text);
enum MHD_Result up_httpd_on_request(void *user, struct MHD_Connection *connection, const char *url,
                                    const char *method, const char *version, const char *data, size_t *len,
                                    void **context);
void up_httpd_on_completed(void *user, struct MHD_Connection *connection, void **context,
                           enum MHD_RequestTerminationCode why);

/* What is known of a connection; NULL if there was no memory for it. */
struct up_http_connection *up_httpd_connection(struct MHD_Connection *connection);
/* A header of a request that has not ended; NULL: absent. */
const char *up_httpd_request_header(const struct request *r, const char *name);
/* Set `response`, which is ours from here, also on failure. Errors: UP_USAGE
 * malformed header; err may be NULL. */
UP_MUST_CHECK int up_httpd_set_answer(struct request *r, unsigned status, const char *const *headers,
                                      struct MHD_Response *response, uint64_t length, struct up_error *err);
/* The request that was handed out as `id` and is not answered; NULL with *err filled. */
struct request *up_httpd_find_taken(struct up_httpd *h, uint64_t id, struct up_error *err);
void up_httpd_resume(struct up_httpd *h, struct request *r);
/* Whether the request is handed out before its body. */
bool up_httpd_is_early(const struct up_httpd *h, const struct request *r);
/* A piece of the body; and its end, also when there was none. */
enum MHD_Result up_httpd_take_body(struct up_httpd *h, struct request *r, const char *data, size_t len);
void up_httpd_end_body(struct up_httpd *h, struct request *r);
/* Whether its connection is suspended because there is nothing to send. */
bool up_httpd_is_waiting_stream(const struct request *r);
void up_httpd_take_out(struct request_list *list, struct request *r);
void up_httpd_free_request(struct request *r); /* NULL is allowed */

#endif
