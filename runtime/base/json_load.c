#include "json_load.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * jansson does not notice when the buffer in which it gathers a token cannot
 * grow: it leaves out the character and later runs past the end. So if memory
 * runs out, the buffer comes from a reserve that was allocated before and is
 * large enough, and the input ends right there. jansson passes no caller data
 * to its allocator, hence the statics.
 */
static _Thread_local struct {
    void *block;
    size_t size;
    bool used; /* memory ran out */
} reserve;

static void *allocate(size_t size)
{
    void *block = malloc(size);
    bool first = !reserve.used;

    if (block)
        return block;
    reserve.used = true;
    return first && size <= reserve.size ? reserve.block : NULL;
}

static void release(void *block)
{
    if (block != reserve.block)
        free(block);
}

struct text {
    const char *at;
    size_t left;
};

/* A byte at a time: once memory ran out, not one more is read. */
static size_t next(void *buffer, size_t room, void *user)
{
    struct text *text = user;

    if (text->left == 0 || room == 0 || reserve.used)
        return 0;
    *(char *)buffer = *text->at++;
    text->left--;
    return 1;
}

json_t *up_json_load(const char *text, size_t len, size_t flags, json_error_t *why)
{
    struct text source = {text, len};
    json_malloc_t before_malloc;
    json_free_t before_free;
    json_t *value = NULL;
    bool short_of_memory;

    reserve.size = len <= SIZE_MAX / 4 ? 2 * len + 64 : 0; /* the buffer doubles */
    reserve.block = reserve.size ? malloc(reserve.size) : NULL;
    reserve.used = !reserve.block;
    if (reserve.block) {
        json_get_alloc_funcs(&before_malloc, &before_free);
        json_set_alloc_funcs(allocate, release);
        value = json_load_callback(next, &source, flags, why);
        if (reserve.used) {
            json_decref(value);
            value = NULL;
        }
        json_set_alloc_funcs(before_malloc, before_free);
    }
    short_of_memory = reserve.used;
    free(reserve.block);
    reserve.block = NULL;
    errno = short_of_memory ? ENOMEM : EINVAL;
    return value;
}
