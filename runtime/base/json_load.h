/*
 * json_load.h -- JSON, read whole or not at all.
 *
 * jansson's reader leaves out a character of a text when the buffer that it
 * gathers it in cannot grow, goes on as if nothing were, and may read and write
 * past its end. What was signed must not be read as something else because
 * memory was short for a moment, nor may what anybody sent do harm then.
 */
#ifndef UP_JSON_LOAD_H
#define UP_JSON_LOAD_H

#include <jansson.h>
#include <stddef.h>

/* As json_loadb(). NULL with errno ENOMEM when there was not enough memory, and
 * EINVAL with *why filled when the text is at fault. */
json_t *up_json_load(const char *text, size_t len, size_t flags, json_error_t *why);

#endif
