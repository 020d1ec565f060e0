/*
 * moult_base64.h -- bytes from JSON. Private to libmoult.
 */
#ifndef MOULT_BASE64_H
#define MOULT_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Decode into `out`: the number of bytes, or -1 if the text is not base64 or has more than `size`. */
long moult_base64_decode(uint8_t *out, size_t size, const char *text);

#endif
