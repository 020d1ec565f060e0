#include "http_text.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static const char *skip_blank(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

/* Parse digits at *p; UINT64_MAX if the number is too large; false without a digit. */
static bool read_number(const char **p, uint64_t *out)
{
    const char *start = *p;
    uint64_t value = 0;

    for (; **p >= '0' && **p <= '9'; (*p)++) {
        unsigned digit = (unsigned)(**p - '0');

        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    *out = value;
    return *p != start;
}

struct up_range up_http_text_range_parse(const char *text, uint64_t size)
{
    struct up_range range = {UP_RANGE_WHOLE, 0, size};
    uint64_t first = 0, last = 0;
    bool has_first, has_last;

    if (!text)
        return range;
    text = skip_blank(text);
    if (strncasecmp(text, "bytes=", 6) != 0)
        return range;
    text = skip_blank(text + 6);
    has_first = read_number(&text, &first);
    if (*text++ != '-')
        return range;
    has_last = read_number(&text, &last);
    if (*skip_blank(text) || (!has_first && !has_last) || (has_first && has_last && last < first))
        return range;

    if (!has_first) { /* a suffix length: the last bytes */
        if (last > size)
            last = size;
        first = size - last;
        last = UINT64_MAX;
    }
    if (first >= size) {
        range.kind = UP_RANGE_OUTSIDE;
        return range;
    }
    if (!has_last || last >= size)
        last = size - 1;
    range.kind = UP_RANGE_PART;
    range.offset = first;
    range.length = last - first + 1;
    return range;
}

bool up_http_text_if_range_holds(const char *text, const char *tag)
{
    size_t len = strlen(tag);

    if (!text)
        return true;
    text = skip_blank(text);
    return strncmp(text, tag, len) == 0 && !*skip_blank(text + len);
}

bool up_http_text_tag_listed(const char *text, const char *tag)
{
    size_t len = strlen(tag);

    if (!text)
        return false;
    for (;;) {
        const char *end;

        while (*text == ' ' || *text == '\t' || *text == ',')
            text++;
        if (*text == '*' && !*skip_blank(text + 1))
            return true;
        if (strncmp(text, "W/", 2) == 0)
            text += 2;
        end = *text == '"' ? strchr(text + 1, '"') : NULL;
        if (!end)
            return false;
        if ((size_t)(end + 1 - text) == len && memcmp(text, tag, len) == 0)
            return true;
        text = end + 1;
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that "%xy" at p encodes, or -1. */
static int escaped(const char *p)
{
    int high = hex_digit(p[1]);
    int low = high < 0 ? -1 : hex_digit(p[2]);

    return low < 0 ? -1 : high * 16 + low;
}

/* Decode in place; an invalid escape and %00 stay as they are and make it false. */
static bool decode(char *text)
{
    bool clean = true;
    char *to = text;

    for (const char *from = text; *from; from++) {
        int byte = *from == '%' ? escaped(from) : -1;

        if (byte > 0) {
            *to++ = (char)byte;
            from += 2;
        } else {
            clean = clean && *from != '%';
            *to++ = *from;
        }
    }
    *to = '\0';
    return clean;
}

static bool path_is_safe(const char *path)
{
    for (const char *p = path; *p; p++) {
        const char *segment = p + 1;
        size_t len;

        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
        if (*p != '/')
            continue;
        len = strcspn(segment, "/");
        if ((len == 1 && segment[0] == '.') || (len == 2 && memcmp(segment, "..", 2) == 0))
            return false;
    }
    return true;
}

bool up_http_text_target_split(char *target, char **path, char **query)
{
    char *mark = strchr(target, '?');

    if (mark)
        *mark++ = '\0';
    *query = mark ? mark : target + strlen(target);
    if (strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0) {
        target = strchr(strstr(target, "//") + 2, '/');
        if (!target)
            return false;
    }
    *path = target;
    return *target == '/' && decode(target) && path_is_safe(target);
}

bool up_http_text_query_next(char **query, char **name, char **value)
{
    char *field, *equals;

    do {
        if (!**query)
            return false;
        field = *query;
        *query += strcspn(field, "&");
        if (**query)
            *(*query)++ = '\0';
    } while (!*field);

    equals = strchr(field, '=');
    if (equals)
        *equals++ = '\0';
    *name = field;
    *value = equals ? equals : field + strlen(field);
    decode(*name);
    decode(*value);
    return true;
}
