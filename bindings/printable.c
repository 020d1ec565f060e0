/*
 * update.native.printable -- make untrusted text safe for a log or a page.
 *
 *     local printable = require "update.native.printable"
 *     log(printable.text(reason, 200))
 */
#include "printable.h"

#include "helpers.h"
#include "preload.h"

/* text(value [, most]) -> string of at most `most` bytes, valid UTF-8 and
 * without anything that controls a terminal. A run of line ends and tabs
 * becomes one blank, everything else a question mark. Other values are shown as
 * by tostring(). */
static int f_text(lua_State *L)
{
    lua_Integer most = luaL_optinteger(L, 2, LUA_MAXINTEGER);
    size_t len, to = 0;
    const char *given = luaL_tolstring(L, 1, &len);
    luaL_Buffer buffer;
    char *out;

    luaL_argcheck(L, most >= 0, 2, "must not be negative");
    out = luaL_buffinitsize(L, &buffer, len);
    for (size_t i = 0; i < len; i++) {
        bool blank = given[i] == '\n' || given[i] == '\r' || given[i] == '\t';

        if (!blank)
            out[to++] = given[i];
        else if (to == 0 || out[to - 1] != ' ')
            out[to++] = ' ';
    }
    to = up_printable(out, to);
    luaL_pushresultsize(&buffer, up_printable_cut(out, to, (size_t)most));
    return 1;
}

/* is(text) -> whether text() would leave it unchanged */
static int f_is(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);

    lua_pushboolean(L, up_is_printable(text, len));
    return 1;
}

static const luaL_Reg functions[] = {
    {"text", f_text},
    {"is", f_is},
    {NULL, NULL},
};

int luaopen_update_native_printable(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
