/*
 * sandbox_lua.c -- a Lua state in which a policy can do nothing but compute.
 *
 * The environment is built from nothing rather than stripped down, so that
 * additions in a newer Lua are not in it. Libraries are empty tables whose
 * __index is the real one: neither assignment nor rawset, setmetatable or the
 * functions of `table` reach the real table.
 */
#include "sandbox_lua.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOOK_EVERY 1000 /* instructions */

/* Registry keys. */
#define MODULES "moult.modules"
#define SHIELD "moult.shield" /* shield -> true */

/* One process answers one question: resources are counted here, over all its states. */
static struct {
    size_t memory;
    long instructions;
    up_sandbox_over_fn *over;
} used;

static void *allocate(void *ud, void *old, size_t old_size, size_t new_size)
{
    void *p;

    (void)ud;
    if (!old)
        old_size = 0; /* then it is the kind of object */
    if (new_size == 0) {
        free(old);
        used.memory -= old_size;
        return NULL;
    }
    /* Shrinking must not fail. */
    if (new_size > old_size && new_size - old_size > UP_SANDBOX_LUA_MEMORY - used.memory)
        return NULL;
    p = realloc(old, new_size);
    if (p)
        used.memory += new_size - old_size;
    return p;
}

/* Coroutines inherit the hook, and nothing in the environment can remove it. */
static void count(lua_State *L, lua_Debug *ar)
{
    (void)L;
    (void)ar;
    used.instructions += HOOK_EVERY;
    if (used.instructions >= UP_SANDBOX_LUA_INSTRUCTIONS)
        used.over();
}

static int read_only(lua_State *L)
{
    return luaL_error(L, "attempt to change a read-only library");
}

/* Replace the table on top by a read-only view of it. */
static void shield(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, read_only);
    lua_setfield(L, -2, "__newindex");
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, SHIELD);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* rawset(t, k, v): not on a view, where it would hide the library. */
static int f_rawset(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    luaL_checkany(L, 3);
    lua_settop(L, 3);
    lua_getfield(L, LUA_REGISTRYINDEX, SHIELD);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, -2) != LUA_TNIL)
        return read_only(L);
    lua_settop(L, 3);
    lua_rawset(L, 1);
    return 1;
}

/* setmetatable(t, mt): no finalizers. A __gc that is added later has no effect. */
static int f_setmetatable(lua_State *L)
{
    int type = lua_type(L, 2);

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    if (type == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "a policy cannot have finalizers (__gc)");
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

/* require(name): one of our modules. */
static int f_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);

    lua_getfield(L, LUA_REGISTRYINDEX, MODULES);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, -2) == LUA_TNIL)
        return luaL_error(L, "a policy cannot require '%s': only update.version and update.policy", name);
    return 1;
}

/* print(...): does nothing; a policy that was tried on a PC may still call it. */
static int f_print(lua_State *L)
{
    (void)L;
    return 0;
}

static const char *const base_names[] = {
    "assert", "error",  "getmetatable", "ipairs",   "next",     "pairs", "pcall",  "rawequal",
    "rawget", "rawlen", "select",       "tonumber", "tostring", "type",  "xpcall", "_VERSION",
};

static const luaL_Reg own_functions[] = {
    {"rawset", f_rawset}, {"setmetatable", f_setmetatable}, {"require", f_require}, {"print", f_print},
    {NULL, NULL},
};

static const luaL_Reg libraries[] = {
    {LUA_STRLIBNAME, luaopen_string}, {LUA_TABLIBNAME, luaopen_table},    {LUA_MATHLIBNAME, luaopen_math},
    {LUA_UTF8LIBNAME, luaopen_utf8},  {LUA_COLIBNAME, luaopen_coroutine}, {NULL, NULL},
};

/* Push a fresh environment; `base` and the views of the libraries are at these indexes. */
static void push_environment(lua_State *L, int base, int shielded)
{
    lua_newtable(L);
    for (size_t i = 0; i < sizeof base_names / sizeof *base_names; i++) {
        lua_getfield(L, base, base_names[i]);
        lua_setfield(L, -2, base_names[i]);
    }
    luaL_setfuncs(L, own_functions, 0);
    for (const luaL_Reg *lib = libraries; lib->name; lib++) {
        lua_getfield(L, shielded, lib->name);
        lua_setfield(L, -2, lib->name);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "_G");
}

/* Open the libraries and push a table of their views. */
static void open_libraries(lua_State *L)
{
    lua_newtable(L);
    for (const luaL_Reg *lib = libraries; lib->name; lib++) {
        luaL_requiref(L, lib->name, lib->func, 0);
        if (lib->func == luaopen_string) {
            lua_pushnil(L);
            lua_setfield(L, -2, "dump");
        }
        shield(L);
        lua_setfield(L, -2, lib->name);
    }
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

/* Run one of our modules in the environment on top; require() finds it afterwards. */
static void add_module(lua_State *L, const char *name, const char *text)
{
    if (luaL_loadbufferx(L, text, strlen(text), name, "t") != LUA_OK)
        lua_error(L);
    lua_pushvalue(L, -2);
    lua_setupvalue(L, -2, 1);
    lua_call(L, 0, 1);
    shield(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, MODULES);
    lua_insert(L, -2);
    lua_setfield(L, -2, name + 1);
    lua_pop(L, 1);
}

static int build(lua_State *L)
{
    const struct up_sandbox_modules *modules = lua_touserdata(L, 1);

    lua_settop(L, 0);
    luaL_requiref(L, LUA_GNAME, luaopen_base, 0); /* 1 */
    open_libraries(L);                            /* 2 */
    push_environment(L, 1, 2);                    /* 3: for our modules, out of the user's reach */
    add_module(L, "=update.version", modules->version);
    add_module(L, "=update.policy", modules->policy);
    push_environment(L, 1, 2); /* 4: for the user's policy */
    up_sandbox_lua_push_default(L);
    lua_setfield(L, 4, "default");
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    /* luaL_requiref left the plain libraries here. */
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    return 0;
}

struct lua_State *up_sandbox_lua_new(const struct up_sandbox_modules *modules, up_sandbox_over_fn *over,
                                     char *why, size_t len)
{
    lua_State *L = lua_newstate(allocate, NULL);

    if (!L) {
        snprintf(why, len, "out of memory");
        return NULL;
    }
    used.over = over;
    lua_sethook(L, count, LUA_MASKCOUNT, HOOK_EVERY);
    lua_pushcfunction(L, build);
    lua_pushlightuserdata(L, (void *)(uintptr_t)modules);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
        return L;
    snprintf(why, len, "%s", lua_tostring(L, -1));
    lua_close(L);
    return NULL;
}

void up_sandbox_lua_push_default(struct lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, MODULES);
    lua_getfield(L, -1, "update.policy");
    lua_remove(L, -2);
}
