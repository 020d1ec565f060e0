/*
 * table_file.h -- a Lua loader fed from memory: for files that are read as data.
 */
#ifndef TABLE_FILE_H
#define TABLE_FILE_H

#include <stddef.h>
#include <stdint.h>

struct lua_State;

/* Call load(path) of the Lua module on a file with these bytes, in one state
 * that stays and may own 64 MiB. A failure must be nil, a message that is text,
 * and "usage". On success `check` (may be NULL) is called with the result at
 * the top of the stack; it may raise. */
void fuzz_table_file(const char *module, const uint8_t *data, size_t size, int (*check)(struct lua_State *));

#endif
