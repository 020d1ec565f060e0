/*
 * note.h -- what went wrong in a life, as the first sentence said about it.
 */
#ifndef NOTE_H
#define NOTE_H

#include <stddef.h>

/* Write into `bad`, unless something is there already. */
void note_bad(char *bad, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
