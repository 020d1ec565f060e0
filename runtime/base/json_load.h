/*
 * json_load.h -- load JSON completely or not at all.
 *
 * When the buffer for a token cannot grow, jansson drops a character, goes on,
 * and may read and write past the end. Signed text must not be read as
 * something else because memory was short for a moment, and hostile text must
 * not do harm then.
 */
#ifndef UP_JSON_LOAD_H
#define UP_JSON_LOAD_H

#include <jansson.h>
#include <stddef.h>

/* As json_loadb(). NULL with errno ENOMEM if out of memory, or EINVAL with *why
 * filled if the text is invalid. */
json_t *up_json_load(const char *text, size_t len, size_t flags, json_error_t *why);

#endif
