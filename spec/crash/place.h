/*
 * place.h -- where a sync is made, as a pattern: the line of code that makes it.
 */
#ifndef PLACE_H
#define PLACE_H

#define PLACE_SIZE 128

/* Of "sync /app/.moult-<id>-3.new": its path, with "*" for each number and each name of
 * 16 or more hex digits. */
void place_of(const char *name, char out[PLACE_SIZE]);

#endif
