/*
 * http_text.h -- what a client writes into a request: the target, its query,
 * Range and entity tags.
 *
 * Pure: text in, values out. Everything here comes from strangers, so each
 * function says what it refuses and nothing reads past a NUL.
 */
#ifndef UP_HTTP_TEXT_H
#define UP_HTTP_TEXT_H

#include <stdbool.h>
#include <stdint.h>

enum up_range_kind {
    UP_RANGE_WHOLE,  /* none, or one to be ignored: answer 200 with everything */
    UP_RANGE_PART,   /* answer 206 */
    UP_RANGE_OUTSIDE /* answer 416 */
};

struct up_range {
    enum up_range_kind kind;
    uint64_t offset, length; /* bytes; with UP_RANGE_PART, inside the object and length > 0 */
};

/*
 * A Range field (NULL: absent) for an object of `size` bytes. One range of
 * bytes is understood; its end is clamped to the object. Several ranges,
 * other units and malformed text mean UP_RANGE_WHOLE, as RFC 9110 allows.
 */
struct up_range up_range_parse(const char *text, uint64_t size);

/* Whether If-Range (NULL: absent) lets a Range be honoured: absent, or the same
 * strong tag. `tag` carries its quotes. A date never does. */
bool up_if_range_holds(const char *text, const char *tag);

/* Whether If-None-Match (NULL: absent) names `tag`: "*", or a list with it, weak or not. */
bool up_tag_listed(const char *text, const char *tag);

/*
 * Split a request target in place: *path is decoded once and *query is what
 * follows the first '?' ("" when nothing does), still encoded.
 *
 * Returns false for a path that does not begin with '/', has a bad escape, a
 * control character, or a "." or ".." segment; *path then cannot be used.
 * "http://host/path" is accepted as proxies send it.
 */
bool up_target_split(char *target, char **path, char **query);

/*
 * The next field of a query, decoded in place; *query moves past it. Returns
 * false at the end. Devices encode little or nothing, so '+' stays '+' and a
 * '%' that begins no escape, or stands for NUL, stays as it is. A field without '=' has the value "".
 */
bool up_query_next(char **query, char **name, char **value);

#endif
