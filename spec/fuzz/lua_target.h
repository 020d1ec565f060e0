/*
 * lua_target.h -- targets whose work a Lua file beside this one does: a chunk that returns function(bytes), which must
 * not raise.
 */
#ifndef FUZZ_LUA_TARGET_H
#define FUZZ_LUA_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Hand an input to spec/fuzz/NAME.lua, which is loaded with the first one. */
void fuzz_lua(const char *name, const uint8_t *data, size_t size);

#endif
