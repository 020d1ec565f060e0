#include "helpers.h"

#include <limits.h>
#include <stdlib.h>

#include "bytes.h"
#include "digest.h"
#include "error.h"
#include "fetch_options.h"
#include "manifest.h"
#include "storage.h"

int up_push_fail(lua_State *L, const struct up_error *err)
{
    lua_pushnil(L);
    lua_pushstring(L, err->message);
    lua_pushstring(L, up_code_word(err->code));
    return 3;
}

int up_push_done(lua_State *L, int rc, const struct up_error *err)
{
    if (rc < 0)
        return up_push_fail(L, err);
    lua_pushboolean(L, 1);
    return 1;
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

void up_add_methods(lua_State *L, const char *name, const luaL_Reg *methods)
{
    luaL_getmetatable(L, name);
    lua_getfield(L, -1, "__index");
    luaL_setfuncs(L, methods, 0);
    lua_pop(L, 2);
}

#define TEXT "update.native.text"

static int text_gc(lua_State *L)
{
    char **text = luaL_checkudata(L, 1, TEXT);

    free(*text);
    *text = NULL;
    return 0;
}

char **up_new_text(lua_State *L)
{
    static const luaL_Reg metamethods[] = {{"__gc", text_gc}, {NULL, NULL}}, no_methods[] = {{NULL, NULL}};
    char **text = lua_newuserdatauv(L, sizeof *text, 0);

    *text = NULL;
    up_new_type(L, TEXT, metamethods, no_methods);
    luaL_setmetatable(L, TEXT);
    return text;
}

int up_push_text(lua_State *L, char **text, size_t len)
{
    lua_pushlstring(L, *text, len);
    free(*text);
    *text = NULL;
    return 1;
}

int up_keep_text(lua_State *L, up_keep_fn *keep)
{
    const char *state = luaL_checkstring(L, 1);
    const char *name = luaL_checkstring(L, 2);
    size_t len;
    const char *text = luaL_checklstring(L, 3, &len);
    struct up_error err;

    return up_push_done(L, keep(up_storage_system(), state, name, text, len, &err), &err);
}

int up_push_kept(lua_State *L, up_kept_fn *kept)
{
    const char *state = luaL_checkstring(L, 1);
    const char *name = luaL_checkstring(L, 2);
    struct up_error err;
    char **text = up_new_text(L);
    size_t len;

    if (kept(up_storage_system(), state, name, text, &len, &err) < 0)
        return up_push_fail(L, &err);
    return up_push_text(L, text, len);
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

void up_set_sequence(lua_State *L, uint64_t sequence)
{
    char text[15];
    uint8_t bytes[8];

    up_set_integer(L, "sequence", up_manifest_sequence_is_unsigned(sequence) ? 0 : sequence);
    if (!up_manifest_sequence_is_unsigned(sequence))
        return;
    up_put64(bytes, sequence);
    up_hex(bytes, 7, text);
    up_set_string(L, "unsigned", text);
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

static unsigned field_unsigned(lua_State *L, int index, const char *name)
{
    uint64_t v = up_field_integer(L, index, name, 0);

    if (v > INT_MAX)
        luaL_error(L, "field '%s' is too large", name);
    return (unsigned)v;
}

/* range = {offset [, length]} */
static void check_range(lua_State *L, int index, struct up_fetch_options *o)
{
    int type = lua_getfield(L, index, "range");

    if (type != LUA_TNIL) {
        luaL_argcheck(L, type == LUA_TTABLE, index, "field 'range' is {offset, length}");
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        luaL_argcheck(L, lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 0, index,
                      "range: the offset is an integer");
        luaL_argcheck(L, lua_isnil(L, -1) || (lua_isinteger(L, -1) && lua_tointeger(L, -1) > 0), index,
                      "range: the length is an integer above 0");
        o->ranged = 1;
        o->offset = (uint64_t)lua_tointeger(L, -2);
        o->length = lua_isnil(L, -1) ? 0 : (uint64_t)lua_tointeger(L, -1);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

/* headers = {name = value}: pushes what owns the list, at one stack place. */
static void check_headers(lua_State *L, int index, struct up_fetch_options *o)
{
    const char **list;
    size_t n = 0;
    int owner;

    if (lua_getfield(L, index, "headers") == LUA_TNIL)
        return;
    luaL_argcheck(L, lua_istable(L, -1), index, "field 'headers' is a table of name = value");
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        n++;
    list = lua_newuserdatauv(L, (n + 1) * sizeof *list, 1);
    lua_createtable(L, (int)n, 0);
    owner = lua_gettop(L);
    n = 0;
    for (lua_pushnil(L); lua_next(L, owner - 2); lua_pop(L, 1)) {
        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING, index,
                      "field 'headers' is a table of name = value");
        list[n] = lua_pushfstring(L, "%s: %s", lua_tostring(L, -2), lua_tostring(L, -1));
        lua_rawseti(L, owner, (lua_Integer)++n);
    }
    list[n] = NULL;
    lua_setiuservalue(L, owner - 1, 1);
    lua_remove(L, -2);
    o->headers = list;
}

void up_check_fetch_options(lua_State *L, int index, struct up_fetch_options *o)
{
    luaL_checktype(L, index, LUA_TTABLE);
    check_range(L, index, o);
    o->if_range = up_field_string(L, index, "if_range", NULL);
    o->proxy = up_field_string(L, index, "proxy", NULL);
    o->ca_file = up_field_string(L, index, "ca_file", NULL);
    o->method = up_field_string(L, index, "method", NULL);
    o->redirect_prefix = up_field_string(L, index, "redirect_prefix", NULL);
    o->max_redirects = field_unsigned(L, index, "max_redirects");
    o->connect_timeout = field_unsigned(L, index, "connect_timeout");
    o->low_speed_limit = field_unsigned(L, index, "low_speed_limit");
    o->low_speed_time = field_unsigned(L, index, "low_speed_time");
    o->deadline = field_unsigned(L, index, "deadline");
    o->time_floor = up_field_integer(L, index, "time_floor", 0);
    o->max_body = up_field_integer(L, index, "max_body", 0);
    o->public_only = up_field_boolean(L, index, "public_only", 0);
    o->question = up_field_boolean(L, index, "question", 0);
    o->body = up_field_string(L, index, "body", NULL);
    if (o->body) {
        lua_getfield(L, index, "body");
        o->body_len = lua_rawlen(L, -1);
        lua_pop(L, 1);
    }
    check_headers(L, index, o);
}
