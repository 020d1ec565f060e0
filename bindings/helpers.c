#include "helpers.h"

#include "error.h"

int up_push_fail(lua_State *L, const struct up_error *err)
{
    lua_pushnil(L);
    lua_pushstring(L, err->message);
    lua_pushstring(L, up_code_word(err->code));
    return 3;
}

int up_push_again(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "nothing yet");
    lua_pushliteral(L, "again");
    return 3;
}

void up_new_type(lua_State *L, const char *name, const luaL_Reg *metamethods, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, metamethods, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

uint64_t up_check_bytes(lua_State *L, int arg)
{
    lua_Integer v = luaL_checkinteger(L, arg);

    luaL_argcheck(L, v >= 0, arg, "must not be negative");
    return (uint64_t)v;
}

const char *up_field_string(lua_State *L, int index, const char *name, const char *otherwise)
{
    const char *v = otherwise;

    switch (lua_getfield(L, index, name)) {
    case LUA_TNIL:
        break;
    case LUA_TSTRING:
        v = lua_tostring(L, -1);
        break;
    default:
        luaL_error(L, "field '%s' must be a string, not a %s", name, luaL_typename(L, -1));
    }
    lua_pop(L, 1);
    return v;
}

uint64_t up_field_integer(lua_State *L, int index, const char *name, uint64_t otherwise)
{
    uint64_t v = otherwise;

    if (lua_getfield(L, index, name) != LUA_TNIL) {
        if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 0)
            luaL_error(L, "field '%s' must be a non-negative integer", name);
        v = (uint64_t)lua_tointeger(L, -1);
    }
    lua_pop(L, 1);
    return v;
}

int up_field_boolean(lua_State *L, int index, const char *name, int otherwise)
{
    int v = otherwise;

    if (lua_getfield(L, index, name) != LUA_TNIL) {
        if (!lua_isboolean(L, -1))
            luaL_error(L, "field '%s' must be true or false", name);
        v = lua_toboolean(L, -1);
    }
    lua_pop(L, 1);
    return v;
}

void up_set_string(lua_State *L, const char *name, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

void up_set_integer(lua_State *L, const char *name, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

void up_set_boolean(lua_State *L, const char *name, int value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

static void *check_handle(lua_State *L, int arg, const char *type)
{
    void **handle = luaL_checkudata(L, arg, type);

    luaL_argcheck(L, *handle, arg, "closed");
    return *handle;
}

struct up_loop *up_check_loop(lua_State *L, int arg)
{
    return check_handle(L, arg, UP_LOOP_TYPE);
}

struct up_source *up_check_source(lua_State *L, int arg)
{
    return check_handle(L, arg, UP_SOURCE_TYPE);
}

struct up_package *up_check_package(lua_State *L, int arg)
{
    return check_handle(L, arg, UP_PACKAGE_TYPE);
}

struct up_device *up_check_device(lua_State *L, int arg)
{
    return check_handle(L, arg, UP_DEVICE_TYPE);
}
