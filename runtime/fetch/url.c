#include "url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "error.h"

/* A part of the URL, or NULL; released with curl_free. */
static char *part_of(CURLU *u, CURLUPart part, unsigned flags)
{
    char *value = NULL;

    return u && curl_url_get(u, part, &value, flags) == CURLUE_OK ? value : NULL;
}

static CURLU *parse(const char *url, unsigned flags)
{
    CURLU *u = curl_url();

    if (u && curl_url_set(u, CURLUPART_URL, url, flags) != CURLUE_OK) {
        curl_url_cleanup(u);
        u = NULL;
    }
    return u;
}

static bool is_scheme(CURLU *u, const char *scheme)
{
    char *value = part_of(u, CURLUPART_SCHEME, 0);
    bool same = value && strcasecmp(value, scheme) == 0;

    curl_free(value);
    return same;
}

static bool is_web(CURLU *u)
{
    return is_scheme(u, "http") || is_scheme(u, "https");
}

int up_url_check(const char *url, struct up_error *err)
{
    char shown[UP_URL_SHOWN];
    CURLU *u;
    bool web;

    for (const unsigned char *p = (const unsigned char *)url; *p; p++)
        if (*p <= 0x20 || *p == 0x7f)
            return up_fail(err, UP_USAGE, "URL with a space or control character");
    u = parse(url, CURLU_NON_SUPPORT_SCHEME);
    web = u && is_web(u);
    curl_url_cleanup(u);
    up_url_show(url, shown);
    return web ? 0 : up_fail(err, UP_USAGE, "%s: not an http or https URL", shown);
}

void up_url_show(const char *url, char out[UP_URL_SHOWN])
{
    CURLU *u = parse(url, CURLU_NON_SUPPORT_SCHEME);
    char *scheme = part_of(u, CURLUPART_SCHEME, 0);
    char *host = part_of(u, CURLUPART_HOST, 0);
    char *port = part_of(u, CURLUPART_PORT, 0);
    char *path = part_of(u, CURLUPART_PATH, 0);

    if (scheme && path)
        snprintf(out, UP_URL_SHOWN, "%s://%s%s%s%s", scheme, host ? host : "", port ? ":" : "",
                 port ? port : "", path);
    else
        snprintf(out, UP_URL_SHOWN, "(unreadable URL)");
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_url_cleanup(u);
}

/* Escaped dots and slashes could leave the prefix once a server decodes them. */
static bool climbs(const char *url)
{
    size_t len = strcspn(url, "?#");

    for (size_t i = 0; i + 2 < len; i++)
        if (strncasecmp(url + i, "%2e", 3) == 0 || strncasecmp(url + i, "%2f", 3) == 0 ||
            strncasecmp(url + i, "%5c", 3) == 0)
            return true;
    return memchr(url, '\\', len) != NULL;
}

/* `url` is normalised by libcurl; the prefix gets the same treatment. */
static bool below(const char *url, const char *prefix)
{
    CURLU *u = parse(prefix, 0);
    char *clean = part_of(u, CURLUPART_URL, 0);
    size_t len = clean ? strlen(clean) : 0;
    bool inside = false;

    if (clean && strncmp(url, clean, len) == 0 && !climbs(url))
        inside = clean[len - 1] == '/' || strchr("/?#", url[len]) != NULL; /* or its NUL */
    curl_free(clean);
    curl_url_cleanup(u);
    return inside;
}

static int follow(char **out, CURLU *u, const char *location, const char *prefix, struct up_error *err)
{
    bool secure = is_scheme(u, "https");
    char shown[UP_URL_SHOWN], *url;
    int rc = 0;

    if (curl_url_set(u, CURLUPART_URL, location, CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        return up_fail(err, UP_REFUSED, "redirected to an unreadable address");
    url = part_of(u, CURLUPART_URL, 0);
    if (!url)
        return up_fail(err, UP_REFUSED, "redirected to an unreadable address");
    up_url_show(url, shown);
    if (!is_web(u))
        rc = up_fail(err, UP_REFUSED, "redirected to %s, which is neither http nor https", shown);
    else if (secure && !is_scheme(u, "https"))
        rc = up_fail(err, UP_REFUSED, "redirected from https to %s", shown);
    else if (prefix && !below(url, prefix))
        rc = up_fail(err, UP_REFUSED, "redirected to %s, outside the trusted prefix", shown);
    if (rc == 0) {
        *out = strdup(url);
        if (!*out)
            rc = up_fail(err, UP_INTERNAL, "out of memory");
    }
    curl_free(url);
    return rc;
}

int up_url_follow(char **out, const char *base, const char *location, const char *prefix,
                  struct up_error *err)
{
    CURLU *u = parse(base, 0);
    int rc = u ? follow(out, u, location, prefix, err) : up_fail(err, UP_INTERNAL, "out of memory");

    curl_url_cleanup(u);
    return rc;
}

bool up_url_same_origin(const char *a, const char *b)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    CURLU *ua = parse(a, 0), *ub = parse(b, 0);
    bool same = ua && ub;

    for (size_t i = 0; same && i < sizeof parts / sizeof parts[0]; i++) {
        char *va = part_of(ua, parts[i], CURLU_DEFAULT_PORT), *vb = part_of(ub, parts[i], CURLU_DEFAULT_PORT);

        same = va && vb && strcasecmp(va, vb) == 0;
        curl_free(va);
        curl_free(vb);
    }
    curl_url_cleanup(ua);
    curl_url_cleanup(ub);
    return same;
}
