#include "fetch_options.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "error.h"
#include "public_address.h"

#define RECEIVE_SIZE (64 * 1024L) /* bytes taken from the socket at once */
#define CONNECT_TIMEOUT 15        /* seconds */
#define LOW_SPEED_LIMIT 100       /* bytes a second */
#define LOW_SPEED_TIME 30         /* seconds */

static bool copy_text(const char **out, const char *in)
{
    *out = in ? strdup(in) : NULL;
    return !in || *out;
}

static bool copy_headers(const char *const **out, const char *const *in)
{
    const char **list;
    size_t n = 0;

    *out = NULL;
    if (!in)
        return true;
    while (in[n])
        n++;
    list = calloc(n + 1, sizeof *list);
    *out = list;
    if (!list)
        return false;
    for (size_t i = 0; i < n; i++) {
        list[i] = strdup(in[i]);
        if (!list[i])
            return false;
    }
    return true;
}

static bool copy_body(struct up_fetch_options *out, const struct up_fetch_options *in)
{
    void *body = NULL;

    out->body = NULL;
    if (!in->body)
        return true;
    body = malloc(in->body_len + 1);
    if (body)
        memcpy(body, in->body, in->body_len);
    out->body = body;
    return body != NULL;
}

int up_fetch_options_copy(struct up_fetch_options *out, const struct up_fetch_options *in,
                          struct up_error *err)
{
    bool ok;

    memset(out, 0, sizeof *out);
    if (!in)
        return 0;
    *out = *in;
    /* Replace every pointer before looking at any failure, so that releasing
     * never touches the caller's strings. */
    ok = copy_text(&out->if_range, in->if_range);
    ok &= copy_text(&out->proxy, in->proxy);
    ok &= copy_text(&out->ca_file, in->ca_file);
    ok &= copy_text(&out->method, in->method);
    ok &= copy_text(&out->redirect_prefix, in->redirect_prefix);
    ok &= copy_headers(&out->headers, in->headers);
    ok &= copy_body(out, in);
    if (ok)
        return 0;
    up_fetch_options_free(out);
    return up_fail(err, UP_INTERNAL, "fetch: out of memory");
}

void up_fetch_options_free(struct up_fetch_options *o)
{
    free((char *)o->if_range);
    free((char *)o->proxy);
    free((char *)o->ca_file);
    free((char *)o->method);
    free((char *)o->redirect_prefix);
    for (size_t i = 0; o->headers && o->headers[i]; i++)
        free((char *)o->headers[i]);
    free((void *)o->headers);
    free((void *)o->body);
    memset(o, 0, sizeof *o);
}

static bool is_token(const char *s)
{
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    return n > 0 && n < 32 && s[n] == '\0';
}

static bool is_line(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 && *s != '\t')
            return false;
    return true;
}

int up_fetch_options_check(const struct up_fetch_options *o, struct up_error *err)
{
    if (!o)
        return 0;
    if (o->method && !is_token(o->method))
        return up_fail(err, UP_USAGE, "fetch: invalid method");
    if (o->if_range && (!is_line(o->if_range) || strlen(o->if_range) > 400))
        return up_fail(err, UP_USAGE, "fetch: invalid If-Range");
    for (size_t i = 0; o->headers && o->headers[i]; i++)
        if (!is_line(o->headers[i]) || !strchr(o->headers[i], ':'))
            return up_fail(err, UP_USAGE, "fetch: a header with control characters or without a colon");
    if (o->ranged && (o->offset > INT64_MAX || o->length > INT64_MAX - o->offset))
        return up_fail(err, UP_USAGE, "fetch: the range must end below 2^63");
    return 0;
}

static int add_header(struct curl_slist **list, const char *line, struct up_error *err)
{
    struct curl_slist *more = curl_slist_append(*list, line);

    if (!more)
        return up_fail(err, UP_INTERNAL, "fetch: out of memory");
    *list = more;
    return 0;
}

static int set_headers(const struct up_fetch_options *o, bool foreign, struct curl_slist **list,
                       struct up_error *err)
{
    char line[512];
    int rc = 0;

    curl_slist_free_all(*list);
    *list = NULL;
    for (size_t i = 0; rc == 0 && !foreign && o->headers && o->headers[i]; i++)
        rc = add_header(list, o->headers[i], err);
    if (rc == 0 && o->ranged && o->if_range) {
        snprintf(line, sizeof line, "If-Range: %s", o->if_range);
        rc = add_header(list, line, err);
    }
    /* Avoid the round trip of "Expect: 100-continue" before a body. */
    if (rc == 0 && o->body)
        rc = add_header(list, "Expect:", err);
    return rc;
}

static void set_method(const struct up_fetch_options *o, CURL *e)
{
    const char *usual = o->body ? "POST" : "GET", *method = o->method ? o->method : usual;

    if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
        return;
    }
    if (o->body || strcmp(method, "POST") == 0) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body_len);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, o->body ? o->body : "");
    }
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
}

static void set_range(const struct up_fetch_options *o, CURL *e)
{
    char range[64];

    if (!o->ranged)
        return;
    if (o->length)
        snprintf(range, sizeof range, "%" PRIu64 "-%" PRIu64, o->offset, o->offset + o->length - 1);
    else
        snprintf(range, sizeof range, "%" PRIu64 "-", o->offset);
    curl_easy_setopt(e, CURLOPT_RANGE, range);
}

static void set_limits(const struct up_fetch_options *o, CURL *e, int64_t elapsed)
{
    int64_t left = (int64_t)o->deadline * 1000 - elapsed / 1000;

    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT,
                     (long)(o->connect_timeout ? o->connect_timeout : CONNECT_TIMEOUT));
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT,
                     (long)(o->low_speed_limit ? o->low_speed_limit : LOW_SPEED_LIMIT));
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME,
                     (long)(o->low_speed_time ? o->low_speed_time : LOW_SPEED_TIME));
    if (o->deadline)
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(left > 0 ? left : 1));
}

/* Our descriptors must not be inherited by programs that we start. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)user;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* The same, but for public addresses only. */
static curl_socket_t open_public(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    bool *kept_off = user;

    if (up_public_address(&address->addr))
        return open_socket(NULL, purpose, address);
    *kept_off = true;
    return CURL_SOCKET_BAD;
}

void up_fetch_options_public(void *easy, bool *kept_off)
{
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_public);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, kept_off);
}

/* The true time may well be later than the floor, so a certificate that is not
 * valid yet at that time proves nothing. A package is protected by its
 * signature anyway. */
static int known_time(int good, X509_STORE_CTX *chain)
{
    if (good || X509_STORE_CTX_get_error(chain) != X509_V_ERR_CERT_NOT_YET_VALID)
        return good;
    X509_STORE_CTX_set_error(chain, X509_V_OK);
    return 1;
}

static CURLcode set_certificate_time(CURL *easy, void *context, void *user)
{
    const struct up_fetch_options *o = user;

    (void)easy;
    X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(context), (time_t)o->time_floor);
    SSL_CTX_set_verify(context, SSL_CTX_get_verify_mode(context), known_time);
    return CURLE_OK;
}

/* Set everything explicitly: neither the environment nor a file in a home
 * directory may change where bytes come from. */
static void set_transport(const struct up_fetch_options *o, CURL *e, const char *url)
{
    curl_easy_setopt(e, CURLOPT_URL, url);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_PROXY, o->proxy ? o->proxy : "");
    curl_easy_setopt(e, CURLOPT_NOPROXY, "");
    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* After its time-out it would wait for name servers that are silent, and we with it. */
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "moult/" MOULT_VERSION);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (o->ca_file) {
        curl_easy_setopt(e, CURLOPT_CAINFO, o->ca_file);
        curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    }
    if (o->time_floor) {
        /* libcurl over another TLS library refuses this; then the system clock judges. */
        curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, set_certificate_time);
        curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, (void *)o);
    }
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, RECEIVE_SIZE);
}

int up_fetch_options_apply(const struct up_fetch_options *o, void *easy, const char *url, bool foreign,
                           int64_t elapsed, struct curl_slist **headers, struct up_error *err)
{
    int rc = set_headers(o, foreign, headers, err);

    if (rc < 0)
        return rc;
    set_transport(o, easy, url);
    set_limits(o, easy, elapsed);
    set_method(o, easy);
    set_range(o, easy);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *headers);
    return 0;
}
