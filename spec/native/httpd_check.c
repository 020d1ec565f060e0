/*
 * httpd_check.c -- the server when the system or its library refuses: who asks
 * gets an answer or an end, the next request is served, and nothing is left
 * behind. What it says when all is well is httpd_spec.lua's matter.
 *
 * Calls are replaced by the linker's --wrap: one is told to fail at its n-th
 * time, or whenever it comes.
 */
#include "scratch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "http_answer.h"
#include "http_limits.h"
#include "http_listen.h"
#include "httpd.h"

#define TURNS 20000 /* of the server, 1 ms at most each, before something is broken */

/* ---- calls that fail ---- */

static struct {
    const char *call; /* NULL: none */
    unsigned nth;     /* once; 0: always */
    int error;        /* errno */
    int kind;         /* of MHD_get_connection_info() */
} fault;

static uint64_t later; /* seconds that the clock is ahead */

static bool fails(const char *call)
{
    if (!fault.call || strcmp(fault.call, call) != 0)
        return false;
    if (fault.nth > 1) {
        fault.nth--;
        return false;
    }
    if (fault.nth == 1)
        fault.call = NULL;
    errno = fault.error;
    return true;
}

static void refuse(const char *call, unsigned nth, int error)
{
    fault.call = call;
    fault.nth = nth;
    fault.error = error;
    fault.kind = 0;
}

static void fail_nothing(void)
{
    fault.call = NULL;
}

#define CALL(type, name, failure, parameters, arguments)         \
    type __real_##name parameters;                               \
    type __wrap_##name parameters;                               \
    type __wrap_##name parameters                                \
    {                                                            \
        return fails(#name) ? failure : __real_##name arguments; \
    }

CALL(void *, calloc, NULL, (size_t count, size_t size), (count, size))
CALL(void *, realloc, NULL, (void *old, size_t size), (old, size))
CALL(int, fstat, -1, (int fd, struct stat *st), (fd, st))
CALL(int, getsockopt, -1, (int fd, int level, int name, void *value, socklen_t *len),
     (fd, level, name, value, len))
CALL(int, getnameinfo, EAI_FAIL,
     (const struct sockaddr *a, socklen_t len, char *host, socklen_t room, char *port, socklen_t port_room,
      int flags),
     (a, len, host, room, port, port_room, flags))
CALL(int, getaddrinfo, EAI_FAIL,
     (const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out),
     (node, service, hints, out))
CALL(enum MHD_Result, MHD_run, MHD_NO, (struct MHD_Daemon * d), (d))
CALL(enum MHD_Result, MHD_add_response_header, MHD_NO,
     (struct MHD_Response * r, const char *name, const char *value), (r, name, value))
CALL(struct MHD_Response *, MHD_create_response_from_buffer, NULL,
     (size_t size, void *data, enum MHD_ResponseMemoryMode mode), (size, data, mode))
CALL(struct MHD_Response *, MHD_create_response_from_fd_at_offset64, NULL,
     (uint64_t size, int fd, uint64_t offset), (size, fd, offset))

const union MHD_ConnectionInfo *__real_MHD_get_connection_info(struct MHD_Connection *c,
                                                               enum MHD_ConnectionInfoType what, ...);
const union MHD_ConnectionInfo *__wrap_MHD_get_connection_info(struct MHD_Connection *c,
                                                               enum MHD_ConnectionInfoType what, ...);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_getrlimit(int what, struct rlimit *out);
int __wrap_setrlimit(int what, const struct rlimit *limit);
int __real_getrlimit(int what, struct rlimit *out);
int __real_setrlimit(int what, const struct rlimit *limit);

/* What the library does not tell is NULL. */
const union MHD_ConnectionInfo *__wrap_MHD_get_connection_info(struct MHD_Connection *c,
                                                               enum MHD_ConnectionInfoType what, ...)
{
    if (fault.call && strcmp(fault.call, "MHD_get_connection_info") == 0 && fault.kind == (int)what)
        return NULL;
    return __real_MHD_get_connection_info(c, what);
}

static void withhold(enum MHD_ConnectionInfoType what)
{
    refuse("MHD_get_connection_info", 0, 0);
    fault.kind = (int)what;
}

int __wrap_open(const char *path, int flags, ...)
{
    return fails("open") ? -1 : __real_open(path, flags, 0600);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    int rc = __real_clock_gettime(clock, t);

    t->tv_sec += (time_t)later;
    return rc;
}

/* Limits of the check's own, so that those of the process stay. */
static struct rlimit limits;
static bool own_limits;

int __wrap_getrlimit(int what, struct rlimit *out)
{
    if (fails("getrlimit"))
        return -1;
    if (!own_limits)
        return __real_getrlimit(what, out);
    *out = limits;
    return 0;
}

int __wrap_setrlimit(int what, const struct rlimit *limit)
{
    if (fails("setrlimit"))
        return -1;
    if (!own_limits)
        return __real_setrlimit(what, limit);
    limits = *limit;
    return 0;
}

/* ---- a server and who asks it, in one thread ---- */

struct set {
    struct scratch *scratch;
    struct up_httpd *h;
    int client;
    char in[1 << 18];
    size_t filled;
    bool ended;
};

static void serve_with(struct set *s, const struct up_httpd_options *options)
{
    struct up_error err;

    must(up_httpd_open(&s->h, "127.0.0.1:0", options, &err), &err);
}

static void hang_up(struct set *s)
{
    if (s->client >= 0)
        close(s->client);
    s->client = -1;
}

static void call(struct set *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    hang_up(s);
    a.sin_port = htons((uint16_t)atoi(strrchr(up_httpd_address(s->h), ':') + 1));
    s->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->client >= 0);
    assert_int_equal(connect(s->client, (struct sockaddr *)&a, sizeof a), 0);
    fcntl(s->client, F_SETFL, O_NONBLOCK);
    s->filled = 0;
    s->ended = false;
}

static void say(struct set *s, const char *text)
{
    assert_int_equal(send(s->client, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void turn(struct set *s)
{
    struct pollfd p[2] = {{.fd = up_httpd_fd(s->h), .events = POLLIN}, {.fd = s->client, .events = POLLIN}};
    struct up_error err;
    ssize_t n;

    if (up_httpd_timeout(s->h) != 0)
        poll(p, s->ended || s->client < 0 ? 1 : 2, 1);
    must(up_httpd_run(s->h, &err), &err);
    if (s->client < 0 || s->ended)
        return;
    n = recv(s->client, s->in + s->filled, sizeof s->in - 1 - s->filled, 0);
    if (n > 0)
        s->filled += (size_t)n;
    s->ended = n == 0 || (n < 0 && errno == ECONNRESET);
    s->in[s->filled] = '\0';
}

static uint64_t await_request(struct set *s, const struct up_httpd_request **out)
{
    for (int i = 0; i < TURNS; i++) {
        turn(s);
        if (up_httpd_next(s->h, out) == 0)
            return (*out)->id;
    }
    fail_msg("no request comes");
    return 0;
}

static void await_text(struct set *s, const char *text)
{
    for (int i = 0; i < TURNS; i++) {
        turn(s);
        if (strstr(s->in, text))
            return;
    }
    fail_msg("no %s in %s", text, s->in);
}

static void await_end(struct set *s)
{
    for (int i = 0; i < TURNS && !s->ended; i++)
        turn(s);
    assert_true(s->ended);
}

static struct up_httpd_event await_event(struct set *s)
{
    struct up_httpd_event e;

    for (int i = 0; i < TURNS; i++) {
        if (up_httpd_finished(s->h, &e) == 0)
            return e;
        turn(s);
    }
    fail_msg("no request ends");
    return e;
}

static uint64_t ask(struct set *s, const char *text, const struct up_httpd_request **r)
{
    call(s);
    say(s, text);
    return await_request(s, r);
}

/* That the server is well. */
static void is_served(struct set *s)
{
    const struct up_httpd_request *r;
    struct up_error err;
    uint64_t id = ask(s, "GET /again HTTP/1.1\r\nHost: x\r\n\r\n", &r);

    assert_string_equal(r->path, "/again");
    must(up_httpd_reply(s->h, id, 200, NULL, "well", 4, &err), &err);
    await_text(s, "\r\n\r\nwell");
}

static int set_up(void **state)
{
    struct set *s = malloc(sizeof *s);

    memset(s, 0, sizeof *s);
    s->client = -1;
    later = 0;
    fail_nothing();
    *state = s;
    return scratch_set_up((void **)&s->scratch);
}

static int tear_down(void **state)
{
    struct set *s = *state;
    int rc;

    fail_nothing();
    own_limits = false;
    hang_up(s);
    up_httpd_close(s->h);
    rc = scratch_tear_down((void **)&s->scratch);
    free(s);
    return rc;
}

/* ---- the checks ---- */

static void a_server_that_cannot_start_leaves_nothing(void **state)
{
    static const struct {
        const char *call;
        int code;
        const char *said;
    } cases[] = {
        {"calloc", UP_INTERNAL, "out of memory"},
        {"getaddrinfo", UP_NETWORK, "cannot listen on"},
        {"getnameinfo", UP_INTERNAL, "cannot tell which address"},
    };
    static const char *const bad[] = {"127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                                      "::1:80",    "[::1:80",    "[]:80",       "[:80"};
    unsigned before = open_descriptors();
    struct rlimit outside, low;
    struct up_httpd *h = NULL;
    struct up_error err;
    int rc;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        refuse(cases[i].call, 1, ENOMEM);
        must_fail(up_httpd_open(&h, "127.0.0.1:0", NULL, &err), cases[i].code, cases[i].said, &err);
        assert_int_equal(open_descriptors(), before);
    }
    fail_nothing();
    /* Descriptors that end with the listening one: none for the library. */
    assert_int_equal(__real_getrlimit(RLIMIT_NOFILE, &outside), 0);
    limits = outside;
    limits.rlim_cur = limits.rlim_max = 100000; /* what it is told */
    own_limits = true;
    low = outside;
    low.rlim_cur = (rlim_t)dup(0) + 1;
    close((int)low.rlim_cur - 1);
    assert_int_equal(__real_setrlimit(RLIMIT_NOFILE, &low), 0);
    rc = up_httpd_open(&h, "127.0.0.1:0", NULL, &err);
    assert_int_equal(__real_setrlimit(RLIMIT_NOFILE, &outside), 0);
    must_fail(rc, UP_INTERNAL, "cannot start", &err);
    assert_int_equal(open_descriptors(), before);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rc = up_httpd_open(&h, bad[i], NULL, &err);
        if (rc != UP_USAGE && rc != UP_NETWORK)
            fail_msg("%s is taken", bad[i]);
        assert_int_equal(open_descriptors(), before);
    }
    assert_null(h);
}

static void requests_that_cannot_be_kept_are_ended(void **state)
{
    struct set *s = *state;
    const struct up_httpd_options small = {.body_max = 10, .head_max = 4096};
    const struct up_httpd_request *r;
    struct up_httpd_event e;
    struct up_error err;

    serve_with(s, &small);
    call(s);                     /* no memory for the request, */
    refuse("calloc", 2, ENOMEM); /* after the connection's */
    say(s, "GET /lost HTTP/1.1\r\nHost: x\r\n\r\n");
    await_end(s);
    fail_nothing();
    is_served(s);
    e = await_event(s);
    assert_string_equal(e.path, "/again");
    call(s); /* none for its body */
    refuse("realloc", 1, ENOMEM);
    say(s, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
    await_end(s);
    fail_nothing();
    e = await_event(s);
    assert_int_equal(e.status, 0);
    assert_false(e.complete);
    call(s); /* none to turn it away */
    refuse("MHD_create_response_from_buffer", 1, ENOMEM);
    say(s, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n");
    await_end(s);
    fail_nothing();
    assert_int_equal(await_event(s).status, 0);
    call(s);
    refuse("MHD_add_response_header", 1, ENOMEM);
    say(s, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n");
    await_end(s);
    fail_nothing();
    assert_int_equal(await_event(s).status, 0);
    call(s);
    say(s, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n");
    await_text(s, "413");
    assert_int_equal(await_event(s).status, 413);
    call(s);
    say(s, "GET /a%7f%01 HTTP/1.1\r\nHost: x\r\n\r\n");
    await_text(s, "400");
    e = await_event(s);
    assert_int_equal(e.status, 400);
    for (const char *p = e.path; *p; p++)
        assert_true(*p >= 0x20 && *p != 0x7f);
    ask(s, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789", &r);
    assert_int_equal(r->body_len, 10);
    must(up_httpd_reply(s->h, r->id, 204, NULL, "", 0, &err), &err);
    await_text(s, "204");
}

static void an_answer_that_cannot_be_made_leaves_the_request_open(void **state)
{
    static const char *const malformed[] = {"no colon", NULL};
    static const char *const long_name[] = {
        "X-0123456789012345678901234567890123456789012345678901234567890123: x", NULL};
    static const struct {
        const char *call;
        unsigned nth;
        int error, code;
    } cases[] = {
        {"open", 1, EMFILE, UP_BUSY},
        {"open", 1, ENFILE, UP_BUSY},
        {"open", 1, EACCES, UP_WRITE},
        {"fstat", 1, EIO, UP_MISSING},
        {"MHD_create_response_from_fd_at_offset64", 1, ENOMEM, UP_INTERNAL},
        {"MHD_add_response_header", 1, ENOMEM, UP_INTERNAL}, /* Content-Range */
        {"MHD_add_response_header", 2, ENOMEM, UP_INTERNAL}, /* ETag */
        {"MHD_add_response_header", 3, ENOMEM, UP_INTERNAL}, /* Accept-Ranges */
    };
    struct set *s = *state;
    const struct up_httpd_request *r;
    const struct up_httpd_request other = {.id = 1};
    struct up_error err;
    char path[512], below[600];
    unsigned before;
    uint64_t id;

    serve_with(s, NULL);
    scratch_write(s->scratch, "file", "0123456789", 10);
    scratch_path(s->scratch, "file", path);
    snprintf(below, sizeof below, "%s/below", path);
    id = ask(s, "GET /f HTTP/1.1\r\nHost: x\r\nRange: bytes=2-4\r\n\r\n", &r);
    before = open_descriptors();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        refuse(cases[i].call, cases[i].nth, cases[i].error);
        if (up_httpd_reply_file(s->h, id, path, NULL, NULL, &err) != cases[i].code)
            fail_msg("%s %u: %s", cases[i].call, cases[i].nth, err.message);
        assert_int_equal(open_descriptors(), before);
    }
    refuse("MHD_create_response_from_buffer", 1, ENOMEM);
    must_fail(up_httpd_reply(s->h, id, 200, NULL, "x", 1, &err), UP_INTERNAL, "out of memory", &err);
    fail_nothing();
    must_fail(up_httpd_reply_file(s->h, id, below, NULL, NULL, &err), UP_MISSING, "Not a directory", &err);
    must_fail(up_httpd_reply_file(s->h, id, path, NULL, malformed, &err), UP_USAGE, "malformed", &err);
    must_fail(up_httpd_reply(s->h, id, 200, long_name, "x", 1, &err), UP_USAGE, "malformed", &err);
    assert_int_equal(open_descriptors(), before);
    assert_null(up_httpd_header(s->h, &other, "Range"));
    assert_string_equal(up_httpd_header(s->h, r, "Range"), "bytes=2-4");
    must(up_httpd_reply_file(s->h, id, path, NULL, NULL, &err), &err);
    await_text(s, "\r\n\r\n234");
    assert_non_null(strstr(s->in, "206"));
    assert_int_equal(await_event(s).status, 206);

    id = ask(s, "GET /f HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"t\"\r\n\r\n", &r);
    before = open_descriptors();
    refuse("MHD_create_response_from_buffer", 1, ENOMEM); /* an answer without a file */
    must_fail(up_httpd_reply_file(s->h, id, path, "t", NULL, &err), UP_INTERNAL, "cannot create", &err);
    assert_int_equal(open_descriptors(), before);
    must(up_httpd_reply_file(s->h, id, path, "t", NULL, &err), &err);
    await_text(s, "304");
}

static void what_the_library_does_not_tell_is_left_open(void **state)
{
    struct set *s = *state;
    const struct up_httpd_request *r;
    struct up_httpd_event e;
    struct up_error err;
    char path[512], *large = malloc(32 << 20);
    uint64_t id;

    serve_with(s, NULL);
    memset(large, 'l', 32 << 20);
    scratch_write(s->scratch, "file", large, 32 << 20);
    free(large);
    scratch_path(s->scratch, "file", path);
    call(s);
    turn(s);
    withhold(MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    say(s, "GET /f HTTP/1.1\r\nHost: x\r\n\r\n");
    id = await_request(s, &r);
    assert_string_equal(r->client, "");
    fail_nothing();
    must(up_httpd_reply(s->h, id, 200, NULL, "x", 1, &err), &err);
    assert_int_equal(await_event(s).status, 200);
    for (int i = 0; i < 3; i++) { /* how much came of a download that was broken off */
        id = ask(s, "GET /f HTTP/1.1\r\nHost: x\r\n\r\n", &r);
        assert_string_equal(r->client, "127.0.0.1");
        must(up_httpd_reply_file(s->h, id, path, NULL, NULL, &err), &err);
        await_text(s, "llll");
        hang_up(s);
        if (i == 1)
            withhold(MHD_CONNECTION_INFO_CONNECTION_FD);
        else if (i == 2)
            refuse("getsockopt", 0, EINVAL);
        e = await_event(s);
        fail_nothing();
        assert_false(e.complete);
        assert_int_equal(e.status, 200);
        if (i == 0)
            assert_in_range(e.bytes, 4, 32 << 20);
        else
            assert_true(e.bytes == UINT64_MAX);
    }
    /* Not who it is: then a file that was cut short cannot be broken off. */
    id = ask(s, "GET /f HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    must(up_httpd_reply_file(s->h, id, path, NULL, NULL, &err), &err);
    await_text(s, "llll");
    withhold(MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    later += 2;
    turn(s);
    assert_false(s->ended);
    refuse("fstat", 1, EIO); /* nor one that cannot be looked at */
    later += 2;
    turn(s);
    assert_false(s->ended);
    fail_nothing();
    hang_up(s);
    assert_false(await_event(s).complete);
    is_served(s);
}

static void the_server_says_when_it_cannot_go_on(void **state)
{
    struct set *s = *state;
    const struct up_httpd_request *r;
    struct up_error err;
    char path[512], *large = malloc(4 << 20);
    uint64_t id;

    serve_with(s, NULL);
    refuse("MHD_run", 1, 0);
    must_fail(up_httpd_run(s->h, &err), UP_INTERNAL, "waiting for clients failed", &err);
    is_served(s);
    memset(large, 'l', 4 << 20);
    scratch_write(s->scratch, "file", large, 4 << 20);
    free(large);
    id = ask(s, "GET /f HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    must(up_httpd_reply_file(s->h, id, scratch_path(s->scratch, "file", path), NULL, NULL, &err), &err);
    assert_int_equal(up_httpd_timeout(s->h), 0);
    refuse("MHD_run", 2, 0); /* later in the same round */
    for (int i = 0; i < TURNS && fault.call; i++) {
        int rc = up_httpd_run(s->h, &err);

        assert_int_equal(rc, fault.call ? 0 : UP_INTERNAL);
    }
    assert_null(fault.call);
}

/* Nobody asks what became of them: the last 1024 are known. */
static void the_list_of_what_ended_has_an_end(void **state)
{
    struct set *s = *state;
    struct up_httpd_event e;
    unsigned count = 0;
    uint64_t first = 0;

    serve_with(s, NULL);
    for (int i = 0; i < 1030; i++) {
        s->in[0] = '\0';
        call(s);
        say(s, "GET /../x HTTP/1.1\r\nHost: x\r\n\r\n");
        await_text(s, "bad path");
    }
    for (int i = 0; i < 10; i++)
        turn(s);
    while (up_httpd_finished(s->h, &e) == 0) {
        first = first ? first : e.id;
        assert_int_equal(e.status, 400);
        assert_int_equal(e.id, first + count);
        count++;
    }
    assert_int_equal(count, 1024);
    assert_int_equal(e.id, 1030);
}

/* One that nobody took, one that was taken, and one that is being written. */
static void it_closes_over_open_requests(void **state)
{
    struct set *s = *state;
    const struct up_httpd_request *r;
    unsigned before = open_descriptors();
    int first;

    serve_with(s, NULL);
    ask(s, "GET /taken HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    first = s->client;
    s->client = -1;
    call(s);
    say(s, "GET /queued HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 20; i++)
        turn(s);
    up_httpd_close(s->h);
    s->h = NULL;
    assert_true(recv(s->client, s->in, sizeof s->in, 0) <= 0);
    hang_up(s);
    close(first);
    assert_int_equal(open_descriptors(), before);
}

static void connections_fit_the_descriptors(void **state)
{
    static const struct {
        rlim_t soft, hard;
        const char *call;
        unsigned wanted, got;
        rlim_t then;
    } cases[] = {
        {1000, 2000, NULL, 100, 100, 1000}, /* enough as it is */
        {64, 2000, NULL, 100, 100, 296},    /* raised */
        {64, 196, NULL, 100, 50, 196},      /* as far as it goes */
        {64, 98, NULL, 100, 1, 98},         /* never none */
        {64, 99, NULL, 100, 1, 99},
        {20, 20, NULL, 100, 1, 20},
        {64, 2000, "getrlimit", 100, 100, 64},  /* not told */
        {196, 2000, "setrlimit", 100, 50, 196}, /* not allowed: what there is */
    };

    (void)state;
    own_limits = true;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        limits = (struct rlimit){cases[i].soft, cases[i].hard};
        refuse(cases[i].call, 1, EPERM);
        if (up_http_listen_fit(cases[i].wanted) != cases[i].got)
            fail_msg("case %zu", i);
        assert_int_equal(limits.rlim_cur, cases[i].then);
        fail_nothing();
    }
}

/* One host has as many addresses of IPv6 as it likes. */
static void a_network_has_one_share(void **state)
{
    struct up_http_limits sharing = {.connections = 40, .request_ms = 60000};
    struct up_http_connection *last = NULL;
    struct sockaddr_in6 from = {.sin6_family = AF_INET6};

    (void)state;
    inet_pton(AF_INET6, "2001:db8:0:1::1", &from.sin6_addr);
    for (unsigned char i = 0; i < 33; i++) {
        from.sin6_addr.s6_addr[15] = i;
        last = up_http_limits_enter(&sharing, -1, (const struct sockaddr *)&from, 0);
        assert_non_null(last);
    }
    assert_true(up_http_limits_over_share(&sharing, last));
    from.sin6_addr.s6_addr[7] = 2;
    last = up_http_limits_enter(&sharing, -1, (const struct sockaddr *)&from, 0);
    assert_non_null(last);
    assert_false(up_http_limits_over_share(&sharing, last));
    while (sharing.first)
        up_http_limits_leave(&sharing, sharing.first);
    assert_int_equal(sharing.present, 0);
}

/* A SIGPIPE of the server's own writing is taken away, one that waited stays. */
static void other_signals_stay(void **state)
{
    sigset_t pipe_only, outside, before, pending;
    bool was;

    (void)state;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    was = up_http_listen_hold_sigpipe(&before);
    assert_false(was);
    raise(SIGPIPE);
    up_http_listen_release_sigpipe(&before, was); /* or this process were gone */
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));

    pthread_sigmask(SIG_BLOCK, &pipe_only, &outside);
    raise(SIGPIPE);
    was = up_http_listen_hold_sigpipe(&before);
    assert_true(was);
    up_http_listen_release_sigpipe(&before, was);
    sigpending(&pending);
    assert_true(sigismember(&pending, SIGPIPE));
    sigwaitinfo(&pipe_only, NULL);
    pthread_sigmask(SIG_SETMASK, &outside, NULL);
}

#define CHECK(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(a_server_that_cannot_start_leaves_nothing),
        CHECK(requests_that_cannot_be_kept_are_ended),
        CHECK(an_answer_that_cannot_be_made_leaves_the_request_open),
        CHECK(what_the_library_does_not_tell_is_left_open),
        CHECK(the_server_says_when_it_cannot_go_on),
        CHECK(the_list_of_what_ended_has_an_end),
        CHECK(it_closes_over_open_requests),
        CHECK(connections_fit_the_descriptors),
        CHECK(a_network_has_one_share),
        CHECK(other_signals_stay),
    };

    return cmocka_run_group_tests_name("httpd", tests, NULL, NULL);
}
