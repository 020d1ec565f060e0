#include "printable.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The length of a character, by its first byte. */
static size_t length_of(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xe0)
        return 2;
    return first < 0xf0 ? 3 : 4;
}

/* The bytes of the character at text, and the character; 1 and UINT32_MAX if it is not UTF-8. */
static size_t next(const unsigned char *text, size_t len, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = length_of(text[0]);
    uint32_t c = n == 1 ? text[0] : text[0] & (0x7fu >> n);

    *character = UINT32_MAX;
    if (n > len || (n == 2 && text[0] < 0xc2) || text[0] > 0xf4)
        return 1;
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 1;
        c = c << 6 | (text[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 1;
    *character = c;
    return n;
}

static bool is_shown(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == UINT32_MAX)
        return false;
    /* Bidirectional marks, embeddings, overrides and isolates; line and paragraph separators. */
    return c != 0x61c && c != 0x200e && c != 0x200f && !(c >= 0x2028 && c <= 0x202e) &&
           !(c >= 0x2066 && c <= 0x2069) && c != 0xfeff;
}

size_t up_printable(char *text, size_t len)
{
    size_t to = 0;

    for (size_t from = 0; from < len;) {
        uint32_t c;
        size_t n = next((const unsigned char *)text + from, len - from, &c);

        if (is_shown(c))
            for (size_t i = 0; i < n; i++)
                text[to++] = text[from + i];
        else
            text[to++] = '?';
        from += n;
    }
    return to;
}

bool up_is_printable(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        uint32_t c;

        at += next((const unsigned char *)text + at, len - at, &c);
        if (!is_shown(c))
            return false;
    }
    return true;
}

size_t up_printable_cut(const char *text, size_t len, size_t most)
{
    if (len <= most)
        return len;
    while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
        most--;
    return most;
}

void up_printable_copy(char *out, size_t size, const char *text)
{
    size_t len = up_printable_cut(text, strlen(text), size - 1);

    memcpy(out, text, len);
    out[up_printable(out, len)] = '\0';
}

void up_printable_escape(char *out, size_t size, const char *text)
{
    size_t len = strlen(text), to = 0, n;

    for (size_t from = 0; from < len; from += n) {
        bool shown;
        uint32_t c;

        n = next((const unsigned char *)text + from, len - from, &c);
        shown = is_shown(c);
        if (to + (shown ? n : 4 * n) >= size)
            break;
        for (size_t i = 0; i < n; i++)
            if (shown)
                out[to++] = text[from + i];
            else
                to += (size_t)snprintf(out + to, size - to, "\\x%02X", (unsigned char)text[from + i]);
    }
    out[to] = '\0';
}
