/*
 * update.native.json -- JSON, strict and exact.
 *
 *     local json = require "update.native.json"
 *     local value, why, code = json.decode(text)   -- or nil, message, "corrupt"
 *     local text = json.encode { list = json.array {}, none = json.null }
 *
 * Integers are exact 64-bit Lua integers and stay integers; numbers with a
 * point or an exponent are floats. A decoded array carries the metatable
 * json.array, so that an empty one is encoded as one again. null is json.null.
 * Duplicate keys, invalid UTF-8, numbers out of range, deep nesting and text
 * behind the value are refused.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "helpers.h"
#include "json_load.h"
#include "preload.h"
#include "printable.h"

#define GUARD "update.native.json.guard"
#define ARRAY "update.native.json.array"
#define DEPTH 32
#define SIZE (1024 * 1024)

/* Owns a value of jansson during calls that can raise. */
struct guard {
    json_t *root;
    char *text;
};

static struct guard *new_guard(lua_State *L)
{
    struct guard *g = lua_newuserdatauv(L, sizeof *g, 0);

    memset(g, 0, sizeof *g);
    luaL_setmetatable(L, GUARD);
    return g;
}

static int m_release(lua_State *L)
{
    struct guard *g = luaL_checkudata(L, 1, GUARD);

    json_decref(g->root);
    free(g->text);
    memset(g, 0, sizeof *g);
    return 0;
}

static int deeper_than(const json_t *value, unsigned depth)
{
    const char *key;
    json_t *child;
    size_t i;

    if (!json_is_object(value) && !json_is_array(value))
        return 0;
    if (depth == 0)
        return 1;
    json_array_foreach(value, i, child) if (deeper_than(child, depth - 1)) return 1;
    json_object_foreach((json_t *)value, key, child) if (deeper_than(child, depth - 1)) return 1;
    return 0;
}

static void push(lua_State *L, const json_t *value, int printable);

static void push_text(lua_State *L, const char *text, size_t len, int printable)
{
    luaL_Buffer buffer;
    char *copy;

    if (!printable || up_is_printable(text, len)) {
        lua_pushlstring(L, text, len);
        return;
    }
    copy = luaL_buffinitsize(L, &buffer, len);
    memcpy(copy, text, len);
    luaL_pushresultsize(&buffer, up_printable(copy, len));
}

static void push_array(lua_State *L, const json_t *value, int printable)
{
    json_t *child;
    size_t i;

    lua_createtable(L, (int)json_array_size(value), 0);
    luaL_setmetatable(L, ARRAY);
    json_array_foreach(value, i, child)
    {
        push(L, child, printable);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_object(lua_State *L, const json_t *value, int printable)
{
    const char *key;
    json_t *child;

    lua_createtable(L, 0, (int)json_object_size(value));
    json_object_foreach((json_t *)value, key, child)
    {
        push_text(L, key, strlen(key), printable);
        push(L, child, printable);
        lua_rawset(L, -3);
    }
}

static void push(lua_State *L, const json_t *value, int printable)
{
    luaL_checkstack(L, 4, "json");
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        push_object(L, value, printable);
        break;
    case JSON_ARRAY:
        push_array(L, value, printable);
        break;
    case JSON_STRING:
        push_text(L, json_string_value(value), json_string_length(value), printable);
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(value));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(value));
        break;
    default:
        lua_pushlightuserdata(L, NULL);
    }
}

/* The reason without the input around it, which may be unsafe to show. */
static int push_syntax(lua_State *L, json_error_t *e)
{
    struct up_error err;
    char *near = strstr(e->text, " near ");

    if (near)
        *near = '\0';
    up_fail(&err, UP_CORRUPT, "json: line %d column %d: %s", e->line, e->column, e->text);
    return up_push_fail(L, &err);
}

/* decode(text [, {depth = levels, size = bytes, printable = boolean}]) -> value | nil, message, "corrupt"
 * printable: for untrusted text that will be shown: strings are passed through
 * up_printable(). */
static int f_decode(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    uint64_t depth = DEPTH, size = SIZE;
    struct up_error err;
    struct guard *g;
    json_error_t e;
    int printable = 0;

    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        depth = up_field_integer(L, 2, "depth", DEPTH);
        size = up_field_integer(L, 2, "size", SIZE);
        luaL_argcheck(L, depth <= 200, 2, "depth is at most 200");
        printable = up_field_boolean(L, 2, "printable", false);
    }
    if (len > size) {
        up_fail(&err, UP_CORRUPT, "json: %zu bytes, at most %llu are read", len, (unsigned long long)size);
        return up_push_fail(L, &err);
    }
    g = new_guard(L);
    g->root = up_json_load(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    if (!g->root && errno == ENOMEM)
        return luaL_error(L, "not enough memory");
    if (!g->root)
        return push_syntax(L, &e);
    if (deeper_than(g->root, (unsigned)depth)) {
        up_fail(&err, UP_CORRUPT, "json: nested deeper than %llu levels", (unsigned long long)depth);
        return up_push_fail(L, &err);
    }
    push(L, g->root, printable);
    return 1;
}

static int is_marked(lua_State *L, int index)
{
    int same;

    if (!lua_getmetatable(L, index))
        return 0;
    luaL_getmetatable(L, ARRAY);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

/* Whether the table becomes an array: marked, or with the keys 1..n, n > 0. */
static int is_array(lua_State *L, int index)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, index), count = 0;
    int marked = is_marked(L, index), strings = 0, others = 0;

    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        count++;
        if (lua_type(L, -1) == LUA_TSTRING)
            strings++;
        else if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1 || lua_tointeger(L, -1) > n)
            others++;
    }
    if (others || count != (strings && !marked ? strings : n))
        luaL_error(L, "json: a table is either an array without holes or an object with strings as keys");
    return marked || (count > 0 && !strings);
}

/* A text that is not UTF-8, made printable, on the stack. */
static const char *push_repaired(lua_State *L, const char *text, size_t *len)
{
    luaL_Buffer buffer;
    char *copy = luaL_buffinitsize(L, &buffer, *len);

    memcpy(copy, text, *len);
    luaL_pushresultsize(&buffer, up_printable(copy, *len));
    return lua_tolstring(L, -1, len);
}

/* A new value for what is at `index`; for a table only the empty container. */
static json_t *leaf(lua_State *L, int index)
{
    json_t *value = NULL;
    const char *text;
    size_t len;

    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return json_null();
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(L, index));
    case LUA_TNUMBER:
        if (!lua_isinteger(L, index) && !isfinite(lua_tonumber(L, index)))
            luaL_error(L, "json: a number that is not finite");
        value = lua_isinteger(L, index) ? json_integer(lua_tointeger(L, index))
                                        : json_real(lua_tonumber(L, index));
        break;
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &len);
        value = json_stringn(text, len);
        if (!value) { /* what the world says may be in any encoding */
            text = push_repaired(L, text, &len);
            value = json_stringn(text, len);
            lua_pop(L, 1);
        }
        break;
    case LUA_TTABLE:
        value = is_array(L, index) ? json_array() : json_object();
        break;
    case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(L, index))
            return json_null();
        /* fall through */
    default:
        luaL_error(L, "json: a %s has no JSON form", luaL_typename(L, index));
    }
    if (!value)
        luaL_error(L, "json: out of memory");
    return value;
}

/* Fill `frame`, which the guard already owns, from the table at `index`. */
static void fill(lua_State *L, int index, json_t *frame, unsigned depth)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    size_t len;

    if (depth == 0)
        luaL_error(L, "json: nested deeper than %d levels", DEPTH);
    luaL_checkstack(L, 8, "json");
    if (json_is_array(frame)) {
        for (lua_Integer i = 1; i <= n; i++) {
            lua_rawgeti(L, index, i);
            json_array_append_new(frame, leaf(L, lua_gettop(L)));
            if (lua_istable(L, -1))
                fill(L, lua_gettop(L), json_array_get(frame, (size_t)i - 1), depth - 1);
            lua_pop(L, 1);
        }
        return;
    }
    lua_pushnil(L);
    while (lua_next(L, index)) {
        int value = lua_gettop(L);
        const char *key = lua_tolstring(L, -2, &len);

        if (strlen(key) != len || json_object_set_new(frame, key, leaf(L, value)) < 0) {
            key = push_repaired(L, key, &len);
            json_object_set_new(frame, key, leaf(L, value));
        }
        if (lua_istable(L, value))
            fill(L, value, json_object_get(frame, key), depth - 1);
        lua_settop(L, value - 1);
    }
}

/* encode(value) -> text, compact, keys sorted. A text that is not UTF-8 becomes
 * printable (update.native.printable); raises on values that JSON cannot hold. */
static int f_encode(lua_State *L)
{
    struct guard *g;

    luaL_checkany(L, 1);
    lua_settop(L, 1);
    g = new_guard(L);
    g->root = leaf(L, 1);
    if (lua_istable(L, 1))
        fill(L, 1, g->root, DEPTH);
    g->text = json_dumps(g->root, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    if (!g->text)
        luaL_error(L, "json: out of memory");
    lua_pushstring(L, g->text);
    return 1;
}

/* json.array(t) -> t, marked as an array. Called through __call, so arg 1 is json.array. */
static int f_array(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    luaL_setmetatable(L, ARRAY);
    return 1;
}

static const luaL_Reg guard_metamethods[] = {
    {"__gc", m_release},
    {NULL, NULL},
};

static const luaL_Reg none[] = {
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"decode", f_decode},
    {"encode", f_encode},
    {NULL, NULL},
};

int luaopen_update_native_json(lua_State *L)
{
    up_new_type(L, GUARD, guard_metamethods, none);
    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    /* Both the mark and the function that sets it. */
    luaL_newmetatable(L, ARRAY);
    lua_newtable(L);
    lua_pushcfunction(L, f_array);
    lua_setfield(L, -2, "__call");
    lua_setmetatable(L, -2);
    lua_setfield(L, -2, "array");
    return 1;
}
