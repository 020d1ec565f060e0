/*
 * update.native.rights -- check that the script's user can do what is needed,
 * and no more.
 *
 *     local rights = require "update.native.rights"
 *     local fine, why, code = rights.try("meter", nil, "state/script/1/main.lua", { "state/journal.0" },
 *                                       { "config.lua" })
 */
#include "rights.h"

#include "error.h"
#include "helpers.h"
#include "preload.h"

#define FILES_MAX 32

/* An array of strings at `index` as pointers, which live as long as the table; nil: NULL. */
static const char *const *check_list(lua_State *L, int index, const char **out, int most)
{
    lua_Integer n;

    if (lua_isnoneornil(L, index))
        return NULL;
    luaL_checktype(L, index, LUA_TTABLE);
    n = luaL_len(L, index);
    luaL_argcheck(L, n <= most, index, "too many");
    for (lua_Integer i = 0; i < n; i++) {
        if (lua_rawgeti(L, index, i + 1) != LUA_TSTRING)
            luaL_argerror(L, index, "an array of strings is needed");
        out[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    out[n] = NULL;
    return out;
}

/* try(user, groups, file, private, fixed) -> true [, the first of the other files that the user can access]
 *   | nil, message, code ("refused": the user cannot read the file)
 * In a process of its own, as that user; groups nil: all that the system gives
 * the user. private: files that the user must not be able to read; fixed: nor
 * to write. */
static int f_try(lua_State *L)
{
    const char *group[UP_RIGHTS_GROUPS + 1], *read[FILES_MAX + 1] = {NULL}, *written[FILES_MAX + 1] = {NULL};
    const char *user = luaL_checkstring(L, 1), *found;
    const char *const *groups = check_list(L, 2, group, UP_RIGHTS_GROUPS);
    const char *may = luaL_checkstring(L, 3);
    struct up_rights rights;
    struct up_error err;

    check_list(L, 4, read, FILES_MAX);
    check_list(L, 5, written, FILES_MAX);
    if (up_rights_find(&rights, user, groups, &err) < 0 || up_rights_can_take(&rights, &err) < 0 ||
        up_rights_try(&rights, may, read, written, &found, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushboolean(L, 1);
    lua_pushstring(L, found);
    return 2;
}

/* group(name) -> number | nil, message, "usage" */
static int f_group(lua_State *L)
{
    struct up_error err;
    gid_t gid;

    if (up_rights_group(&gid, luaL_checkstring(L, 1), &err) < 0)
        return up_push_fail(L, &err);
    lua_pushinteger(L, gid);
    return 1;
}

/* user(name) -> true | nil, message, "usage": there is none */
static int f_user(lua_State *L)
{
    static const char *const no_groups[] = {NULL};
    struct up_rights rights;
    struct up_error err;

    if (up_rights_find(&rights, luaL_checkstring(L, 1), no_groups, &err) < 0)
        return up_push_fail(L, &err);
    lua_pushboolean(L, 1);
    return 1;
}

static const luaL_Reg functions[] = {
    {"user", f_user},
    {"try", f_try},
    {"group", f_group},
    {NULL, NULL},
};

int luaopen_update_native_rights(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
