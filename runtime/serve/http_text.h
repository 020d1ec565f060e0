/*
 * http_text.h -- parse what a client sends in a request: target, query, Range
 * and entity tags.
 *
 * Pure: text in, values out. All input is untrusted, so each function says what
 * it refuses, and none reads past a NUL.
 */
#ifndef UP_HTTP_TEXT_H
#define UP_HTTP_TEXT_H

#include <stdbool.h>
#include <stdint.h>

enum up_range_kind {
    UP_RANGE_WHOLE,  /* none, or one to be ignored: answer 200 with the whole object */
    UP_RANGE_PART,   /* answer 206 */
    UP_RANGE_OUTSIDE /* answer 416 */
};

struct up_range {
    enum up_range_kind kind;
    uint64_t offset, length; /* bytes; with UP_RANGE_PART, inside the object and length > 0 */
};

/*
 * Parse a Range field (NULL: absent) for an object of `size` bytes. One byte
 * range is supported; its end is clamped to the object. Several ranges, other
 * units and malformed text give UP_RANGE_WHOLE, as RFC 9110 allows.
 */
struct up_range up_http_text_range_parse(const char *text, uint64_t size);

/* Whether If-Range (NULL: absent) allows a Range: it is absent, or the same
 * strong tag. `tag` includes its quotes. A date never matches. */
bool up_http_text_if_range_holds(const char *text, const char *tag);

/* Whether If-None-Match (NULL: absent) matches `tag`: "*", or a list that contains it, weak or not. */
bool up_http_text_tag_listed(const char *text, const char *tag);

/*
 * Split a request target in place: *path is decoded once, and *query is what
 * follows the first '?' ("" if nothing does), still encoded.
 *
 * Returns false for a path that does not begin with '/', has an invalid escape,
 * a control character, or a "." or ".." segment; then *path must not be used.
 * "http://host/path" is accepted, as proxies send it.
 */
bool up_http_text_target_split(char *target, char **path, char **query);

/*
 * The next field of a query, decoded in place; *query moves past it. Returns
 * false at the end. Devices encode little or nothing, so '+' stays '+', and a
 * '%' that begins no valid escape, or encodes NUL, stays as it is. A field
 * without '=' has the value "".
 */
bool up_http_text_query_next(char **query, char **name, char **value);

#endif
