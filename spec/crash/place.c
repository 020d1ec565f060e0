#include "place.h"

#include <string.h>

void place_of(const char *name, char out[PLACE_SIZE])
{
    const char *path = strchr(name, '/');
    size_t n = 0;

    for (path = path ? path : name; *path && n < PLACE_SIZE - 1;) {
        size_t hex = strspn(path, "0123456789abcdef"), digits = strspn(path, "0123456789");
        size_t skip = hex >= 16 ? hex : digits;

        if (skip > 0 && (n == 0 || out[n - 1] != '*'))
            out[n++] = '*';
        else if (skip == 0)
            out[n++] = *path;
        path += skip > 0 ? skip : 1;
    }
    out[n] = '\0';
}
