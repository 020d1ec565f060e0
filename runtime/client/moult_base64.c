#include "moult_base64.h"

#include <string.h>

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

long moult_base64_decode(uint8_t *out, size_t size, const char *text)
{
    size_t digits = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    size_t padding = strspn(text + digits, "="), len = digits * 3 / 4;
    uint32_t group = 0;

    if (text[digits + padding] != '\0' || (digits + padding) % 4 != 0 || padding > 2 || len > size)
        return -1;
    for (size_t i = 0, n = 0; i < digits; i++) {
        group = group << 6 | (uint32_t)value_of(text[i]);
        if (i % 4 != 0)
            out[n++] = (uint8_t)(group >> (6 - 2 * (i % 4)));
    }
    return (long)len;
}
