/*
 * update.native.signals -- catch SIGTERM and SIGINT, to end in order, and SIGHUP, to read files anew.
 *
 *     local signals <close> = assert(require("update.native.signals").open())
 *     local watch = { fd = signals:fd(), read = true }
 *     repeat loop:poll(nil, { watch }) until signals:next()
 */
#include "signals.h"

#include <signal.h>

#include "error.h"
#include "helpers.h"
#include "preload.h"

#define SIGNALS "update.native.signals"

struct handle {
    struct up_signals *signals; /* NULL once closed, and while opening */
};

static struct up_signals *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, SIGNALS);

    if (!h->signals)
        luaL_error(L, "attempt to use closed signals");
    return h->signals;
}

/* open([hangup]) -> signals | nil, message, code; without `hangup` SIGHUP ends the process as ever */
static int f_open(lua_State *L)
{
    bool hangup = lua_toboolean(L, 1);
    struct handle *h = lua_newuserdatauv(L, sizeof *h, 0);
    struct up_error err;

    h->signals = NULL;
    luaL_setmetatable(L, SIGNALS);
    if (up_signals_open(&h->signals, hangup, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* signals:fd() -> descriptor to poll for reading */
static int m_fd(lua_State *L)
{
    lua_pushinteger(L, up_signals_fd(check_open(L)));
    return 1;
}

/* signals:next() -> "TERM" | "INT" | "HUP" | nil, message, "again" */
static int m_next(lua_State *L)
{
    int number = up_signals_next(check_open(L));

    if (number < 0) {
        lua_pushnil(L);
        lua_pushliteral(L, "nothing yet");
        lua_pushliteral(L, "again");
        return 3;
    }
    if (number == SIGHUP)
        lua_pushliteral(L, "HUP");
    else
        lua_pushstring(L, number == SIGINT ? "INT" : "TERM");
    return 1;
}

/* signals:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, SIGNALS);

    up_signals_close(h->signals);
    h->signals = NULL;
    return 0;
}

/* follow_parent([at_once]): from now on SIGTERM comes, too, when the process that started this one ends; or with
 * `at_once` SIGKILL */
static int f_follow_parent(lua_State *L)
{
    up_signals_follow_parent(lua_toboolean(L, 1));
    return 0;
}

static const luaL_Reg functions[] = {
    {"open", f_open},
    {"follow_parent", f_follow_parent},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"fd", m_fd},
    {"next", m_next},
    {"close", m_close},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

int luaopen_update_native_signals(lua_State *L)
{
    up_new_type(L, SIGNALS, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
