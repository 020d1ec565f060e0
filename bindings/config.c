/*
 * config.c -- the table of lua/update/config.lua as a struct up_config.
 *
 * The table was checked there, field by field; what is refused here is a
 * table that came from somewhere else.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers.h"

static void copy_string(lua_State *L, int index, const char *name, char *out, size_t size)
{
    const char *value = up_field_string(L, index, name, NULL);

    if (!value)
        luaL_error(L, "field '%s' is missing", name);
    if (strlen(value) >= size)
        luaL_error(L, "field '%s' is longer than %d characters", name, (int)size - 1);
    memcpy(out, value, strlen(value) + 1);
}

static char *duplicate(lua_State *L, const char *value)
{
    char *copy = strdup(value);

    if (!copy)
        luaL_error(L, "not enough memory");
    return copy;
}

static char *copy_path(lua_State *L, int index, const char *name)
{
    const char *value = up_field_string(L, index, name, NULL);

    if (!value)
        luaL_error(L, "field '%s' is missing", name);
    return duplicate(L, value);
}

/* core = { slots = { a, b }, boot = "file" } */
static void read_core(lua_State *L, int index, struct up_config *out)
{
    if (lua_getfield(L, index, "core") == LUA_TTABLE) {
        const char *boot = up_field_string(L, -1, "boot", "file");

        if (strcmp(boot, "file") != 0)
            luaL_error(L, "field 'core.boot': unknown driver '%s'", boot);
        out->boot = UP_BOOT_FILE;
        if (lua_getfield(L, -1, "slots") != LUA_TTABLE)
            luaL_error(L, "field 'core.slots' must be a table");
        out->slot[0] = copy_path(L, lua_gettop(L), "a");
        out->slot[1] = copy_path(L, lua_gettop(L), "b");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void read_argv(lua_State *L, struct up_config *out)
{
    lua_Integer n = luaL_len(L, -1);

    if (n < 1 || n > UP_ARGV_MAX)
        luaL_error(L, "field 'restart' must have 1 to %d words", UP_ARGV_MAX);
    for (lua_Integer i = 0; i < n; i++) {
        if (lua_rawgeti(L, -1, i + 1) != LUA_TSTRING)
            luaL_error(L, "field 'restart' must be an array of strings");
        out->restart_argv[i] = duplicate(L, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    out->restart = UP_RESTART_COMMAND;
}

/* restart = nil | "exit" | { "systemctl", "reboot" } */
static void read_restart(lua_State *L, int index, struct up_config *out)
{
    switch (lua_getfield(L, index, "restart")) {
    case LUA_TNIL:
        out->restart = UP_RESTART_SUPERVISOR;
        break;
    case LUA_TTABLE:
        read_argv(L, out);
        break;
    default:
        if (!lua_isstring(L, -1) || strcmp(lua_tostring(L, -1), "exit") != 0)
            luaL_error(L, "field 'restart' must be \"exit\" or an array of strings");
        out->restart = UP_RESTART_EXIT;
    }
    lua_pop(L, 1);
}

static uint32_t read_seconds(lua_State *L, int index, const char *name, uint32_t otherwise)
{
    uint64_t v = up_field_integer(L, index, name, otherwise);

    if (v > UINT32_MAX)
        luaL_error(L, "field '%s' is too large", name);
    return (uint32_t)v;
}

static int fill(lua_State *L)
{
    struct up_config *out = lua_touserdata(L, 2);

    out->path = copy_path(L, 1, "path");
    copy_string(L, 1, "project", out->project, sizeof out->project);
    copy_string(L, 1, "product_key", out->product_key, sizeof out->product_key);
    copy_string(L, 1, "hardware", out->hardware, sizeof out->hardware);
    copy_string(L, 1, "id", out->id, sizeof out->id);
    out->state = copy_path(L, 1, "state");
    out->keys = copy_path(L, 1, "keys");
    read_core(L, 1, out);
    read_restart(L, 1, out);
    out->heartbeat = read_seconds(L, 1, "heartbeat", out->heartbeat);
    out->deadline = read_seconds(L, 1, "deadline", out->deadline);
    out->script_memory = up_field_integer(L, 1, "script_memory", out->script_memory);
    return 0;
}

void up_check_config(lua_State *L, int index, struct up_config *out)
{
    index = lua_absindex(L, index);
    luaL_checktype(L, index, LUA_TTABLE);
    up_config_init(out);
    lua_pushcfunction(L, fill);
    lua_pushvalue(L, index);
    lua_pushlightuserdata(L, out);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
        up_config_free(out);
        lua_error(L);
    }
}
