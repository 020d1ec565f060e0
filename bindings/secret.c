/*
 * update.native.secret -- secrets in files that nobody else may read.
 *
 *     local text = assert(secret.read "device.secret")   -- mode 0600 or less
 */
#include "secret.h"

#include <string.h>

#include "error.h"
#include "helpers.h"
#include "preload.h"
#include "storage.h"

/* check(path) -> true | nil, message, code: "usage" when others may read the file */
static int f_check(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct up_error err;

    return up_push_done(L, up_secret_check(up_storage_system(), path, &err), &err);
}

/* read(path) -> text, one line without its end | nil, message, code ("missing", "usage", "write") */
static int f_read(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    char text[UP_SECRET_MAX + 1];
    struct up_error err;

    if (up_secret_read(up_storage_system(), path, text, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushstring(L, text);
    return 1;
}

static const luaL_Reg functions[] = {
    {"check", f_check},
    {"read", f_read},
    {NULL, NULL},
};

int luaopen_update_native_secret(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
