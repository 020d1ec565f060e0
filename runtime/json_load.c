#include "json_load.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* jansson hands its allocator nothing of the caller's. */
static _Thread_local bool ran_out;

static void *allocate(size_t size)
{
    void *block = malloc(size);

    ran_out = ran_out || !block;
    return block;
}

json_t *up_json_load(const char *text, size_t len, size_t flags, json_error_t *why)
{
    json_malloc_t before;
    json_free_t release;
    json_t *value;

    json_get_alloc_funcs(&before, &release);
    json_set_alloc_funcs(allocate, free);
    ran_out = false;
    value = json_loadb(text, len, flags, why);
    json_set_alloc_funcs(before, release);
    if (ran_out) {
        json_decref(value);
        value = NULL;
    }
    errno = ran_out ? ENOMEM : EINVAL;
    return value;
}
