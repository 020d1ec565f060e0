#include "place.h"

#include <stdlib.h>
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

void places_add(struct places *p, const struct sim *sim, unsigned flow)
{
    for (unsigned n = 1; n <= sim_syncs(sim); n++) {
        char name[PLACE_SIZE];
        unsigned i = 0;

        place_of(sim_sync_name(sim, n), name);
        while (i < p->count && strcmp(p->place[i].name, name) != 0)
            i++;
        if (i == PLACES || flow >= PLACE_FLOWS)
            abort();
        if (i == p->count)
            strcpy(p->place[p->count++].name, name);
        p->place[i].flows[flow] = true;
    }
}
