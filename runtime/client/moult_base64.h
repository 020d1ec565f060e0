/*
 * moult_base64.h -- bytes that came in JSON. Private to libmoult.
 */
#ifndef MOULT_BASE64_H
#define MOULT_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* The bytes of a text: their number, or -1 when it is not base64, or of more than `size` bytes. */
long moult_base64_decode(uint8_t *out, size_t size, const char *text);

#endif
