/*
 * fetch_check.c -- which URLs are taken, shown and followed; answers cut and
 * garbled at every byte.
 *
 * The server is a listening socket of this very process: what it says is in
 * the socket before the client looks.
 */
#include "fetch.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include <cmocka.h>

#include "error.h"
#include "fetch_options.h"
#include "sim_flash.h"
#include "source.h"
#include "url.h"

static void urls_are_shown_without_their_secrets(void **state)
{
    static const char *const cases[][2] = {
        {"http://host/path", "http://host/path"},
        {"HTTP://HOST:8080/path?token=1#part", "http://HOST:8080/path"},
        {"https://me:secret@host/a%20b?x", "https://host/a%20b"},
        {"http://[::1]:80/", "http://[::1]:80/"},
        {"file:///etc/passwd?x", "file:///etc/passwd"},
        {"http://host", "http://host/"},
        {"no url at all", "(unreadable URL)"},
        {"", "(unreadable URL)"},
    };
    char shown[UP_URL_SHOWN], *longest = malloc(4001);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        up_url_show(cases[i][0], shown);
        assert_string_equal(shown, cases[i][1]);
    }
    memset(longest, 'x', 4000);
    longest[4000] = '\0';
    memcpy(longest, "http://h/", 9);
    up_url_show(longest, shown);
    assert_int_equal(strlen(shown), UP_URL_SHOWN - 1);
    free(longest);
}

static void only_web_addresses_are_taken(void **state)
{
    static const struct {
        const char *url;
        int code;
    } cases[] = {
        {"http://host/", 0},
        {"https://host:8443/x?y", 0},
        {"http://me:pass@host/", 0},
        {"http://1.2.3.4/", 0},
        {"HTTPS://host/", 0},
        {"ftp://host/", UP_USAGE},
        {"file:///x", UP_USAGE},
        {"host/path", UP_USAGE},
        {"http://", UP_USAGE},
        {"", UP_USAGE},
        {"http://host/a b", UP_USAGE},
        {"http://host/\r\n", UP_USAGE},
        {"http://host:99999/", UP_USAGE},
        {"javascript:x", UP_USAGE},
    };
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (up_url_check(cases[i].url, &err) != cases[i].code)
            fail_msg("%s is not judged %d", cases[i].url, cases[i].code);
}

/* What would end a line of the request, or reach beyond what libcurl counts. */
static void options_that_cannot_be_are_refused(void **state)
{
    static char long_tag[402], long_method[33];
    static const char *const controls[] = {"X: a\tb", "X: a\nb", NULL},
                             *const no_colon[] = {"X: y", "X", NULL}, *const fine[] = {"X: a\tb", "Y:", NULL};
    const struct {
        struct up_fetch_options o;
        int code;
    } cases[] = {
        {{.method = "M-SEARCH"}, UP_USAGE},
        {{.method = ""}, UP_USAGE},
        {{.method = "get"}, UP_USAGE},
        {{.method = long_method}, UP_USAGE},
        {{.method = long_method + 1}, 0},
        {{.if_range = "a\rb"}, UP_USAGE},
        {{.if_range = long_tag}, UP_USAGE},
        {{.if_range = long_tag + 1}, 0},
        {{.headers = controls}, UP_USAGE},
        {{.headers = no_colon}, UP_USAGE},
        {{.headers = fine}, 0},
        {{.ranged = true, .offset = (uint64_t)INT64_MAX + 1}, UP_USAGE},
        {{.ranged = true, .offset = INT64_MAX, .length = 1}, UP_USAGE},
        {{.ranged = true, .offset = INT64_MAX - 1, .length = 1}, 0},
        {{.offset = UINT64_MAX}, 0}, /* not asked for */
    };
    struct up_error err;

    (void)state;
    memset(long_tag, 't', sizeof long_tag - 1);
    memset(long_method, 'M', sizeof long_method - 1);
    assert_int_equal(up_fetch_options_check(NULL, &err), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (up_fetch_options_check(&cases[i].o, &err) != cases[i].code)
            fail_msg("case %zu is not judged %d", i, cases[i].code);
}

static void redirects_lead_where_they_may(void **state)
{
    static const struct {
        const char *base, *location, *prefix, *to; /* to: NULL when refused */
    } cases[] = {
        {"http://a/x/y?q", "z", NULL, "http://a/x/z"},
        {"http://a/x/y?q", "/z?r", NULL, "http://a/z?r"},
        {"http://a/x/y", "../../../z", NULL, "http://a/z"},
        {"http://a/x", "//b/z", NULL, "http://b/z"},
        {"https://a/x", "//b/z", NULL, "https://b/z"},
        {"http://a/x", "https://b/z", NULL, "https://b/z"},
        {"http://a/x", "/with space", NULL, "http://a/with%20space"},
        {"https://a/x", "http://a/x", NULL, NULL},
        {"https://a/x", "HTTP://a/x", NULL, NULL},
        {"http://a/x", "file:///x", NULL, NULL},
        {"http://a/x", "ftp://a/x", NULL, NULL},
        {"http://a/x", "data:text/plain,x", NULL, NULL},
        {"https://a/p/1", "2", "https://a/p/", "https://a/p/2"},
        {"https://a/p/1", "https://A/p/2", "https://a/p/", NULL},
        {"https://a/p/1", "/p", "https://a/p", "https://a/p"},
        {"https://a/p/1", "/p?x", "https://a/p", "https://a/p?x"},
        {"https://a/p/1", "/pp", "https://a/p", NULL},
        {"https://a/p/1", "/p/../q", "https://a/p", NULL},
        {"https://a/p/1", "/p/%2E%2e/q", "https://a/p", NULL},
        {"https://a/p/1", "/p/..%2fq", "https://a/p", NULL},
        {"https://a/p/1", "/p/..\\q", "https://a/p", NULL},
        {"https://a/p/1", "https://a.evil/p/2", "https://a", NULL},
        {"https://a/p/1", "https://a@evil/p/2", "https://a", NULL},
        {"https://a/p/1", "https://a:444/p/2", "https://a", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct up_error err;
        char *to = NULL;
        int rc = up_url_follow(&to, cases[i].base, cases[i].location, cases[i].prefix, &err);

        if (rc != (cases[i].to ? 0 : UP_REFUSED))
            fail_msg("%s from %s: %d", cases[i].location, cases[i].base, rc);
        if (cases[i].to)
            assert_string_equal(to, cases[i].to);
        free(to);
    }
}

static void an_origin_is_scheme_host_and_port(void **state)
{
    (void)state;
    assert_true(up_url_same_origin("http://a/x", "http://A:80/y?z"));
    assert_true(up_url_same_origin("https://u@a/x", "https://a:443/"));
    assert_false(up_url_same_origin("http://a/", "https://a/"));
    assert_false(up_url_same_origin("http://a/", "http://a:81/"));
    assert_false(up_url_same_origin("http://a/", "http://b/"));
}

struct rig {
    struct up_loop *loop;
    int listener, peer; /* peer: who connected, -1 for nobody */
    char url[64];
};

static struct rig rig_new(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    struct up_error err;
    struct rig r = {.peer = -1};

    assert_int_equal(up_loop_new(&r.loop, &err), 0);
    r.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(r.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(r.listener, 8), 0);
    assert_int_equal(getsockname(r.listener, (struct sockaddr *)&address, &len), 0);
    snprintf(r.url, sizeof r.url, "http://127.0.0.1:%d/x?secret", ntohs(address.sin_port));
    return r;
}

static void rig_free(struct rig *r)
{
    close(r->listener);
    up_loop_free(r->loop);
}

/* Wait for what comes next. Who connects and has sent a request is answered
 * with these bytes and hung up on. */
static void turn(struct rig *r, const char *text, size_t len)
{
    struct up_watch watch = {.fd = r->peer < 0 ? r->listener : r->peer, .read = true};
    struct up_error err;
    char said[2048];

    assert_int_equal(up_loop_poll(r->loop, &watch, 1, 5000, &err), 0);
    if (!watch.ready)
        return;
    if (r->peer < 0) {
        r->peer = accept(r->listener, NULL, NULL);
        return;
    }
    if (recv(r->peer, said, sizeof said, 0) > 0)
        assert_int_equal(send(r->peer, text, len, MSG_NOSIGNAL), (long)len);
    close(r->peer);
    r->peer = -1;
}

struct result {
    char body[256];
    size_t len;
    int code; /* 0 or an error */
    char message[512];
};

static struct result request(struct rig *r, const struct up_fetch_options *o, const char *text, size_t len)
{
    struct result result = {.len = 0};
    struct up_error err;
    struct up_fetch *f;
    long n;

    assert_int_equal(up_fetch_open(&f, r->loop, r->url, o, &err), 0);
    for (n = up_fetch_read(f, result.body + result.len, sizeof result.body - result.len, &err); n != 0;
         n = up_fetch_read(f, result.body + result.len, sizeof result.body - result.len, &err)) {
        if (n == UP_AGAIN) {
            turn(r, text, len);
            continue;
        }
        if (n < 0) {
            result.code = (int)n;
            memcpy(result.message, err.message, sizeof result.message);
            break;
        }
        result.len += (size_t)n;
        assert_true(result.len < sizeof result.body);
    }
    assert_true(up_fetch_received(f) >= result.len);
    up_fetch_close(f);
    return result;
}

static const char ranged[] = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-14/100\r\n"
                             "Content-Length: 10\r\nETag: \"x\"\r\n\r\n0123456789";
static const char chunked[] = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-14/100\r\n"
                              "Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6;x=y\r\n456789\r\n0\r\n\r\n";

static void an_answer_cut_at_any_byte_is_never_taken_for_whole(void **state)
{
    static const char *const texts[] = {ranged, chunked};
    const struct up_fetch_options o = {.ranged = 1, .offset = 5, .length = 10};
    struct rig r = rig_new();

    (void)state;
    for (size_t t = 0; t < 2; t++) {
        size_t size = strlen(texts[t]);

        for (size_t cut = 0; cut <= size; cut++) {
            struct result got = request(&r, &o, texts[t], cut);

            assert_true(got.len <= 10);
            assert_memory_equal(got.body, "0123456789", got.len);
            if (got.code == 0)
                assert_true(got.len == 10 && (cut == size || t == 1));
            else
                assert_int_equal(got.code, UP_NETWORK);
            if (cut == size)
                assert_int_equal(got.code, 0);
            assert_null(strstr(got.message, "secret"));
        }
    }
    rig_free(&r);
}

/* One wrong byte can move where the body begins, which only digests find; but
 * a range never grows, and nothing is taken for whole that is not. */
static void an_answer_garbled_at_any_byte_does_no_harm(void **state)
{
    static const char with[] = {'\0', ' ', '9', '\n', '\r', ':', '-', '\x80'};
    const struct up_fetch_options o = {.ranged = 1, .offset = 5, .length = 10, .deadline = 20};
    const size_t size = strlen(ranged), head = size - 10;
    struct rig r = rig_new();
    char text[256];

    (void)state;
    for (size_t at = 0; at < head; at++) {
        for (size_t i = 0; i < sizeof with; i++) {
            struct result got;

            memcpy(text, ranged, size);
            text[at] = with[i];
            got = request(&r, &o, text, size);
            if (strncmp(text, "HTTP/1.1 206 ", 13) == 0)
                assert_true(got.len <= 10 && (got.code != 0 || got.len == 10));
            assert_true(got.code == 0 || got.code == UP_NETWORK || got.code == UP_CORRUPT);
        }
    }
    rig_free(&r);
}

/* libcurl before 8.1 appends a line that goes on to the last header of the
 * handle's request before, which is freed by then; seen under a sanitizer. */
static void a_redirect_leaves_no_header_behind(void **state)
{
    static const char first[] = "HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n";
    static const char then[] = "HTTP/1.1 200 OK\r\n goes on: here\r\nContent-Length: 2\r\n\r\nok";
    const struct up_fetch_options o = {.max_redirects = 1};
    struct rig r = rig_new();
    struct up_error err;
    struct up_fetch *f;
    char body[16];
    long n;

    (void)state;
    assert_int_equal(up_fetch_open(&f, r.loop, r.url, &o, &err), 0);
    n = up_fetch_read(f, body, sizeof body, &err);
    for (int turns = 0; n == UP_AGAIN; n = up_fetch_read(f, body, sizeof body, &err)) {
        assert_true(turns++ < 1000);
        if (r.peer < 0 || !strstr(up_fetch_url(f), "/y"))
            turn(&r, first, strlen(first));
        else
            turn(&r, then, strlen(then));
    }
    assert_int_equal(n, UP_NETWORK);
    up_fetch_close(f);
    rig_free(&r);
}

/*
 * Name servers that do not answer: libcurl asks in a thread, by this function of ours.
 */
static struct {
    atomic_bool asked, released, over;
    atomic_int left; /* how many are still in it */
} names;

__attribute__((visibility("default"))) int getaddrinfo(const char *host, const char *service,
                                                       const struct addrinfo *hints, struct addrinfo **out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    if (!host || strcmp(host, "silent.test") != 0) {
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
        return real(host, service, hints, out);
    }
    names.left++;
    names.asked = true;
    for (int i = 0; i < 2000 && !names.released; i++) /* who waits for it is not to wait for ever */
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    names.over = true;
    names.left--;
    return EAI_AGAIN;
}

/* Neither the time-out nor the end of the request waits for their answer. */
static void silent_name_servers_are_not_waited_for(void **state)
{
    const struct up_fetch_options o = {.connect_timeout = 1};
    struct up_loop *loop;
    struct up_error err;
    struct up_fetch *f;
    char body[16];
    long n;

    (void)state;
    if (curl_version_info(CURLVERSION_NOW)->version_num < 0x075700)
        skip(); /* that libcurl waits */
    assert_int_equal(up_loop_new(&loop, &err), 0);
    for (int given_up = 0; given_up < 2; given_up++) {
        names.asked = names.released = names.over = false;
        assert_int_equal(up_fetch_open(&f, loop, "http://silent.test/", &o, &err), 0);
        n = up_fetch_read(f, body, sizeof body, &err);
        for (; n == UP_AGAIN && !(given_up && names.asked); n = up_fetch_read(f, body, sizeof body, &err))
            assert_int_equal(up_loop_poll(loop, NULL, 0, 50, &err), 0);
        assert_int_equal(n, given_up ? UP_AGAIN : UP_NETWORK);
        up_fetch_close(f);
        assert_false(names.over);
        names.released = true;
        while (names.left > 0)
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    up_loop_free(loop);
}

static void a_source_reads_what_a_range_holds(void **state)
{
    static const char text[] = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/10\r\n"
                               "Content-Length: 10\r\n\r\n0123456789";
    struct rig r = rig_new();
    struct up_source *s;
    struct up_error err;
    char got[16];
    long n;

    (void)state;
    assert_int_equal(up_source_http(&s, r.loop, r.url, NULL, &err), 0);
    assert_true(s->size == UINT64_MAX);
    for (n = s->ops->read(s, 0, got, sizeof got, &err); n == UP_AGAIN;
         n = s->ops->read(s, 0, got, sizeof got, &err))
        turn(&r, text, strlen(text));
    assert_int_equal(n, 10);
    assert_memory_equal(got, "0123456789", 10);
    assert_true(s->size == 10 && s->received == 10);
    assert_int_equal(s->ops->read(s, 10, got, sizeof got, &err), 0);
    assert_int_equal(s->ops->read(s, 0, got, 0, &err), UP_USAGE);
    s->ops->close(s);
    rig_free(&r);
}

/* One read of a source; who asks is answered with `text`. */
static long read_at(struct rig *r, struct up_source *s, uint64_t offset, void *buf, size_t len,
                    const char *text, struct up_error *err)
{
    long n;

    n = s->ops->read(s, offset, buf, len, err);
    for (int turns = 0; n == UP_AGAIN; n = s->ops->read(s, offset, buf, len, err)) {
        assert_true(turns++ < 1000);
        turn(r, text, strlen(text));
    }
    return n;
}

/* A whole object of which these are the bytes from 0 and from 10. */
#define PART "HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\n"
#define FIRST "Content-Range: bytes 0-9/100\r\n"
#define SECOND "Content-Range: bytes 10-19/100\r\n"
#define OLD "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\nLast-Modified: Mon, 13 Nov 2023 22:13:20 GMT\r\n"
#define BODY "\r\n0123456789"
#define T63 "012345678901234567890123456789012345678901234567890123456789012"
#define T504 T63 T63 T63 T63 T63 T63 T63 T63

static void an_object_that_changes_between_two_answers_is_noticed(void **state)
{
    static const struct {
        const char *first, *second;
        long got; /* of the second read */
        const char *said;
    } cases[] = {
        {PART FIRST BODY, PART SECOND BODY, 10, ""},
        {PART FIRST "ETag: \"a\""
                    "\r\n" BODY,
         PART SECOND "ETag: \"a\"\r\n" BODY, 10, ""},
        {PART FIRST "ETag: \"a\"\r\n" BODY, PART SECOND "ETag: \"b\"\r\n" BODY, UP_CORRUPT,
         "its entity tag was \"a\" and is \"b\""},
        {PART FIRST "ETag: \"a\"\r\n" BODY, PART SECOND BODY, 10, ""},
        {PART FIRST OLD BODY, PART SECOND OLD BODY, 10, ""},
        {PART FIRST OLD BODY, PART SECOND "Last-Modified: Mon, 13 Nov 2023 22:13:21 GMT\r\n" BODY, UP_CORRUPT,
         "its date was"},
        {PART FIRST "Last-Modified: no date\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n" BODY,
         PART SECOND BODY, 10, ""},
        {PART FIRST "Date: no date\r\nLast-Modified: Mon, 13 Nov 2023 22:13:20 GMT\r\n" BODY,
         PART SECOND BODY, 10, ""},
        {PART FIRST "ETag: \"" T504 "\"\r\n" BODY, PART SECOND "ETag: \"b\"\r\n" BODY, 10,
         ""}, /* too long to be kept */
        {PART FIRST BODY, PART "Content-Range: bytes 10-19/101\r\n" BODY, UP_CORRUPT,
         "its size was 100 and is 101"},
        {PART FIRST BODY, "HTTP/1.1 416 No\r\nContent-Length: 0\r\nContent-Range: bytes */10\r\n\r\n",
         UP_CORRUPT, "its size was 100 and is 10"},
        {PART FIRST BODY, "HTTP/1.1 416 No\r\nContent-Length: 0\r\nContent-Range: bytes */100\r\n\r\n",
         UP_CORRUPT, "yet refuses those from 10"},
        {PART FIRST BODY, "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n", UP_CORRUPT, "no size given"},
        {PART FIRST BODY, "HTTP/1.1 200 OK\r\nConnection: close\r\n" BODY "abcde", 5, ""},
        {PART FIRST BODY, "HTTP/1.1 200 OK\r\nConnection: close\r\n" BODY, UP_NETWORK,
         "ended after 10 of 100 bytes"},
        {PART FIRST "Content-Encoding: identity\r\n" BODY, PART SECOND "Content-Encoding:\r\n" BODY, 10, ""},
        {PART FIRST BODY, PART SECOND "Content-Encoding: gzip\r\n" BODY, UP_CORRUPT, "Content-Encoding gzip"},
        {PART FIRST BODY, "HTTP/1.1 404 Gone\r\nContent-Length: 2\r\n\r\nno", UP_MISSING, "HTTP 404"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r = rig_new();
        struct up_source *s;
        struct up_error err = {.code = 0};
        char got[64];
        long n;

        assert_int_equal(up_source_http(&s, r.loop, r.url, NULL, &err), 0);
        s->ops->want(s, 0, 10); /* and no more, so that nothing is asked for ahead */
        assert_int_equal(read_at(&r, s, 0, got, 10, cases[i].first, &err), 10);
        assert_int_equal(s->size, 100);
        s->ops->want(s, 10, 10);
        n = read_at(&r, s, 10, got, 10, cases[i].second, &err);
        if (n != cases[i].got || (n < 0 && !strstr(err.message, cases[i].said)))
            fail_msg("case %zu: %ld, %s", i, n, err.message);
        assert_true(n >= 0 || !strstr(err.message, "secret"));
        s->ops->close(s);
        rig_free(&r);
    }
}

/* A file by whatever it is: only what has bytes at places is opened. */
static void what_is_no_file_is_no_source(void **state)
{
    struct sim *sim = sim_new();
    struct up_source *s = NULL;
    struct up_error err;
    char got[16];

    (void)state;
    sim_put_text(sim, "/d/file", "0123456789");
    sim_put_link(sim, "/d/link", "file");
    sim_put_block(sim, "/d/block", 5000);
    sim_put_flash(sim, "/d/flash", UP_FLASH_NOR, 4, 4096, 1);
    assert_int_equal(up_source_file(&s, sim_storage(sim), "/d", &err), UP_MISSING);
    assert_non_null(strstr(err.message, "a directory"));
    assert_int_equal(up_source_file(&s, sim_storage(sim), "/d/flash", &err), UP_MISSING);
    assert_non_null(strstr(err.message, "a device"));
    assert_int_equal(up_source_file(&s, sim_storage(sim), "/d/none", &err), UP_MISSING);
    assert_int_equal(up_source_file(&s, sim_storage(sim), "/d/file/below", &err), UP_MISSING);
    sim_fail(sim, SIM_OPEN, 1, EACCES, false);
    assert_int_equal(up_source_file(&s, sim_storage(sim), "/d/file", &err), UP_WRITE);
    assert_int_equal(up_source_file(&s, sim_storage(sim), "/d/block", &err), 0);
    assert_int_equal(s->size, 5000);
    s->ops->close(s);
    assert_int_equal(up_source_file(&s, sim_storage(sim), "/d/link", &err), 0);
    assert_int_equal(s->size, 10);
    assert_int_equal(s->ops->read(s, 7, got, sizeof got, &err), 3);
    s->ops->close(s);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
}

/* An archive that is labelled as what it is; an object of a size that nobody says. */
static void odd_answers_are_read_as_what_they_are(void **state)
{
    static const char whole[] = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\n" BODY;
    struct rig r = rig_new();
    struct up_source *s;
    struct up_error err;
    char url[80], got[64];

    (void)state;
    snprintf(url, sizeof url, "%.*s.tar.gz", (int)strcspn(r.url, "?"), r.url);
    assert_int_equal(up_source_http(&s, r.loop, url, NULL, &err), 0);
    s->ops->want(s, 2, UINT64_MAX); /* to its end, wherever that is */
    assert_int_equal(read_at(&r, s, 2, got, sizeof got, whole, &err), 8);
    assert_memory_equal(got, "23456789", 8);
    assert_int_equal(read_at(&r, s, 10, got, sizeof got, whole, &err), 0);
    assert_int_equal(s->size, 10);
    s->ops->close(s);
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_shown_without_their_secrets),
        cmocka_unit_test(only_web_addresses_are_taken),
        cmocka_unit_test(options_that_cannot_be_are_refused),
        cmocka_unit_test(redirects_lead_where_they_may),
        cmocka_unit_test(an_origin_is_scheme_host_and_port),
        cmocka_unit_test(an_answer_cut_at_any_byte_is_never_taken_for_whole),
        cmocka_unit_test(an_answer_garbled_at_any_byte_does_no_harm),
        cmocka_unit_test(a_redirect_leaves_no_header_behind),
        cmocka_unit_test(silent_name_servers_are_not_waited_for),
        cmocka_unit_test(a_source_reads_what_a_range_holds),
        cmocka_unit_test(an_object_that_changes_between_two_answers_is_noticed),
        cmocka_unit_test(odd_answers_are_read_as_what_they_are),
        cmocka_unit_test(what_is_no_file_is_no_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
