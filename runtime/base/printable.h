/*
 * printable.h -- make untrusted text safe for a log, a terminal, JSON or a
 * page.
 *
 * Text from outside (names, URLs, reasons, messages of scripts and servers)
 * passes here once before it is shown or stored. Replaced by '?': control
 * characters (C0, DEL, C1), bidirectional formatting, line and paragraph
 * separators, the byte order mark, and each byte that is not UTF-8. The rest
 * stays; the result is never longer.
 */
#ifndef UP_PRINTABLE_H
#define UP_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* In place; returns the new length. NUL bytes within len are control characters. */
size_t up_printable(char *text, size_t len);

/* Whether up_printable() would change nothing. */
bool up_is_printable(const char *text, size_t len);

/* The length of the longest prefix of at most `most` bytes that splits no character. */
size_t up_printable_cut(const char *text, size_t len, size_t most);

/* A printable copy of text, NUL-terminated and cut to `size` bytes. */
void up_printable_copy(char *out, size_t size, const char *text);

/* The same, with \xNN for each byte of what cannot be shown: names of files are
 * bytes. Ends before what does not fit as a whole. */
void up_printable_escape(char *out, size_t size, const char *text);

#endif
