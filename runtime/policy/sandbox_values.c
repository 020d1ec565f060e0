#include "sandbox_values.h"

#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define QUESTION_DEPTH 32

static void push(lua_State *L, const json_t *value, int depth)
{
    const char *key;
    json_t *item;
    size_t i;

    if (depth > QUESTION_DEPTH)
        luaL_error(L, "the question is nested deeper than %d", QUESTION_DEPTH);
    luaL_checkstack(L, 4, "question");
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        lua_createtable(L, 0, (int)json_object_size(value));
        /* The macro drops const; nothing is modified. */
        json_object_foreach((json_t *)(uintptr_t)value, key, item)
        {
            push(L, item, depth + 1);
            lua_setfield(L, -2, key);
        }
        break;
    case JSON_ARRAY:
        lua_createtable(L, (int)json_array_size(value), 0);
        json_array_foreach(value, i, item)
        {
            push(L, item, depth + 1);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
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
        lua_pushnil(L);
    }
}

void up_sandbox_values_push(struct lua_State *L, const json_t *value)
{
    push(L, value, 1);
}

/* The remaining limits for an answer. */
struct room {
    int values;
    size_t bytes;
};

static json_t *get(lua_State *L, int index, int depth, struct room *room);

static json_t *get_text(lua_State *L, int index, struct room *room)
{
    size_t len;
    const char *s = lua_tolstring(L, index, &len);
    json_t *value;

    if (len > room->bytes)
        luaL_error(L, "too much text in the answer");
    room->bytes -= len;
    value = memchr(s, 0, len) ? NULL : json_stringn(s, len);
    if (!value)
        luaL_error(L, "a string in the answer is not UTF-8");
    return value;
}

static json_t *get_array(lua_State *L, int index, lua_Integer n, int depth, struct room *room)
{
    json_t *array = json_array();

    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, index, i);
        json_array_append_new(array, get(L, -1, depth + 1, room));
        lua_pop(L, 1);
    }
    return array;
}

/* An array if the keys are 1 to n (or the table is empty); otherwise every key must be a string. */
static json_t *get_table(lua_State *L, int index, int depth, struct room *room)
{
    lua_Integer n = 0;
    bool is_array = true;
    json_t *object;

    if (depth > UP_SANDBOX_VALUES_DEPTH)
        luaL_error(L, "the answer is nested deeper than %d tables", UP_SANDBOX_VALUES_DEPTH);
    luaL_checkstack(L, 4, "answer");
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        is_array = is_array && lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1;
        if (++n > UP_SANDBOX_VALUES_MAX)
            luaL_error(L, "more than %d values in the answer", UP_SANDBOX_VALUES_MAX);
    }
    /* n positive integers, of which n is the highest and exists. */
    for (lua_Integer i = 1; is_array && i <= n; i++) {
        is_array = lua_rawgeti(L, index, i) != LUA_TNIL;
        lua_pop(L, 1);
    }
    if (is_array)
        return get_array(L, index, n, depth, room);
    object = json_object();
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "the keys of a table in the answer must be strings, or 1, 2, 3 and so on");
        json_t *key = get_text(L, -2, room);
        json_object_set_new(object, json_string_value(key), get(L, -1, depth + 1, room));
        json_decref(key);
    }
    return object;
}

static json_t *get(lua_State *L, int index, int depth, struct room *room)
{
    if (--room->values < 0)
        luaL_error(L, "more than %d values in the answer", UP_SANDBOX_VALUES_MAX);
    switch (lua_type(L, index)) {
    case LUA_TTABLE:
        return get_table(L, lua_absindex(L, index), depth, room);
    case LUA_TSTRING:
        return get_text(L, index, room);
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(L, index));
    case LUA_TNIL:
        return json_null();
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            return json_integer(lua_tointeger(L, index));
        if (isfinite(lua_tonumber(L, index)))
            return json_real(lua_tonumber(L, index));
        luaL_error(L, "a number in the answer is not finite");
        break;
    default:
        luaL_error(L, "a %s in the answer", luaL_typename(L, index));
    }
    return NULL;
}

json_t *up_sandbox_values_get(struct lua_State *L, int index)
{
    struct room room = {UP_SANDBOX_VALUES_MAX, UP_SANDBOX_VALUES_BYTES};

    return get(L, lua_absindex(L, index), 1, &room);
}
