/*
 * printable.h -- text of strangers, made fit for a log, a terminal, JSON or a page.
 *
 * Whatever came from outside (names, URLs, reasons, messages of scripts and
 * servers) passes here once before anybody shows or stores it. What is
 * replaced by '?': control characters (C0, DEL, C1), what turns the direction
 * of writing, separators of lines and paragraphs, the byte order mark, and each
 * byte that is not UTF-8. The rest stays as it is; what comes out is never longer.
 */
#ifndef UP_PRINTABLE_H
#define UP_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* In place; the new length. NUL bytes within len are control characters. */
size_t up_printable(char *text, size_t len);

/* Whether up_printable() would change nothing. */
bool up_is_printable(const char *text, size_t len);

/* The length of the longest start of at most `most` bytes that cuts no character. */
size_t up_printable_cut(const char *text, size_t len, size_t most);

/* A printable copy of text, NUL-terminated, cut to what fits into `size` bytes. */
void up_printable_copy(char *out, size_t size, const char *text);

#endif
