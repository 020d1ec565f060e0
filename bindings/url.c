/*
 * update.native.url -- which URLs are accepted, and how they are shown.
 *
 *     local url = require "update.native.url"
 *     log("asking " .. url.shown(cloud.url)) -- without user, password and query
 */
#include "url.h"

#include <string.h>

#include "error.h"
#include "helpers.h"
#include "preload.h"

/* shown(location) -> string for messages: a URL without user, password, query and
 * fragment; a path as it is */
static int f_shown(lua_State *L)
{
    const char *location = luaL_checkstring(L, 1);
    char shown[UP_URL_SHOWN];

    if (!strstr(location, "://")) {
        lua_settop(L, 1);
        return 1;
    }
    up_url_show(location, shown);
    lua_pushstring(L, shown);
    return 1;
}

/* server(url) -> scheme://host[:port] of it, for messages */
static int f_server(lua_State *L)
{
    char shown[UP_URL_SHOWN], *host, *path;

    up_url_show(luaL_checkstring(L, 1), shown);
    host = strstr(shown, "://");
    path = host ? strchr(host + 3, '/') : NULL;
    if (path)
        *path = '\0';
    lua_pushstring(L, shown);
    return 1;
}

/* check(url) -> true | nil, message, "usage": not http or https, no host, unreadable */
static int f_check(lua_State *L)
{
    struct up_error err;

    return up_push_done(L, up_url_check(luaL_checkstring(L, 1), &err), &err);
}

static const luaL_Reg functions[] = {
    {"shown", f_shown},
    {"server", f_server},
    {"check", f_check},
    {NULL, NULL},
};

int luaopen_update_native_url(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
