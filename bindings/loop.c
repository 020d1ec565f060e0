/*
 * update.native.loop -- wait for transfers and descriptors, in one place.
 *
 *     local loop = assert(require("update.native.loop").new())
 *     local watches = { { fd = control:fd(), read = true } }
 *     assert(loop:poll(1000, watches))     -- milliseconds
 *     if watches[1].ready then ... end
 *     loop:close()
 */
#include "loop.h"

#include <limits.h>

#include "error.h"
#include "helpers.h"
#include "preload.h"

#define WATCHES 256

struct handle {
    struct up_loop *loop; /* NULL once closed, and while opening */
};

/* new() -> loop | nil, message, code */
static int f_new(lua_State *L)
{
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    struct up_error err;

    h->loop = NULL;
    luaL_setmetatable(L, UP_LOOP_TYPE);
    if (up_loop_new(&h->loop, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

static size_t check_watches(lua_State *L, int arg, struct up_watch *out)
{
    size_t n;

    if (lua_isnoneornil(L, arg))
        return 0;
    luaL_checktype(L, arg, LUA_TTABLE);
    n = lua_rawlen(L, arg);
    luaL_argcheck(L, n <= WATCHES, arg, "more than 256 watches");
    for (size_t i = 0; i < n; i++) {
        luaL_argcheck(L, lua_rawgeti(L, arg, (lua_Integer)i + 1) == LUA_TTABLE, arg, "a watch is a table");
        out[i].fd = (int)up_field_integer(L, -1, "fd", INT_MAX);
        out[i].read = up_field_boolean(L, -1, "read", 0);
        out[i].write = up_field_boolean(L, -1, "write", 0);
        out[i].ready = false;
        luaL_argcheck(L, out[i].fd >= 0 && out[i].fd != INT_MAX, arg, "a watch without a descriptor");
        lua_pop(L, 1);
    }
    return n;
}

/* loop:poll([timeout_ms [, watches]]) -> true | nil, message, code
 * Without a timeout, or below 0, as long as it takes, at most 60 s. Each
 * watch is {fd =, read =, write =} and gets .ready. */
static int m_poll(lua_State *L)
{
    struct up_loop *loop = up_check_loop(L, 1);
    lua_Integer timeout = luaL_optinteger(L, 2, -1);
    struct up_watch watches[WATCHES];
    size_t n = check_watches(L, 3, watches);
    struct up_error err;

    if (timeout > INT_MAX)
        timeout = INT_MAX;
    if (timeout < 0)
        timeout = -1;
    if (up_loop_poll(loop, watches, n, (int)timeout, &err) < 0)
        return up_push_fail(L, &err);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 3, (lua_Integer)i + 1);
        up_set_boolean(L, "ready", watches[i].ready);
        lua_pop(L, 1);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* loop:close(), also __gc and __close. Safe to call twice; transfers still
 * open keep what they need until they are closed. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, UP_LOOP_TYPE);

    up_loop_free(h->loop);
    h->loop = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"poll", m_poll},
    {"close", m_close},
    {NULL, NULL},
};

/* now() -> seconds from any origin, never set back: to count timeouts on */
static int f_now(lua_State *L)
{
    lua_pushnumber(L, up_loop_now());
    return 1;
}

/* uptime() -> seconds since the system started; goes on while it is suspended: to count long pauses on */
static int f_uptime(lua_State *L)
{
    lua_pushnumber(L, up_loop_uptime());
    return 1;
}

static const luaL_Reg functions[] = {
    {"new", f_new},
    {"now", f_now},
    {"uptime", f_uptime},
    {NULL, NULL},
};

int luaopen_update_native_loop(lua_State *L)
{
    up_new_type(L, UP_LOOP_TYPE, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
