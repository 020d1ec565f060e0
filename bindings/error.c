/*
 * update.native.error -- the table of code words.
 *
 *   codes() -> array of { word, exit, meaning, advice }
 *   find(word) -> one of them, or nil
 */
#include "error.h"

#include "helpers.h"
#include "preload.h"

static void push_row(lua_State *L, const struct up_code_info *info)
{
    lua_createtable(L, 0, 4);
    up_set_string(L, "word", info->word);
    up_set_integer(L, "exit", (uint64_t)info->exit);
    up_set_string(L, "meaning", info->meaning);
    up_set_string(L, "advice", info->advice);
}

/* codes() -> array */
static int f_codes(lua_State *L)
{
    lua_newtable(L);
    for (size_t i = 0; up_code_row(i); i++) {
        push_row(L, up_code_row(i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* find(word) -> row | nil */
static int f_find(lua_State *L)
{
    const struct up_code_info *info = up_code_find(luaL_checkstring(L, 1));

    if (!info)
        return 0;
    push_row(L, info);
    return 1;
}

static const luaL_Reg functions[] = {
    {"codes", f_codes},
    {"find", f_find},
    {NULL, NULL},
};

int luaopen_update_native_error(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
